"""What can be decorated."""
