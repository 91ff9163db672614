"""From the SDK to the far end, and into the file of the recording: the sound is right, not only there.

The application plays; the built-in carrier hears it over RTP and keeps it; the call is recorded, and the file
is fetched with the SDK. Both are compared with what was played. The second test goes on: the carrier sends
back what it hears, and an unmixed recording has both directions.

Limits: level 1 dB, 20 ms missing and 60 ms moved at most, of the best of three plays (a machine that has more
to do than it can loses ticks). The far end hears within 250 ms of the recording (its jitter buffer has 40 ms,
and up to 200 on a bad day); what it sends back is recorded at most 500 ms after it heard it.
"""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from azure.communication.callautomation import (
    FileSource,
    PhoneNumberIdentifier,
    RecordingChannel,
    RecordingContent,
    RecordingFormat,
)
from azure.communication.callautomation.aio import CallAutomationClient, CallConnectionClient

from interop.sound_chain import RATE, Passed, channels, doubled_rate, later_seconds, passed, wav
from interop.test_captured_calls import CALLER, Application, application, client, downloaded
from interop.whole_server import whole_server
from onhook.lab.carrier import Carrier
from onhook.media.parts import Samples
from recorded_files import PUBLIC_HOST, public_host_is_here
from speech_like import voice

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]
LISTENS = PhoneNumberIdentifier("+14255550200")
ECHOES = PhoneNumberIdentifier("+14255550224")
PLAYS = 3
LEVEL_DB = 1.0
MOST_MISSING_MS = 20
MOST_MOVED_MS = 60.0
LEAST_LATER_MS, MOST_LATER_MS = -5.0, 250.0
"""The far end's hearing, after the recording."""
LEAST_ECHO_MS, MOST_ECHO_MS = 0.0, 500.0
MOST_START_SECONDS = 1.0
"""From the request to the first sound at the far end."""


def sweep(length_seconds: float = 2.0) -> Samples:
    """From 300 to 3,000 Hz: no piece of it is like another, so what moved is seen."""
    seconds = np.arange(round(length_seconds * RATE)) / RATE
    hertz = 300 + 2_700 * seconds / length_seconds / 2
    swept: Samples = np.rint(8_000 * np.sin(2 * np.pi * hertz * seconds)).astype(np.int16)
    return swept


def speech() -> Samples:
    """With a sweep behind: syllables are like each other, and their place would not be sure."""
    return np.concatenate((voice(1.5), sweep(0.5)))


SOUNDS: dict[str, Callable[[], Samples]] = {"sweep": sweep, "speech": speech}


@pytest.fixture(autouse=True)
def as_hosts_file(monkeypatch: pytest.MonkeyPatch) -> None:
    public_host_is_here(monkeypatch)


@dataclass(slots=True)
class Chain:
    app: Application
    sdk: CallAutomationClient
    carrier: Carrier
    call: CallConnectionClient
    call_id: str

    async def record(self, channel: RecordingChannel) -> str:
        begun = await self.sdk.start_recording(
            call_connection_id=self.call_id,
            recording_state_callback_url=f"{self.app.url}/events",
            recording_content_type=RecordingContent.AUDIO,
            recording_channel_type=channel,
            recording_format_type=RecordingFormat.WAV,
        )
        await self.app.until("RecordingStateChanged")
        assert begun.recording_id
        return begun.recording_id

    async def play(self) -> None:
        for number in range(1, PLAYS + 1):
            await self.call.play_media(FileSource(f"{self.app.url}/prompt.wav"))
            await self.app.until("PlayCompleted", number)

    async def file_of(self, recording: str) -> tuple[list[Samples], float]:
        """Its channels, and when it begins in Unix seconds."""
        await self.sdk.stop_recording(recording)
        ready = await self.app.until("RecordingFileStatusUpdated")
        (chunk,) = ready["data"]["recordingStorageInfo"]["recordingChunks"]
        began = datetime.fromisoformat(ready["data"]["recordingStartTime"])
        return channels(await downloaded(self.sdk, chunk["contentLocation"])), began.timestamp()

    def heard(self) -> tuple[Samples, float]:
        """By the far end, at 16 kHz, and since when."""
        (call,) = self.carrier.calls
        clip = self.carrier.heard(call)
        kept = self.carrier.audio._lines[call.name].kept
        assert kept
        assert kept.began_at
        return clip.samples if clip.rate == RATE else doubled_rate(clip.samples), kept.began_at


@asynccontextmanager
async def chain(
    folder: Path, sound: Samples, number: PhoneNumberIdentifier, codec: str
) -> AsyncIterator[Chain]:
    """A call to the carrier, connected, and an application that has that sound to play."""
    carrier = Carrier("127.0.0.1", 0, keep_heard_seconds=60.0)
    await carrier.start()
    host, port = carrier.address
    settings: dict[str, Any] = {
        "recording__public_host": PUBLIC_HOST,
        "carrier__enabled": "false",
        "trunk__far__host": host,
        "trunk__far__port": port,
        "trunk__far__codecs": codec,
    }
    try:
        async with application() as app:
            app.prompt_file = wav(sound)
            settings["subscription__app__endpoint"] = f"{app.url}/events"
            async with whole_server(folder, **settings) as server, client(server) as sdk:
                made = await sdk.create_call(number, f"{app.url}/events", source_caller_id_number=CALLER)
                assert made.call_connection_id
                await app.until("CallConnected")
                call = sdk.get_call_connection(made.call_connection_id)
                yield Chain(app, sdk, carrier, call, made.call_connection_id)
                await call.hang_up(is_for_everyone=True)
                await app.until("CallDisconnected")
    finally:
        await carrier.stop()


def check(found: Passed, likeness: float = 0.95) -> None:
    assert found.likeness >= likeness, found
    assert abs(found.level_db) <= LEVEL_DB, found
    assert found.missing_ms <= MOST_MISSING_MS, found
    assert found.moved_ms <= MOST_MOVED_MS, found


@pytest.mark.parametrize("kind", SOUNDS)
@pytest.mark.parametrize("codec", ["PCMU", "G722"])
async def test_what_is_played_is_heard_and_recorded_as_it_is(kind: str, codec: str, tmp_path: Path) -> None:
    sound = SOUNDS[kind]()
    async with chain(tmp_path, sound, LISTENS, codec) as made:
        recording = await made.record(RecordingChannel.MIXED)
        asked_at = asyncio.get_running_loop().time()
        await made.play()
        took_seconds = asyncio.get_running_loop().time() - asked_at
        heard, heard_since = made.heard()
        (recorded,), recorded_since = await made.file_of(recording)
    for copy in (heard, recorded):
        check(passed(sound, copy))
    assert took_seconds <= PLAYS * (len(sound) / RATE + MOST_START_SECONDS)
    later_ms = 1000 * (heard_since - recorded_since + later_seconds(sound, recorded, heard, PLAYS))
    assert LEAST_LATER_MS <= later_ms <= MOST_LATER_MS


async def test_what_comes_back_is_recorded_in_a_channel(tmp_path: Path) -> None:
    sound = speech()
    async with chain(tmp_path, sound, ECHOES, "PCMU") as made:
        recording = await made.record(RecordingChannel.UNMIXED)
        await made.play()
        heard, heard_since = made.heard()
        (came_back,), recorded_since = await made.file_of(recording)
    check(passed(sound, came_back))
    later_ms = 1000 * (recorded_since - heard_since + later_seconds(sound, heard, came_back, PLAYS))
    assert LEAST_ECHO_MS <= later_ms <= MOST_ECHO_MS
