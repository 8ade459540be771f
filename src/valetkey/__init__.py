"""App passwords for mail that do not undo two-factor sign-in."""

__version__ = "0.3.0"
