"""The Identity API: users, and the access tokens with which their clients sign in.

A token is one of ours (acs/tokens.py); whoever lets clients in asks `check_token`. What was answered is in
the store before: a revoked token stays dead through a crash.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from onhook.acs.dates import event_time
from onhook.acs.identity import (
    DEFAULT_MINUTES,
    VALIDATION_ERROR,
    Dead,
    TokenUser,
    UserRecord,
    check_owner,
    check_token,
    not_found,
    read_scopes,
    user_id,
)
from onhook.acs.identity_models import (
    CommunicationIdentity,
    CommunicationIdentityAccessToken,
    CommunicationIdentityAccessTokenRequest,
    CommunicationIdentityAccessTokenResult,
    CommunicationIdentityCreateRequest,
)
from onhook.acs.identity_operations import OPERATIONS
from onhook.acs.tokens import user_claims
from onhook.acs.versions import IDENTITY
from onhook.calls.directory import Resource
from onhook.server.handlers import Built, Request
from onhook.server.keys import TokenKeys
from onhook.server.rate_limits import RateLimits
from onhook.server.surface import Surface, bind

REFUSED = {
    "exchangeTeamsToken": "Onhook belongs to no Microsoft Entra tenant, so nothing can vouch for the token of"
    " a Teams user. Create a user (POST /identities) and issue a token to it instead",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLimits:
    """Requests within 30 s of one resource (documented: service limits); 0 is without limit."""

    create_user: int = 1000
    create_user_and_token: int = 1000
    issue_token: int = 1000
    revoke_tokens: int = 500
    delete_user: int = 500

    def most(self) -> dict[str, int]:
        """By the names that `Identities` counts by."""
        return {
            "createUser": self.create_user,
            "createUserAndToken": self.create_user_and_token,
            "issueToken": self.issue_token,
            "revokeTokens": self.revoke_tokens,
            "deleteUser": self.delete_user,
        }


class Users(Protocol):
    """Where users are kept; store/kept.py matches it."""

    def user(self, user_id: str, /) -> UserRecord | None: ...
    def save_user(self, record: UserRecord, /) -> None: ...
    def delete_user(self, user_id: str, /) -> None: ...


class Identities:
    """`now` gives Unix seconds, `guid` a new GUID."""

    def __init__(
        self,
        users: Users,
        keys: TokenKeys,
        limits: RateLimits,
        now: Callable[[], float],
        guid: Callable[[], str],
    ) -> None:
        self._users, self._keys, self._limits, self._now, self._guid = users, keys, limits, now, guid

    def create(
        self, resource: Resource, scopes: Sequence[str] | None, minutes: int | None
    ) -> CommunicationIdentityAccessTokenResult:
        """A new user; with a token if scopes are given (an empty list gives none, assumed)."""
        kind = "createUserAndToken" if scopes else "createUser"
        read = read_scopes(scopes, "createTokenWithScopes") if scopes else None
        now = self._now()
        self._limits.take(kind, resource.id, now)
        record = UserRecord(id=user_id(resource.id, self._guid()), resource_id=resource.id, created_at=now)
        self._users.save_user(record)
        token = self._token(record, read, minutes, now) if read else None
        return CommunicationIdentityAccessTokenResult(
            identity=CommunicationIdentity(id=record.id), access_token=token
        )

    def issue(
        self, resource: Resource, identity: str, scopes: Sequence[str], minutes: int | None
    ) -> CommunicationIdentityAccessToken:
        record = self._find(resource, identity)
        read = read_scopes(scopes)
        now = self._now()
        self._limits.take("issueToken", resource.id, now)
        return self._token(record, read, minutes, now)

    def revoke(self, resource: Resource, identity: str) -> None:
        """Every token issued so far is dead from here on."""
        record = self._find(resource, identity)
        self._limits.take("revokeTokens", resource.id, self._now())
        self._users.save_user(msgspec.structs.replace(record, generation=record.generation + 1))

    def delete(self, resource: Resource, identity: str) -> None:
        """The user and all its tokens; one that is gone already is gone (assumed: an SDK asks again)."""
        owned = check_owner(identity, resource.id)
        self._limits.take("deleteUser", resource.id, self._now())
        self._users.delete_user(owned)

    def check_token(self, token: str, now: float) -> TokenUser | Dead:
        return check_token(token, now, keys=self._keys.public, find_user=self._users.user)

    def _find(self, resource: Resource, identity: str) -> UserRecord:
        record = self._users.user(check_owner(identity, resource.id))
        if record is None:
            raise not_found(identity)
        return record

    def _token(
        self, record: UserRecord, scopes: tuple[str, ...], minutes: int | None, now: float
    ) -> CommunicationIdentityAccessToken:
        expires_at = int(now) + 60 * (minutes or DEFAULT_MINUTES)
        claims = user_claims(
            issuer=self._keys.issuer,
            user_id=record.id,
            resource_id=record.resource_id,
            scopes=scopes,
            expires_at=expires_at,
            generation=record.generation,
            jti=self._guid(),
            now=now,
        )
        return CommunicationIdentityAccessToken(
            token=self._keys.sign(claims), expires_on=event_time(expires_at)
        )


def _create(identities: Identities, request: Request) -> CommunicationIdentityAccessTokenResult:
    body = request.body
    assert isinstance(body, CommunicationIdentityCreateRequest)
    return identities.create(request.resource, body.create_token_with_scopes, body.expires_in_minutes)


def _issue(identities: Identities, request: Request) -> CommunicationIdentityAccessToken:
    body = request.body
    assert isinstance(body, CommunicationIdentityAccessTokenRequest)
    return identities.issue(request.resource, request.ids[0], body.scopes, body.expires_in_minutes)


def _revoke(identities: Identities, request: Request) -> None:
    identities.revoke(request.resource, request.ids[0])


def _delete(identities: Identities, request: Request) -> None:
    identities.delete(request.resource, request.ids[0])


BUILT: dict[str, Built] = {
    "createUser": Built(_create, "bodies, 201 and both answers validated; limits documented"),
    "issueToken": Built(
        _issue, "answer, 400 for no scopes and 401 for a foreign id validated; 404 for a deleted user assumed"
    ),
    "revokeTokens": Built(_revoke, "204 and 401 for a foreign id validated; issued tokens die, documented"),
    "deleteUser": Built(
        _delete, "204 and 401 for a foreign id validated; 204 for one deleted before assumed"
    ),
}


def identity_surface(identities: Identities) -> Surface:
    return Surface(OPERATIONS, IDENTITY, bind(BUILT, identities), REFUSED, VALIDATION_ERROR)
