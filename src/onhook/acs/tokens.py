"""Tokens that this server signs: JSON Web Tokens (RFC 7519) with RS256, their keys named by RFC 7638.

| Token    | For whom                         | Life            | Claims                                |
|----------|----------------------------------|-----------------|---------------------------------------|
| callback | the application, with each event | 5 minutes       | iss, aud (resource id), jti, iat, nbf, exp |
| stream   | the application, with each WebSocket | 24 hours    | the same (documented for streaming)       |
| user     | clients of a communication user  | 60–1440 minutes | skypeid, acsScope, resourceId, scp, csi,   |
|          |                                  |                 | iat, exp; ours: iss, jti, gen              |

Callback claims are documented ("How to secure webhook endpoint"); of the user's claims the names from
skypeid to exp and their form were seen in recordings of the vendor's own tests (validated), `scp` always
1792 there. `gen` is ours: it counts how often the user's tokens were revoked, so that of two tokens of one
second the older one dies and the newer one lives.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from jwt.types import Options

from onhook.acs.errors import shown

ALGORITHM = "RS256"
CALLBACK_TOKEN_SECONDS = 300
STREAM_TOKEN_SECONDS = 24 * 3600
MAX_TOKEN_LENGTH = 8192
SCP = 1792
"""A mask of rights whose bits are not documented; every recorded token had this one."""
_NOT_CHECKED_THERE: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
}
"""The library would ask its own clock."""


class TokenKey(NamedTuple):
    """A signing key. `id` is the `kid` of its tokens."""

    id: str
    private: RSAPrivateKey

    @classmethod
    def of(cls, private: RSAPrivateKey) -> "TokenKey":
        return cls(thumbprint(private.public_key()), private)


class Unreadable(NamedTuple):
    """Why a text is no token of ours."""

    why: str


def sign(claims: Mapping[str, object], key: TokenKey) -> str:
    return jwt.encode(dict(claims), key.private, ALGORITHM, headers={"kid": key.id})


def callback_claims(
    *, issuer: str, resource_id: str, jti: str, now: float, life_seconds: int = CALLBACK_TOKEN_SECONDS
) -> dict[str, object]:
    """`now` is Unix seconds."""
    issued = int(now)
    return {
        "iss": issuer,
        "aud": resource_id,
        "jti": jti,
        "iat": issued,
        "nbf": issued,
        "exp": issued + life_seconds,
    }


def user_claims(
    *, issuer: str, user_id: str, resource_id: str, scopes: tuple[str, ...], expires_at: int, generation: int,
    jti: str, now: float,
) -> dict[str, object]:  # fmt: skip
    """`user_id` is the raw id 8:acs:RESOURCE_USER; times are Unix seconds."""
    issued = int(now)
    return {
        "skypeid": user_id.removeprefix("8:"),
        "scp": SCP,
        "csi": str(issued),
        "iat": issued,
        "exp": expires_at,
        "acsScope": ",".join(scopes),
        "resourceId": resource_id,
        "iss": issuer,
        "jti": jti,
        "gen": generation,
    }


def read_token(token: str, keys: Mapping[str, RSAPublicKey]) -> dict[str, Any] | Unreadable:
    """The claims of a token that one of `keys` (by kid) signed; its times are not looked at."""
    if len(token) > MAX_TOKEN_LENGTH:
        return Unreadable(f"it has {len(token)} characters; {MAX_TOKEN_LENGTH} are allowed")
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError as fault:
        return Unreadable(f"it is no JSON Web Token: {fault}")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        return Unreadable(f"it names the key {shown(str(kid))}, which is none of this server's")
    try:
        return jwt.decode(token, key, algorithms=[ALGORITHM], options=_NOT_CHECKED_THERE)
    except jwt.InvalidTokenError as fault:
        return Unreadable(f"its signature is not that key's: {fault}")


def public_jwk(key_id: str, public: RSAPublicKey) -> dict[str, str]:
    """The key as one entry of a JSON Web Key Set (RFC 7517)."""
    return {**_rsa_members(public), "kid": key_id, "use": "sig", "alg": ALGORITHM}


def thumbprint(public: RSAPublicKey) -> str:
    """RFC 7638: SHA-256 over the required members in order, base64url."""
    members = dict(sorted(_rsa_members(public).items()))
    return _base64url(sha256(msgspec.json.encode(members)).digest())


def _rsa_members(public: RSAPublicKey) -> dict[str, str]:
    numbers = public.public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}


def _number(value: int) -> str:
    return _base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
