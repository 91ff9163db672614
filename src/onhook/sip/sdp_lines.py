"""Single lines of a session description (RFC 8866 section 5): their values, and what is wrong with them.

Readers give back the value, or a text that says what is wrong.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Literal

MAX_FORMATS = 128
"""Payload types of one m= line."""
MAX_HOST_LENGTH = 255

STATIC_CODECS: dict[int, tuple[str, int]] = {
    0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000),
    13: ("CN", 8000), 15: ("G728", 8000), 18: ("G729", 8000), 26: ("JPEG", 90_000), 31: ("H261", 90_000),
    34: ("H263", 90_000),
}  # fmt: skip
"""Payload types that mean a codec without a=rtpmap: those of RFC 3551 tables 4 and 5 still met."""

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line. The two numbers are kept as text: some devices write more digits than a number has."""

    username: str
    session_id: str
    version: str
    host: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A c= line without its multicast suffix. `host` is an address, or a name."""

    host: str
    family: Literal["IP4", "IP6"] = "IP4"
    suffix: str = ""
    """What followed a slash: time to live and count of addresses, of multicast only."""

    @property
    def unspecified(self) -> bool:
        """The old way to hold: "send me nothing" (RFC 3264 section 8.4)."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104  # read from a peer, never bound

    @property
    def multicast(self) -> bool:
        if self.family == "IP6":
            return ":" in self.host and self.host.lower().startswith("ff")
        first, *_, last = self.host.split(".") if "." in self.host else ("", "")
        return bool(self.suffix) or (last.isdigit() and 224 <= (number(first, 255) or 0) <= 239)


@dataclass(frozen=True, slots=True)
class MediaLine:
    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int = 1


def number(text: str, top: int) -> int | None:
    """A whole number from 0 to `top` in ASCII digits, or None."""
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    value = int(text)
    return value if value <= top else None


def shown(text: str) -> str:
    """A stranger's text, short and safe to print."""
    return ascii(text if len(text) <= 60 else f"{text[:57]}...")


def parse_origin(value: str) -> Origin | str:
    parts = value.split()
    if len(parts) != 6 or parts[3] != "IN" or parts[4] not in {"IP4", "IP6"}:
        return f"o= has to be user, id, version, IN, IP4 or IP6, host; it is {shown(value)}"
    return Origin(parts[0], parts[1], parts[2], parts[5])


def parse_connection(value: str) -> Connection | str:
    parts = value.split()
    if len(parts) != 3 or parts[0] != "IN":
        return f"c= has to be IN, IP4 or IP6, host; it is {shown(value)}"
    host, _, suffix = parts[2].partition("/")
    if parts[1] == "IP4":
        return Connection(host, "IP4", suffix) if _is_ipv4_or_name(host) else _no_address(parts[1], host)
    if parts[1] == "IP6":
        return Connection(host, "IP6", suffix) if _is_ipv6_or_name(host) else _no_address(parts[1], host)
    return f"c= names the address type {shown(parts[1])}; IP4 and IP6 are known"


def parse_media_line(value: str) -> MediaLine | str:
    parts = value.split()
    if len(parts) < 3:
        return f"m= has to be media, port, protocol, formats; it is {shown(value)}"
    kind, where, protocol, *formats = parts
    port_text, slash, count_text = where.partition("/")
    port, count = number(port_text, 65_535), number(count_text, 65_535) if slash else 1
    if port is None or not count:
        return f"m= has no port from 0 to 65535: {shown(where)}"
    if not formats and port:
        return "m= names no payload type"
    if len(formats) > MAX_FORMATS:
        return f"m= names {len(formats)} payload types; at most {MAX_FORMATS} are read"
    return MediaLine(kind, port, protocol, tuple(formats), count)


def parse_encoding(value: str) -> tuple[str, int, int] | None:
    """The encoding of a=rtpmap, such as opus/48000/2: name, clock rate in Hz, channels."""
    name, *rest = value.split("/")
    rate = number(rest[0], 10_000_000) if rest else None
    channels = number(rest[1], 255) if len(rest) == 2 else 1
    return (name, rate, channels) if name and rate and channels and len(rest) <= 2 else None


def attributes(lines: Iterable[str], name: str) -> list[str]:
    """The values of a=name among the lines, in order."""
    prefix = f"a={name}:"
    return [line[len(prefix) :].strip() for line in lines if line.startswith(prefix)]


def by_payload_type(lines: Iterable[str], name: str) -> dict[int, str]:
    """Values of a=rtpmap or a=fmtp without their payload type, by it; the first of a type counts."""
    found: dict[int, str] = {}
    for value in attributes(lines, name):
        head, _, tail = value.partition(" ")
        payload_type = number(head, 127)
        if payload_type is not None:
            found.setdefault(payload_type, tail.strip())
    return found


def _no_address(family: str, host: str) -> str:
    return f"c= holds no {family} address or host name: {shown(host)}"


def _is_name(host: str) -> bool:
    return len(host) <= MAX_HOST_LENGTH and _HOST_NAME.fullmatch(host) is not None


def _is_ipv4_or_name(host: str) -> bool:
    parts = host.split(".")
    if parts[-1].isdigit():  # no top-level domain is a number (RFC 3696 section 2)
        return len(parts) == 4 and all(len(part) <= 3 and number(part, 255) is not None for part in parts)
    return _is_name(host)


def _is_ipv6_or_name(host: str) -> bool:
    if ":" not in host:
        return _is_name(host) and not host.rpartition(".")[2].isdigit()
    try:
        IPv6Address(host)
    except AddressValueError:
        return False
    return "%" not in host  # a zone means something on the sender's machine only
