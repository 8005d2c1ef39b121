"""The providers of models; none is configured here."""
