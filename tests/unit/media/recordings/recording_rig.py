"""A room whose sound the test makes, and recordings of it in a folder of the test."""

import asyncio
import contextlib
import json
import wave
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np

from onhook.effects import StartRecording
from onhook.facts import Fact, RecordingChanged
from onhook.media.parts import Frame, Samples, Tap
from onhook.media.recordings.recordings import Locations, Recordings
from onhook.media.recordings.settings import RecordingSettings

PATIENCE_SECONDS = 20.0
BEGIN = 1_700_000_000.0
RESOURCE_ID = "0d0e0f00-0000-4000-8000-000000000001"
ANNA, BELA = "4:+14255550101", "4:+14255550102"
NAMES = (("a", ANNA), ("b", BELA))
NOBODY: Mapping[str, Samples] = {}


def tone(hertz: float, seconds: float, rate: int = 16_000, level: float = 8_000) -> Samples:
    at = np.arange(round(rate * seconds)) / rate
    return (level * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def level_of(samples: Samples, hertz: float, rate: int = 16_000) -> float:
    """Amplitude of one frequency in it."""
    turning = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate)
    return float(2 * abs(np.mean(samples.astype(float) * turning)))


def read_wav(path: Path) -> Samples:
    """(n, channels); the file must be 16 kHz, 16 bits."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getcomptype()) == (16_000, 2, "NONE")
        data = file.readframes(file.getnframes())
        return np.frombuffer(data, "<i2").reshape(-1, file.getnchannels())


def read_mp3(path: Path) -> Samples:
    with av.open(str(path)) as file:
        (stream,) = file.streams.audio
        assert (stream.codec_context.name, stream.rate) == ("mp3float", 16_000)
        parts = [frame.to_ndarray()[0] for frame in file.decode(stream)]
    return (np.concatenate(parts) * 32767).astype(np.int16)


class Room:
    """The taps of a room. Its clock goes on 20 ms with each frame."""

    def __init__(self, rate: int = 16_000) -> None:
        self.rate = rate
        self._frames = 0
        self._passed = 0.0
        self.taps: list[tuple[str, Tap]] = []

    @property
    def now(self) -> float:
        return BEGIN + self._frames / 50 + self._passed

    def tap(self, room: str, tap: Tap) -> None:
        self.taps.append((room, tap))

    def untap(self, room: str, tap: Tap) -> None:
        self.taps.remove((room, tap))

    def play(self, voices: Mapping[str, Samples], prompt: Samples | None = None, room: str = "room") -> None:
        """Sound of some legs, as long as the longest; `prompt` is for everyone, so in the mix only."""
        size = self.rate // 50
        longest = max([len(each) for each in voices.values()] + ([] if prompt is None else [len(prompt)]))
        for start in range(0, longest, size):
            now = {leg: block for leg, each in voices.items() if len(block := each[start : start + size])}
            mixed = sum(now.values(), np.zeros(size, np.int16))
            if prompt is not None and len(prompt[start : start + size]):
                mixed = mixed + prompt[start : start + size]
            self._frame(room, Frame(self.now, self.rate, mixed.astype(np.int16), now, {}))

    def silence(self, seconds: float, room: str = "room") -> None:
        """Frames in which nobody is heard."""
        empty = np.zeros(self.rate // 50, np.int16)
        for _ in range(round(seconds * 50)):
            self._frame(room, Frame(self.now, self.rate, empty, NOBODY, {}))

    def pass_time(self, seconds: float) -> None:
        """Without any frame."""
        self._passed += seconds

    def _frame(self, room: str, frame: Frame) -> None:
        for tapped, tap in tuple(self.taps):
            if tapped == room:
                tap(frame)
        self._frames += 1


def locate(document: str) -> Locations:
    base = f"https://localhost/v1/objects/{document}"
    return Locations(f"{base}/content/audio", f"{base}/content/acsmetadata", base)


class Recorder:
    """Recordings of `room`; documents are called doc-0, doc-1 and so on."""

    def __init__(self, folder: Path, room: Room | None = None, **settings: Any) -> None:
        self.room = room or Room()
        self.folder = folder
        self.facts: list[RecordingChanged] = []
        self._happened = asyncio.Event()
        self._documents = 0
        self._session: aiohttp.ClientSession | None = None
        self.settings = RecordingSettings(**{"directory": folder, "keep_free_megabytes": 0, **settings})
        self.recordings = Recordings(
            self.room,
            self.settings,
            now=lambda: self.room.now,
            session=self.session,
            locate=locate,
            resource_id_of=lambda name: RESOURCE_ID if name == "shop" else "",
            draw=self._draw,
        )
        self.recordings.on_fact(self._take)

    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    def start(self, **more: Any) -> None:
        given: dict[str, Any] = {
            "id": "r1",
            "room": "room",
            "resource": "shop",
            "server_call_id": "server-call",
            "call_id": "call",
            "format": "wav",
            "names": NAMES,
        }
        self.recordings.perform(StartRecording(**(given | more)))

    async def until(self, state: str, recording: str = "r1") -> RecordingChanged:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for fact in self.facts:
                    if (fact.state, fact.recording) == (state, recording):
                        return fact
                self._happened.clear()
                await self._happened.wait()

    async def until_written(self, seconds: float, recording: str = "r1") -> None:
        """Until so much sound is in its files. Up to half a second waits in the queue for more."""
        line = self.recordings._lines[recording]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line.recording.seconds < seconds:  # noqa: ASYNC110  # another thread writes it
                await asyncio.sleep(0.01)

    def metadata(self, document: str = "doc-0") -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / f"{document}.json").read_text())
        return told

    def states(self, recording: str = "r1") -> list[str]:
        return [fact.state for fact in self.facts if fact.recording == recording]

    async def close(self) -> None:
        await self.recordings.close()
        if self._session is not None:
            await self._session.close()

    def _take(self, owner: str, fact: Fact) -> None:
        assert isinstance(fact, RecordingChanged)
        assert owner == "room"
        self.facts.append(fact)
        self._happened.set()

    def _draw(self) -> str:
        self._documents += 1
        return f"doc-{self._documents - 1}"


@contextlib.asynccontextmanager
async def recorder(folder: Path, room: Room | None = None, **settings: Any) -> AsyncIterator[Recorder]:
    """As the server starts and stops one."""
    made = Recorder(folder / "recordings", room, **settings)
    await made.recordings.recover()
    try:
        yield made
    finally:
        await made.close()
