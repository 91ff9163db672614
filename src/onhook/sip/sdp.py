"""Session descriptions (RFC 8866, and RFC 4566 which most trunks still write). Parsing never raises.

A description is its lines: they are kept as they came, those we do not know among them, and typed values
are read from them when asked for. So nothing is lost, what is written is what was read, and a fault can be
named with its line.

Required: `v=0` first, and one `o=` before the media. A missing `s=` or `t=` is forgiven, as most call
servers do (assumed of ACS too); a line that cannot be read is not.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from onhook.sip.sdp_lines import (
    STATIC_CODECS,
    Connection,
    MediaLine,
    Origin,
    attributes,
    by_payload_type,
    number,
    parse_connection,
    parse_encoding,
    parse_media_line,
    parse_origin,
    shown,
)

MAX_SDP_BYTES = 32_768
MAX_LINES = 1_000
MAX_MEDIA = 32

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_DIRECTION_LINES: dict[str, Direction] = {f"a={direction}": direction for direction in DIRECTIONS}


@dataclass(frozen=True, slots=True)
class Unusable:
    """A description, or an answer, that no call can be made with. `line` counts from 1; 0 is the whole."""

    why: str
    line: int = 0

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}" if self.line else self.why


@dataclass(frozen=True, slots=True)
class Codec:
    """A payload type and what it means. An unknown one has no name and a clock rate of 0 Hz."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: str = ""

    def same_as(self, other: "Codec") -> bool:
        """The same encoding, whatever its number (names ignore case, RFC 4855 section 3)."""
        return (
            self.clock_rate == other.clock_rate
            and self.channels == other.channels
            and self.name.upper() == other.name.upper()
        )


class _Section:
    """Lines of the session, or of one media."""

    __slots__ = ()
    lines: tuple[str, ...]

    def values(self, letter: str) -> list[str]:
        """What stands behind `letter=`, in order."""
        prefix = f"{letter}="
        return [line[2:] for line in self.lines if line.startswith(prefix)]

    def attributes(self, name: str) -> list[str]:
        """The values of `a=name:value`, in order."""
        return attributes(self.lines, name)

    @property
    def own_connection(self) -> Connection | None:
        values = self.values("c")
        connection = parse_connection(values[0]) if values else None
        return connection if isinstance(connection, Connection) else None

    @property
    def own_direction(self) -> Direction | None:
        return next((way for line in self.lines if (way := _DIRECTION_LINES.get(line.rstrip()))), None)


@dataclass(frozen=True, slots=True)
class MediaDescription(_Section):
    """An m= line and the lines below it. `line` is where the m= line stood; 0 in one we made."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[str, ...] = ()
    port_count: int = 1
    line: int = field(default=0, compare=False)

    @property
    def m_line(self) -> str:
        count = f"/{self.port_count}" if self.port_count != 1 else ""
        return " ".join((f"m={self.kind}", f"{self.port}{count}", self.protocol, *self.formats))

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """The payload types in the order of preference, with their names by rtpmap or RFC 3551."""
        return _codecs_of(self.formats, self.lines)

    @property
    def ptime_ms(self) -> int | None:
        """Milliseconds of sound in a packet that the other side would like; None if unsaid or unreadable."""
        values = self.attributes("ptime")
        return number(values[0], 1000) or None if values else None


@dataclass(frozen=True, slots=True)
class SessionDescription(_Section):
    """`lines` are those above the first m= line."""

    lines: tuple[str, ...]
    media: tuple[MediaDescription, ...] = ()

    @property
    def origin(self) -> Origin | None:
        values = self.values("o")
        origin = parse_origin(values[0]) if values else None
        return origin if isinstance(origin, Origin) else None

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Where to send this media: its own c= line, else the session's."""
        return media.own_connection or self.own_connection

    def line_of_connection(self, media: MediaDescription) -> int:
        """Where the line that `connection_of` reads stood; 0 if there is none, or we wrote it."""
        for lines, above in ((media.lines, media.line), (self.lines, 0)):
            found = next((at for at, line in enumerate(lines, above + 1) if line.startswith("c=")), 0)
            if found:
                return found if media.line else 0
        return 0

    def direction_of(self, media: MediaDescription) -> Direction:
        """Seen by who wrote the description; sendrecv if unsaid (RFC 8866 section 6.7)."""
        return media.own_direction or self.own_direction or "sendrecv"

    def to_bytes(self) -> bytes:
        lines = list(self.lines)
        for media in self.media:
            lines.append(media.m_line)
            lines += media.lines
        lines.append("")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")


@lru_cache(maxsize=64)  # a trunk describes its codecs alike in every call
def _codecs_of(formats: tuple[str, ...], lines: tuple[str, ...]) -> tuple[Codec, ...]:
    names = by_payload_type(lines, "rtpmap")
    settings = by_payload_type(lines, "fmtp")
    codecs: list[Codec] = []
    for text in formats:
        payload_type = number(text, 127)
        if payload_type is None:
            continue
        encoding = parse_encoding(names.get(payload_type, ""))
        name, rate, channels = encoding or (*STATIC_CODECS.get(payload_type, ("", 0)), 1)
        codecs.append(Codec(payload_type, name, rate, channels, settings.get(payload_type, "")))
    return tuple(codecs)


def parse_sdp(data: bytes) -> SessionDescription | Unusable:
    """Read a description; lines end with CRLF or LF. Unusable names the first fault and its line."""
    lines = _split_lines(data)
    if isinstance(lines, Unusable):
        return lines
    heads: list[tuple[int, MediaLine]] = []
    for at, line in enumerate(lines):
        read = _read_line(line, first=at == 0, in_media=bool(heads))
        if isinstance(read, str):
            return Unusable(read, at + 1)
        if read is not None:
            heads.append((at, read))
    starts = [at for at, _ in heads] + [len(lines)]
    if len(heads) > MAX_MEDIA:
        return Unusable(f"more than {MAX_MEDIA} m= lines", starts[MAX_MEDIA] + 1)
    session = tuple(lines[: starts[0]])
    origins = [at for at, line in enumerate(session, 1) if line.startswith("o=")]
    if len(origins) != 1:
        return Unusable("a second o= line", origins[1]) if origins else Unusable("no o= line above the media")
    media = [_media(head, lines, at, end) for (at, head), end in zip(heads, starts[1:], strict=True)]
    return SessionDescription(session, tuple(media))


def _split_lines(data: bytes) -> list[str] | Unusable:
    if len(data) > MAX_SDP_BYTES:
        return Unusable(f"the description has {len(data)} bytes; at most {MAX_SDP_BYTES} are read")
    lines = [line.removesuffix("\r") for line in data.decode("utf-8", "surrogateescape").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LINES:
        return Unusable(f"more than {MAX_LINES} lines", MAX_LINES + 1)
    return lines or Unusable("the description is empty")


def _media(head: MediaLine, lines: list[str], at: int, end: int) -> MediaDescription:
    below = tuple(lines[at + 1 : end])
    return MediaDescription(head.kind, head.port, head.protocol, head.formats, below, head.port_count, at + 1)


def _read_line(line: str, *, first: bool, in_media: bool) -> MediaLine | str | None:
    """An m= line, or what is wrong with the line, or None for any other good one."""
    if first:
        return None if line == "v=0" else f'the first line has to be "v=0", not {shown(line)}'
    if line[1:2] != "=" or not (line[0].isascii() and line[0].isalpha()):
        return f"no letter and equals sign: {shown(line)}" if line else "an empty line among the others"
    if "\0" in line or "\r" in line:
        return f"a NUL or a stray carriage return: {shown(line)}"
    letter, value = line[0], line[2:]
    if letter == "m":
        return parse_media_line(value)
    read: object = None
    if letter == "c":
        read = parse_connection(value)
    elif letter == "o":
        read = "an o= line below an m= line" if in_media else parse_origin(value)
    elif letter == "v":
        read = "a second v= line"
    return read if isinstance(read, str) else None
