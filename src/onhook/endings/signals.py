"""The few things that a verdict needs of a SIP message, read straight from its bytes.

A verdict is made for every call, so the common message is not parsed: its status, CSeq, To tag and Reason
are found by search in the header. What cannot be found that way is asked of the full parser. Nothing here
raises, whatever the bytes.
"""

from typing import NamedTuple

from onhook.sip.headers import split_list
from onhook.sip.messages import Malformed, parse
from onhook.sip.reason import parse_reasons

MAX_PHRASE_CHARACTERS = 80
"""Text of strangers that goes into messages and evidence is cut to this."""

MAX_CSEQ_DIGITS = 10


class Reasons(NamedTuple):
    """What Reason headers said (RFC 3326): the Q.850 cause and the SIP status, each with its text."""

    q850_cause: int | None = None
    q850_text: str = ""
    sip_cause: int | None = None
    sip_text: str = ""


NO_REASONS = Reasons()


class Signal(NamedTuple):
    """A message that may end a call: the number of its fact, its status (0 for a request), its Reasons."""

    fact: int
    status: int
    message: bytes
    reasons: Reasons

    @property
    def phrase(self) -> str:
        """The reason phrase of the status line, made fit to print."""
        line = self.message.split(b"\r\n", 1)[0]
        return printable(line[12:].decode(errors="replace"))


def printable(text: str, limit: int = MAX_PHRASE_CHARACTERS) -> str:
    """One line of printable characters, cut to `limit`."""
    clean = "".join(char if char.isprintable() else " " for char in text[: limit + 1]).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def status_of(message: bytes) -> int:
    """The status of a response; 0 for anything else."""
    if message[:8] != b"SIP/2.0 ":
        return 0
    digits = message[8:11]
    return (
        int(digits) if digits.isdigit() and len(digits) == 3 and message[11:12] in {b" ", b"\r", b""} else 0
    )


def _head(message: bytes) -> bytes:
    end = message.find(b"\r\n\r\n")
    return message if end < 0 else message[:end]


def _line(message: bytes, name: bytes) -> bytes:
    """The value of the header whose lower-case `name` stands at the beginning of a line, or b""."""
    head = _head(message)
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip()


def cseq_of(message: bytes) -> tuple[int, bytes]:
    """The CSeq: (number, method); (0, b"") if there is none that can be read."""
    number, _, method = _line(message, b"cseq").partition(b" ")
    if number.isdigit() and len(number) <= MAX_CSEQ_DIGITS and method:
        return int(number), method.strip()
    parsed = parse(message)
    cseq = None if isinstance(parsed, Malformed) else parsed.cseq
    return (cseq.number, cseq.method.encode()) if cseq else (0, b"")


def to_tag_of(message: bytes) -> bytes:
    """The tag of the To header, b"" if it has none."""
    line = _line(message, b"to")
    if line:
        after = line[line.rfind(b">") + 1 :]
        start = after.lower().find(b";tag=")
        return after[start + 5 :].split(b";", 1)[0].strip() if start >= 0 else b""
    parsed = parse(message)
    return b"" if isinstance(parsed, Malformed) else parsed.to_tag.encode("utf-8", "surrogateescape")


def reasons_of(message: bytes) -> Reasons:
    """The Reason headers; the first value of each protocol counts."""
    if b"eason" not in message and b"EASON" not in message:
        return NO_REASONS
    parsed = parse(message)
    lines = [] if isinstance(parsed, Malformed) else parsed.headers.all("reason")
    if not lines:
        return NO_REASONS
    q850_cause: int | None = None
    sip_cause: int | None = None
    q850_text = sip_text = ""
    # parse_reasons wants a protocol in every value; a value of separators only has none.
    values = [value for line in lines for value in split_list(line) if split_list(value, ";")]
    for reason in parse_reasons(values):
        protocol = reason.protocol.upper()
        if protocol == "Q.850" and q850_cause is None and reason.cause is not None:
            q850_cause, q850_text = reason.cause, printable(reason.text)
        elif protocol == "SIP" and sip_cause is None and reason.cause is not None:
            sip_cause, sip_text = reason.cause, printable(reason.text)
    return Reasons(q850_cause, q850_text, sip_cause, sip_text)


def body_of(message: bytes) -> bytes:
    """The body of a message, b"" if it is no SIP."""
    parsed = parse(message)
    return b"" if isinstance(parsed, Malformed) else parsed.body
