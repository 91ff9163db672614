"""Requests that are too long for UDP (RFC 3261 section 18.1.1)."""

from typing import Final

from onhook.effects import Destination
from onhook.sip.messages import Request

MAX_UDP_BYTES: Final = 1_300
"""A longer request could be cut into fragments on the way, which NATs and firewalls lose."""


def fit(request: Request, to: Destination) -> tuple[Request, Destination]:
    """The request and where it goes: by TCP, with a Via that says so, if it is too long for UDP."""
    if to.transport != "udp" or len(request.to_bytes()) <= MAX_UDP_BYTES:
        return request, to
    lines = request.headers.all("via")
    headers = request.headers.copy()
    headers.set("via", lines[0].replace("SIP/2.0/UDP", "SIP/2.0/TCP", 1))
    for line in lines[1:]:
        headers.add("via", line)
    return Request(request.method, request.uri, headers, request.body), to._replace(transport="tcp")
