"""The asynchronous name is imported by the vendor's live tests, and never used."""

from . import ServiceBusClient

__all__ = ["ServiceBusClient"]
