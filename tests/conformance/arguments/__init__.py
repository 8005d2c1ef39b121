"""Arguments and results."""
