"""The official Identity SDK, synchronous and asynchronous, against the whole server over TLS."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from azure.communication.identity import CommunicationIdentityClient, CommunicationUserIdentifier
from azure.communication.identity.aio import CommunicationIdentityClient as AsyncClient
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from onhook.acs.identity import Dead, TokenUser
from onhook.config.schema import DEVELOPMENT_RESOURCE_ID
from running_server import ServerThread

pytestmark = pytest.mark.interop

USER_ID = re.compile(rf"8:acs:{DEVELOPMENT_RESOURCE_ID}_[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}")
FOREIGN = "8:acs:11111111-2222-3333-4444-555555555555_11111111-2222-3333-4444-555555555555"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ServerThread]:
    server = ServerThread(tmp_path)
    yield server
    server.stop()


def client(running: ServerThread) -> CommunicationIdentityClient:
    return CommunicationIdentityClient.from_connection_string(running.connection_string(), **running.trust)


def check(running: ServerThread, token: str, later_seconds: float = 0.0) -> TokenUser | Dead:
    now = datetime.now(UTC).timestamp() + later_seconds

    async def there() -> TokenUser | Dead:
        return running.server.identities.check_token(token, now)

    checked: TokenUser | Dead = running.wait_for(there())
    return checked


def why_dead(checked: TokenUser | Dead) -> str:
    assert isinstance(checked, Dead), checked
    return checked.why


def test_users_have_ids_of_the_resource(running: ServerThread) -> None:
    users = [client(running).create_user() for _ in range(3)]
    ids = {user.properties["id"] for user in users}
    assert len(ids) == 3
    assert all(USER_ID.fullmatch(each) for each in ids)


def test_a_user_and_a_token_at_once(running: ServerThread) -> None:
    user, token = client(running).create_user_and_token(
        ["voip", "chat"], token_expires_in=timedelta(minutes=60)
    )
    checked = check(running, token.token)
    assert isinstance(checked, TokenUser)
    assert (checked.id, checked.resource_id) == (user.properties["id"], DEVELOPMENT_RESOURCE_ID)
    assert {str(scope) for scope in checked.scopes} == {"voip", "chat"}
    lives = checked.expires_at - datetime.now(UTC).timestamp()
    assert 3500 < lives <= 3600
    assert why_dead(check(running, token.token, 3700)) == "expired"


def test_a_token_lives_a_day_unless_said(running: ServerThread) -> None:
    identity = client(running)
    token = identity.get_token(identity.create_user(), ["voip.join", "chat.join", "chat.join.limited"])
    expires_on = datetime.fromisoformat(str(token.expires_on))
    assert timedelta(hours=23, minutes=59) < expires_on - datetime.now(UTC) <= timedelta(hours=24)
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert claims["acsScope"] == "voip.join,chat.join,chat.join.limited"
    assert claims["skypeid"].startswith("acs:")
    assert claims["exp"] == expires_on.timestamp()


def test_revoking_kills_what_was_issued_and_nothing_later(running: ServerThread) -> None:
    identity = client(running)
    user = identity.create_user()
    before = identity.get_token(user, ["voip"])
    identity.revoke_tokens(user)
    after = identity.get_token(user, ["voip"])  # within the same second
    assert why_dead(check(running, before.token)) == "revoked"
    assert isinstance(check(running, after.token), TokenUser)


def test_a_deleted_user_is_nobody(running: ServerThread) -> None:
    identity = client(running)
    user, token = identity.create_user_and_token(["voip"])
    identity.delete_user(user)
    identity.delete_user(user)
    assert why_dead(check(running, token.token)) == "user-unknown"
    with pytest.raises(ResourceNotFoundError) as raised:
        identity.get_token(user, ["voip"])
    assert raised.value.error
    assert raised.value.error.code == "IdentityNotFound"


def test_users_tokens_and_revocations_survive_a_restart(running: ServerThread) -> None:
    identity = client(running)
    user, dead = identity.create_user_and_token(["voip"])
    identity.revoke_tokens(user)
    alive = identity.get_token(user, ["voip"])
    running.stop()
    running.start()
    assert why_dead(check(running, dead.token)) == "revoked"
    assert isinstance(check(running, alive.token), TokenUser)
    assert client(running).get_token(user, ["chat"]).token


@pytest.mark.parametrize("operation", ["get_token", "revoke_tokens", "delete_user"])
def test_the_user_of_another_resource_is_not_ours(running: ServerThread, operation: str) -> None:
    stranger = CommunicationUserIdentifier(FOREIGN)
    arguments = (stranger, ["voip"]) if operation == "get_token" else (stranger,)
    with pytest.raises(ClientAuthenticationError) as raised:
        getattr(client(running), operation)(*arguments)
    assert raised.value.error
    assert raised.value.error.code == "IdentityNotOwned"
    assert FOREIGN in str(raised.value.error.message)


def test_scopes_and_minutes_are_checked(running: ServerThread) -> None:
    identity = client(running)
    user = identity.create_user()
    with pytest.raises(HttpResponseError) as no_scope:
        identity.get_token(user, [])
    with pytest.raises(HttpResponseError) as no_such_scope:
        identity.create_user_and_token(["voip", "video"])
    with pytest.raises(HttpResponseError) as too_long:
        identity.get_token(user, ["voip"], token_expires_in=timedelta(minutes=1441))
    with pytest.raises(HttpResponseError) as too_short:
        identity.create_user_and_token(["voip"], token_expires_in=timedelta(minutes=59))
    refusals = [raised.value for raised in (no_scope, no_such_scope, too_long, too_short)]
    assert [refusal.status_code for refusal in refusals] == [400] * 4
    errors = [refusal.error for refusal in refusals if refusal.error]
    assert [(error.code, error.target) for error in errors] == [
        ("ValidationError", "scopes"),
        ("ValidationError", "createTokenWithScopes"),
        ("ValidationError", "expiresInMinutes"),
        ("ValidationError", "expiresInMinutes"),
    ]
    assert "'video'" in str(errors[1].message)


def test_a_teams_token_cannot_be_exchanged_here(running: ServerThread) -> None:
    with pytest.raises(HttpResponseError) as raised:
        client(running).get_token_for_teams_user("token", "client", "user")
    assert raised.value.status_code == 501
    assert raised.value.error
    assert raised.value.error.code == "NotSupported"
    assert "Entra" in str(raised.value.error.message)


def test_too_many_requests_are_told_when_to_come_again(tmp_path: Path) -> None:
    running = ServerThread(tmp_path, LIMITS__CREATE_USER="2")
    try:
        identity = client(running)
        for _ in range(2):
            identity.create_user()
        with pytest.raises(HttpResponseError) as raised:
            identity.create_user()
        identity.create_user_and_token(["voip"])  # counted by itself
    finally:
        running.stop()
    assert raised.value.status_code == 429
    response: Any = raised.value.response
    assert 1 <= int(response.headers["Retry-After"]) <= 30
    assert raised.value.error
    assert "2 requests within 30 s" in str(raised.value.error.message)


def test_the_asynchronous_client(running: ServerThread) -> None:
    async def everything() -> tuple[str, str]:
        connection = running.connection_string()
        async with AsyncClient.from_connection_string(connection, **running.trust) as identity:
            user, first = await identity.create_user_and_token(["voip"])
            await identity.revoke_tokens(user)
            second = await identity.get_token(user, ["voip"], token_expires_in=timedelta(hours=2))
            other = await identity.create_user()
            await identity.delete_user(other)
            return first.token, second.token

    first, second = asyncio.run(everything())
    assert why_dead(check(running, first)) == "revoked"
    assert isinstance(check(running, second), TokenUser)
