"""Each callback event as it leaves us: bodies that calls of every kind brought forth."""

import asyncio
import json
from typing import Any

from media_scene import CALLEE, MediaScene, file_source, play, recognize
from onhook.acs.cloud_events import call_source, cloud_event
from onhook.acs.identifiers import identify
from onhook.acs.models import (
    Choice,
    ContinuousDtmfRecognitionRequest,
    DtmfOptions,
    HoldRequest,
    MediaStreamingAudioChannelType,
    MoveParticipantsRequest,
    SendDtmfTonesRequest,
    StartCallRecordingRequest,
    StreamingTransportType,
    Tone,
    TransferToParticipantRequest,
    UpdateTranscriptionRequest,
    WebSocketMediaStreamingOptions,
    WebSocketTranscriptionOptions,
)
from onhook.calls.events import call_over
from onhook.calls.record import Beginning, Connection, MediaOptions
from onhook.effects import Publish
from onhook.facts import DigitsSent, RecordingChanged, StreamChanged
from onhook.lab.rehearsal import CALLEE as NUMBER
from onhook.lab.virtual_time import run
from participants_scene import SECOND, THIRD, USER, Scene, by_number
from stages import stage, world
from store_samples import record, verdict
from timelines import ANSWER

BUSY = "carrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 486 Busy Here\n"
STREAM, HOOK = "wss://app.example/stream", "https://app.example/recordings"
OPTIONS = MediaOptions(
    streaming=WebSocketMediaStreamingOptions(
        transport_type=StreamingTransportType.WEBSOCKET,
        audio_channel_type=MediaStreamingAudioChannelType.MIXED,
        transport_url=STREAM,
    ),
    transcription=WebSocketTranscriptionOptions(
        transport_type=StreamingTransportType.WEBSOCKET, locale="en-US", transport_url=STREAM
    ),
)


def bodies() -> dict[str, bytes]:
    """By short name, such as "PlayCompleted"; of several of one kind the last, which says most."""
    events = [*_media(), *_beginnings()]
    made = {event.type: _body(event) for event in events}
    for told in _participants():
        made[told["type"].rpartition(".")[2]] = json.dumps([told]).encode()
    return made


def _body(event: Publish) -> bytes:
    return cloud_event(
        event_id="11111111-2222-4333-8444-555555555555",
        event_type=event.type,
        source=event.source or call_source(event.connection),
        data=event.data,
        api_version=event.api_version,
        at=1_795_000_000.0,
    )


def _media() -> list[Publish]:
    scene, silent = MediaScene(media_options=OPTIONS), MediaScene(ANSWER)
    _play(scene)
    _recognize(scene)
    _digits(scene, silent)
    _streams(scene)
    _records(scene)
    scene.ask("hold", HoldRequest(target_participant=CALLEE, play_source_info=file_source()))
    scene.breaks(f"a{scene.asked_so_far}", "unreachable")
    scene.asked("BYE")
    return scene.events + silent.events


def _play(scene: MediaScene) -> None:
    done, broken = scene.plays(play(context="mine")), scene.plays()
    scene.starts(done).ends(done).breaks(broken)
    scene.plays()
    scene.ask("cancelAllMediaOperations")


def _recognize(scene: MediaScene) -> None:
    scene.recognizes(dtmf_options=DtmfOptions(max_tones_to_collect=1))
    scene.presses("#")
    scene.recognizes("choices", choices=[Choice(label="yes", phrases=["Yes"], tone=Tone.ONE)])
    scene.presses("1")
    scene.says(scene.recognizes("speech"), "Hello")
    scene.recognizes()
    scene.wait(6)
    scene.ask("recognize", recognize(context="cancelled"))
    scene.ask("cancelAllMediaOperations")


def _digits(scene: MediaScene, silent: MediaScene) -> None:
    """`silent` agreed to no digits."""
    tones = SendDtmfTonesRequest(tones=[Tone.ONE], target_participant=CALLEE, operation_context="dial")
    for fault in ("no telephone-event", ""):
        action = scene.ask("sendDtmfTones", tones)
        scene.tells(DigitsSent(at=scene.now, action=action, digits="1", fault=fault))
    keys = ContinuousDtmfRecognitionRequest(target_participant=CALLEE, operation_context="keys")
    scene.ask("startContinuousDtmfRecognition", keys)
    scene.presses("5")
    scene.ask("stopContinuousDtmfRecognition", keys)
    silent.ask("startContinuousDtmfRecognition", keys)


def _streams(scene: MediaScene) -> None:
    for name in ("MediaStreaming", "Transcription"):
        stream = scene.ask(f"start{name}")
        scene.tells(StreamChanged(at=scene.now, stream=stream, state="failed", detail="refused"))
        stream = scene.ask(f"start{name}")
        scene.tells(StreamChanged(at=scene.now, stream=stream, state="opened"))
        if name == "Transcription":
            scene.ask("updateTranscription", UpdateTranscriptionRequest(locale="de-DE"))
        scene.ask(f"stop{name}")
        scene.tells(StreamChanged(at=scene.now, stream=stream, state="closed"))


def _records(scene: MediaScene) -> None:
    request = StartCallRecordingRequest(call_connection_id=scene.room, recording_state_callback_uri=HOOK)
    for state in ("failed", "active"):
        recording = scene.ask("startRecording", request)
        scene.tells(RecordingChanged(at=scene.now, recording=recording, state=state))


def _beginnings() -> list[Publish]:
    """Connections that never were connected, and one that was."""
    kept, events = record(), list[Publish]()
    begun: tuple[Beginning, ...] = ("create", "answer", "connect")
    for how in begun:
        connection = Connection(
            id="connection",
            leg="leg",
            resource="dev",
            begun_by=how,
            user=USER,
            callback_uri="https://app.example/events",
            api_version="2026-03-12",
            operation_context="mine",
        )
        events.append(call_over(kept, connection, verdict()))
    return events


def _participants() -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    async def main() -> None:
        here = await world(by_number(n14255550202=BUSY), stage())
        first, second = here.create_call(), here.create_call(target=SECOND)
        await asyncio.sleep(2)
        scene = Scene(here, first)
        invitation = scene.add(USER, caller="")
        scene.cancel("never")
        scene.cancel(invitation)
        scene.add(THIRD)
        scene.remove(USER)
        move = MoveParticipantsRequest(
            target_participants=[identify(SECOND), identify(USER)], from_call=second
        )
        here.operate(first, "moveParticipants", move)
        await asyncio.sleep(5)
        scene.remove(SECOND)
        scene.add(SECOND)
        await asyncio.sleep(3)
        scene.remove(SECOND)
        for target in (THIRD, SECOND):
            request = TransferToParticipantRequest(
                target_participant=identify(target), transferee=identify(NUMBER)
            )
            here.operate(first, "transferToParticipant", request)
            await asyncio.sleep(10)
        events.extend(here.inbox.events)
        here.switch.close()
        await here.network.close()

    run(main())
    return events
