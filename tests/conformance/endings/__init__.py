"""How calls end."""
