"""What both halves of digest authentication compute and read (RFC 7616 section 3.4, RFC 8760).

MD5 and SHA-256, each also as a session variant. Values are hashed as they read once quotes and escapes are
off. SHA-512-256 is left out: Python has it only where its OpenSSL does, and trunks do not ask for it.
"""

import hashlib
from dataclasses import dataclass, field

from onhook.sip.headers import split_list
from onhook.sip.quoted import unquote

MAX_LINE_LENGTH = 4096
"""Characters of a line with challenges or credentials; a longer one is not read."""

STRENGTHS = {"": 1, "MD5": 1, "MD5-SESS": 1, "SHA-256": 2, "SHA-256-SESS": 2}
"""The algorithms known, in upper case; no name means MD5. A higher number is preferred."""
QOPS = ("auth", "auth-int")
"""Qualities of protection known, in the order in which we take them."""


@dataclass(frozen=True, slots=True)
class AuthValue:
    """A scheme and its parameters, names in lower case; the first of a name counts."""

    scheme: str
    params: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """All that goes into a response but the password. `nonce_count` is the text of nc, `qop` "" if none."""

    algorithm: str
    username: str
    realm: str
    nonce: str
    method: str
    uri: str
    qop: str = ""
    nonce_count: str = ""
    cnonce: str = ""
    body: bytes = b""

    def response(self, password: str) -> str:
        """The hex digits of response=; the algorithm has to be a key of STRENGTHS, in any case."""
        algorithm = self.algorithm.upper()
        secret = self._hash(f"{self.username}:{self.realm}:{password}")
        if algorithm.endswith("-SESS"):
            secret = self._hash(f"{secret}:{self.nonce}:{self.cnonce}")
        request = f"{self.method}:{self.uri}"
        if self.qop == "auth-int":
            request = f"{request}:{self._hash(self.body)}"
        between = f"{self.nonce_count}:{self.cnonce}:{self.qop}:" if self.qop else ""
        return self._hash(f"{secret}:{self.nonce}:{between}{self._hash(request)}")

    def _hash(self, data: str | bytes) -> str:
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        if self.algorithm.upper().startswith("SHA-256"):
            return hashlib.sha256(data).hexdigest()
        return hashlib.md5(data, usedforsecurity=False).hexdigest()


def parse_auth_values(line: str) -> list[AuthValue]:
    """Every challenge, or set of credentials, of a line; a scheme's name begins the next."""
    values: list[AuthValue] = []
    if len(line) > MAX_LINE_LENGTH:
        return values
    for part in split_list(line):
        name, _, value = part.partition("=")
        scheme, _, first_name = name.strip().replace("\t", " ").rpartition(" ")
        if scheme or not (values or "=" in part):
            values.append(AuthValue(scheme.strip() or first_name))
        if values and "=" in part:
            values[-1].params.setdefault(first_name.lower(), unquote(value.strip()))
    return values
