"""The asynchronous name is imported by the vendor's live tests, and never used."""

from azure.servicebus import ServiceBusClient

__all__ = ["ServiceBusClient"]
