"""Requests that belong to no call: answered without keeping anything (RFC 3261 section 8.2.7)."""

from onhook.effects import Destination, Transmit
from onhook.sip.inside import ALLOW, ALLOWED
from onhook.sip.messages import Malformed, Request, Response, respond
from onhook.sip.reply import mark_source, reply_to
from onhook.sip.validity import Refusal, check_malformed, check_request

IN_DIALOG_ONLY = frozenset({"BYE", "CANCEL", "UPDATE", "INFO", "NOTIFY", "PRACK", "REFER"})


def answer_stray(request: Request, source: Destination, tag: str) -> Transmit | None:
    """The answer to `request`, or None for an ACK, which has none. `tag` becomes our To tag.

    OPTIONS gets 200, so that a trunk's keep-alive sees us (section 11.2); requests that only make sense
    within a dialog get 481. An INVITE begins a call; where nobody takes it, it gets 501.
    """
    if request.method == "ACK" or request.via is None:
        return None
    if request.method in IN_DIALOG_ONLY or request.to_tag:
        return _answer(request, respond(request, 481, to_tag=tag), source)
    refusal = check_request(request, known_methods=ALLOWED)
    if refusal is not None:
        return _refuse(request, refusal, source, tag)
    response = respond(request, 200 if request.method == "OPTIONS" else 501, to_tag=tag)
    response.headers.add("allow", ALLOW)
    return _answer(request, response, source)


def refuse_stray(request: Request, refusal: Refusal, source: Destination, tag: str) -> Transmit | None:
    """Refuse a request of which nothing is to be kept; its repeats get the same answer again."""
    return _refuse(request, refusal, source, tag)


def answer_malformed(malformed: Malformed, source: Destination, tag: str) -> Transmit | None:
    """What to say to bytes of which a request could be made out in part; None to drop them."""
    refusal, request = check_malformed(malformed), malformed.request
    return None if refusal is None or request is None else _refuse(request, refusal, source, tag)


def _refuse(request: Request, refusal: Refusal, source: Destination, tag: str) -> Transmit | None:
    response = refusal.response(request, tag)
    return None if response is None else _answer(request, response, source)


def _answer(request: Request, response: Response, source: Destination) -> Transmit:
    """Send `response` where it belongs; the request's Via as we found it is marked in the copy."""
    marked = Request(request.method, request.uri, request.headers.copy())
    mark_source(marked, source)
    response.headers.take("via", marked.headers)
    return Transmit(response.to_bytes(), reply_to(request, source))
