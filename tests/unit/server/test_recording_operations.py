"""The recording operations over HTTP: which bodies are taken, and what the switchboard is asked."""

from typing import Any

import pytest
from starlette.applications import Starlette

from onhook.acs.models import StartCallRecordingRequest
from onhook.server.app import make_app
from onhook.server.settings import ServerSettings
from unit.server.fake_switchboard import DIRECTORY, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import NOW, ask

ROOT = "/calling/recordings"


@pytest.fixture
def switchboard() -> FakeSwitchboard:
    return FakeSwitchboard("known")


@pytest.fixture
def app(switchboard: FakeSwitchboard) -> Starlette:
    return make_app(DIRECTORY, switchboard, FakeArchive(), ServerSettings(), now=lambda: NOW)


@pytest.mark.parametrize(
    "named",
    [
        {"callConnectionId": "known"},
        {"callLocator": {"serverCallId": "s", "kind": "serverCallLocator"}},
        {"callLocator": {"serverCallId": "s"}},
    ],
)
async def test_start(app: Starlette, switchboard: FakeSwitchboard, named: dict[str, Any]) -> None:
    answer = await ask(app, "POST", ROOT, named)
    assert answer.status == 200
    assert answer.json() == {
        "recordingId": "rec-1",
        "recordingState": "active",
        "recordingKind": "azureCommunicationServices",
    }
    (request,) = switchboard.recorded
    assert isinstance(request, StartCallRecordingRequest)


@pytest.mark.parametrize(
    ("named", "status", "target"),
    [
        ({}, 400, "$"),
        ({"callConnectionId": ""}, 400, "$"),
        ({"callConnectionId": "known", "callLocator": {"serverCallId": "s"}}, 400, "$"),
        ({"callLocator": {}}, 400, "$.callLocator"),
        ({"callLocator": {"groupCallId": "g"}}, 501, "$.callLocator.groupCallId"),
        ({"callLocator": {"roomId": "r"}}, 501, "$.callLocator.roomId"),
        (
            {"callConnectionId": "known", "recordingStateCallbackUri": "http://app.example"},
            400,
            "$.recordingStateCallbackUri",
        ),
    ],
)
async def test_what_names_no_call_or_two(
    app: Starlette, switchboard: FakeSwitchboard, named: dict[str, Any], status: int, target: str
) -> None:
    answer = await ask(app, "POST", ROOT, named)
    assert (answer.status, answer.error["target"]) == (status, target)
    assert switchboard.recorded == []


async def test_get_pause_resume_and_stop(app: Starlette, switchboard: FakeSwitchboard) -> None:
    assert (await ask(app, "GET", f"{ROOT}/rec-7")).json()["recordingId"] == "rec-7"
    for verb, status in (("POST :pause", 202), ("POST :resume", 202), ("DELETE ", 204)):
        method, _, path = verb.partition(" ")
        answer = await ask(app, method, f"{ROOT}/rec-7{path}")
        assert (answer.status, answer.body) == (status, b"")
    assert switchboard.recordings_changed == [
        ("pauseRecording", "rec-7"),
        ("resumeRecording", "rec-7"),
        ("stopRecording", "rec-7"),
    ]
