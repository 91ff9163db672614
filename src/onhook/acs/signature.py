r"""Who signed a request: the access key signature (HMAC-SHA256) of ACS.

documented ("Authentication", HMAC; "Sign an HTTP request"), validated against recordings of both SDKs:

    x-ms-date            Mon, 23 Nov 2026 11:39:41 GMT
    x-ms-content-sha256  base64(sha256(body))
    Authorization        HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=BASE64
    signed text          VERB \n path?query \n date;host;hash

Which path, query and host were signed differs between SDKs and their HTTP libraries, so several readings
of one request are accepted (see `_targets`, `_hosts`). A signature may come again: the JavaScript SDK
sends the same date and signature on every retry.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from onhook.acs.dates import read_imf_fixdate
from onhook.acs.errors import shown

SCHEME = "HMAC-SHA256"
SIGNED_HEADERS = "x-ms-date;host;x-ms-content-sha256"
CLOCK_SKEW_SECONDS = 900
LEFT_BY_URLSEARCHPARAMS = "*-._"


class SigningKey(NamedTuple):
    resource: str
    key: bytes

    @classmethod
    def of(cls, resource: str, access_key: str) -> "SigningKey":
        """From the base64 text of a connection string; raises ValueError (without the key in it)."""
        try:
            key = b64decode(access_key, validate=True)
        except Base64Error:
            raise ValueError(f"an access key of resource {resource} is not base64") from None
        if not key:  # anybody could sign with it
            raise ValueError(f"an access key of resource {resource} is empty")
        return cls(resource, key)


class Signed(NamedTuple):
    resource: str


class Denied(NamedTuple):
    why: str


Outcome: TypeAlias = Signed | Denied


class _Claim(NamedTuple):
    """What the caller says in its headers."""

    signature: bytes
    date: str
    host: str
    content_hash: str


def check_signature(
    method: str,
    raw_target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    keys: Sequence[SigningKey],
    now: float,
    endpoints: Sequence[str] = (),
    skew_seconds: float = CLOCK_SKEW_SECONDS,
) -> Outcome:
    """Whose key signed this request, or why none did.

    `raw_target` is path?query exactly as it came, percent-encoding kept; `headers` have lower-case names;
    `endpoints` are host[:port] of our connection strings, which recording requests are signed for.
    """
    claim = _claim_of(headers)
    if isinstance(claim, Denied):
        return claim
    content_hash = b64encode(sha256(body).digest()).decode()
    if not hmac.compare_digest(content_hash.encode(), claim.content_hash.encode(errors="replace")):
        return Denied(
            f"x-ms-content-sha256 is {shown(claim.content_hash)}, but the body of {len(body)} bytes hashes to"
            f" {content_hash}: it was changed after signing, or hashed before it was encoded"
        )
    signed_at = read_imf_fixdate(claim.date)
    if signed_at is None:
        return Denied(f"x-ms-date {shown(claim.date)} is no date like Mon, 23 Nov 2026 11:39:41 GMT")
    if abs(now - signed_at) > skew_seconds:
        side = "behind" if signed_at < now else "ahead of"
        return Denied(
            f"x-ms-date {claim.date} is {abs(now - signed_at):.0f} s {side} the clock of this server;"
            f" {skew_seconds:.0f} s are allowed. Compare both clocks"
        )
    texts = _texts(method, raw_target, headers, claim, endpoints)
    for text in texts:
        for key in keys:
            made = b64encode(hmac.digest(key.key, text, "sha256"))
            if hmac.compare_digest(made, claim.signature):
                return Signed(key.resource)
    expected = f"{method}\n{raw_target}\n{claim.date};{claim.host};{content_hash}"
    return Denied(
        "no access key of this server made this signature. Compare the access key of the connection string"
        " with this server's, and look for a proxy that rewrites path or Host. The text to sign is"
        f" {shown(expected)}"
    )


def _claim_of(headers: Mapping[str, str]) -> _Claim | Denied:
    """The claim, or what is missing from it."""
    signature = _signature_of(headers)
    if isinstance(signature, Denied):
        return signature
    for name in ("x-ms-date", "host", "x-ms-content-sha256"):
        if not headers.get(name):
            return Denied(f"the signed header {name} is missing")
    return _Claim(signature, headers["x-ms-date"], headers["host"], headers["x-ms-content-sha256"])


def _signature_of(headers: Mapping[str, str]) -> bytes | Denied:
    """The base64 text behind `&Signature=`."""
    authorization = headers.get("authorization")
    if authorization is None:
        return Denied(
            "the Authorization header is missing. Sign with an access key (SDKs: from_connection_string)"
        )
    scheme, _, parameters = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return Denied(
            "Microsoft Entra tokens are not accepted here yet. Use a connection string with an access key"
        )
    if scheme != SCHEME:
        return Denied(f"the Authorization scheme {shown(scheme)} is unknown; {SCHEME} is expected")
    signed_headers, _, signature = parameters.strip().partition("&Signature=")
    if not signature:
        return Denied("the Authorization header carries no &Signature=")
    if signed_headers != f"SignedHeaders={SIGNED_HEADERS}":
        return Denied(
            f"Authorization says {shown(signed_headers)}; SignedHeaders={SIGNED_HEADERS} is expected"
        )
    return signature.encode(errors="replace")


def _texts(
    method: str, raw_target: str, headers: Mapping[str, str], claim: _Claim, endpoints: Sequence[str]
) -> Iterator[bytes]:
    """Every text that a client may have signed for this request; the usual one first."""
    other_host = headers.get("x-ms-host")
    tail = f";{claim.content_hash}"
    yield f"{method}\n{raw_target}\n{claim.date};{claim.host}{tail}".encode(errors="replace")
    for target in _targets(raw_target, without_query=bool(other_host)):
        for host in _hosts(claim.host, other_host, endpoints):
            yield f"{method}\n{target}\n{claim.date};{host}{tail}".encode(errors="replace")


def _targets(raw_target: str, *, without_query: bool) -> list[str]:
    """Readings of the target, validated: the asynchronous Python SDK signs `4%3A%2B1…` and sends `4:%2B1…`;
    JavaScript signs the query as URLSearchParams writes it, and of a recording only the path.
    """
    path, mark, query = raw_target.partition("?")
    paths = [path, "/".join(quote(unquote(segment), safe="") for segment in path.split("/"))]
    queries = [query, *_encoded_again(query)] if mark else [""]
    targets = [f"{p}?{q}" if q else p for p in paths for q in queries]
    return _once(targets + paths if without_query else targets)


def _encoded_again(query: str) -> Iterator[str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    for encode in (_as_urlsearchparams, _strictly):
        yield "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs)


def _as_urlsearchparams(text: str) -> str:
    return quote_plus(text, safe=LEFT_BY_URLSEARCHPARAMS).replace("~", "%7E")


def _strictly(text: str) -> str:
    return quote(text, safe="")


def _hosts(host: str, other_host: str | None, endpoints: Sequence[str]) -> list[str]:
    """Readings of the host, validated: a client made from `https://host:port/` keeps the slash; recordings
    are fetched from another host, signed for the endpoint, and name it in x-ms-host with or without port.
    """
    hosts = [host, f"{host}/"]
    if other_host:
        hosts += [other_host, *endpoints]
    return _once(hosts)


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
