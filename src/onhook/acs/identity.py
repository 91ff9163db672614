"""Communication users and their access tokens: what may be asked, and whether a token still holds.

documented ("Identity model", "Create and manage access tokens"): ids `8:acs:RESOURCE_USER`, five scopes,
tokens of 60 to 1440 minutes (1440 unless said), revocation and deletion end all tokens at once. validated
(recordings of the vendor's tests): 400 ValidationError with target `scopes`, 401 IdentityNotOwned.
assumed: 404 IdentityNotFound for an id of the own resource that is not there (any more).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from onhook.acs.errors import ApiError, shown
from onhook.acs.identity_models import CommunicationTokenScope
from onhook.acs.tokens import Unreadable, read_token

DEFAULT_MINUTES = 1440
VALIDATION_ERROR = "ValidationError"
NOT_OWNED = "IdentityNotOwned"
NOT_FOUND = "IdentityNotFound"

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_USER_ID = re.compile(rf"8:acs:({_GUID})_({_GUID})")

Death: TypeAlias = Literal["unreadable", "not-a-user-token", "expired", "user-unknown", "revoked"]


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a user."""

    id: str
    resource_id: str
    created_at: float
    """Unix seconds."""
    generation: int = 0
    """How often its tokens were revoked; a token of an earlier generation is dead."""


class TokenUser(NamedTuple):
    """Whom a living token stands for."""

    id: str
    resource_id: str
    scopes: frozenset[CommunicationTokenScope]
    expires_at: float
    """Unix seconds."""


class Dead(NamedTuple):
    """Why a token is worth nothing: in one word for programs, in words for people."""

    why: Death
    detail: str


class _Claims(msgspec.Struct, frozen=True):
    skypeid: str
    acs_scope: str = msgspec.field(name="acsScope")
    exp: float
    gen: int


def user_id(resource_id: str, guid: str) -> str:
    return f"8:acs:{resource_id}_{guid}"


def check_owner(identity: str, resource_id: str) -> str:
    """The id in the spelling it was given out in. Raises ApiError 401 unless it is one of the resource's."""
    match = _USER_ID.fullmatch(identity)
    if match is None or match[1].lower() != resource_id.lower():
        raise ApiError(
            401,
            NOT_OWNED,
            f"Provided identity doesn't belong to the resource: {shown(identity)} is not"
            f" 8:acs:{resource_id}_ and a GUID.",
            target="id",
        )
    return user_id(resource_id, match[2].lower())


def not_found(identity: str) -> ApiError:
    return ApiError(
        404,
        NOT_FOUND,
        f"Provided identity doesn't exist: {shown(identity)} was never created here, or was deleted.",
        target="id",
    )


def read_scopes(scopes: Sequence[str], target: str = "scopes") -> tuple[CommunicationTokenScope, ...]:
    """In the order given, each once. Raises ApiError 400."""
    if not scopes:
        raise ApiError(400, VALIDATION_ERROR, "Invalid scopes - Scopes field is required.", target=target)
    known = ", ".join(CommunicationTokenScope)
    read: dict[CommunicationTokenScope, None] = {}
    for scope in scopes:
        try:
            read[CommunicationTokenScope(scope)] = None
        except ValueError:
            raise ApiError(
                400, VALIDATION_ERROR, f"Invalid scopes - {shown(scope)} is none of {known}.", target=target
            ) from None
    return tuple(read)


def check_token(
    token: str,
    now: float,
    *,
    keys: Mapping[str, RSAPublicKey],
    find_user: Callable[[str], UserRecord | None],
) -> TokenUser | Dead:
    """Whom a user's access token stands for at `now`, or why for nobody."""
    claims = read_token(token, keys)
    if isinstance(claims, Unreadable):
        return Dead("unreadable", claims.why)
    try:
        read = msgspec.convert(claims, _Claims)
        scopes = frozenset(CommunicationTokenScope(scope) for scope in read.acs_scope.split(","))
    except (msgspec.ValidationError, ValueError):
        return Dead("not-a-user-token", "this server signed it, but not as the access token of a user")
    if read.exp <= now:
        return Dead("expired", f"it expired {now - read.exp:.0f} s ago")
    identity = f"8:{read.skypeid}"
    user = find_user(identity)
    if user is None:
        return Dead("user-unknown", f"{identity} was deleted, or is of another store")
    if read.gen < user.generation:
        return Dead("revoked", f"the tokens of {identity} were revoked after it was issued")
    return TokenUser(identity, user.resource_id, scopes, read.exp)
