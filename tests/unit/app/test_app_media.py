"""The media of a whole server: every part is there, is told of by facts, and stops with it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from onhook.app_media import Surroundings, make_studio
from onhook.config import load
from onhook.effects import Mix, PlayPrompt, SpokenText, StartMedia, StartRecording, StopRecording, Voice
from onhook.facts import Fact, PromptEnded, RecordingChanged
from onhook.media.studio import Studio

WAIT_SECONDS = 30


class Listening:
    def __init__(self, studio: Studio) -> None:
        self.facts: list[Fact] = []
        self._news = asyncio.Event()
        studio.on_fact(self.take)

    def take(self, owner: str, fact: Fact) -> None:
        self.facts.append(fact)
        self._news.set()

    async def until(self, kind: type[Fact], count: int = 1) -> Fact:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(found := [fact for fact in self.facts if isinstance(fact, kind)]) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]


@contextlib.asynccontextmanager
async def studio(folder: Path, **settings: str) -> AsyncGenerator[Studio]:
    given = {"SERVER__DATA_DIRECTORY": str(folder), "MEDIA__FIRST_PORT": "17000", "MEDIA__LAST_PORT": "17100"}
    config = load(None, {f"ONHOOK_{name}": value for name, value in {**given, **settings}.items()})
    async with contextlib.AsyncExitStack() as stack:
        around = Surroundings(config, time.time, None, lambda: "https://localhost:8443/", str.upper)
        made = await make_studio(around, stack)
        await made.recordings.recover()
        yield made.studio


async def test_a_text_is_spoken_into_a_room(tmp_path: Path) -> None:
    async with studio(tmp_path) as made:
        told = Listening(made)
        made.open("leg")
        made.perform(StartMedia("leg", "127.0.0.1", 9, 0, "PCMU"))
        made.perform(Mix("room", (Voice("leg"),)))
        made.perform(PlayPrompt("p", "room", (SpokenText("Yes.", "en-US"),)))
        ended = await told.until(PromptEnded)
        assert isinstance(ended, PromptEnded)
        assert (ended.how, ended.detail) == ("played", "")
        assert ended.played_ms > 100


@pytest.mark.parametrize(
    ("host", "begins"),
    [
        ("", "https://localhost:8443/v1/"),
        ("rec.local:443", "https://rec.local:443/v1/"),
        ("rec.local", "https://rec.local:8443/v1/"),
    ],
)
async def test_a_recording_says_where_it_is_fetched(tmp_path: Path, host: str, begins: str) -> None:
    async with studio(tmp_path, RECORDING__PUBLIC_HOST=host) as made:
        told = Listening(made)
        made.open("leg")
        made.perform(Mix("room", (Voice("leg"),)))
        made.perform(StartRecording("r", "room", "dev", "server-call", "call", format="wav"))
        await told.until(RecordingChanged)
        await asyncio.sleep(0.1)
        made.perform(StopRecording("r"))
        closed = await told.until(RecordingChanged, 2)
        assert isinstance(closed, RecordingChanged)
        assert closed.state == "closed", closed
        (chunk,) = closed.chunks
        assert chunk.content.startswith(begins)


async def test_a_prompt_that_plays_when_the_server_stops_is_told_of(tmp_path: Path) -> None:
    async with studio(tmp_path) as made:
        told = Listening(made)
        made.open("leg")
        made.perform(Mix("room", (Voice("leg"),)))
        made.perform(PlayPrompt("p", "room", (SpokenText("A long text. " * 50, "en-US"),)))
    ended = await told.until(PromptEnded)
    assert isinstance(ended, PromptEnded)
    assert (ended.how, ended.fault) == ("failed", "shut-down")
