"""What the switch learns of an API request besides its body, and what is kept of its answer."""

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`api_version` is the version that is served, which events repeat in `data.version`."""

    api_version: str
    request_id: str
    """x-ms-client-request-id, or the server's own x-ms-request-id if the client sent none."""
    repeatability_id: str = ""
    operation: str
    """Name in acs/operations.py."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer as it left, kept for requests that are sent again with the same Repeatability-Request-ID."""

    status: int
    body: bytes
    fingerprint: str
    """Operation, target and body hash of the request that it answered."""
