"""Flashback: the project and its kit modules."""

__version__ = "0.1.0"
