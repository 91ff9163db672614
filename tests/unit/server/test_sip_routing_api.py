"""The SIP routing API over HTTP, without an SDK, and the table that it keeps."""

from typing import Any

import msgspec
import pytest

from onhook.calls.directory import Directory, Trunk, VoiceRoute
from onhook.server.app import make_app
from onhook.server.sip_routing_api import DOCUMENT, LiveRouting, sip_routing_surface
from onhook.store.batch import StoreFailed
from onhook.store.kept import MemoryKept
from unit.server.fake_switchboard import DIRECTORY, RESOURCE, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import NOW, OTHER_KEY, Answered, ask, put

VERSION = "api-version=2023-03-01"
CONFIGURED = Directory(
    (RESOURCE,), {"sbc": Trunk("sbc", "10.0.0.1")}, (VoiceRoute("everything", r"\+\d+", ("sbc",)),)
)
TABLE: dict[str, Any] = {
    "trunks": {"sbc": {"sipSignalingPort": 5060}},
    "routes": [{"name": "everything", "numberPattern": r"^(?:\+\d+)$", "trunks": ["sbc"]}],
}


class FullDisk(MemoryKept):
    def save_document(self, name: str, body: bytes) -> None:
        raise StoreFailed(f"cannot write {name}: disk full")


async def exchange(routing: LiveRouting, method: str, body: Any = None, **more: Any) -> Answered:
    surfaces = [sip_routing_surface(routing)]
    app = make_app(DIRECTORY, FakeSwitchboard(), FakeArchive(), now=lambda: NOW, surfaces=surfaces)
    return await ask(app, method, "/sip", body, **{"query": VERSION, **more})


async def test_the_table_of_the_configuration() -> None:
    answered = await exchange(LiveRouting(CONFIGURED, MemoryKept()), "GET")
    assert (answered.status, answered.json()) == (200, TABLE)


async def test_a_patch_is_answered_with_the_whole_table_and_told() -> None:
    routing = LiveRouting(CONFIGURED, MemoryKept())
    told: list[Directory] = []
    routing.follow(told.append)
    patch = {"trunks": {"a.example": {"sipSignalingPort": 5061}}}
    answered = await exchange(
        routing, "PATCH", patch, headers={"content-type": "application/merge-patch+json"}
    )
    assert answered.status == 200
    assert answered.json() == {**TABLE, "trunks": TABLE["trunks"] | patch["trunks"]}
    assert told == [CONFIGURED, routing.directory]
    assert list(routing.directory.trunks) == ["sbc", "a.example"]


async def test_a_refusal_is_that_of_the_real_service_and_changes_nothing() -> None:
    routing = LiveRouting(CONFIGURED, MemoryKept())
    told: list[Directory] = []
    routing.follow(told.append)
    answered = await exchange(routing, "PATCH", {"trunks": {}})
    assert answered.status == 422
    assert answered.error["code"] == "UnprocessableConfiguration"
    assert answered.error["message"] == "One or more request inputs are not valid."
    assert answered.error["innererror"]["code"] == "EmptyPatch"
    assert told == [CONFIGURED]


@pytest.mark.parametrize(
    ("body", "target"),
    [
        (b"", "$"),
        (b"{", "$"),
        ({"trunks": []}, "trunks"),
        ({"trunks": {"a.example": {}}}, "trunks[...]"),
        ({"trunks": {"a.example": {"sipSignalingPort": "5061"}}}, "trunks[...].sipSignalingPort"),
        ({"routes": [{"name": "a"}]}, "routes[0]"),
    ],
)
async def test_a_body_that_does_not_fit_says_where(body: Any, target: str) -> None:
    answered = await exchange(LiveRouting(CONFIGURED, MemoryKept()), "PATCH", body)
    assert (answered.status, answered.error["code"], answered.error["target"]) == (400, "BadRequest", target)


async def test_it_needs_a_signature_and_any_resource_may_ask() -> None:
    routing = LiveRouting(CONFIGURED, MemoryKept())
    assert (await exchange(routing, "GET", key=OTHER_KEY)).status == 200
    surfaces = [sip_routing_surface(routing)]
    app = make_app(DIRECTORY, FakeSwitchboard(), FakeArchive(), now=lambda: NOW, surfaces=surfaces)
    unsigned = await put(app, "PATCH", f"/sip?{VERSION}", {"host": "localhost"}, b'{"routes": []}')
    assert unsigned.status == 401
    assert len(routing.directory.routes) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("api-version=2021-05-01-preview", 200),
        ("api-version=2024-11-15-preview", 200),
        ("api-version=2022-01-01", 400),
    ],
)
async def test_versions_are_those_of_this_api(query: str, status: int) -> None:
    assert (await exchange(LiveRouting(CONFIGURED, MemoryKept()), "GET", query=query)).status == status


async def test_what_was_changed_is_there_after_a_restart() -> None:
    kept = MemoryKept()
    await exchange(LiveRouting(CONFIGURED, kept), "PATCH", {"routes": [], "trunks": {"sbc": None}})
    again = LiveRouting(CONFIGURED, kept)
    assert (again.directory.trunks, again.directory.routes) == ({}, ())
    assert again.directory.resources == CONFIGURED.resources


async def test_nobody_goes_by_a_table_that_is_not_in_the_store() -> None:
    routing = LiveRouting(CONFIGURED, FullDisk())
    told: list[Directory] = []
    routing.follow(told.append)
    answered = await exchange(routing, "PATCH", {"routes": []})
    assert (answered.status, answered.error["code"]) == (503, "StoreFailed")
    assert told == [CONFIGURED]
    assert (await exchange(routing, "GET")).json() == TABLE


async def test_by_setting_the_file_alone_counts() -> None:
    kept = MemoryKept()
    await exchange(LiveRouting(CONFIGURED, kept), "PATCH", {"routes": []})
    before = kept.document(DOCUMENT)
    locked = LiveRouting(CONFIGURED, kept, source="file")
    assert locked.directory == CONFIGURED
    answered = await exchange(locked, "PATCH", {"routes": []})
    assert answered.status == 403
    assert "server.sip_routing" in answered.error["message"]
    assert kept.document(DOCUMENT) == before, "set back to api, what was changed counts again"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"trunks": {"a": {"port": "x"}}}'])
def test_a_damaged_table_says_how_to_start_without_it(body: bytes) -> None:
    kept = MemoryKept()
    kept.save_document(DOCUMENT, body)
    with pytest.raises(StoreFailed, match=r"server\.sip_routing = file"):
        LiveRouting(CONFIGURED, kept)
    assert LiveRouting(CONFIGURED, kept, source="file").directory == CONFIGURED


def test_what_no_longer_fits_the_file_is_told_at_start(caplog: pytest.LogCaptureFixture) -> None:
    kept = MemoryKept()
    route = {"name": "one", "number_pattern": "1", "trunks": ["gone"]}
    wire = {"name": "one", "numberPattern": "1", "trunks": ["gone"]}
    kept.save_document(DOCUMENT, msgspec.json.encode({"trunks": {"gone": {"port": 1}}, "routes": [wire]}))
    routing = LiveRouting(CONFIGURED, kept)
    assert [each.name for each in routing.directory.routes] == [route["name"]]
    assert len(caplog.messages) == 2
    assert all("'gone'" in message for message in caplog.messages)
