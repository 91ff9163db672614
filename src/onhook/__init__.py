"""Onhook: ACS calling on your own machine and SBC, with the reason every call ended."""

__version__ = "0.1.0"
