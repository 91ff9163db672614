"""Keys of SRTP in session descriptions: SDES, `a=crypto` lines (RFC 4568).

Each side names the key that it sends with. The two suites of RFC 4568 section 6.2 that every SBC has are
spoken; both take a master key of 16 bytes and a salt of 14.

Our keys follow from a secret of the call and from the leg, as all that a call says follows from what it was
begun with; the secret itself never goes out. `key_for` is HKDF-Expand (RFC 5869 section 2.3) with SHA-256 and
a label for each use: who knows one key, or every identifier of the call, learns nothing of another key.
"""

import binascii
import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from typing import Final, NamedTuple

from onhook.sip.sdp_lines import shown

SUITES: Final = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""Ours, in the order of preference."""
KEY_BYTES: Final = 30
MAX_LIFETIME_POWER: Final = 48
"""Packets that one key may protect, as a power of two (RFC 3711 section 9.2)."""

_LINE = re.compile(r"(\d{1,9})\s+(\S+)\s+(\S+)(.*)")
_LIFETIME = re.compile(r"2\^(\d{1,2})|(\d{1,15})")
_HARMLESS = re.compile(r"WSH=\d{1,4}")
"""Session parameters that may be passed over: the receiver's window is our own affair."""


class Crypto(NamedTuple):
    """An a=crypto line that can be used: its sender protects with `key` (master key and salt)."""

    tag: int
    suite: str
    key: bytes

    @property
    def line(self) -> str:
        return f"a=crypto:{self.tag} {self.suite} inline:{b64encode(self.key).decode()}"


def leg_secret(secret: str, leg_seed: str) -> bytes:
    """The secret of a leg, of which its keys are made; nothing can be made of an empty one."""
    return hmac.digest(secret.encode(), f"onhook leg {leg_seed}".encode(), "sha256") if secret else b""


def key_for(secret: bytes, suite: str) -> bytes:
    """Our master key and salt for a suite; `secret` is that of the leg."""
    assert secret, "no key without a secret"
    return hmac.digest(secret, b"onhook sdes " + suite.encode() + b"\x01", hashlib.sha256)[:KEY_BYTES]


def parse_crypto(value: str) -> Crypto | str:
    """Read what stands behind `a=crypto:`; a text says why it cannot be used.

    What would change the packets and is not spoken here makes a line unusable: a master key identifier,
    several keys, a key derivation rate, and everything that leaves something unprotected.
    """
    matched = _LINE.fullmatch(value.strip())
    if matched is None:
        return f"a=crypto has to be tag, suite and inline:key; it is {shown(value)}"
    tag, suite, keys, parameters = matched.groups()
    if suite not in SUITES:
        return f"the suite {shown(suite)} is not spoken here; {' and '.join(SUITES)} are"
    for parameter in parameters.split():
        if not _HARMLESS.fullmatch(parameter):
            return f"the parameter {shown(parameter)} of a=crypto is not spoken here"
    method, _, info = keys.partition(":")
    if method != "inline" or ";" in info:
        return "a=crypto has to hold one key, written inline:"
    return _with_key(int(tag), suite, info)


def _with_key(tag: int, suite: str, info: str) -> Crypto | str:
    text, *more = info.split("|")
    try:
        key = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "the key of a=crypto is no base64"
    if len(key) != KEY_BYTES:
        return f"the key of a=crypto has {len(key)} bytes; {suite} takes {KEY_BYTES}"
    if len(more) > 1 or (more and ":" in more[0]):
        return "a=crypto names a master key identifier (MKI), which is not spoken here"
    lifetime = _LIFETIME.fullmatch(more[0]) if more else None
    if more and (lifetime is None or int(lifetime[1] or 0) > MAX_LIFETIME_POWER):
        return f"the lifetime of a=crypto is no number of packets: {shown(more[0])}"
    return Crypto(tag, suite, key)


def first_usable(values: list[str]) -> Crypto | str:
    """The first of these a=crypto values that can be used, or what is wrong with the first of them."""
    fault = "there is no a=crypto line"
    for number, value in enumerate(values):
        read = parse_crypto(value)
        if isinstance(read, Crypto):
            return read
        fault = fault if number else read
    return fault
