"""The recording of a call: what is asked of media, what applications see and hear, and what is refused."""

from typing import Any

import pytest

from media_scene import CALLEE, MediaScene
from onhook.acs.errors import ApiError
from onhook.acs.identifiers import communication_user
from onhook.acs.models import (
    ChannelAffinity,
    ExternalStorage,
    RecordingChannelType,
    RecordingContentType,
    RecordingFormatType,
    RecordingKind,
    RecordingState,
    RecordingStateResponse,
    RecordingStorageKind,
    StartCallRecordingRequest,
)
from onhook.acs.recording_kinds import OlderRecordingState
from onhook.calls.features.recording_plan import MAX_CHANNELS
from onhook.calls.features.recordings import Recordings
from onhook.effects import ChangeRecording, StartRecording, StopRecording
from onhook.facts import RecordingChange, RecordingChanged

HOOK = "https://app.example/recordings?key=1"
ANNA = communication_user("8:acs:res_anna")
NEWEST, OLDER = "2026-03-12", "2025-06-15"


def start(scene: MediaScene, **options: Any) -> str:
    fields: dict[str, Any] = {"call_connection_id": scene.room, "recording_state_callback_uri": HOOK}
    return scene.ask("startRecording", StartCallRecordingRequest(**(fields | options)))


def changes(scene: MediaScene, recording: str, state: RecordingChange, detail: str = "") -> MediaScene:
    began = scene.now - 1 if state in {"active", "inactive"} else None
    fact = RecordingChanged(at=scene.now, recording=recording, state=state, detail=detail, began_at=began)
    return scene.tells(fact)


def shown(scene: MediaScene, recording: str, version: str = NEWEST) -> Any:
    return scene.call.feature(Recordings).shown(recording, version)


def refusal(scene: MediaScene, **options: Any) -> tuple[int, str, str | None]:
    with pytest.raises(ApiError) as refused:
        start(scene, **options)
    return refused.value.status, refused.value.code, refused.value.target


def states(scene: MediaScene) -> list[str]:
    return [event.data["state"] for event in scene.events if event.type == "RecordingStateChanged"]


def test_a_recording_begins_and_is_stopped() -> None:
    scene = MediaScene()
    recording = start(scene)
    assert scene.effects(StartRecording) == [
        StartRecording(
            id=recording,
            room=scene.room,
            resource="dev",
            server_call_id="server-call",
            call_id="correlation",
            names=scene.call.legs.names,
        )
    ]
    assert scene.told == []
    changes(scene, recording, "active")
    (event,) = scene.events
    assert (event.type, event.callback_uri) == ("RecordingStateChanged", HOOK)
    assert event.source == f"calling/recordings/server-call/{recording}/RecordingStateChanged"
    assert event.data == {
        "callConnectionId": scene.room,
        "serverCallId": "server-call",
        "correlationId": "correlation",
        "recordingId": recording,
        "state": "active",
        "startDateTime": "1970-01-01T00:16:39.0000000+00:00",
        "recordingKind": "azureCommunicationServices",
        "resultInformation": {
            "code": 200,
            "subCode": 0,
            "message": "Action completed successfully.",
        },
    }
    scene.ask("stopRecording", about=recording)
    assert scene.effects(StopRecording) == [StopRecording(recording)]
    assert states(scene) == ["active", "inactive"]
    assert scene.ended == [(recording, "done")]
    changes(scene, recording, "closed")
    assert len(scene.events) == 2


def test_what_is_recorded_how() -> None:
    scene = MediaScene()
    folder = ExternalStorage(
        recording_storage_kind=RecordingStorageKind.AZURE_BLOB_STORAGE,
        recording_destination_container_url="https://blobs.example/calls",
    )
    start(
        scene,
        recording_content_type=RecordingContentType.AUDIO,
        recording_channel_type=RecordingChannelType.UNMIXED,
        channel_affinity=[
            ChannelAffinity(channel=3, participant=CALLEE),
            ChannelAffinity(participant=ANNA),
            ChannelAffinity(channel=0, participant=ANNA),
        ],
        pause_on_start=True,
        external_storage=folder,
    )
    (asked,) = scene.effects(StartRecording)
    assert (asked.format, asked.mixed, asked.paused) == ("wav", False, True)
    assert asked.channels == (("4:+14255550200", 3), ("8:acs:res_anna", 0))
    assert asked.storage == "https://blobs.example/calls"


def test_an_order_of_participants_gives_channels_too() -> None:
    scene = MediaScene()
    start(
        scene,
        recording_channel_type=RecordingChannelType.UNMIXED,
        recording_format_type=RecordingFormatType.WAV,
        channel_affinity=[],
        audio_channel_participant_ordering=[ANNA, CALLEE, ANNA],
    )
    assert scene.effects(StartRecording)[0].channels == (("8:acs:res_anna", 0), ("4:+14255550200", 1))


def test_channels_do_not_matter_where_all_is_mixed() -> None:
    scene = MediaScene()
    nobody = communication_user("testId")
    start(scene, channel_affinity=[ChannelAffinity(channel=0, participant=nobody)])
    assert (scene.effects(StartRecording)[0].channels, scene.effects(StartRecording)[0].format) == ((), "mp3")


def test_a_mixed_wav_in_our_own_storage() -> None:
    scene = MediaScene()
    ours = ExternalStorage(recording_storage_kind=RecordingStorageKind.AZURE_COMMUNICATION_SERVICES)
    start(scene, recording_format_type=RecordingFormatType.WAV, external_storage=ours)
    (asked,) = scene.effects(StartRecording)
    assert (asked.format, asked.mixed, asked.storage) == ("wav", True, "")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"recording_content_type": RecordingContentType.AUDIO_VIDEO},
            (405, "8520", "$.recordingContentType"),
        ),
        ({"recording_format_type": RecordingFormatType.MP4}, (405, "8520", "$.recordingFormatType")),
        (
            {
                "recording_channel_type": RecordingChannelType.UNMIXED,
                "recording_format_type": RecordingFormatType.MP3,
            },
            (400, "8557", "$.recordingFormatType"),
        ),
        (
            {
                "recording_channel_type": RecordingChannelType.UNMIXED,
                "channel_affinity": [
                    ChannelAffinity(channel=1, participant=CALLEE),
                    ChannelAffinity(channel=1, participant=ANNA),
                ],
            },
            (400, "8523", "$.channelAffinity"),
        ),
        (
            {
                "recording_channel_type": RecordingChannelType.UNMIXED,
                "audio_channel_participant_ordering": [
                    communication_user(f"8:acs:res_{number}") for number in range(MAX_CHANNELS + 1)
                ],
            },
            (400, "8523", "$.audioChannelParticipantOrdering"),
        ),
        (
            {
                "external_storage": ExternalStorage(
                    recording_storage_kind=RecordingStorageKind.AZURE_BLOB_STORAGE
                )
            },
            (400, "8523", "$.externalStorage.recordingDestinationContainerUrl"),
        ),
    ],
)
def test_what_cannot_be_recorded(options: dict[str, Any], expected: tuple[int, str, str]) -> None:
    scene = MediaScene()
    assert refusal(scene, **options) == expected
    assert scene.asked_of_media == []


def test_a_call_has_one_recording_at_a_time() -> None:
    scene = MediaScene()
    first = start(scene)
    assert refusal(scene) == (400, "8559", None)
    scene.ask("stopRecording", about=first)
    second = start(scene)
    assert second != first


def test_it_is_paused_and_goes_on() -> None:
    scene = MediaScene()
    recording = start(scene)
    changes(scene, recording, "active")
    scene.ask("pauseRecording", about=recording)
    assert scene.effects(ChangeRecording) == [ChangeRecording(recording, scene.call.legs.names, paused=True)]
    assert shown(scene, recording).recording_state is RecordingState.INACTIVE
    assert states(scene) == ["active"]
    changes(scene, recording, "inactive")
    scene.ask("pauseRecording", about=recording)
    assert len(scene.effects(ChangeRecording)) == 1
    scene.ask("resumeRecording", about=recording)
    scene.ask("resumeRecording", about=recording)
    changes(scene, recording, "active")
    assert [each.paused for each in scene.effects(ChangeRecording)] == [True, False]
    assert states(scene) == ["active", "inactive", "active"]


def test_it_may_begin_paused() -> None:
    scene = MediaScene()
    recording = start(scene, pause_on_start=True)
    assert shown(scene, recording).recording_state is RecordingState.INACTIVE
    changes(scene, recording, "inactive")
    scene.ask("resumeRecording", about=recording)
    assert shown(scene, recording).recording_state is RecordingState.ACTIVE


@pytest.mark.parametrize(("first", "then"), [("pauseRecording", "inactive"), ("resumeRecording", "active")])
def test_it_is_changed_before_media_said_that_it_began(first: str, then: RecordingChange) -> None:
    scene = MediaScene()
    recording = start(scene)
    scene.ask(first, about=recording)
    changes(scene, recording, "active")
    changes(scene, recording, then)
    assert states(scene)[-1] == then


def test_one_that_cannot_begin_has_failed() -> None:
    scene = MediaScene()
    recording = start(scene)
    changes(scene, recording, "failed", "the disk is full")
    (event,) = scene.events
    assert (event.type, event.callback_uri) == ("StartRecordingFailed", HOOK)
    assert event.source.startswith("calling/recordings/server-call/")
    assert event.data["recordingId"] == recording
    assert scene.result == (500, 9999)
    assert "the disk is full" in event.data["resultInformation"]["message"]
    assert scene.ended == [(recording, "recording-failed")]
    start(scene)


@pytest.mark.parametrize("paused", [True, False])
def test_one_that_breaks_later_is_inactive_with_the_reason(*, paused: bool) -> None:
    scene = MediaScene()
    recording = start(scene)
    changes(scene, recording, "active")
    if paused:
        scene.ask("pauseRecording", about=recording)
    changes(scene, recording, "failed", "the disk is full")
    assert states(scene) == ["active", "inactive"]
    assert scene.result == (500, 9999)


@pytest.mark.parametrize("stage", ["starting", "active", "paused"])
@pytest.mark.parametrize("end", ["stopped", "closed", "call over"])
def test_it_ends_once_whatever_its_stage(stage: str, end: str) -> None:
    scene = MediaScene()
    recording = start(scene)
    if stage != "starting":
        changes(scene, recording, "active")
    if stage == "paused":
        scene.ask("pauseRecording", about=recording)
    match end:
        case "stopped":
            scene.ask("stopRecording", about=recording)
        case "closed":
            changes(scene, recording, "closed")
        case _:
            scene.asked("BYE")
            assert scene.told[-2:] == ["RecordingStateChanged", "CallDisconnected"]
    assert states(scene)[-1] == "inactive"
    assert scene.ended == [(recording, "done")]
    assert len(scene.effects(StopRecording)) == (end != "closed")
    told = len(scene.events)
    changes(scene, recording, "closed")
    assert len(scene.events) == told


def test_without_an_address_nobody_is_told() -> None:
    scene = MediaScene()
    recording = start(scene, recording_state_callback_uri=None)
    changes(scene, recording, "active")
    scene.ask("stopRecording", about=recording)
    failed = start(scene, recording_state_callback_uri=None)
    changes(scene, failed, "failed")
    assert scene.told == []
    assert [how for _, how in scene.ended] == ["done", "recording-failed"]


def test_the_kind_is_spelt_as_each_version_does() -> None:
    scene = MediaScene()
    recording = start(scene)
    assert shown(scene, recording) == RecordingStateResponse(
        recording_id=recording,
        recording_state=RecordingState.ACTIVE,
        recording_kind=RecordingKind.AZURE_COMMUNICATION_SERVICES,
    )
    assert shown(scene, recording, OLDER) == OlderRecordingState(
        recording_id=recording,
        recording_state=RecordingState.ACTIVE,
        recording_kind="AzureCommunicationServices",
    )
    older = MediaScene(api_version=OLDER)
    changes(older, start(older), "active")
    assert older.told_of()["recordingKind"] == "AzureCommunicationServices"


@pytest.mark.parametrize("name", ["stopRecording", "pauseRecording", "resumeRecording"])
def test_what_is_not_there_is_not_found(name: str) -> None:
    scene = MediaScene()
    recording = start(scene)
    scene.ask("stopRecording", about=recording)
    for known in (recording, "never"):
        with pytest.raises(ApiError) as refused:
            scene.ask(name, about=known)
        assert (refused.value.status, refused.value.code, refused.value.target) == (
            404,
            "8522",
            "recordingId",
        )
        with pytest.raises(ApiError):
            shown(scene, known)


def test_those_who_come_and_go_are_named_and_facts_of_others_do_not_matter() -> None:
    scene = MediaScene()
    scene.joins()
    recording = start(scene)
    changes(scene, "another", "failed")
    scene.asked("BYE")
    (change,) = scene.effects(ChangeRecording)
    assert (change.id, change.paused) == (recording, False)
    assert scene.leg not in dict(change.names)


def test_it_goes_on_for_others_and_ends_with_the_last_application() -> None:
    scene = MediaScene()
    second = scene.joins()
    recording = start(scene)
    changes(scene, recording, "active")
    scene.leaves(scene.call.connections[0])
    assert scene.effects(StopRecording) == []
    scene.ask("pauseRecording", about=recording, by=second)
    changes(scene, recording, "inactive")
    assert scene.told_of()["callConnectionId"] == "second"
    scene.leaves(second)
    assert scene.effects(StopRecording) == [StopRecording(recording)]


def test_recordings_are_replayed_from_their_facts() -> None:
    scene = MediaScene()
    first = start(scene, pause_on_start=True)
    changes(scene, first, "inactive")
    scene.wait(1)
    scene.ask("resumeRecording", about=first)
    changes(scene, first, "active")
    scene.ask("stopRecording", about=first)
    second = start(scene)
    changes(scene, first, "closed")
    changes(scene, second, "active")
    scene.asked("BYE")
    scene.check_replay()
