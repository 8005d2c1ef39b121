"""Which version this is."""

from .._version import VERSION

__all__ = ["VERSION"]
