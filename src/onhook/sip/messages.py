"""SIP messages (RFC 3261 section 7). Parsing never raises: bad bytes are data too.

Header values are kept as text (UTF-8, undecodable bytes by surrogate escape, so that every byte comes
back out), unfolded, one list of lines per lower-case name; compact names are read as the long ones.
Typed values (Via, CSeq, tags) are parsed when first asked for, and only once.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from onhook.sip.headers import CSeq, NameAddr, Via, parse_cseq, parse_name_addr, parse_via, split_list

MAX_MESSAGE_BYTES = 65_535
MAX_HEADER_LINES = 256

COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
    "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip
SPELLING = {
    "call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "mime-version": "MIME-Version",
    "rack": "RAck", "rseq": "RSeq",
}  # fmt: skip
REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
    422: "Session Interval Too Small", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 491: "Request Pending", 493: "Undecipherable", 500: "Server Internal Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
    505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline",
    604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


class Headers:
    """Header lines by lower-case name, each name's lines in order."""

    __slots__ = ("_lines",)

    def __init__(self, lines: dict[str, list[str]] | None = None) -> None:
        self._lines: dict[str, list[str]] = {} if lines is None else lines

    @classmethod
    def of(cls, *pairs: tuple[str, str]) -> "Headers":
        made = cls()
        for name, value in pairs:
            made.add(name, value)
        return made

    def get(self, name: str, default: str = "") -> str:
        """The first line of `name`."""
        lines = self._lines.get(name.lower())
        return lines[0] if lines else default

    def all(self, name: str) -> list[str]:
        """Every line of `name`, as written."""
        return self._lines.get(name.lower(), [])

    def values(self, name: str) -> list[str]:
        """Every element of a comma-separated header, over all its lines (RFC 3261 section 7.3.1)."""
        return [value for line in self.all(name) for value in split_list(line)]

    def add(self, name: str, value: str) -> None:
        self._lines.setdefault(name.lower(), []).append(value)

    def set(self, name: str, value: str) -> None:
        self._lines[name.lower()] = [value]

    def remove(self, name: str) -> None:
        self._lines.pop(name.lower(), None)

    def items(self) -> list[tuple[str, str]]:
        return [(name, value) for name, lines in self._lines.items() for value in lines]

    def copy(self) -> "Headers":
        return Headers({name: list(lines) for name, lines in self._lines.items()})

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._lines

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._lines == other._lines

    def __hash__(self) -> int:
        raise TypeError("headers can change, so they have no hash")

    def __repr__(self) -> str:
        return f"Headers({self._lines!r})"


class _Common:
    """What requests and responses share."""

    headers: Headers
    body: bytes

    @cached_property
    def via(self) -> Via | None:
        """The topmost Via, or None if it is absent or unreadable."""
        return parse_via(self.headers.values("via")[0]) if "via" in self.headers else None

    @cached_property
    def cseq(self) -> CSeq | None:
        return parse_cseq(self.headers.get("cseq"))

    @cached_property
    def from_(self) -> NameAddr | None:
        return parse_name_addr(self.headers.get("from"))

    @cached_property
    def to(self) -> NameAddr | None:
        return parse_name_addr(self.headers.get("to"))

    @property
    def call_id(self) -> str:
        return self.headers.get("call-id")

    @property
    def from_tag(self) -> str:
        return self.from_.tag if self.from_ else ""

    @property
    def to_tag(self) -> str:
        return self.to.tag if self.to else ""

    @property
    def branch(self) -> str:
        return self.via.branch if self.via else ""

    def _join(self, start_line: str) -> bytes:
        lines = [start_line]
        for name, value in self.headers.items():
            if name != "content-length":
                lines.append(f"{SPELLING.get(name) or name.title()}: {value}")
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


@dataclass(eq=True)
class Request(_Common):
    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"

    def to_bytes(self) -> bytes:
        """The message on the wire; Content-Length is always written, from the body."""
        return self._join(self.start_line)


@dataclass(eq=True)
class Response(_Common):
    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"

    def to_bytes(self) -> bytes:
        """The message on the wire; Content-Length is always written, from the body."""
        return self._join(self.start_line)


@dataclass(frozen=True)
class Malformed:
    """Bytes that are no SIP message. `call_id` is what could still be read of it, for correlation."""

    data: bytes
    why: str
    call_id: str = ""


Message: TypeAlias = Request | Response | Malformed


def parse(data: bytes) -> Message:
    """Read one whole message (a datagram, or what `stream.Framer` cut out of a stream)."""
    if len(data) > MAX_MESSAGE_BYTES:
        return Malformed(data[:MAX_MESSAGE_BYTES], f"longer than {MAX_MESSAGE_BYTES} bytes")
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return Malformed(data, "no empty line after the header")
    text = head.decode("utf-8", "surrogateescape").lstrip("\r\n")
    start, _, rest = text.partition("\r\n")
    lines: dict[str, list[str]] = {}
    for line in rest.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n") if rest else ():
        name, colon, value = line.partition(":")
        if not colon:
            return Malformed(data, f"header line without a colon: {line[:60]!r}")
        key = name.rstrip().lower()
        lines.setdefault(COMPACT.get(key, key), []).append(value.strip())
    headers = Headers(lines)
    length = headers.get("content-length")
    if length.isdigit():
        body = body[: int(length)]
    first, _, remainder = start.partition(" ")
    middle, _, last = remainder.partition(" ")
    if first == "SIP/2.0" and middle.isdigit():
        return Response(int(middle), last, headers, body)
    if last == "SIP/2.0":
        return Request(first, middle, headers, body)
    return Malformed(data, f"start line {start[:60]!r}", headers.get("call-id"))


def respond(request: Request, status: int, reason: str = "", *, to_tag: str = "") -> Response:
    """A response to `request` (RFC 3261 section 8.2.6): Via, From, To, Call-ID, CSeq copied."""
    headers = Headers()
    for name in ("via", "from", "to", "call-id", "cseq"):
        for line in request.headers.all(name):
            headers.add(name, line)
    if to_tag and not request.to_tag:
        headers.set("to", f"{headers.get('to')};tag={to_tag}")
    if status == 100 and "timestamp" in request.headers:
        headers.set("timestamp", request.headers.get("timestamp"))
    return Response(status, reason or REASONS.get(status, "Unknown"), headers)
