"""Header lines, and the values of those that the stack itself reads (RFC 3261 sections 7.3, 20 and 25).

Readers of single values never raise: they return None for text that is no such value.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")

TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
"""The characters of a token (RFC 3261 section 25.1): methods, header names, parameter names."""

COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
    "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip
SPELLING = {
    "call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate",
    "mime-version": "MIME-Version", "rack": "RAck", "rseq": "RSeq",
}  # fmt: skip
_OFTEN_SEEN = (
    "accept", "allow", "authorization", "call-id", "contact", "content-disposition", "content-length",
    "content-type", "cseq", "date", "diversion", "expires", "from", "history-info", "max-forwards", "min-se",
    "organization", "p-asserted-identity", "privacy", "proxy-authenticate", "proxy-authorization", "rack",
    "reason", "record-route", "refer-to", "remote-party-id", "require", "retry-after", "route", "rseq",
    "server", "session-expires", "supported", "timestamp", "to", "unsupported", "user-agent", "via",
    "warning", "www-authenticate",
)  # fmt: skip
_SPELLED = {name: SPELLING.get(name) or name.title() for name in (*_OFTEN_SEEN, *COMPACT.values())}
_KEYS = (
    {name: name for name in _SPELLED}
    | {spelled: name for name, spelled in _SPELLED.items()}
    | COMPACT
    | {short.upper(): name for short, name in COMPACT.items()}
)
"""Names as they are usually written, to the key they are kept under: one lookup instead of folding case."""

known_key = _KEYS.get


def spelled(key: str) -> str:
    """How a header name is written: "call-id" → "Call-ID"."""
    return _SPELLED.get(key) or SPELLING.get(key) or key.title()


def is_token(text: str) -> bool:
    return bool(text) and TOKEN.issuperset(text)


def key_of(name: str) -> str:
    """The key of a header name in any spelling, compact or long, any case."""
    return _KEYS.get(name) or COMPACT.get(lower := name.lower(), lower)


class Via(msgspec.Struct, frozen=True, gc=False):
    transport: str
    host: str
    port: int | None
    params: dict[str, str | None] = msgspec.field(default_factory=dict[str, str | None])

    @property
    def branch(self) -> str:
        return self.params.get("branch") or ""


class CSeq(msgspec.Struct, frozen=True, gc=False):
    number: int
    method: str


class NameAddr(msgspec.Struct, frozen=True, gc=False):
    """From, To, Contact, Route, … : a display name, a URI, and the parameters of the header.

    `display_name` is the text meant, without quotes and escapes; `str()` writes the value again.
    """

    display_name: str
    uri: str
    params: dict[str, str | None] = msgspec.field(default_factory=dict[str, str | None])

    @property
    def tag(self) -> str:
        return self.params.get("tag") or ""

    def __str__(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>" + "".join(
            f";{key}" if value is None else f";{key}={value if _is_plain(value) else quote(value)}"
            for key, value in self.params.items()
        )


class Headers:
    """Header lines by lower-case name, each name's lines in order.

    Names may be given in any case and in compact form. Values read by `typed` are kept until the header
    they came from changes, so they are never stale. Lines handed to the constructor belong to it from then
    on: keys lower-case and long, no list empty.
    """

    __slots__ = ("_lines", "_typed")

    def __init__(self, lines: dict[str, list[str]] | None = None) -> None:
        self._lines: dict[str, list[str]] = {} if lines is None else lines
        self._typed: dict[str, object] = {}

    @classmethod
    def of(cls, *pairs: tuple[str, str]) -> "Headers":
        made = cls()
        for name, value in pairs:
            made.add(name, value)
        return made

    def get(self, name: str, default: str = "") -> str:
        """The first line of `name`."""
        lines = self._lines.get(known_key(name) or key_of(name))
        return lines[0] if lines else default

    def all(self, name: str) -> list[str]:
        """Every line of `name`, as written."""
        lines = self._lines.get(known_key(name) or key_of(name))
        return lines.copy() if lines else []

    def count(self, name: str) -> int:
        """How many lines `name` has."""
        lines = self._lines.get(known_key(name) or key_of(name))
        return len(lines) if lines else 0

    def values(self, name: str) -> list[str]:
        """Every element of a comma-separated header, over all its lines (RFC 3261 section 7.3.1)."""
        return [value for line in self.all(name) for value in split_list(line)]

    def typed(self, key: str, read: Callable[[str], T | None]) -> T | None:
        """What `read` makes of the first line of `key`; None if there is none. Each key has one reader."""
        try:
            return self._typed[key]  # type: ignore[return-value]  # what the same reader left there
        except KeyError:
            lines = self._lines.get(key)
            value = self._typed[key] = read(lines[0]) if lines else None
            return value

    def add(self, name: str, value: str) -> None:
        key = known_key(name) or key_of(name)
        self._lines.setdefault(key, []).append(value)
        self._typed.pop(key, None)

    def set(self, name: str, value: str) -> None:
        key = known_key(name) or key_of(name)
        self._lines[key] = [value]
        self._typed.pop(key, None)

    def remove(self, name: str) -> None:
        key = known_key(name) or key_of(name)
        self._lines.pop(key, None)
        self._typed.pop(key, None)

    def take(self, key: str, source: "Headers") -> None:
        """Copy every line of `key` (lower-case, long) from `source`, if it has any."""
        lines = source._lines.get(key)  # noqa: SLF001  # another of our own kind
        if lines:
            self._lines[key] = lines.copy()
            self._typed.pop(key, None)

    def items(self) -> list[tuple[str, str]]:
        return [(name, value) for name, lines in self._lines.items() for value in lines]

    def write(self, lines: list[str], leave_out: str = "") -> None:
        """Append "Name: value" for every line, except those of the key `leave_out`."""
        for key, values in self._lines.items():
            if key != leave_out:
                name = _SPELLED.get(key) or spelled(key)
                for value in values:
                    lines.append(f"{name}: {value}")  # noqa: PERF401  # two plain loops are the fastest here

    def copy(self) -> "Headers":
        return Headers({name: lines.copy() for name, lines in self._lines.items()})

    def equal_without(self, key: str, other: "Headers") -> bool:
        """Equality, whatever either says under `key`."""
        mine, theirs = self._lines, other._lines  # noqa: SLF001  # another of our own kind
        names = mine.keys() | theirs.keys()
        return all(name == key or mine.get(name) == theirs.get(name) for name in names)

    def __contains__(self, name: str) -> bool:
        return key_of(name) in self._lines

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._lines == other._lines

    def __hash__(self) -> int:
        raise TypeError("headers can change, so they have no hash")

    def __repr__(self) -> str:
        return f"Headers({self._lines!r})"


def split_list(line: str, separator: str = ",") -> list[str]:
    """Split at separators outside quoted strings and angle brackets; empty elements are left out."""
    if separator not in line:
        return [line.strip()] if line.strip() else []
    if '"' not in line and "<" not in line:
        return [part for piece in line.split(separator) if (part := piece.strip())]
    parts: list[str] = []
    start = depth = 0
    quoted = escaped = False
    for index, char in enumerate(line):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "<":
            depth += 1
        elif char == ">":
            depth = max(0, depth - 1)
        elif char == separator and not depth:
            parts.append(line[start:index].strip())
            start = index + 1
    parts.append(line[start:].strip())
    return [part for part in parts if part]


def parse_params(text: str) -> dict[str, str | None]:
    """Parameters after a value (";a=b;c"), names lower-case, quotes and escapes removed."""
    params: dict[str, str | None] = {}
    for part in split_list(text, ";") if '"' in text else text.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals:
            if name:
                params[name] = None
            continue
        value = value.strip()
        if value[:1] == '"' and closing_quote(value) == len(value) - 1:
            value = unquote(value)
        params[name] = value
    return params


def split_host_port(text: str) -> tuple[str, int | None] | None:
    """Read "host", "host:port" or "[v6]:port"; None if the port is no number."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        rest = rest.strip()
        colon, port = rest[:1], rest[1:]
        if not bracket or colon not in {"", ":"}:
            return None
    else:
        host, colon, port = text.partition(":")
    host = host.strip()
    if not colon:
        return host, None
    number = parse_number(port.strip(), 65_535)
    return None if number is None else (host, number)


def parse_number(text: str, largest: int) -> int | None:
    """1*DIGIT up to `largest`. Digits are ASCII ones, and any length of text is safe to try."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 10 and len(text := text.lstrip("0")) > 10:  # more than any field holds
        return None
    number = int(text or "0")
    return number if number <= largest else None


def parse_length(lines: list[str]) -> int | None:
    """Content-Length (RFC 3261 section 20.14): one value, or the same one several times; None if neither."""
    sizes = {parse_number(line, 2**32 - 1) for line in lines}
    return sizes.pop() if len(sizes) == 1 else None


def parse_via(value: str) -> Via | None:
    """One value of Via; spaces may stand around its slashes, colon and semicolons."""
    sent, _, tail = value.partition(";")
    parts = sent.split("/", 2)
    if len(parts) != 3:
        return None
    words = parts[2].split(None, 1)
    if len(words) != 2 or not parts[0].strip() or not parts[1].strip():
        return None
    where = split_host_port(words[1].strip())
    if where is None or not where[0] or " " in where[0]:
        return None
    return Via(words[0].upper(), where[0], where[1], parse_params(tail))


def parse_top_via(line: str) -> Via | None:
    """The first value of a Via line."""
    if "," not in line:
        return parse_via(line)
    values = split_list(line)
    return parse_via(values[0]) if values else None


def parse_cseq(value: str) -> CSeq | None:
    words = value.split()
    if len(words) != 2:
        return None
    number = parse_number(words[0], 2**31 - 1)
    return None if number is None or not is_token(words[1]) else CSeq(number, words[1])


def parse_name_addr(value: str) -> NameAddr | None:
    """Display name, URI in angle brackets, parameters; or a bare URI, where parameters are the header's.

    Spaces inside the brackets and a display name that should have been quoted are let through, as RFC 4475
    sections 3.1.2.14 and 3.1.2.15 allow; what follows the bracket must be parameters.
    """
    value = value.strip()
    if value[:1] == '"':
        end = closing_quote(value)
        name, rest = unquote(value[: end + 1]), value[end + 1 :].lstrip()
        if end < 0 or rest[:1] != "<":
            return None
        rest = rest[1:]
    else:
        name, bracket, rest = value.partition("<")
        if not bracket:
            return _bare_addr(value)
        name = name.rstrip()
    uri, bracket, tail = rest.partition(">")
    uri, tail = uri.strip(), tail.lstrip()
    if not bracket or not uri or (tail and tail[0] != ";"):
        return None
    return NameAddr(name, uri, parse_params(tail))


def _bare_addr(value: str) -> NameAddr | None:
    uri, _, tail = value.partition(";")
    uri = uri.rstrip()
    if (":" not in uri and uri != "*") or " " in uri or '"' in uri:
        return None
    return NameAddr("", uri, parse_params(tail))


def closing_quote(text: str) -> int:
    """Where the quoted string at the start of `text` ends; -1 if it does not."""
    end = text.find('"', 1)
    while end > 0 and (end - len(text[1:end].rstrip("\\"))) % 2 == 0:
        end = text.find('"', end + 1)
    return end


def unquote(text: str) -> str:
    """The text meant by a quoted string."""
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    meant: list[str] = []
    escaped = False
    for char in inner:
        if char == "\\" and not escaped:
            escaped = True
        else:
            meant.append(char)
            escaped = False
    return "".join(meant)


def quote(text: str) -> str:
    """A quoted string that means `text`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_plain(value: str) -> bool:
    """Whether a parameter's value may stand without quotes: a token or a host."""
    return bool(value) and TOKEN.issuperset(value.translate({ord(char): None for char in "[]:"}))
