"""The Reason header (RFC 3326): why a request was sent, or a response came, in a protocol's own numbers.

The names of Q.850 causes are a table of endings/; here a cause is a number and the text beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from onhook.sip.headers import split_list
from onhook.sip.messages import Headers
from onhook.sip.quoted import quote, unquote

MAX_REASONS = 16
"""Values read of one message; more of them say nothing new."""
MAX_CAUSE_DIGITS = 6
MAX_TEXT_LENGTH = 1024
"""Characters kept of one text."""

Q850 = "Q.850"
SIP = "SIP"
_SPELLING = {"q.850": Q850, "sip": SIP}
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")


@dataclass(frozen=True, slots=True)
class Reason:
    """One value. `protocol` is "Q.850" or "SIP" in this spelling, others as written.

    `cause` is None where the header gave a protocol alone or with a text, which RFC 3326 allows.
    """

    protocol: str
    cause: int | None = None
    text: str = ""


def parse_reasons(lines: Iterable[str]) -> list[Reason]:
    """Every readable value of the Reason lines, in order; unreadable ones are left out."""
    reasons: list[Reason] = []
    for line in lines:
        for value in split_list(line):
            if (reason := _parse_reason(value)) is not None:
                reasons.append(reason)
                if len(reasons) == MAX_REASONS:
                    return reasons
    return reasons


def q850(headers: Headers) -> Reason | None:
    """The first Q.850 reason that has a cause."""
    return _first(headers, Q850)


def sip(headers: Headers) -> Reason | None:
    """The first SIP reason that has a cause (a status)."""
    return _first(headers, SIP)


def write_reason(reason: Reason) -> str:
    """The value as a header line; the text quoted."""
    parts = [reason.protocol]
    if reason.cause is not None:
        parts.append(f"cause={reason.cause}")
    if reason.text:
        parts.append(f"text={quote(reason.text)}")
    return ";".join(parts)


def _first(headers: Headers, protocol: str) -> Reason | None:
    lines = headers.all("reason")
    if not lines:
        return None
    return next((r for r in parse_reasons(lines) if r.protocol == protocol and r.cause is not None), None)


def _parse_reason(value: str) -> Reason | None:
    protocol, *params = split_list(value, ";") or [""]
    if not protocol or value.startswith(";") or not _TOKEN.issuperset(protocol):
        return None
    cause: int | None = None
    text = ""
    for param in params:
        name, _, given = param.partition("=")
        given = given.strip()
        match name.strip().lower():
            case "cause":
                if cause is not None or not (given.isascii() and given.isdigit()):
                    return None
                if len(given) > MAX_CAUSE_DIGITS:
                    return None
                cause = int(given)
            case "text" if not text:
                text = unquote(given)[:MAX_TEXT_LENGTH]
            case _:
                pass  # an extension
    return Reason(_SPELLING.get(protocol.lower(), protocol), cause, text)
