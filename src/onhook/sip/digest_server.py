"""Digest authentication, the server's half (RFC 3261 section 22, RFC 7616, RFC 8760).

A nonce is random, so the shell draws it and hands it in; how long one is valid is for the caller to say.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from onhook.sip.digest_response import QOPS, STRENGTHS, Digest, parse_auth_values
from onhook.sip.quoted import quote


def make_challenge(
    realm: str,
    nonce: str,
    algorithm: str = "MD5",
    stale: bool = False,  # noqa: FBT001, FBT002  # a field of the header, in its order
    *,
    qop: str = "auth",
    opaque: str = "",
) -> str:
    """The value of WWW- or Proxy-Authenticate. `qop` may list several, or be empty for the RFC 2069 form."""
    parts = [f"Digest realm={quote(realm)}", f"nonce={quote(nonce)}", f"algorithm={algorithm}"]
    if qop:
        parts.append(f"qop={quote(qop)}")
    if opaque:
        parts.append(f"opaque={quote(opaque)}")
    if stale:
        parts.append("stale=true")
    return ", ".join(parts)


Check: TypeAlias = Literal[
    "accepted",
    "missing",  # no credentials, or of another scheme
    "unreadable",  # a field is absent or unknown
    "wrong-realm",
    "wrong-algorithm",  # another than was asked for
    "wrong-uri",  # made for another Request-URI
    "unknown-user",
    "wrong-response",  # in most cases a wrong password
    "stale",  # right, but for a nonce that is not valid (any more): challenge again with stale=true
]


@dataclass(frozen=True, slots=True)
class Checked:
    """What credentials are worth. `why` is for people; `nonce_count` lets the server refuse a replay."""

    result: Check
    why: str = ""
    username: str = ""
    nonce: str = ""
    nonce_count: int = 0

    @property
    def accepted(self) -> bool:
        return self.result == "accepted"


def check_authorization(
    header: str,
    method: str,
    uri: str,
    password_of: Callable[[str], str | None],
    nonce_valid: Callable[[str], bool],
    *,
    realm: str = "",
    algorithm: str = "",
    body: bytes = b"",
) -> Checked:
    """Check a line of Authorization or Proxy-Authorization; realm and algorithm too where they are given."""
    value = next((v for v in parse_auth_values(header) if v.scheme.lower() == "digest"), None)
    if value is None:
        return Checked("missing", "no digest credentials")
    params = value.params
    if fault := _fault(params):
        return Checked("unreadable", fault)
    digest = Digest(
        algorithm=params.get("algorithm", ""),
        username=params["username"],
        realm=params["realm"],
        nonce=params["nonce"],
        method=method,
        uri=params["uri"],
        qop=params.get("qop", "").lower(),
        nonce_count=params.get("nc", ""),
        cnonce=params.get("cnonce", ""),
        body=body,
    )
    result, why = _compare(digest, uri, realm, algorithm) or _prove(digest, params["response"], password_of)
    if result == "accepted" and not nonce_valid(digest.nonce):
        result, why = "stale", "the nonce is not valid any more"
    return Checked(result, why, digest.username, digest.nonce, int(digest.nonce_count or "0", 16))


def _fault(params: dict[str, str]) -> str:
    """What makes credentials unreadable; empty if nothing does."""
    for name in ("username", "realm", "nonce", "uri", "response"):
        if name not in params:
            return f"{name} is missing"
    algorithm, qop, count = params.get("algorithm", ""), params.get("qop", "").lower(), params.get("nc", "")
    if algorithm.upper() not in STRENGTHS:
        return f"algorithm {algorithm!r} is not known"
    if qop and qop not in QOPS:
        return f"qop {qop!r} is not known"
    if qop and not (params.get("cnonce") and count):
        return "qop is there, cnonce or nc is missing"
    if count and (len(count) != 8 or not set(count) <= set("0123456789abcdefABCDEF")):
        return f"nc is {count[:16]!r}, not eight hexadecimal digits"
    return ""


def _compare(digest: Digest, uri: str, realm: str, algorithm: str) -> tuple[Check, str] | None:
    if realm and digest.realm != realm:
        return "wrong-realm", f"made for realm {digest.realm!r}, not {realm!r}"
    if algorithm and (digest.algorithm or "MD5").upper() != algorithm.upper():
        return "wrong-algorithm", f"made with {digest.algorithm or 'MD5'}, not {algorithm}"
    if digest.uri != uri:
        return "wrong-uri", f"made for {digest.uri!r}, not {uri!r}"
    return None


def _prove(digest: Digest, response: str, password_of: Callable[[str], str | None]) -> tuple[Check, str]:
    password = password_of(digest.username)
    if password is None:
        return "unknown-user", f"no user {digest.username!r}"
    given = response.lower().encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(digest.response(password).encode(), given):
        return "wrong-response", f"the response of {digest.username!r} does not fit the password"
    return "accepted", ""
