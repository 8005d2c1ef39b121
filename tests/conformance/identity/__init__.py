"""What others see of it."""
