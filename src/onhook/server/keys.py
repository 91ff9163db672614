"""The keys that tokens are signed with, and how others verify them.

| Path                                       | Gives                                     |
|--------------------------------------------|-------------------------------------------|
| /calling/.well-known/acsopenidconfiguration | issuer and where the keys are (documented) |
| /calling/keys                              | the public keys, RFC 7517                 |

Both paths, RS256, five minutes and a new token for each event are documented ("How to secure webhook
endpoint"). The issuer is this server's own address unless a setting says otherwise: applications that
compare it with Microsoft's can be given that one. A new key is made when the newest is old enough; an
older one verifies until the last token that it may have signed is dead.
"""

import logging
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onhook.acs.tokens import (
    ALGORITHM,
    CALLBACK_TOKEN_SECONDS,
    STREAM_TOKEN_SECONDS,
    TokenKey,
    callback_claims,
    public_jwk,
    sign,
)
from onhook.calls.outbox import OutboxEvent
from onhook.server.files import write_whole

CONFIGURATION_PATH = "/calling/.well-known/acsopenidconfiguration"
KEYS_PATH = "/calling/keys"
KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
DEFAULT_DAYS = 30
DAY_SECONDS = 24 * 3600.0
LONGEST_TOKEN_SECONDS = 1440 * 60.0
"""Of a user's access token; callback tokens live for minutes."""
MAX_KEYS = 64
"""Files read at start; with the shortest rotation there are three."""
CACHE_SECONDS = 300
_NAME = re.compile(r"token-key-(\d{1,12})\.pem")
log = logging.getLogger(__name__)


class KeyFileError(Exception):
    """A signing key cannot be used; the text says which file and what to do."""


class _Kept(NamedTuple):
    made_at: float
    key: TokenKey
    path: Path


class TokenKeys:
    """`url` is our own address, set anew when the port is known; `days` is how long a key signs."""

    def __init__(
        self, directory: Path, *, now: float, url: str, issuer: str = "", days: float = DEFAULT_DAYS
    ) -> None:
        """Read the keys of `directory`, make the first; raises KeyFileError, OSError."""
        self._directory, self._days, self._issuer = directory, days, issuer
        self.url = url
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._kept = _read_all(directory)
        self._public: Mapping[str, rsa.RSAPublicKey] = {}
        self.rotate(now)

    @property
    def issuer(self) -> str:
        return self._issuer or self.url

    @property
    def public(self) -> Mapping[str, rsa.RSAPublicKey]:
        """By kid: every key whose tokens may be alive."""
        return self._public

    def rotate(self, now: float) -> None:
        """Make a key if the newest is too old, drop those whose tokens are dead. May run in a thread.

        Raises OSError if the new key cannot be written; the old one then goes on signing.
        """
        kept = self._kept
        if not kept or now - kept[-1].made_at >= self._days * DAY_SECONDS:
            kept = (*kept, _make(self._directory, now))
        successors = pairwise(kept)
        dead = [old for old, new in successors if now - new.made_at > LONGEST_TOKEN_SECONDS]
        self._kept = tuple(each for each in kept if each not in dead)
        self._public = {each.key.id: each.key.private.public_key() for each in self._kept}
        for old in dead:
            old.path.unlink(missing_ok=True)

    def sign(self, claims: Mapping[str, object]) -> str:
        return sign(claims, self._kept[-1].key)

    def callback_token(self, resource_id: str, now: float) -> str:
        """For one event of a call of that resource; never the same twice."""
        claims = callback_claims(issuer=self.issuer, resource_id=resource_id, jti=str(uuid4()), now=now)
        return self.sign(claims)

    def stream_token(self, resource_id: str, now: float) -> str:
        """For one WebSocket to an application of that resource."""
        claims = callback_claims(
            issuer=self.issuer,
            resource_id=resource_id,
            jti=str(uuid4()),
            now=now,
            life_seconds=STREAM_TOKEN_SECONDS,
        )
        return self.sign(claims)

    def key_set(self) -> dict[str, Any]:
        """The newest first: it signs."""
        newest_first = reversed(self._kept)
        return {"keys": [public_jwk(each.key.id, each.key.private.public_key()) for each in newest_first]}

    def openid_configuration(self) -> dict[str, Any]:
        """The members that OpenID Connect Discovery 1.0 requires, as far as there is something to say."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.url}{KEYS_PATH}",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
        }

    def routes(self) -> list[Route]:
        """For everybody, without signature: the keys are public."""

        async def configuration(_request: Request) -> Response:
            return _json(self.openid_configuration())

        async def keys(_request: Request) -> Response:
            return _json(self.key_set())

        return [Route(CONFIGURATION_PATH, configuration), Route(KEYS_PATH, keys)]


class CallbackAuthorization:
    """The Authorization header of each event's POST: the courier's `authorize`.

    `resource_id_of` finds the immutable id of the resource that a call belongs to. A signature costs a third
    of a millisecond, which is what a whole call may cost on a busy server: with `reuse_seconds` a token is
    sent with all events of a resource for so long (ours; the real service makes one for each event).
    """

    def __init__(
        self,
        keys: TokenKeys,
        resource_id_of: Callable[[str], str | None],
        now: Callable[[], float],
        *,
        reuse_seconds: float = 0.0,
        made_at: Callable[[str, float], float] = lambda _call_id, now: now,
    ) -> None:
        """`made_at` may give a token of a call another time than now, an expired one: for the lab."""
        self._made_at = made_at
        self._keys, self._resource_id_of, self._now = keys, resource_id_of, now
        self._reuse_seconds = min(reuse_seconds, CALLBACK_TOKEN_SECONDS / 2)
        self._used: dict[str, tuple[float, str]] = {}

    def __call__(self, event: OutboxEvent) -> str:
        """Empty if the call is of no resource any more: nobody could say for whom the token is."""
        resource_id = self._resource_id_of(event.call_id)
        if resource_id is None:
            return ""
        now = self._now()
        if (other := self._made_at(event.call_id, now)) != now:
            return f"Bearer {self._keys.callback_token(resource_id, other)}"
        made_at, header = self._used.get(resource_id, (0.0, ""))
        if not header or not 0 <= now - made_at < self._reuse_seconds:
            header = f"Bearer {self._keys.callback_token(resource_id, now)}"
            self._used[resource_id] = now, header
        return header


def _read_all(directory: Path) -> tuple[_Kept, ...]:
    found = sorted(
        (int(match[1]), path)
        for path in directory.glob("token-key-*.pem")
        if (match := _NAME.fullmatch(path.name))
    )
    return tuple(_Kept(float(made_at), _read(path), path) for made_at, path in found[-MAX_KEYS:])


def _read(path: Path) -> TokenKey:
    try:
        path.chmod(0o600)
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as fault:
        raise KeyFileError(
            f"{path} cannot be read as a signing key ({fault}). Delete it to have a new one made; tokens"
            " that it signed are then worth nothing."
        ) from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise KeyFileError(f"{path} holds no RSA key. Delete it to have a new one made.")
    return TokenKey.of(private)


def _make(directory: Path, now: float) -> _Kept:
    private = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
    path = directory / f"token-key-{int(now)}.pem"
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_whole(path, pem, mode=0o600)
    key = TokenKey.of(private)
    log.info("made the signing key %s", key.id)
    return _Kept(float(int(now)), key, path)


def _json(value: dict[str, Any]) -> Response:
    headers = {"Cache-Control": f"public, max-age={CACHE_SECONDS}"}
    return Response(msgspec.json.encode(value), headers=headers, media_type="application/json; charset=utf-8")
