"""Where a response goes, and what a receiver notes in the Via (RFC 3261 section 18.2, RFC 3581)."""

from onhook.effects import Destination
from onhook.sip.messages import Request
from onhook.sip.transaction import RELIABLE


def mark_source(request: Request, source: Destination) -> None:
    """Write `received` and, if asked for, `rport` into the topmost Via."""
    via, lines = request.via, request.headers.all("via")
    if via is None:
        return
    first, comma, rest = lines[0].partition(",")
    parts = first.split(";")
    wants_rport = "rport" in via.params
    if wants_rport:
        parts = [f"rport={source.port}" if part.strip().lower() == "rport" else part for part in parts]
    if wants_rport or via.host != source.host:
        parts = [part for part in parts if not part.strip().lower().startswith("received=")]
        parts.append(f"received={source.host}")
    request.headers.set("via", ";".join(parts) + comma + rest)
    for line in lines[1:]:
        request.headers.add("via", line)


def reply_to(request: Request, source: Destination) -> Destination:
    """The destination of responses to `request`, which came from `source`.

    Reliable transports answer on the same connection; UDP answers to the source port with rport, else
    to the port named in the Via, always at the address that the request came from.
    """
    via = request.via
    if via is None or source.transport in RELIABLE or "rport" in via.params:
        return source
    return Destination(source.transport, source.host, via.port or 5060)
