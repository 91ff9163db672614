"""The asynchronous names of the credentials."""

from azure.identity import AzureCliCredential, DefaultAzureCredential

__all__ = ["AzureCliCredential", "DefaultAzureCredential"]
