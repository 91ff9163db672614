"""The Identity API over HTTP, without an SDK: versions, refusals, repetition, a store that fails."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from onhook.acs.identity import Dead, TokenUser, UserRecord
from onhook.server.app import make_app
from onhook.server.identity_api import Identities, IdentityLimits, identity_surface
from onhook.server.keys import TokenKeys
from onhook.server.rate_limits import RateLimits
from onhook.store.batch import StoreFailed
from onhook.store.kept import MemoryKept
from unit.server.fake_switchboard import DIRECTORY, GUID, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import NOW, OTHER_KEY, Answered, ask, http_date, put

VERSION = "api-version=2023-10-01"
REPEATABLE = {
    "Repeatability-Request-ID": "0a0b0c0d-0000-4000-8000-000000000001",
    "Repeatability-First-Sent": http_date(NOW),
}


class FailingKept(MemoryKept):
    def save_user(self, record: UserRecord) -> None:
        raise StoreFailed("cannot write to the store: disk full")


class Server:
    """`clock` may be moved."""

    def __init__(self, directory: Path, users: MemoryKept | None = None, **limits: int) -> None:
        self.clock = NOW
        self.users = users or MemoryKept()
        self.keys = TokenKeys(directory, now=NOW, url="https://localhost")
        numbers = count(1)
        self.identities = Identities(
            self.users,
            self.keys,
            RateLimits(IdentityLimits(**limits).most()),
            lambda: self.clock,
            lambda: f"00000000-0000-4000-8000-{next(numbers):012x}",
        )
        self.app: Starlette = make_app(
            DIRECTORY,
            FakeSwitchboard(),
            FakeArchive(),
            now=lambda: NOW,
            surfaces=[identity_surface(self.identities)],
            public=self.keys.routes(),
        )

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answered:
        return await ask(self.app, method, path, body, **{"query": VERSION, **more})

    async def user(self) -> str:
        identity: str = (await self.ask("POST", "/identities")).json()["identity"]["id"]
        return identity

    def check(self, token: str) -> TokenUser | Dead:
        return self.identities.check_token(token, self.clock)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.parametrize("body", [None, {}, {"createTokenWithScopes": None}, {"createTokenWithScopes": []}])
async def test_a_user_without_a_token(server: Server, body: Any) -> None:
    answered = await server.ask("POST", "/identities", body)
    assert answered.status == 201
    assert answered.json() == {"identity": {"id": f"8:acs:{GUID}_00000000-0000-4000-8000-000000000001"}}


async def test_a_user_with_a_token(server: Server) -> None:
    body = {"createTokenWithScopes": ["voip"], "expiresInMinutes": 60}
    answered = (await server.ask("POST", "/identities", body)).json()
    assert answered["accessToken"]["expiresOn"] == "2026-11-23T12:39:41.0000000+00:00"
    checked = server.check(answered["accessToken"]["token"])
    assert isinstance(checked, TokenUser)
    assert checked.id == answered["identity"]["id"]


async def test_without_a_signature_nothing_is_told(server: Server) -> None:
    answered = await put(server.app, "POST", f"/identities?{VERSION}", {"host": "localhost"})
    assert answered.status == 401
    assert answered.error["code"] == "7509"


async def test_a_repeated_creation_makes_one_user(server: Server) -> None:
    body = {"createTokenWithScopes": ["voip"]}
    first = await server.ask("POST", "/identities", body, headers=REPEATABLE)
    again = await server.ask("POST", "/identities", body, headers=REPEATABLE)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Repeatability-Result"] == "accepted"


@pytest.mark.parametrize(
    ("query", "status", "warned"),
    [
        ("api-version=2021-03-07", 201, False),
        ("api-version=2022-10-01", 201, False),
        ("api-version=2021-10-31-preview", 201, True),
        ("api-version=2030-01-01", 201, True),
        ("api-version=2026-03-12", 201, True),
        ("api-version=2022-01-01", 400, False),
        ("", 400, False),
    ],
)
async def test_versions_are_those_of_this_api(
    server: Server, query: str, status: int, *, warned: bool
) -> None:
    answered = await server.ask("POST", "/identities", query=query)
    assert answered.status == status
    assert ("Warning" in answered.headers) is warned


@pytest.mark.parametrize("body", [b"", b"{", b"[]", {"expiresInMinutes": 60}, {"scopes": "voip"}])
async def test_a_body_that_does_not_fit(server: Server, body: Any) -> None:
    user = await server.user()
    answered = await server.ask("POST", f"/identities/{user}/:issueAccessToken", body)
    assert answered.status == 400
    assert answered.error["code"] == "ValidationError"


async def test_the_id_may_be_encoded_or_not(server: Server) -> None:
    user = await server.user()
    for path in (user, user.replace(":", "%3A")):
        answered = await server.ask("POST", f"/identities/{path}/:issueAccessToken", {"scopes": ["voip"]})
        assert answered.status == 200
        assert set(answered.json()) == {"token", "expiresOn"}


async def test_another_resource_has_no_part_in_our_users(server: Server) -> None:
    user = await server.user()
    for method, path, body in (
        ("POST", f"/identities/{user}/:issueAccessToken", {"scopes": ["voip"]}),
        ("POST", f"/identities/{user}/:revokeAccessTokens", None),
        ("DELETE", f"/identities/{user}", None),
    ):
        answered = await server.ask(method, path, body, key=OTHER_KEY)
        assert (answered.status, answered.error["code"]) == (401, "IdentityNotOwned")
    assert server.users.user(user)


async def test_revoking_and_deleting_answer_without_body(server: Server) -> None:
    user = await server.user()
    for method, path in (
        ("POST", f"/identities/{user}/:revokeAccessTokens"),
        ("DELETE", f"/identities/{user}"),
    ):
        answered = await server.ask(method, path)
        assert (answered.status, answered.body) == (204, b"")
    assert server.users.user(user) is None
    gone = await server.ask("POST", f"/identities/{user}/:revokeAccessTokens")
    assert (gone.status, gone.error["code"]) == (404, "IdentityNotFound")


async def test_each_revocation_counts(server: Server) -> None:
    user = await server.user()
    tokens: list[str] = []
    for _ in range(3):
        answered = await server.ask("POST", f"/identities/{user}/:issueAccessToken", {"scopes": ["voip"]})
        tokens.append(answered.json()["token"])
        await server.ask("POST", f"/identities/{user}/:revokeAccessTokens")
    outcomes = [server.check(token) for token in tokens]
    assert [outcome.why for outcome in outcomes if isinstance(outcome, Dead)] == ["revoked"] * 3


async def test_limits_are_told_with_retry_after_and_end(tmp_path: Path) -> None:
    server = Server(tmp_path, issue_token=1, revoke_tokens=1, delete_user=1, create_user_and_token=1)
    user = await server.user()
    asked: list[tuple[str, str, Any]] = [
        ("POST", f"/identities/{user}/:issueAccessToken", {"scopes": ["voip"]}),
        ("POST", f"/identities/{user}/:revokeAccessTokens", None),
        ("POST", "/identities", {"createTokenWithScopes": ["voip"]}),
        ("DELETE", f"/identities/{user.replace('1', '2')}", None),
    ]
    for method, path, body in asked[:3]:
        assert (await server.ask(method, path, body)).status < 300
        refused = await server.ask(method, path, body)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "30")
        assert refused.error["code"] == "TooManyRequests"
    server.clock += 30
    for method, path, body in asked[:3]:
        assert (await server.ask(method, path, body)).status < 300


def test_the_documented_limits_hold_by_default() -> None:
    assert IdentityLimits().most() == {
        "createUser": 1000,
        "createUserAndToken": 1000,
        "issueToken": 1000,
        "revokeTokens": 500,
        "deleteUser": 500,
    }


async def test_a_store_that_fails_gives_no_user(tmp_path: Path) -> None:
    server = Server(tmp_path, FailingKept())
    answered = await server.ask("POST", "/identities", {"createTokenWithScopes": ["voip"]})
    assert (answered.status, answered.error["code"]) == (503, "StoreFailed")
    assert "disk full" in answered.error["message"]
    assert int(answered.headers["Retry-After"]) >= 1


async def test_the_keys_need_no_signature_and_verify_what_was_issued(server: Server) -> None:
    answered = await put(server.app, "GET", "/calling/keys", {"host": "localhost"})
    assert answered.status == 200
    assert [key["kid"] for key in answered.json()["keys"]] == list(server.keys.public)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/identities", 405),
        ("PUT", "/identities/x", 405),
        ("POST", "/identities/x/:purge", 404),
        ("POST", "/identities/", 404),
        ("GET", "/phoneNumbers", 404),
    ],
)
async def test_paths_and_methods_of_nothing(server: Server, method: str, path: str, status: int) -> None:
    assert (await server.ask(method, path)).status == status
