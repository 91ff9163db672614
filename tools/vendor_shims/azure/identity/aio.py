"""The asynchronous names of the credentials."""

from . import AzureCliCredential, DefaultAzureCredential

__all__ = ["AzureCliCredential", "DefaultAzureCredential"]
