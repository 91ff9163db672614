"""Sources become sound: files by their cache id, texts by what they sound like."""

import asyncio
from collections.abc import Hashable

import numpy as np
import pytest

from onhook.effects import FileAudio, SpokenMarkup, SpokenText
from onhook.media.parts import Clip
from onhook.media.prompts.settings import PromptSettings
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.prompts.sources import SoundSources
from wav_files import tone, wav

HELLO = wav(tone())


class Shelf:
    """Fetches from a table; what is not there is gone."""

    def __init__(self, **files: bytes) -> None:
        self.files = {f"https://example.com/{name}.wav": data for name, data in files.items()}
        self.fetched: list[str] = []

    async def fetch(self, uri: str) -> bytes:
        self.fetched.append(uri)
        await asyncio.sleep(0)
        if uri.partition("?")[0] not in self.files:
            raise SourceFailed("status", f"{uri} answered 404", 404)
        return self.files[uri.partition("?")[0]]


class Talker:
    def __init__(self) -> None:
        self.spoken: list[tuple[SpokenText | SpokenMarkup, str]] = []

    async def speak(self, source: SpokenText | SpokenMarkup, speech_endpoint: str) -> Clip:
        self.spoken.append((source, speech_endpoint))
        await asyncio.sleep(0)
        return Clip(tone(0.02 * len(self.spoken)), 16_000)

    def voice_key(self, source: SpokenText | SpokenMarkup, speech_endpoint: str) -> Hashable:
        return source.text if isinstance(source, SpokenText) else source.ssml, speech_endpoint


class Clock:
    now = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def sources(shelf: Shelf, clock: Clock, talker: Talker | None = None) -> SoundSources:
    return SoundSources(shelf, talker or Talker(), PromptSettings(), monotonic=lambda: clock.now)


def hello(query: str = "", cache_id: str = "") -> FileAudio:
    return FileAudio(f"https://example.com/hello.wav{query}", cache_id)


async def test_a_file_is_fetched_and_read(clock: Clock) -> None:
    found = await sources(Shelf(hello=HELLO), clock).sound(hello(), "")
    assert np.array_equal(found.samples, tone())


async def test_without_a_cache_id_it_is_fetched_each_time(clock: Clock) -> None:
    shelf = Shelf(hello=HELLO)
    made = sources(shelf, clock)
    for _ in range(2):
        await made.sound(hello("?a=1"), "")
    assert shelf.fetched == ["https://example.com/hello.wav?a=1"] * 2


async def test_a_hundred_at_once_share_a_fetch(clock: Clock) -> None:
    shelf = Shelf(hello=HELLO)
    made = sources(shelf, clock)
    await asyncio.gather(*[made.sound(hello(), "") for _ in range(100)])
    assert len(shelf.fetched) == 1


async def test_a_cached_prompt_plays_an_hour_though_its_address_is_gone(clock: Clock) -> None:
    shelf = Shelf(hello=HELLO)
    made = sources(shelf, clock)
    await made.sound(hello("?sig=1", "welcome"), "")
    shelf.files.clear()
    clock.now = 3599.0
    await made.sound(hello("?sig=2", "welcome"), "")
    assert len(shelf.fetched) == 1
    clock.now = 3600.0
    with pytest.raises(SourceFailed, match="404"):
        await made.sound(hello("?sig=3", "welcome"), "")


async def test_a_cache_id_belongs_to_its_address(clock: Clock) -> None:
    shelf = Shelf(hello=HELLO, other=wav(tone(0.2)))
    made = sources(shelf, clock)
    await made.sound(hello(cache_id="welcome"), "")
    other = await made.sound(FileAudio("https://example.com/other.wav", "welcome"), "")
    assert np.array_equal(other.samples, tone(0.2))


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (wav(tone(), rate=8000), "it is WAV, PCM, 16 bits, mono, 8 kHz"),
        (b"<html>", "this is a web page (HTML)"),
        (b"", "this is an empty file"),
    ],
)
async def test_a_wrong_file_says_what_it_is_instead(clock: Clock, data: bytes, detail: str) -> None:
    with pytest.raises(SourceFailed) as failed:
        await sources(Shelf(hello=data), clock).sound(hello(cache_id="x"), "")
    assert failed.value.fault == "format"
    assert failed.value.detail == f"A prompt has to be WAV, PCM, 16 bits, mono, 16 kHz; {detail}"


async def test_what_sounds_the_same_is_spoken_once_an_hour(clock: Clock) -> None:
    talker = Talker()
    made = sources(Shelf(), clock, talker)
    text, markup = SpokenText("hello", cache_id="a"), SpokenMarkup("<speak/>")
    both = await asyncio.gather(made.sound(text, "e"), made.sound(text, "e"))
    assert both[0] is both[1]
    assert await made.sound(SpokenText("hello", cache_id="b"), "e") is both[0]
    assert await made.sound(markup, "e") is not both[0]
    assert await made.sound(text, "f") is not both[0]
    assert talker.spoken == [(text, "e"), (markup, "e"), (text, "f")]
    clock.now = 3600.0
    assert await made.sound(text, "e") is not both[0]
