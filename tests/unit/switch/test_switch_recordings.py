"""Recordings through the switch: found by either id of the call, by their own id, and by their owner only."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from onhook.acs.errors import ApiError
from onhook.acs.models import CallLocator, StartCallRecordingRequest
from onhook.facts import ApiRequested
from onhook.lab.rehearsal import World
from onhook.lab.virtual_time import run
from stages import OTHER, OWN, world

HOOK = "https://app.example/recordings"


def play(act: Callable[[World, str], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        here = await world()
        call_id = here.create_call()
        await asyncio.sleep(2)
        await act(here, call_id)
        here.switch.close()
        await here.network.close()

    run(main())


def start(here: World, *, version: str = "2026-03-12", **named: Any) -> dict[str, Any]:
    asked = msgspec.structs.replace(here.ask("startRecording"), api_version=version)
    request = StartCallRecordingRequest(recording_state_callback_uri=HOOK, **named)
    told: dict[str, Any] = msgspec.to_builtins(here.switch.start_recording(OWN, request, asked))
    return told


def get(here: World, recording: str) -> dict[str, Any]:
    told = here.switch.get_recording(OWN, recording, here.ask("getRecordingProperties"))
    found: dict[str, Any] = msgspec.to_builtins(told)
    return found


def not_found(act: Callable[[], object]) -> None:
    with pytest.raises(ApiError) as refused:
        act()
    assert (refused.value.status, refused.value.code) == (404, "8522")


def test_a_recording_by_the_server_call_id_from_start_to_stop() -> None:
    async def act(here: World, call_id: str) -> None:
        server_call_id = here.switch.calls[call_id].record.server_call_id
        told = start(here, call_locator=CallLocator(server_call_id=server_call_id))
        assert told["recordingState"] == "active"
        assert told["recordingKind"] == "azureCommunicationServices"
        recording = told["recordingId"]
        await asyncio.sleep(1)
        (event,) = (each for each in here.inbox.events if each["type"].endswith("RecordingStateChanged"))
        assert event["source"] == f"calling/recordings/{server_call_id}/{recording}/RecordingStateChanged"
        assert event["subject"] == event["source"]
        assert event["data"]["callConnectionId"] == call_id
        assert get(here, recording) == told
        here.switch.change_recording(OWN, recording, here.ask("pauseRecording"))
        assert get(here, recording)["recordingState"] == "inactive"
        here.switch.change_recording(OWN, recording, here.ask("stopRecording"))
        not_found(lambda: get(here, recording))
        facts = here.switch.calls[call_id].timeline
        asked = [(fact.operation, fact.detail) for fact in facts if isinstance(fact, ApiRequested)]
        assert ("pauseRecording", recording) in asked

    play(act)


def test_a_recording_by_the_connection_in_the_words_of_an_older_version() -> None:
    async def act(here: World, call_id: str) -> None:
        told = start(here, version="2025-06-15", call_connection_id=call_id)
        assert told["recordingKind"] == "AzureCommunicationServices"

    play(act)


def test_the_calls_and_recordings_of_others_are_not_there() -> None:
    async def act(here: World, call_id: str) -> None:
        server_call_id = here.switch.calls[call_id].record.server_call_id
        recording = start(here, call_connection_id=call_id)["recordingId"]
        for named in (
            {"call_connection_id": call_id},
            {"call_locator": CallLocator(server_call_id=server_call_id)},
        ):
            request = StartCallRecordingRequest(**named)
            not_found(lambda: here.switch.start_recording(OTHER, request, here.ask("startRecording")))  # noqa: B023  # called at once
        not_found(lambda: here.switch.get_recording(OTHER, recording, here.ask("getRecordingProperties")))
        not_found(lambda: here.switch.change_recording(OTHER, recording, here.ask("stopRecording")))
        not_found(lambda: start(here, call_locator=CallLocator(server_call_id="never")))
        not_found(lambda: get(here, "never"))

    play(act)


def test_a_recording_ends_with_its_call_and_is_not_there_any_more() -> None:
    async def act(here: World, call_id: str) -> None:
        recording = start(here, call_connection_id=call_id)["recordingId"]
        await asyncio.sleep(1)
        here.hang_up(call_id)
        await asyncio.sleep(1)
        told = [event["type"].rpartition(".")[2] for event in here.inbox.events]
        assert told[-3:] == ["RecordingStateChanged", "RecordingStateChanged", "CallDisconnected"]
        not_found(lambda: get(here, recording))

    play(act)


def test_a_call_that_nobody_answered_is_not_recorded() -> None:
    async def main() -> None:
        here = await world("carrier: 180 Ringing\n")
        call_id = here.create_call()
        await asyncio.sleep(1)
        with pytest.raises(ApiError) as refused:
            start(here, call_connection_id=call_id)
        assert (refused.value.status, refused.value.code) == (400, "8501")
        here.switch.close()
        await here.network.close()

    run(main())
