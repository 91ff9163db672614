"""Kinds of setting: what a value must be, how to say so, and a value that would do.

A kind reads the plain TOML value and gives back the typed one, or raises `Unfit`. Nothing here knows
where a value came from; that is drafts.py's part of the message.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from onhook.acs.callback_uri import MAX_CALLBACK_URI_LENGTH
from onhook.acs.sip_routing import fault_in_pattern, is_host
from onhook.calls.numbers import fault_in
from onhook.delivery.grid.checks import FILE_NAME, is_event_type
from onhook.server.throttle import read_limit
from onhook.sip.terms import SECRECIES, VOICES

T = TypeVar("T")

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

MAX_TEXT = 1_000
"""Characters of one text value."""
MAX_LIST = 10_000
"""Values of one list."""


class Unfit(Exception):
    """The value is not of this kind; the text, if any, says more than "expected …" does.

    For one value of a list, `item` is its place from 0, and `expected` and `value` are its own.
    """

    def __init__(
        self, more: str = "", *, item: int | None = None, expected: str = "", value: object = None
    ) -> None:
        super().__init__(more)
        self.item = item
        self.expected = expected
        self.value = value


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`expected` completes "expected …", `example` is TOML that would do."""

    expected: str
    example: str
    read: Callable[[object], T]
    textual: bool = False
    """The value is a text: an environment variable gives it without quotes, whatever it looks like."""
    listed: bool = False
    """The value is a list, of texts if `textual`: an environment variable may give it separated by commas."""


def whole(lowest: int, highest: int, example: int) -> Kind[int]:
    """A whole number, bounds included."""

    def read(value: object) -> int:
        # bool is an int to Python, not to people
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise Unfit
        return value

    return Kind(f"a whole number {lowest}–{highest}", str(example), read)


def seconds(lowest: float, highest: float, example: float) -> Kind[float]:
    """A length of time in seconds, bounds included, fractions allowed."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
            raise Unfit
        return float(value)

    return Kind(f"a number of seconds {lowest:g}–{highest:g}", f"{example:g}", read)


def hours(lowest: float, highest: float, example: float) -> Kind[float]:
    """A length of time in hours, bounds included, fractions allowed."""
    as_seconds = seconds(lowest, highest, example)
    return Kind(f"a number of hours {lowest:g}–{highest:g}", f"{example:g}", as_seconds.read)


def one_of(*words: str) -> Kind[str]:
    """One of a few words."""
    expected = f"one of {', '.join(words[:-1])} or {words[-1]}"

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise Unfit
        return value

    return Kind(expected, f'"{words[0]}"', read, textual=True)


def text(expected: str, example: str, fits: Callable[[str], bool]) -> Kind[str]:
    """A text that `fits` says yes to; never longer than MAX_TEXT."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise Unfit
        if len(value) > MAX_TEXT:
            raise Unfit(f"at most {MAX_TEXT} characters")
        if not fits(value) or any(ord(char) < 32 or ord(char) == 127 for char in value):
            raise Unfit
        return value

    return Kind(expected, f'"{example}"', read, textual=True)


def many(
    kind: Kind[T], expected: str, example: str, *, at_least: int = 0, at_most: int = MAX_LIST
) -> Kind[tuple[T, ...]]:
    """A list of one kind. The first value that does not fit is named."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Unfit
        values: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # TOML's own list
        if not at_least <= len(values) <= at_most:
            raise Unfit(f"{at_least} to {at_most} values, here are {len(values)}")
        read_values: list[T] = []
        for item, each in enumerate(values):
            try:
                read_values.append(kind.read(each))
            except Unfit as unfit:
                raise Unfit(str(unfit), item=item, expected=kind.expected, value=each) from None
        return tuple(read_values)

    return Kind(expected, example, read, textual=kind.textual, listed=True)


def _read_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit
    return value


def _read_pattern(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit
    if fault := fault_in_pattern(value):
        raise Unfit(fault)
    if len(value) > MAX_PATTERN:
        raise Unfit(f"at most {MAX_PATTERN} characters")
    return value


def _read_key(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit
    try:
        length = len(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        raise Unfit("it is not base64") from None
    if not MIN_KEY_BYTES <= length <= MAX_KEY_BYTES:
        raise Unfit(f"it decodes to {length} bytes, wanted are {MIN_KEY_BYTES} to {MAX_KEY_BYTES}")
    return value


def _read_number(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit
    if fault := fault_in(value):
        raise Unfit(fault if len(value) <= MAX_TEXT else "")
    return value


def _read_network(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise Unfit
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise Unfit(str(error)) from None


def _read_transport(value: object) -> str:
    if value not in ("udp", "tcp", "tls"):
        raise Unfit
    return str(value)


def _read_codecs(value: object) -> tuple[str, ...]:
    read = many(one_of(*VOICES), "", "", at_least=1).read(value)
    if twice := next((name for name in read if read.count(name) > 1), ""):
        raise Unfit(f"{twice} stands there twice")
    return read


def _read_limit(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit
    if len(value) > MAX_TEXT:
        raise Unfit(f"at most {MAX_TEXT} characters")
    try:
        read_limit(value)
    except ValueError as fault:
        raise Unfit(str(fault)) from None
    return value


def split_endpoint(value: str) -> tuple[str, int] | None:
    """Host and port of host:port, or None; an IPv6 address stands in brackets."""
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not is_host(bare) or (":" in bare) is (bare == host) or not port.isascii() or not port.isdigit():
        return None
    return (bare, int(port)) if 1 <= int(port[:6]) <= 65535 else None


MAX_PATTERN = 200
MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 256

SWITCH = Kind("true or false", "true", _read_switch)
PORT = whole(1, 65535, 5060)
LISTEN_PORT = whole(0, 65535, 5060)
HOSTNAME = text("a host name or an IP address", "sbc.example.com", is_host)
MAYBE_HOST = text(
    "a host name, an IP address, or nothing", "203.0.113.7", lambda value: not value or is_host(value)
)
MAYBE_ENDPOINT = text(
    "a host name, host:port, or nothing",
    "rec.local.asm.skype.com:8443",
    lambda value: not value or is_host(value.rpartition(":")[0] or value),
)
MAYBE_PATH = text("a path, or nothing", "recordings", lambda _value: True)
HOSTNAMES = many(HOSTNAME, "a list of host names", '["calls.example.com"]', at_most=100)
ENDPOINT = text(
    "host:port", "calls.example.com:443", lambda value: is_host(value.rpartition(":")[0] or value)
)
ENDPOINTS = many(ENDPOINT, "a list of host:port", '["calls.example.com:443"]', at_most=100)
NG_ENDPOINT = text("host:port", "127.0.0.1:2223", lambda value: bool(split_endpoint(value)))
NG_ENDPOINTS = many(NG_ENDPOINT, "a list of host:port", '["127.0.0.1:2223", "10.0.0.8:2223"]', at_most=100)
MAYBE_URL = text(
    "an https or http address, or nothing",
    "https://calls.example.com",
    lambda value: not value or bool(re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value)),
)
NETWORK = Kind("a network of addresses", '"10.0.0.0/8"', _read_network, textual=True)
NETWORKS = many(NETWORK, "a list of networks", '["10.0.0.0/8", "fd00::/8"]', at_most=1_000)
PATH = text("a path", ".onhook", bool)
USERNAME = text("a text on one line", "onhook", lambda _value: True)
PASSWORD = text("a text on one line", "change me", lambda _value: True)
NAME = text(
    "a name of letters, digits, - and _",
    "everything",
    lambda value: bool(re.fullmatch(r"[\w.-]{1,64}", value)),
)
NAMES = many(NAME, "a list of trunk names", '["carrier"]', at_least=1, at_most=100)
INTERFACES = many(NAME, "two names of interfaces, or none", '["internal", "external"]', at_most=2)
INNER_CODECS = many(
    one_of("PCMU", "PCMA", "G722"), "a list of PCMU, PCMA and G722", '["PCMU", "PCMA"]', at_least=1, at_most=3
)
NUMBER = Kind("an E.164 number", '"+14255550100"', _read_number, textual=True)
NUMBERS = many(NUMBER, "a list of E.164 numbers", '["+14255550100"]')
RESOURCE_ID = text(
    "a GUID", "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00", lambda value: bool(GUID.fullmatch(value))
)
PATTERN = Kind(
    "a regular expression over the whole E.164 number", '"\\\\+1\\\\d{10}"', _read_pattern, textual=True
)
KEY = Kind("an access key in base64", '"…"', _read_key, textual=True)
KEYS = many(KEY, "one or two access keys in base64", '["…"]', at_least=1, at_most=2)
TRANSPORT = Kind("udp, tcp or tls", '"udp"', _read_transport, textual=True)
LIMIT = Kind(
    'OPERATION REQUESTS/SECONDS or OPERATION off, such as "createCall 2/10"',
    '"createCall 2/10"',
    _read_limit,
    textual=True,
)
LIMITS = many(LIMIT, "a list of limits, each OPERATION REQUESTS/SECONDS", '["createCall 2/10"]', at_most=100)
CODECS = Kind(
    f"a list of codecs, each once, of {', '.join(VOICES)}",
    '["PCMA", "PCMU"]',
    _read_codecs,
    textual=True,
    listed=True,
)
SRTP = one_of(*SECRECIES)
RESOURCE_NAME = text(
    "a resource's name, or nothing", "shop", lambda value: bool(re.fullmatch(r"[A-Za-z0-9_.-]{0,64}", value))
)
WEB_ADDRESS = text(
    "an https:// address",
    "https://app.example.com/events",
    lambda value: value.startswith(("https://", "http://")) and len(value) <= MAX_CALLBACK_URI_LENGTH,
)
SPEECH_ADDRESS = text(
    "an https or http address",
    "https://speech.example.com/",
    lambda value: bool(re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value)),
)
HEADER_NAME = text(
    "the name of an HTTP header",
    "Authorization",
    lambda value: bool(re.fullmatch(r"[A-Za-z0-9-]{1,64}", value)),
)
EVENT_TYPE = text("an event type", "IncomingCall", is_event_type)
EVENT_TYPES = many(EVENT_TYPE, "a list of event types", '["IncomingCall"]', at_most=100)
SUBJECT = text("a text on one line", "/caller/4:", lambda _value: True)
DEAD_LETTER_FILE = text(
    "a file name, or nothing", "dead.jsonl", lambda value: not value or bool(FILE_NAME.fullmatch(value))
)
PAUSES = many(
    seconds(0, 86_400, 1),
    "a list of seconds, each from 0 to 86400",
    "[1, 2, 5]",
    at_least=1,
    at_most=50,
)
