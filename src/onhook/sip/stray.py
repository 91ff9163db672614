"""Requests that belong to no call: answered without keeping anything (RFC 3261 section 8.2.7)."""

from onhook.effects import Destination, Transmit
from onhook.sip.inside import ALLOW
from onhook.sip.messages import Request, respond
from onhook.sip.reply import mark_source, reply_to

IN_DIALOG_ONLY = frozenset({"BYE", "CANCEL", "UPDATE", "INFO", "NOTIFY", "PRACK", "REFER"})


def answer_stray(request: Request, source: Destination, tag: str) -> Transmit | None:
    """The answer to `request`, or None for an ACK, which has none. `tag` becomes our To tag.

    OPTIONS gets 200, so that a trunk's keep-alive sees us (section 11.2); requests that only make sense
    within a dialog get 481; INVITE gets 501 as long as inbound calls are not built.
    """
    if request.method == "ACK" or request.via is None:
        return None
    mark_source(request, source)
    to = reply_to(request, source)
    if request.method == "OPTIONS":
        status = 200
    elif request.method in IN_DIALOG_ONLY or request.to_tag:
        status = 481
    else:
        status = 501 if request.method == "INVITE" else 405
    response = respond(request, status, to_tag=tag)
    if status != 481:
        response.headers.add("allow", ALLOW)
    return Transmit(response.to_bytes(), to)
