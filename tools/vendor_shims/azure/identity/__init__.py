"""Stands in for azure-identity: the live tests make a credential and hand it to the bus, no more."""


class AzureCliCredential:
    """Nobody logs in: the bus of these tests asks for nothing."""


class DefaultAzureCredential(AzureCliCredential):
    """As above."""
