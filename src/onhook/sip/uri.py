"""SIP, SIPS and TEL URIs (RFC 3261 section 19.1, RFC 3966): reading, comparing, building, numbers.

Parts are kept as written, escapes and all, because "%3B" and ";" differ in a user part; properties ending in
`_text` give what is meant. Readers never raise: text that is no such URI becomes `BadUri`.
"""

import re
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Literal, TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

from onhook.sip.headers import parse_number

Params: TypeAlias = tuple[tuple[str, str | None], ...]
"""Parameters in order, names and values as written; None for one without "="."""

MAX_URI_CHARACTERS = 4_096

_SIP_SCHEMES: dict[str, Literal["sip", "sips"]] = {"sip": "sip", "sips": "sips"}
_ESCAPED = r"%[0-9A-Fa-f]{2}"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_USER = re.compile(rf"(?:[\w\-.!~*'()&=+$,;?/]|{_ESCAPED})+", re.ASCII)
_PASSWORD = re.compile(rf"(?:[\w\-.!~*'()&=+$,]|{_ESCAPED})*", re.ASCII)
_PARAM = re.compile(rf"(?:[\w\-.!~*'()\[\]/:&+$]|{_ESCAPED})+", re.ASCII)
_HEADER = re.compile(rf"(?:[\w\-.!~*'()\[\]/?:+$]|{_ESCAPED})*", re.ASCII)
_HOST = re.compile(r"[\w.-]+", re.ASCII)
"""Names with "_" are no host names by the book, but containers have them."""
_USER_SAFE = "-_.!~*'()&=+$,;?/"
_PARAM_SAFE = "-_.!~*'()[]/:&+$"
_HEADER_SAFE = "-_.!~*'()[]/?:+$"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
_ESCAPE = re.compile(_ESCAPED)
_SEPARATORS = str.maketrans("", "", "-.()")
_GLOBAL_NUMBER = re.compile(r"\+[0-9]+")
_LOCAL_NUMBER = re.compile(r"[0-9A-Fa-f*#]+")
_DIALLED_NUMBER = re.compile(r"\+?[0-9*#]+")

MUST_BE_IN_BOTH = frozenset({"user", "ttl", "method", "maddr", "transport"})
"""Parameters that make two URIs differ if only one has them (RFC 3261 section 19.1.4, whose examples add
transport)."""


@dataclass(frozen=True, slots=True)
class BadUri:
    """Text that is no SIP, SIPS or TEL URI; `why` names the part at fault."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class SipUri:
    """`host` without brackets, also for IPv6; `port` None if not written. `str()` writes the URI again."""

    host: str
    user: str = ""
    port: int | None = None
    scheme: Literal["sip", "sips"] = "sip"
    password: str | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def user_text(self) -> str:
        return unescape(self.user)

    def has_param(self, name: str) -> bool:
        return name.lower() in _decoded(self.params)

    def param(self, name: str, default: str = "") -> str:
        """The value meant by a parameter; `default` if it is absent or has none."""
        value = _decoded(self.params).get(name.lower())
        return default if value is None else value

    def with_user(self, text: str) -> "SipUri":
        """The same URI for another user; `text` is escaped where it must be, empty takes the user out."""
        return replace(self, user=_escape(text, _USER_SAFE), password=self.password if text else None)

    def with_host(self, host: str, port: int | None = None) -> "SipUri":
        return replace(self, host=host, port=port)

    def with_param(self, name: str, value: str | None = None) -> "SipUri":
        """With that parameter set, once; without a value (an empty one cannot be written), its name alone."""
        written = _escape(value, _PARAM_SAFE) if value else None
        return replace(self, params=(*self.without_param(name).params, (_escape(name, _PARAM_SAFE), written)))

    def without_param(self, name: str) -> "SipUri":
        kept = tuple(pair for pair in self.params if unescape(pair[0]).lower() != name.lower())
        return replace(self, params=kept)

    def with_header(self, name: str, value: str) -> "SipUri":
        """With one more header for the request that is made of this URI (RFC 3261 section 19.1.1)."""
        written = (_escape(name, _HEADER_SAFE), _escape(value, _HEADER_SAFE))
        return replace(self, headers=(*self.headers, written))

    def without_headers(self) -> "SipUri":
        """Fit for a Request-URI, where headers are not allowed (RFC 3261 table 1)."""
        return replace(self, headers=())

    def matches(self, other: "Uri") -> bool:
        """RFC 3261 section 19.1.4: whether both name the same resource, by their text alone."""
        return (
            isinstance(other, SipUri)
            and self.scheme == other.scheme
            and _canonical(self.user) == _canonical(other.user)
            and _canonical(self.password) == _canonical(other.password)
            and _canonical_host(self.host) == _canonical_host(other.host)
            and self.port == other.port
            and _params_match(_comparable(self.params), _comparable(other.params))
            and _comparable(self.headers) == _comparable(other.headers)
        )

    def __str__(self) -> str:
        password = "" if self.password is None else f":{self.password}"
        user = f"{self.user}{password}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        headers = "?" + "&".join(f"{name}={value}" for name, value in self.headers) if self.headers else ""
        return f"{self.scheme}:{user}{host}{port}{_written(self.params)}{headers}"


@dataclass(frozen=True, slots=True)
class TelUri:
    """`number` as written, with its visual separators; a global one begins with "+" (RFC 3966)."""

    number: str
    params: Params = ()

    @property
    def is_global(self) -> bool:
        return self.number.startswith("+")

    def param(self, name: str, default: str = "") -> str:
        value = _decoded(self.params).get(name.lower())
        return default if value is None else value

    def matches(self, other: "Uri") -> bool:
        """RFC 3966 section 4: separators, case and the order of parameters do not matter."""
        return (
            isinstance(other, TelUri)
            and self.number.translate(_SEPARATORS).lower() == other.number.translate(_SEPARATORS).lower()
            and _comparable(self.params) == _comparable(other.params)
        )

    def __str__(self) -> str:
        return f"tel:{self.number}{_written(self.params)}"


Uri: TypeAlias = SipUri | TelUri


def scheme_of(text: str) -> str:
    """The scheme, lower-case; empty if the text does not begin with one."""
    scheme, colon, _ = text.partition(":")
    return scheme.lower() if colon and _SCHEME.fullmatch(scheme) else ""


def parse_uri(text: str) -> SipUri | TelUri | BadUri:
    if len(text) > MAX_URI_CHARACTERS:
        return BadUri(text[:MAX_URI_CHARACTERS], f"longer than {MAX_URI_CHARACTERS} characters")
    scheme, rest = scheme_of(text), text.partition(":")[2]
    sip_scheme = _SIP_SCHEMES.get(scheme)
    if sip_scheme:
        return _parse_sip(text, sip_scheme, rest)
    if scheme == "tel":
        return _parse_tel(text, rest)
    return BadUri(
        text, f"scheme {scheme!r} is none of sip, sips, tel" if scheme else "no scheme: begin with sip:"
    )


def phone_number(uri: Uri | str) -> str:
    """The telephone number that a URI names, without separators; empty if it names none.

    "+14255550123" for tel:+1-425-555-0123 and for sip:+14255550123@host, with or without user=phone (trunks
    leave it out); a local number ("911", "*97") as dialled.
    """
    read = parse_uri(uri) if isinstance(uri, str) else uri
    if isinstance(read, BadUri):
        return ""
    text = read.number if isinstance(read, TelUri) else read.user_text.partition(";")[0]
    number = text.translate(_SEPARATORS)
    return number if _DIALLED_NUMBER.fullmatch(number) else ""


def unescape(text: str) -> str:
    """The text meant: every %XX decoded, as UTF-8 (other bytes by surrogate escape)."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _escape(text: str, safe: str) -> str:
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe)


def _parse_sip(text: str, scheme: Literal["sip", "sips"], rest: str) -> SipUri | BadUri:
    before, at, after = rest.rpartition("@")
    user, colon, password = before.partition(":")
    if at and not _USER.fullmatch(user):
        return BadUri(text, f"user part {user[:60]!r} is empty or holds what must be escaped")
    if colon and not _PASSWORD.fullmatch(password):
        return BadUri(text, "the password holds what must be escaped")
    place, question, header_text = after.partition("?")
    where, _, param_text = place.partition(";")
    host_port = _parse_host_port(where)
    if host_port is None:
        return BadUri(text, f"host or port {where[:60]!r} is unreadable")
    params = _parse_params(param_text) if place != where else ()
    if params is None:
        return BadUri(
            text, f"parameters {param_text[:60]!r}: one is empty, doubled or holds what must be escaped"
        )
    headers = _parse_headers(header_text) if question else ()
    if headers is None:
        return BadUri(text, f"headers {header_text[:60]!r}: each must be name=value, escaped")
    return SipUri(host_port[0], user, host_port[1], scheme, password if colon else None, params, headers)


def _parse_host_port(text: str) -> tuple[str, int | None] | None:
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        if not bracket or _ipv6(host) is None or (rest and rest[0] != ":"):
            return None
        colon, digits = rest[:1], rest[1:]
    else:
        host, colon, digits = text.partition(":")
        if not _HOST.fullmatch(host):
            return None
    port = parse_number(digits, 65_535) if colon else None
    return None if colon and port is None else (host, port)


def _parse_params(text: str) -> Params | None:
    params: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not _PARAM.fullmatch(name) or (equals and not _PARAM.fullmatch(value)):
            return None
        params.append((name, value if equals else None))
    if len(params) > 1 and len(_decoded(tuple(params))) < len(params):
        return None
    return tuple(params)


def _parse_headers(text: str) -> tuple[tuple[str, str], ...] | None:
    headers: list[tuple[str, str]] = []
    for part in text.split("&"):
        name, equals, value = part.partition("=")
        if not equals or not name or not _HEADER.fullmatch(name) or not _HEADER.fullmatch(value):
            return None
        headers.append((name, value))
    return tuple(headers)


def _parse_tel(text: str, rest: str) -> TelUri | BadUri:
    number, semicolon, param_text = rest.partition(";")
    digits = number.translate(_SEPARATORS)
    if not (_GLOBAL_NUMBER if digits.startswith("+") else _LOCAL_NUMBER).fullmatch(digits):
        return BadUri(text, f"number {number[:60]!r} is not digits with an optional + before them")
    params = _parse_params(param_text) if semicolon else ()
    if params is None:
        return BadUri(
            text, f"parameters {param_text[:60]!r}: one is empty, doubled or holds what must be escaped"
        )
    return TelUri(number, params)


def _written(params: Params) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)


def _decoded(params: Params) -> dict[str, str | None]:
    return {unescape(name).lower(): None if value is None else unescape(value) for name, value in params}


def _comparable(params: Params | tuple[tuple[str, str], ...]) -> dict[str, str | None]:
    return {
        unescape(name).lower(): None if value is None else (_canonical(value) or "").lower()
        for name, value in params
    }


def _params_match(one: dict[str, str | None], other: dict[str, str | None]) -> bool:
    shared = one.keys() & other.keys()
    alone = one.keys() ^ other.keys()
    return not alone & MUST_BE_IN_BOTH and all(one[name] == other[name] for name in shared)


def _canonical(text: str | None) -> str | None:
    """One spelling for texts that are equivalent: only reserved and unprintable characters stay escaped."""
    if text is None or "%" not in text:
        return text
    return _ESCAPE.sub(_canonical_escape, text)


def _canonical_escape(match: re.Match[str]) -> str:
    code = int(match[0][1:], 16)
    return chr(code) if code in _UNRESERVED else match[0].upper()


def _canonical_host(host: str) -> str:
    if ":" in host and (address := _ipv6(host)) is not None:
        return address.compressed
    return host.lower()


def _ipv6(text: str) -> IPv6Address | None:
    try:
        return IPv6Address(text)
    except ValueError:
        return None
