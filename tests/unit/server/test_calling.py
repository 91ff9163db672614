"""The ACS operations over HTTP, in process: what is answered, what is refused and how."""

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import Message

from onhook.acs.errors import ApiError
from onhook.acs.operations import OPERATIONS
from onhook.calls.directory import Directory, Resource
from onhook.server.app import make_app
from onhook.server.handlers import BUILT
from onhook.server.settings import ServerSettings
from onhook.switch.asking import MAX_TARGETS
from unit.server.fake_switchboard import DIRECTORY, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import KEY, NOW, OTHER_KEY, VERSION, Answered, ask, put, signed

CALL = "known"
ROOT = "/calling/callConnections"
CREATE: dict[str, Any] = {
    "targets": [{"phoneNumber": {"value": "+14255550123"}}],
    "sourceCallerIdNumber": {"value": "+14255550100"},
    "callbackUri": "https://app.example/events",
}
REPEAT = {
    "Repeatability-Request-ID": "e45cd8d8-ca39-48a6-8d73-cdca6c47c139",
    "Repeatability-First-Sent": "Mon, 23 Nov 2026 11:39:41 GMT",
}
ERROR_KEYS = {"code", "message", "target", "details", "innererror"}


def app_of(switchboard: FakeSwitchboard, **settings: Any) -> Starlette:
    return make_app(DIRECTORY, switchboard, FakeArchive(), ServerSettings(**settings), now=lambda: NOW)


@pytest.fixture
def switchboard() -> FakeSwitchboard:
    return FakeSwitchboard(CALL)


@pytest.fixture
def app(switchboard: FakeSwitchboard) -> Starlette:
    return app_of(switchboard)


def refused(answer: Answered, status: int, code: str, target: str | None = None) -> str:
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert answer.error.get("target") == target
    assert set(answer.json()) == {"error"}
    assert set(answer.error) <= ERROR_KEYS
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-ms-request-id"]
    message: str = answer.error["message"]
    return message


class TestBuilt:
    async def test_create_call(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        answer = await ask(app, "POST", ROOT, CREATE)
        assert answer.status == 201
        made = answer.json()
        assert made["callConnectionId"] == "call-1"
        assert made["targets"] == [
            {"kind": "phoneNumber", "rawId": "4:+14255550123", "phoneNumber": {"value": "+14255550123"}}
        ]
        assert made["callbackUri"] == CREATE["callbackUri"]
        assert switchboard.writes == 1

    async def test_what_the_switch_is_asked(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        await ask(app, "POST", ROOT, CREATE, headers={"x-ms-client-request-id": "theirs", **REPEAT})
        await ask(app, "POST", ROOT, CREATE, key=OTHER_KEY)
        (dev, first), (other, second) = switchboard.asked
        assert (dev.name, other.name) == ("dev", "other")
        assert (first.request_id, first.repeatability_id) == ("theirs", REPEAT["Repeatability-Request-ID"])
        assert (first.api_version, first.operation) == ("2026-03-12", "createCall")
        assert second.request_id
        assert second.repeatability_id == ""

    async def test_get_call(self, app: Starlette) -> None:
        answer = await ask(app, "GET", f"{ROOT}/{CALL}")
        assert (answer.status, answer.json()["callConnectionState"]) == (200, "connected")

    async def test_hang_up_and_terminate(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        for method, path in (("DELETE", f"{ROOT}/{CALL}"), ("POST", f"{ROOT}/{CALL}:terminate")):
            answer = await ask(app, method, path)
            assert (answer.status, answer.body) == (204, b"")
            assert "content-type" not in answer.headers
        assert switchboard.ended == [(CALL, False), (CALL, True)]
        assert [asked.operation for _, asked in switchboard.asked] == ["hangUp", "terminate"]
        assert switchboard.writes == 2

    async def test_participants(self, app: Starlette) -> None:
        listed = (await ask(app, "GET", f"{ROOT}/{CALL}/participants")).json()
        assert [p["identifier"]["rawId"] for p in listed["value"]] == ["4:+14255550123"]
        assert "nextLink" not in listed
        one = await ask(app, "GET", f"{ROOT}/{CALL}/participants/4%3A%2B14255550123")
        assert one.json() == listed["value"][0]

    def test_the_table_names_operations_that_exist(self) -> None:
        assert set(BUILT) <= {operation.name for operation in OPERATIONS}
        for built in BUILT.values():
            assert any(word in built.basis for word in ("validated", "documented", "assumed"))

    async def test_an_empty_list_of_targets(self, app: Starlette) -> None:
        answer = await ask(app, "POST", ROOT, CREATE | {"targets": []})
        assert "at least one" in refused(answer, 400, "8523", "$.targets")

    async def test_too_many_targets(self, app: Starlette) -> None:
        answer = await ask(app, "POST", ROOT, CREATE | {"targets": CREATE["targets"] * (MAX_TARGETS + 1)})
        assert f"{MAX_TARGETS} at most" in refused(answer, 400, "8523", "$.targets")

    async def test_a_target_that_names_nobody(self, app: Starlette) -> None:
        answer = await ask(app, "POST", ROOT, CREATE | {"targets": [{"rawId": "4:+1"}, {}]})
        assert "needs rawId" in refused(answer, 400, "8523", "$.targets[1]")


class TestRefusals:
    async def test_an_unknown_path(self, app: Starlette) -> None:
        assert "'/identities'" in refused(await ask(app, "POST", "/identities"), 404, "NotFound")

    async def test_a_wrong_method(self, app: Starlette) -> None:
        answer = await ask(app, "PUT", f"{ROOT}/{CALL}")
        refused(answer, 405, "MethodNotAllowed")
        assert answer.headers["Allow"] == "DELETE, GET"

    async def test_a_wrong_key(self, app: Starlette) -> None:
        answer = await ask(app, "GET", f"{ROOT}/{CALL}", key="bm90IHRoZSBrZXk=")
        message = refused(answer, 401, "7509", "Authorization")
        assert message.startswith("HMAC-SHA256 validation failed")
        assert answer.headers["WWW-Authenticate"] == "HMAC-SHA256"

    async def test_no_signature_at_all(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        answer = await put(app, "DELETE", f"{ROOT}/{CALL}?{VERSION}", {"host": "localhost"})
        assert "Authorization header is missing" in refused(answer, 401, "7509", "Authorization")
        assert switchboard.ended == []

    async def test_the_allowed_clock_skew_is_a_setting(self, switchboard: FakeSwitchboard) -> None:
        target = f"{ROOT}/{CALL}?{VERSION}"
        headers = signed("GET", target, at=NOW - 100)
        for skew_seconds, status in ((100, 200), (99, 401)):
            answer = await put(app_of(switchboard, clock_skew_seconds=skew_seconds), "GET", target, headers)
            assert answer.status == status

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("", "ApiVersionUnspecified"),
            ("other=1", "ApiVersionUnspecified"),
            ("api-version=", "ApiVersionUnspecified"),
            ("api-version=latest", "InvalidApiVersion"),
            ("api-version=2025-01-01", "UnsupportedApiVersion"),
        ],
    )
    async def test_versions(self, app: Starlette, query: str, code: str) -> None:
        refused(await ask(app, "GET", f"{ROOT}/{CALL}", query=query), 400, code, "api-version")

    async def test_a_body_that_does_not_fit(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        answer = await ask(app, "POST", ROOT, CREATE | {"callbackUri": 5})
        assert "Expected a string" in refused(answer, 400, "8523", "$.callbackUri")
        assert "no body" in refused(await ask(app, "POST", ROOT), 400, "8523", "$")
        assert "is no JSON" in refused(await ask(app, "POST", ROOT, b"{"), 400, "8523", "$")
        assert switchboard.requests == []

    async def test_a_body_that_is_too_long(self, app: Starlette) -> None:
        answer = await ask(app, "POST", ROOT, b" " * (1024 * 1024 + 1))
        assert "1048576 bytes" in refused(answer, 413, "RequestEntityTooLarge")
        assert answer.headers["Connection"] == "close"

    async def test_a_call_that_is_not_there(self, app: Starlette) -> None:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", ":terminate"), ("GET", "/participants")):
            answer = await ask(app, method, f"{ROOT}/gone{path}")
            assert "'gone'" in refused(answer, 404, "8522", "callConnectionId")

    async def test_retry_after_leaves_with_429_and_503_only(self, switchboard: FakeSwitchboard) -> None:
        for status, expected in ((429, "9"), (503, "9"), (400, None), (404, None)):
            switchboard.breaks = ApiError(status, "x", "y", retry_after_seconds=9)
            answer = await ask(app_of(switchboard), "GET", f"{ROOT}/{CALL}")
            assert (answer.status, answer.headers.get("Retry-After")) == (status, expected)

    async def test_our_crash(
        self, app: Starlette, switchboard: FakeSwitchboard, caplog: pytest.LogCaptureFixture
    ) -> None:
        switchboard.breaks = ZeroDivisionError("inside")
        with caplog.at_level(logging.ERROR):
            answer = await ask(app, "GET", f"{ROOT}/{CALL}")
        message = refused(answer, 500, "InternalServerError")
        assert answer.headers["x-ms-request-id"] in message
        assert b"inside" not in answer.body
        assert b"Traceback" not in answer.body
        assert "ZeroDivisionError" in caplog.text
        assert answer.headers["x-ms-request-id"] in caplog.text

    @pytest.mark.parametrize("name", ["play", "getRecordingProperties"])
    async def test_what_is_not_built(
        self, name: str, switchboard: FakeSwitchboard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As it would be with an operation of a later version: refused by name, after all other checks."""
        monkeypatch.delitem(BUILT, name, raising=False)
        app = app_of(switchboard)
        (operation,) = [each for each in OPERATIONS if each.name == name]
        path = operation.path.replace("{callConnectionId}", CALL).replace("{recordingId}", "r")
        unsigned = await put(app, operation.method, f"{path}?{VERSION}", {"host": "localhost"})
        refused(unsigned, 401, "7509", "Authorization")
        if operation.request:
            refused(await ask(app, operation.method, path, []), 400, "8523", "$")
        answer = await ask(app, operation.method, path, {"playSources": []} if operation.request else None)
        message = refused(answer, 501, "NotImplemented", name)
        assert name in message
        assert "COVERAGE.md" in message


class TestHeaders:
    async def test_every_answer_has_an_id_of_its_own(self, app: Starlette) -> None:
        ids = {(await ask(app, "GET", f"{ROOT}/{CALL}")).headers["x-ms-request-id"] for _ in range(5)}
        assert len(ids) == 5

    @pytest.mark.parametrize(
        ("asked", "echoed"), [("true", "mine"), ("True", "mine"), ("false", None), ("", None)]
    )
    async def test_the_clients_id_is_echoed_when_asked(
        self, app: Starlette, asked: str, echoed: str | None
    ) -> None:
        headers = {"x-ms-client-request-id": "mine", "x-ms-return-client-request-id": asked}
        for path in (f"{ROOT}/{CALL}", f"{ROOT}/gone"):
            answer = await ask(app, "GET", path, headers=headers)
            assert answer.headers.get("x-ms-client-request-id") == echoed

    async def test_a_version_that_is_served_as_another_warns(self, app: Starlette) -> None:
        for asked, served in (("2030-01-01", "2026-03-12"), ("2025-08-15-preview", "2025-06-15")):
            answer = await ask(app, "GET", f"{ROOT}/{CALL}", query=f"api-version={asked}")
            assert answer.status == 200
            assert answer.headers["Warning"].startswith('299 onhook "')
            assert served in answer.headers["Warning"]
        assert "Warning" not in (await ask(app, "GET", f"{ROOT}/{CALL}")).headers

    async def test_the_version_may_stand_anywhere_in_the_query(self, app: Starlette) -> None:
        for query in (f"a=b&{VERSION}", VERSION.replace("-0", "%2D0"), f"{VERSION}&a="):
            assert (await ask(app, "GET", f"{ROOT}/{CALL}", query=query)).status == 200


class TestCallbackAddresses:
    @pytest.mark.parametrize(
        ("setting", "uri", "status"),
        [
            ("loopback", "http://localhost:1/x", 201),
            ("loopback", "http://app.example/x", 400),
            ("never", "http://localhost:1/x", 400),
            ("always", "http://app.example/x", 201),
            ("never", "https://app.example/x", 201),
        ],
    )
    async def test_the_setting_decides(
        self, switchboard: FakeSwitchboard, setting: str, uri: str, status: int
    ) -> None:
        answer = await ask(
            app_of(switchboard, callback_http=setting), "POST", ROOT, CREATE | {"callbackUri": uri}
        )
        assert answer.status == status
        if status == 400:
            assert "The field CallbackUri is invalid" in refused(answer, 400, "8523", "$.callbackUri")
        else:
            assert ("Warning" in answer.headers) == uri.startswith("http:")

    async def test_other_callback_fields_are_looked_at_too(self, app: Starlette) -> None:
        hold = {"targetParticipant": {"rawId": "4:+1"}, "operationCallbackUri": "http://app.example/"}
        answer = await ask(app, "POST", f"{ROOT}/{CALL}:hold", hold)
        assert "OperationCallbackUri" in refused(answer, 400, "8523", "$.operationCallbackUri")
        recording = {"callConnectionId": CALL, "recordingStateCallbackUri": "ftp://x/"}
        answer = await ask(app, "POST", "/calling/recordings", recording)
        assert "RecordingStateCallbackUri" in refused(answer, 400, "8523", "$.recordingStateCallbackUri")


class TestRepetition:
    async def test_the_first_answer_comes_again_byte_for_byte(
        self, app: Starlette, switchboard: FakeSwitchboard
    ) -> None:
        first = await ask(app, "POST", ROOT, CREATE, headers=REPEAT)
        again = await ask(app, "POST", ROOT, CREATE, headers=REPEAT)
        assert (first.status, first.body) == (again.status, again.body)
        assert first.headers["Repeatability-Result"] == again.headers["Repeatability-Result"] == "accepted"
        assert first.headers["x-ms-request-id"] != again.headers["x-ms-request-id"]
        assert len(switchboard.requests) == 1
        assert switchboard.writes == 2, "the second answer, too, waits for the disk"

    async def test_of_a_terminate(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        for _ in range(2):
            answer = await ask(app, "POST", f"{ROOT}/{CALL}:terminate", headers=REPEAT)
            assert (answer.status, answer.body) == (204, b"")
        assert switchboard.ended == [(CALL, True)]

    async def test_another_body_under_the_same_id(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        await ask(app, "POST", ROOT, CREATE, headers=REPEAT)
        answer = await ask(app, "POST", ROOT, CREATE | {"operationContext": "new"}, headers=REPEAT)
        message = refused(answer, 400, "InvalidRepeatability", "Repeatability-Request-ID")
        assert REPEAT["Repeatability-Request-ID"] in message
        assert len(switchboard.requests) == 1

    async def test_another_resource_may_use_the_same_id(
        self, app: Starlette, switchboard: FakeSwitchboard
    ) -> None:
        for key in (KEY, OTHER_KEY):
            assert (await ask(app, "POST", ROOT, CREATE, headers=REPEAT, key=key)).status == 201
        assert len(switchboard.requests) == 2

    async def test_without_the_headers_each_is_a_new_call(
        self, app: Starlette, switchboard: FakeSwitchboard
    ) -> None:
        for _ in range(2):
            answer = await ask(app, "POST", ROOT, CREATE)
            assert "Repeatability-Result" not in answer.headers
        assert len(switchboard.requests) == 2
        assert switchboard.replies == {}

    async def test_a_refusal_is_not_remembered(self, app: Starlette, switchboard: FakeSwitchboard) -> None:
        switchboard.breaks_once = ApiError(503, "x", "busy")
        assert (await ask(app, "POST", ROOT, CREATE, headers=REPEAT)).status == 503
        assert (await ask(app, "POST", ROOT, CREATE, headers=REPEAT)).status == 201

    @pytest.mark.parametrize("name", sorted(REPEAT))
    async def test_malformed_headers(self, app: Starlette, switchboard: FakeSwitchboard, name: str) -> None:
        answer = await ask(app, "POST", ROOT, CREATE, headers=REPEAT | {name: "x"})
        refused(answer, 400, "InvalidRepeatability", name)
        assert switchboard.requests == []

    async def test_operations_that_are_not_repeatable_ignore_them(self, app: Starlette) -> None:
        answer = await ask(app, "GET", f"{ROOT}/{CALL}", headers=REPEAT | {"Repeatability-First-Sent": "x"})
        assert answer.status == 200
        assert "Repeatability-Result" not in answer.headers

    async def test_two_attempts_at_once_make_one_call(self, switchboard: FakeSwitchboard) -> None:
        """The first waits for the disk while the second arrives."""
        both_wait, on_disk = asyncio.Barrier(3), asyncio.Event()

        async def written() -> None:
            await both_wait.wait()
            await on_disk.wait()

        switchboard.disk = written
        app = app_of(switchboard)
        attempts = [asyncio.create_task(ask(app, "POST", ROOT, CREATE, headers=REPEAT)) for _ in range(2)]
        await both_wait.wait()
        assert not any(attempt.done() for attempt in attempts)
        on_disk.set()
        first, second = await asyncio.gather(*attempts)
        assert first.body == second.body
        assert len(switchboard.requests) == 1


async def test_requests_beyond_the_limit_are_told_to_come_again(switchboard: FakeSwitchboard) -> None:
    on_disk = asyncio.Event()
    switchboard.disk = on_disk.wait
    app = app_of(switchboard, max_requests_in_flight=2)
    waiting = [asyncio.create_task(ask(app, "GET", f"{ROOT}/{CALL}")) for _ in range(2)]
    await asyncio.sleep(0)
    answer = await ask(app, "GET", f"{ROOT}/{CALL}")
    assert "2 requests are being answered" in refused(answer, 503, "ServerBusy")
    assert answer.headers["Retry-After"] == "1"
    on_disk.set()
    assert [done.status for done in await asyncio.gather(*waiting)] == [200, 200]
    on_disk.set()
    assert (await ask(app, "GET", f"{ROOT}/{CALL}")).status == 200, "the place is free again"


async def test_a_client_that_goes_away_gets_no_answer(app: Starlette, switchboard: FakeSwitchboard) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    target = f"{ROOT}?{VERSION}"
    body = json.dumps(CREATE).encode()
    headers = [(name.encode(), value.encode()) for name, value in signed("POST", target, body).items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": ROOT,
        "raw_path": ROOT.encode(),
        "query_string": VERSION.encode(),
        "headers": headers,
    }
    await app(scope, receive, send)
    assert sent == []
    assert switchboard.requests == []


def test_a_key_that_is_no_base64_stops_the_start(switchboard: FakeSwitchboard) -> None:
    directory = Directory((Resource("dev", "id", ("not base64!",)),))
    with pytest.raises(ValueError, match="resource dev is not base64"):
        make_app(directory, switchboard, FakeArchive())
