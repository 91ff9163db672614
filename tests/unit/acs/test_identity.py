"""Users and what may be asked for them; whether an access token still holds."""

from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from onhook.acs.errors import ApiError
from onhook.acs.identity import (
    Dead,
    TokenUser,
    UserRecord,
    check_owner,
    check_token,
    not_found,
    read_scopes,
    user_id,
)
from onhook.acs.identity_models import CommunicationTokenScope as Scope
from onhook.acs.tokens import TokenKey, callback_claims, sign, user_claims

NOW = 1_795_433_981.0
RESOURCE = "6f1c2f0e-3a52-4bb1-9d4e-0d2f6c1a7b00"
GUID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
USER = f"8:acs:{RESOURCE}_{GUID}"


@cache
def key() -> TokenKey:
    return TokenKey.of(rsa.generate_private_key(65537, 2048))


def token(
    *, generation: int = 0, scopes: tuple[str, ...] = ("voip",), expires_at: int = int(NOW) + 60
) -> str:
    claims = user_claims(
        issuer="https://onhook",
        user_id=USER,
        resource_id=RESOURCE,
        scopes=scopes,
        expires_at=expires_at,
        generation=generation,
        jti="j",
        now=NOW,
    )
    return sign(claims, key())


def checked(text: str, user: UserRecord | None, now: float = NOW) -> TokenUser | Dead:
    keys = {key().id: key().private.public_key()}
    return check_token(
        text, now, keys=keys, find_user=lambda asked: user if user and asked == user.id else None
    )


def kept(generation: int = 0) -> UserRecord:
    return UserRecord(id=USER, resource_id=RESOURCE, created_at=NOW, generation=generation)


def why(outcome: TokenUser | Dead) -> str:
    assert isinstance(outcome, Dead), outcome
    assert outcome.detail
    return outcome.why


# Ids


def test_ids_hold_the_resource_and_a_guid() -> None:
    assert user_id(RESOURCE, GUID) == USER


@pytest.mark.parametrize("given", [USER, USER.upper().replace("8:ACS", "8:acs")])
def test_an_owned_id_comes_back_as_it_was_given_out(given: str) -> None:
    assert check_owner(given, RESOURCE) == USER


@pytest.mark.parametrize(
    "given",
    [
        "",
        GUID,
        f"8:acs:{GUID}_{RESOURCE}",
        f"8:acs:{RESOURCE}",
        f"8:acs:{RESOURCE}_",
        f"8:acs:{RESOURCE}_x",
        f"{USER}_{GUID}",
        f"8:orgid:{GUID}",
        "4:+14255550100",
        f" {USER}",
        f"{USER}\n",
        "x" * 5000,
    ],
)
def test_any_other_id_is_not_owned(given: str) -> None:
    with pytest.raises(ApiError) as raised:
        check_owner(given, RESOURCE)
    assert (raised.value.status, raised.value.code, raised.value.target) == (401, "IdentityNotOwned", "id")
    assert raised.value.message.startswith("Provided identity doesn't belong to the resource")
    assert len(raised.value.message) < 500


def test_a_user_that_is_not_there() -> None:
    refusal = not_found(USER)
    assert (refusal.status, refusal.code) == (404, "IdentityNotFound")
    assert USER in refusal.message


# Scopes


def test_scopes_are_read_in_any_case_each_once() -> None:
    assert read_scopes(["voip", "CHAT", "voip"]) == (Scope.VOIP, Scope.CHAT)
    assert read_scopes([scope.value for scope in Scope]) == tuple(Scope)


def test_no_scope_is_refused_in_the_words_of_the_service() -> None:
    with pytest.raises(ApiError) as raised:
        read_scopes([])
    refusal = raised.value
    assert (refusal.status, refusal.code, refusal.target) == (400, "ValidationError", "scopes")
    assert refusal.message == "Invalid scopes - Scopes field is required."


@pytest.mark.parametrize("scope", ["", "video", "voip ", "chat,voip"])
def test_an_unknown_scope_names_the_known(scope: str) -> None:
    with pytest.raises(ApiError) as raised:
        read_scopes(["voip", scope], "createTokenWithScopes")
    assert (raised.value.code, raised.value.target) == ("ValidationError", "createTokenWithScopes")
    assert "chat.join.limited" in raised.value.message
    assert repr(scope) in raised.value.message


# Tokens


def test_a_living_token_says_who_and_what_for() -> None:
    outcome = checked(token(scopes=("voip", "chat.join")), kept())
    scopes = frozenset({Scope.VOIP, Scope.CHAT_JOIN})
    assert outcome == TokenUser(USER, RESOURCE, scopes, int(NOW) + 60)


def test_a_token_dies_with_the_second_that_it_names() -> None:
    text = token(expires_at=int(NOW) + 60)
    assert isinstance(checked(text, kept(), NOW + 59.9), TokenUser)
    assert why(checked(text, kept(), NOW + 60)) == "expired"


def test_revocation_kills_older_generations_only() -> None:
    assert why(checked(token(generation=0), kept(generation=1))) == "revoked"
    assert isinstance(checked(token(generation=1), kept(generation=1)), TokenUser)


def test_a_token_of_nobody() -> None:
    assert why(checked(token(), None)) == "user-unknown"


@pytest.mark.parametrize("text", ["", "x", "a.b.c"])
def test_no_token(text: str) -> None:
    assert why(checked(text, kept())) == "unreadable"


def test_a_callback_token_opens_no_door() -> None:
    claims = callback_claims(issuer="https://onhook", resource_id=RESOURCE, jti="j", now=NOW)
    assert why(checked(sign(claims, key()), kept())) == "not-a-user-token"


@pytest.mark.parametrize(
    "change", [{"acsScope": "video"}, {"acsScope": ""}, {"gen": "0"}, {"exp": None}, {"skypeid": 7}]
)
def test_claims_that_we_never_write(change: dict[str, object]) -> None:
    claims = {"skypeid": USER[2:], "acsScope": "voip", "exp": NOW + 60, "gen": 0} | change
    assert why(checked(sign(claims, key()), kept())) == "not-a-user-token"
