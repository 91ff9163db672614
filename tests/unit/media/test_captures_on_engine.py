"""Recordings and streams on the real engine: telephones speak by RTP, applications answer by WebSocket."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from by_hand import ByHand, amplitude, by_hand, impurity_db, tone
from onhook.effects import (
    ChangeRecording,
    CloseStream,
    Mix,
    OpenStream,
    StartRecording,
    StopRecording,
    Voice,
)
from onhook.facts import DigitHeard, Fact, RecordingChanged, StreamChanged
from onhook.media.recordings.recordings import Recordings
from onhook.media.recordings.settings import RecordingSettings
from onhook.media.streams.dialling import make_session
from onhook.media.streams.settings import StreamSettings
from onhook.media.streams.streams import Streams
from onhook.media.studio import Studio
from unit.media.recordings.recording_rig import BELA, NAMES, locate, read_wav
from unit.media.streams.stream_rig import Application, application, plain_socket

PATIENCE_SECONDS = 20.0
QUIET_DB = -35.0
"""G.711 keeps so much of a tone clean."""


class Scene:
    """Two telephones in a room, `a` and `b`, and everything that listens to it."""

    def __init__(self, hand: ByHand, folder: Path, session: aiohttp.ClientSession) -> None:
        self.hand, self.folder = hand, folder
        self.facts: list[Fact] = []
        self._news = asyncio.Event()
        self.recordings = Recordings(
            hand.engine,
            RecordingSettings(directory=folder, keep_free_megabytes=0),
            now=lambda: hand.now,
            session=lambda: session,
            locate=locate,
            resource_id_of=str,
            draw=(f"doc-{n}" for n in range(9)).__next__,
        )
        self.streams = Streams(
            hand.engine,
            StreamSettings(queue_seconds=60.0),
            now=lambda: hand.now,
            session=lambda: session,
            authorize=lambda _: "",
        )
        self.studio = Studio(
            hand.engine, recordings=self.recordings, streams=self.streams, now=lambda: hand.now
        )
        self.studio.on_fact(self._take)

    def talk(self, **voices: float) -> None:
        """A telephone for each leg, with a tone of so many hertz."""
        for leg, hertz in voices.items():
            self.hand.phone(leg, voice=tone(hertz, 1))
        self.studio.perform(Mix("room", tuple(Voice(leg) for leg in voices)))

    async def until(self, kind: type[Any], state: str) -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for fact in self.facts:
                    if isinstance(fact, kind) and fact.state == state:
                        return fact
                self._news.clear()
                await self._news.wait()

    async def run(self, seconds: float) -> None:
        """Time passes, and the event loop has its share."""
        for _ in range(round(seconds * 50)):
            self.hand.run()
            await asyncio.sleep(0)

    def _take(self, _owner: str, fact: Fact) -> None:
        self.facts.append(fact)
        self._news.set()


@contextlib.asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    session = make_session(trust=None, open_socket=plain_socket, user_agent="onhook/test")
    with by_hand() as hand:
        made = Scene(hand, folder / "recordings", session)
        await made.recordings.recover()
        try:
            yield made
        finally:
            made.studio.stop()
            await made.recordings.close()
            await made.streams.close()
            await session.close()


def record(**more: Any) -> StartRecording:
    given: dict[str, Any] = {"format": "wav", "names": NAMES}
    return StartRecording("r", "room", "shop", "server-call", "call", **(given | more))


def stream(app: Application, **more: Any) -> OpenStream:
    given: dict[str, Any] = {"kind": "audio", "names": NAMES}
    return OpenStream(
        "s", "room", url=app.url, connection="c", correlation_id="x", resource="shop", **(given | more)
    )


async def test_both_telephones_are_in_a_mixed_recording_without_a_gap(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        here.talk(a=500, b=1_200)
        await here.run(1.0)
        here.studio.perform(record())
        await here.run(4.0)
        here.studio.perform(StopRecording("r"))
        closed = await here.until(RecordingChanged, "closed")
        sound = read_wav(here.folder / "doc-0.wav")[:, 0]
    assert closed.duration_ms == pytest.approx(4_000, abs=40)
    middle = sound[8_000:56_000]
    for hertz in (500, 1_200):
        assert amplitude(middle, hertz, 16_000) == pytest.approx(8_000, rel=0.03)
    assert impurity_db(middle, (500, 1_200), 16_000) < QUIET_DB


async def test_each_telephone_has_its_channel_and_pauses_are_left_out(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        here.talk(a=500, b=1_200)
        await here.run(1.0)
        here.studio.perform(record(mixed=False, channels=((BELA, 0),)))
        await here.run(2.0)
        here.studio.perform(ChangeRecording("r", NAMES, paused=True))
        await here.run(3.0)
        here.studio.perform(ChangeRecording("r", NAMES, paused=False))
        await here.run(2.0)
        here.studio.perform(StopRecording("r"))
        closed = await here.until(RecordingChanged, "closed")
        sound = read_wav(here.folder / "doc-0.wav")
    assert closed.duration_ms == pytest.approx(4_000, abs=60)
    assert sound.shape[1] == 2
    for channel, hertz, other in ((0, 1_200, 500), (1, 500, 1_200)):
        middle = sound[4_000:28_000, channel]
        assert amplitude(middle, hertz, 16_000) == pytest.approx(8_000, rel=0.03)
        assert amplitude(middle, other, 16_000) < 30


@pytest.mark.parametrize("rate", [16_000, 24_000])
async def test_an_application_hears_the_room_and_not_itself(tmp_path: Path, rate: int) -> None:
    async with application() as app, scene(tmp_path) as here:
        here.talk(a=500, b=1_200)
        await here.run(1.0)
        here.studio.perform(record())
        here.studio.perform(stream(app, rate=rate, bidirectional=True))
        await here.until(StreamChanged, "opened")
        await app.until(lambda: app.sockets)
        await say(app, tone(2_000, 3, 6_000, rate))
        await here.run(3.0)
        await app.until_messages(1 + 140)
        here.studio.perform(StopRecording("r"))
        here.studio.perform(CloseStream("s"))
        closed = await here.until(StreamChanged, "closed")
        await here.until(RecordingChanged, "closed")
        recorded = read_wav(here.folder / "doc-0.wav")[:, 0]
        phones = {leg: phone.heard()[-8_000:-1_600] for leg, phone in here.hand.phones.items()}
    heard = app.sound()[rate : 2 * rate]
    for hertz in (500, 1_200):
        assert amplitude(heard, hertz, rate) == pytest.approx(8_000, rel=0.03)
    assert amplitude(heard, 2_000, rate) < 30  # a machine that heard itself would answer itself
    assert impurity_db(heard, (500, 1_200), rate) < QUIET_DB
    for leg, other in (("a", 1_200), ("b", 500)):  # everybody hears it, beside the other one
        assert amplitude(phones[leg], 2_000) == pytest.approx(6_000, rel=0.05)
        assert amplitude(phones[leg], other) == pytest.approx(8_000, rel=0.05)
    assert amplitude(recorded[24_000:40_000], 2_000, 16_000) == pytest.approx(6_000, rel=0.05)
    assert closed.received == 150


async def say(app: Application, sound: np.ndarray[Any, Any]) -> None:
    """In frames of 20 ms, all at once, as machines do."""
    size = len(sound) // 150
    for start in range(0, len(sound), size):
        data = base64.b64encode(sound[start : start + size].astype("<i2").tobytes()).decode()
        await app.say({"kind": "AudioData", "audioData": {"data": data}})


async def test_stop_audio_is_silence_at_once(tmp_path: Path) -> None:
    async with application() as app, scene(tmp_path) as here:
        here.talk(a=500)
        await here.run(0.5)
        here.studio.perform(stream(app, bidirectional=True))
        await here.until(StreamChanged, "opened")
        await app.until(lambda: app.sockets)
        await say(app, tone(2_000, 30, 6_000, 16_000))
        await turn_until(here, lambda: loud(here))
        await app.say({"kind": "StopAudio", "stopAudio": {}})
        await turn_until(here, lambda: not loud(here))
        packets = len(here.hand.phones["a"].packets)
        await here.run(1.0)
        later = here.hand.phones["a"].heard(packets)
    assert np.abs(later).max() < 20


async def turn_until(here: Scene, ready: Callable[[], bool]) -> None:
    """Let time pass until then, ten seconds at most."""
    for _ in range(500):
        await here.run(0.02)
        await asyncio.sleep(0.002)  # messages come by a socket
        if ready():
            return
    raise AssertionError("it never was so")


def loud(here: Scene) -> bool:
    """Is the machine heard at the telephone?"""
    return bool(np.abs(here.hand.phones["a"].heard()[-320:]).max(initial=0) > 1_000)


async def test_keys_that_are_pressed_reach_the_application(tmp_path: Path) -> None:
    async with application() as app, scene(tmp_path) as here:
        here.talk(a=500)
        here.studio.perform(stream(app, digits=True))
        await here.until(StreamChanged, "opened")
        phone = here.hand.phones["a"]
        for number in range(8):  # RFC 4733: an event of 160 ms, its end three times
            ending = 0x80 if number > 4 else 0
            duration = min(number + 1, 6) * 160
            phone.send(bytes([5, ending | 10]) + duration.to_bytes(2, "big"), 101, timestamp=777)
            await here.run(0.02)
        await here.run(0.1)
        told = await app.until_messages(1, "DtmfData")
    assert told == [{"kind": "DtmfData", "dtmfData": {"data": "5"}}]
    assert [fact.digit for fact in here.facts if isinstance(fact, DigitHeard)] == ["5"]


async def test_a_room_before_and_after_its_telephones(tmp_path: Path) -> None:
    """Recording may begin before anybody is there; a room that closes ends it."""
    async with application() as app, scene(tmp_path) as here:
        here.hand.phone("elsewhere")
        here.studio.perform(record())
        here.studio.perform(stream(app))
        await here.until(StreamChanged, "opened")
        await here.run(1.0)
        here.talk(a=500)
        await here.run(2.0)
        here.studio.perform(Mix("room", ()))
        recorded = await here.until(RecordingChanged, "closed")
        streamed = await here.until(StreamChanged, "closed")
        sound = read_wav(here.folder / "doc-0.wav")[:, 0]
    assert recorded.why == "CallEnded"
    assert recorded.duration_ms == pytest.approx(3_000, abs=60)
    assert not sound[:15_000].any()
    assert amplitude(sound[20_000:44_000], 500, 16_000) == pytest.approx(8_000, rel=0.03)
    assert streamed.sent >= 100
