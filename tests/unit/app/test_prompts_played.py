"""The studio as a server runs it: a real engine plays what was really fetched and spoken, and all ends."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from odd_server import odd_server, ok, status
from onhook.app_media import Surroundings, make_studio
from onhook.config import load
from onhook.effects import FileAudio, MediaEffect, Mix, PlayPrompt, SpokenText, StartMedia, Voice
from onhook.facts import Fact, PromptEnded, PromptStarted
from onhook.media.engine.g711 import LEVELS, PCMU
from onhook.media.parts import Samples
from onhook.media.studio import Studio
from wav_files import tone, wav

FIRST = 12_001 + os.getpid() % 60 * 40
HEADER_BYTES = 12


class Scene:
    def __init__(self, studio: Studio, far_end: socket.socket) -> None:
        self.studio, self.far_end = studio, far_end
        self.facts: list[Fact] = []
        self.ended: asyncio.Queue[PromptEnded] = asyncio.Queue()
        studio.on_fact(self.take)

    def take(self, _owner: str, fact: Fact) -> None:
        self.facts.append(fact)
        if isinstance(fact, PromptEnded):
            self.ended.put_nowait(fact)

    def perform(self, *effects: MediaEffect) -> None:
        for effect in effects:
            self.studio.perform(effect)

    def call(self) -> None:
        """A leg in a room, whose far end listens."""
        self.studio.open("leg")
        port = self.far_end.getsockname()[1]
        self.perform(StartMedia("leg", "127.0.0.1", port, 0, "PCMU"), Mix("room", (Voice("leg"),)))

    async def play(self, *sources: FileAudio | SpokenText, endpoint: str = "") -> PromptEnded:
        self.perform(PlayPrompt("p", "room", sources, speech_endpoint=endpoint))
        async with asyncio.timeout(60):
            return await self.ended.get()

    def heard(self) -> Samples:
        """All that the far end got so far, 8 kHz."""
        payloads = []
        try:
            while True:
                payloads.append(self.far_end.recv(2048, socket.MSG_DONTWAIT)[HEADER_BYTES:])
        except BlockingIOError:
            heard: Samples = LEVELS[PCMU][np.frombuffer(b"".join(payloads), np.uint8)].astype(np.int16)
            return heard


@asynccontextmanager
async def scene(endpoint: str = "") -> AsyncGenerator[Scene]:
    env = {"ONHOOK_MEDIA__FIRST_PORT": str(FIRST), "ONHOOK_MEDIA__LAST_PORT": str(FIRST + 20)}
    if endpoint:
        env |= {"ONHOOK_SPEECH_ENDPOINT__ODD__ENDPOINT": endpoint, "ONHOOK_SPEECH_ENDPOINT__ODD__KEY": "k3y"}
    around = Surroundings(load(None, env), time.time, None, lambda: "https://localhost:8443", str)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        far_end.bind(("127.0.0.1", 0))
        async with contextlib.AsyncExitStack() as stack:
            made = Scene((await make_studio(around, stack)).studio, far_end)
            made.call()
            yield made


def share_of_pitch(samples: Samples, hertz: float) -> float:
    """Which share of the sound's power lies within 20 Hz of a pitch."""
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    near = np.abs(np.fft.rfftfreq(len(samples), 1 / 8000) - hertz) < 20
    return float(power[near].sum() / power.sum())


async def test_a_file_is_fetched_and_heard_by_the_far_end() -> None:
    async with odd_server() as odd, scene() as here:
        url = odd.on("/hello.wav", ok(wav(tone(0.5, 1000.0))))
        ended = await here.play(FileAudio(url))
        assert (ended.how, ended.detail) == ("played", "")
        assert 480 <= ended.played_ms <= 540
        assert [type(fact) for fact in here.facts] == [PromptStarted, PromptEnded]
        sound = here.heard()
        loud = sound[np.abs(sound) > 500]
        assert len(loud) > 0.4 * 8000 * 0.9
        assert share_of_pitch(sound, 1000.0) > 0.9


async def test_a_text_is_spoken_by_the_built_in_engine_and_by_an_endpoint() -> None:
    async with odd_server() as odd:
        odd.on("/cognitiveservices/v1", ok(wav(tone(0.3, 700.0))))
        endpoint = odd.url("/")
        async with scene(endpoint) as here:
            inside = await here.play(SpokenText("Hello."))
            assert inside.how == "played"
            assert inside.played_ms > 300
            here.heard()
            outside = await here.play(SpokenText("Hello."), endpoint=endpoint)
            assert outside.how == "played"
            assert share_of_pitch(here.heard(), 700.0) > 0.9
    assert len(odd.requests) == 1
    assert "Ocp-Apim-Subscription-Key: k3y" in odd.requests[0]


async def test_a_file_that_is_gone_fails_and_the_call_goes_on() -> None:
    async with odd_server() as odd, scene() as here:
        ended = await here.play(FileAudio(odd.on("/gone.wav", status(410))))
        assert (ended.how, ended.fault, ended.http_status) == ("failed", "status", 410)
        assert (await here.play(FileAudio(odd.on("/there.wav", ok(wav(tone())))))).how == "played"


async def test_what_plays_at_the_end_fails_for_the_shut_down() -> None:
    async with odd_server() as odd, scene() as here:
        url = odd.on("/long.wav", ok(wav(tone(30))))
        here.perform(PlayPrompt("p", "room", (FileAudio(url),)))
        async with asyncio.timeout(20):
            while not any(isinstance(fact, PromptStarted) for fact in here.facts):  # noqa: ASYNC110  # a fact of another thread
                await asyncio.sleep(0.02)
    ended = here.ended.get_nowait()
    assert (ended.how, ended.fault) == ("failed", "shut-down")


async def test_a_hundred_prompts_at_once_all_end() -> None:
    async with odd_server() as odd, scene() as here:
        url = odd.on("/short.wav", ok(wav(tone(0.2))))
        for number in range(100):
            here.perform(
                Mix(f"room-{number}", (Voice("nobody"),)),
                PlayPrompt(f"p{number}", f"room-{number}", (FileAudio(url), SpokenText(f"Number {number}"))),
            )
        async with asyncio.timeout(60):
            ends = [await here.ended.get() for _ in range(100)]
    assert {ended.prompt for ended in ends} == {f"p{number}" for number in range(100)}
    assert {ended.how for ended in ends} == {"played"}
    assert len(odd.requests) == 1


@pytest.mark.parametrize("when", ["unused", "used"])
async def test_no_process_is_left(when: str) -> None:
    async with scene() as here:
        if when == "used":
            await here.play(SpokenText("Hello."))
        children = _children()
        assert len(children) == (1 if when == "used" else 0)
    assert not _children() & children


def _children() -> set[str]:
    """Processes of this one's that run our workers."""
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(os.getpid()) and "onhook.media.speech" in (process / "cmdline").read_text():
                found.add(process.name)
        except OSError:  # it ended meanwhile
            continue
    return found
