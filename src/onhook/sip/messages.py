"""SIP messages (RFC 3261 section 7). Parsing never raises: bad bytes are data too.

Header values are kept as text (UTF-8, undecodable bytes by surrogate escape, so that every byte comes
back out), unfolded, one list of lines per lower-case name; compact names are read as the long ones.
Typed values (Via, CSeq, tags) are parsed when first asked for, and again only if their header changed.

Lines end in CRLF. A head whose every line ends in a bare LF is read as well; a head that mixes both is not,
because two elements could then disagree about where it ends.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from onhook.sip.headers import (
    COMPACT,
    SPELLING,
    CSeq,
    Headers,
    NameAddr,
    Via,
    is_token,
    key_of,
    known_key,
    parse_cseq,
    parse_length,
    parse_name_addr,
    parse_top_via,
)

__all__ = [
    "COMPACT", "MAX_HEADER_LINES", "MAX_LINE_CHARACTERS", "MAX_MESSAGE_BYTES", "METHODS", "REASONS",
    "SPELLING", "Headers", "Malformed", "Message", "Request", "Response", "parse", "respond",
]  # fmt: skip

MAX_MESSAGE_BYTES = 65_535
MAX_HEADER_LINES = 256
"""Header lines after unfolding."""
MAX_LINE_CHARACTERS = 8_192
"""One line after unfolding, the start line too."""

METHODS = frozenset({
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "SUBSCRIBE", "NOTIFY",
    "REFER", "MESSAGE", "PUBLISH",
})  # fmt: skip
"""Methods that some RFC defines (IANA registry "SIP Parameters", Methods)."""
REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
    422: "Session Interval Too Small", 423: "Interval Too Brief", 469: "Bad Info Package",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
    500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


class _Common:
    """What requests and responses share."""

    __slots__ = ()
    headers: Headers
    body: bytes

    @property
    def via(self) -> Via | None:
        """The topmost Via, or None if it is absent or unreadable."""
        return self.headers.typed("via", parse_top_via)

    @property
    def cseq(self) -> CSeq | None:
        return self.headers.typed("cseq", parse_cseq)

    @property
    def from_(self) -> NameAddr | None:
        return self.headers.typed("from", parse_name_addr)

    @property
    def to(self) -> NameAddr | None:
        return self.headers.typed("to", parse_name_addr)

    @property
    def call_id(self) -> str:
        return self.headers.get("call-id")

    @property
    def from_tag(self) -> str:
        from_ = self.from_
        return from_.tag if from_ else ""

    @property
    def to_tag(self) -> str:
        to = self.to
        return to.tag if to else ""

    @property
    def branch(self) -> str:
        via = self.via
        return via.branch if via else ""

    def _join(self, start_line: str) -> bytes:
        lines = [start_line]
        self.headers.write(lines, leave_out="content-length")
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        text = "\r\n".join(lines)
        ends = len(lines) + 1
        if text.count("\n") != ends or text.count("\r") != ends:  # else a value could forge header lines
            bad = next(line for line in (*lines[:-1], "") if "\n" in line or "\r" in line or not line)
            raise ValueError(f"a SIP line cannot hold a line end, take it out of this value: {bad[:80]!r}")
        return text.encode("utf-8", "surrogateescape") + self.body


@dataclass(eq=False, slots=True)
class Request(_Common):
    """Equality leaves out Content-Length: it belongs to the bytes, and `to_bytes` writes it from the body."""

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"

    def to_bytes(self) -> bytes:
        """The message on the wire; Content-Length is always written, from the body.

        Raises ValueError if a header's value or the start line holds a line end.
        """
        return self._join(f"{self.method} {self.uri} SIP/2.0")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and _equal(self, other)

    __hash__ = None  # type: ignore[assignment]  # it can change


@dataclass(eq=False, slots=True)
class Response(_Common):
    """Equality leaves out Content-Length, as for `Request`."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"

    def to_bytes(self) -> bytes:
        """The message on the wire; Content-Length is always written, from the body.

        Raises ValueError if a header's value or the reason holds a line end.
        """
        return self._join(f"SIP/2.0 {self.status} {self.reason}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Response) and _equal(self, other)

    __hash__ = None  # type: ignore[assignment]  # it can change


def _equal(one: Request | Response, other: Request | Response) -> bool:
    return (
        one.start_line == other.start_line
        and one.body == other.body
        and one.headers.equal_without("content-length", other.headers)
    )


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no SIP message. `call_id` is what could still be read of it, for correlation.

    `request` is there if the bytes are a request that can be refused with `status` (400; 414 or 513 if too
    long, 505 for another version): its method and its topmost Via are readable and it is no ACK. Other
    headers may be missing from it, and it has no body; `respond` copies what there is.
    """

    data: bytes
    why: str
    call_id: str = ""
    request: Request | None = None
    status: int = 400

    @property
    def is_keep_alive(self) -> bool:
        """Only line ends or zero bytes: phones send these through NATs, and nothing is wrong with them."""
        return not self.data.strip(b"\r\n\0")


Message: TypeAlias = Request | Response | Malformed


class _Unreadable(Exception):
    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.why, self.status = why, status


def parse(data: bytes) -> Message:
    """Read one whole message (a datagram, or what `stream.Framer` cut out of a stream).

    Bytes after Content-Length are left out; a body shorter than it is Malformed (RFC 3261 section 18.3).
    Without Content-Length, the body is all that follows the head, as in a datagram.
    """
    try:
        if len(data) > MAX_MESSAGE_BYTES:
            raise _Unreadable(f"longer than {MAX_MESSAGE_BYTES} bytes", 513)  # noqa: TRY301  # one way out
        message = data.lstrip(b"\r\n") if data[:1] in {b"\r", b"\n"} else data  # RFC 3261 section 7.5
        end = message.find(b"\r\n\r\n")
        if end < 0:
            return _read(*_divide_at_bare_lf(message))
        text = message[:end].decode("utf-8", "surrogateescape")
        lines = text.split("\r\n")
        line_ends = len(lines) - 1
        if text.count("\n") != line_ends or text.count("\r") != line_ends:
            return _read(*_divide_at_bare_lf(message))
        return _read(text, lines, message[end + 4 :])
    except _Unreadable as fault:
        return _salvage(data[:MAX_MESSAGE_BYTES], fault.why, fault.status)


def _divide_at_bare_lf(data: bytes) -> tuple[str, list[str], bytes]:
    """Head (with CRLF put in), its lines, and the rest of a message that is not plain CRLF throughout."""
    if not data.strip(b"\r\n\0"):
        raise _Unreadable("no message: line ends or zero bytes only, a keep-alive")
    head, separator, rest = data.partition(b"\n\n")
    if b"\r" in head:
        head = data.partition(b"\r\n\r\n")[0]
        if b"\r" in head.replace(b"\r\n", b"") or b"\n" in head.replace(b"\r\n", b""):
            raise _Unreadable("a CR or LF alone inside the header: every line must end in CRLF")
        separator = b""
    if not separator:
        raise _Unreadable("no empty line after the header")
    text = head.replace(b"\n", b"\r\n").decode("utf-8", "surrogateescape")
    return text, text.split("\r\n"), rest


def _read(text: str, lines: list[str], rest: bytes) -> Request | Response:
    """Read a head whose line ends are CRLF and nothing else, and cut its body out of `rest`."""
    if len(text) > MAX_LINE_CHARACTERS or len(lines) > MAX_HEADER_LINES:
        _check_limits(text)
    known: dict[str, list[str]] = {}
    header_lines = iter(lines)
    start = next(header_lines)
    for line in header_lines:
        name, colon, value = line.partition(":")
        key = known_key(name)
        if key is None or not colon:
            if "\r\n " in text or "\r\n\t" in text:
                text = _unfold(text)
                return _read(text, text.split("\r\n"), rest)
            key = _key_of_line(name, colon, line)
        if key in known:
            known[key].append(value.strip(" \t"))
        else:
            known[key] = [value.strip(" \t")]
    length = known.get("content-length")
    if length is not None:
        rest = _cut(rest, length)
    words = start.split(" ")
    if words[0] == "SIP/2.0" and len(words) > 1:
        return Response(_status(words[1]), start[8 + len(words[1]) + 1 :], Headers(known), rest)
    if len(words) == 3 and words[2] == "SIP/2.0" and words[1] and (words[0] in METHODS or is_token(words[0])):
        return Request(words[0], words[1], Headers(known), rest)
    return _read_unusual_start(start, words, Headers(known), rest)


def _check_limits(text: str) -> None:
    lines = (_unfold(text) if "\r\n " in text or "\r\n\t" in text else text).split("\r\n")
    if len(lines) - 1 > MAX_HEADER_LINES:
        raise _Unreadable(f"more than {MAX_HEADER_LINES} header lines", 513)
    if len(lines[0]) > MAX_LINE_CHARACTERS:
        raise _Unreadable(f"start line longer than {MAX_LINE_CHARACTERS} characters", 414)
    for line in lines:
        if len(line) > MAX_LINE_CHARACTERS:
            name = line.partition(":")[0][:60]
            raise _Unreadable(f"header line longer than {MAX_LINE_CHARACTERS} characters: {name!r}", 513)


def _unfold(text: str) -> str:
    return text.replace("\r\n ", " ").replace("\r\n\t", " ")


def _key_of_line(name: str, colon: str, line: str) -> str:
    if not colon:
        raise _Unreadable(f"header line without a colon: {line[:60]!r}")
    name = name.rstrip(" \t")
    if not is_token(name):
        raise _Unreadable(f"header name is no token: {name[:60]!r}")
    return key_of(name)


def _cut(rest: bytes, lines: list[str]) -> bytes:
    """The body: as many bytes as Content-Length says."""
    size = parse_length(lines)
    if size is None:
        raise _Unreadable(f"Content-Length is not one number: {', '.join(lines)[:60]!r}")
    if size > len(rest):
        raise _Unreadable(f"Content-Length is {size}, but only {len(rest)} bytes follow the header")
    return rest if size == len(rest) else rest[:size]


def _status(code: str) -> int:
    if len(code) == 3 and code.isascii() and code.isdigit() and "100" <= code <= "699":
        return int(code)
    raise _Unreadable(f"status is not a number from 100 to 699: {code[:60]!r}")


def _read_unusual_start(start: str, words: list[str], headers: Headers, body: bytes) -> Request | Response:
    """A start line that is not in everybody's spelling: another case of "SIP", another version, or wrong."""
    if len(words) > 1 and words[0].upper() == "SIP/2.0":
        return Response(_status(words[1]), start[8 + len(words[1]) + 1 :], headers, body)
    if len(words) == 3 and is_token(words[0]) and words[1]:
        version = words[2].upper()
        if version == "SIP/2.0":
            return Request(words[0], words[1], headers, body)
        if version.startswith("SIP/"):
            raise _Unreadable(f"version {words[2][:60]!r}: only SIP/2.0 is spoken here", 505)
    raise _Unreadable(f"start line {start[:60]!r}")


def _salvage(data: bytes, why: str, status: int) -> Malformed:
    """Read what can still be read: for correlation, and to refuse a request."""
    head = data.lstrip(b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n\n")[0]
    text = head.decode("utf-8", "surrogateescape").replace("\n ", " ").replace("\n\t", " ")
    start, *lines = text.split("\n", MAX_HEADER_LINES)
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if colon and is_token(name) and "\n" not in value:
            headers.add(name, value.strip(" \t"))
    words = start.split()
    request = None
    if len(words) > 2 and words[-1].upper().startswith("SIP/") and is_token(words[0]) and words[0] != "ACK":
        made = Request(words[0], " ".join(words[1:-1]), headers)
        request = made if made.via else None
    return Malformed(data, why, headers.get("call-id"), request, status)


def respond(request: Request, status: int, reason: str = "", *, to_tag: str = "") -> Response:
    """A response to `request` (RFC 3261 section 8.2.6): Via, From, To, Call-ID, CSeq copied."""
    headers = Headers()
    for key in ("via", "from", "to", "call-id", "cseq"):
        headers.take(key, request.headers)
    if to_tag and "to" in headers and not request.to_tag:
        headers.set("to", f"{headers.get('to')};tag={to_tag}")
    if status == 100:
        headers.take("timestamp", request.headers)
    return Response(status, reason or REASONS.get(status, "Unknown"), headers)
