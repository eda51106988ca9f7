"""Undercast runs AWS Lambda applications on your own machine."""

__version__ = "0.1.0"
