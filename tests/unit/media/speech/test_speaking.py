"""Who speaks: a configured endpoint for calls that name it, else the built-in engine, as settings allow."""

import pytest

from onhook.effects import SpokenMarkup, SpokenText
from onhook.media.parts import Clip
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.speech.settings import SpeechEndpoint, SpeechSettings, plain
from onhook.media.speech.speaking import Speaking
from onhook.media.speech.ssml import MAX_CHARACTERS
from wav_files import tone

ENDPOINT = "https://Speech.Example.com/"
HELLO = SpokenText("hello")


class Engine:
    def __init__(self, name: str) -> None:
        self.name, self.spoken = name, list[SpokenText | SpokenMarkup]()

    async def speak(self, source: SpokenText | SpokenMarkup) -> Clip:
        self.spoken.append(source)
        return Clip(tone(), 16_000)


class Scene:
    def __init__(self, *, built_in: bool = True, require_endpoint: bool = False) -> None:
        self.inside, self.outside = Engine("inside"), Engine("outside")
        settings = SpeechSettings(built_in=built_in, require_endpoint=require_endpoint)
        self.speaking = Speaking(settings, self.inside, {plain(ENDPOINT): self.outside})

    async def who_speaks(self, endpoint: str) -> str:
        await self.speaking.speak(HELLO, endpoint)
        return next(engine.name for engine in (self.inside, self.outside) if engine.spoken)

    async def refused(self, source: SpokenText | SpokenMarkup, endpoint: str = "") -> SourceFailed:
        with pytest.raises(SourceFailed) as failed:
            await self.speaking.speak(source, endpoint)
        assert not self.inside.spoken + self.outside.spoken
        return failed.value


@pytest.mark.parametrize("endpoint", [ENDPOINT, "https://speech.example.com", "HTTPS://SPEECH.EXAMPLE.COM/ "])
async def test_a_call_that_names_a_configured_endpoint_is_spoken_to_by_it(endpoint: str) -> None:
    assert await Scene().who_speaks(endpoint) == "outside"
    assert await Scene(built_in=False, require_endpoint=True).who_speaks(endpoint) == "outside"


@pytest.mark.parametrize("endpoint", ["", "https://other.example.com"])
async def test_other_calls_are_spoken_to_by_the_built_in_engine(endpoint: str) -> None:
    assert await Scene().who_speaks(endpoint) == "inside"


async def test_a_call_without_endpoint_can_be_refused() -> None:
    scene = Scene(require_endpoint=True)
    failed = await scene.refused(HELLO)
    assert failed.fault == "no-speech"
    assert failed.detail == "the call has no cognitiveServicesEndpoint (speech.require_endpoint)"
    assert await scene.who_speaks("https://other.example.com") == "inside"


async def test_the_built_in_engine_can_be_off() -> None:
    failed = await Scene(built_in=False).refused(HELLO, "https://other.example.com")
    assert failed.fault == "no-speech"
    assert failed.detail.startswith(
        "https://other.example.com is not configured, and the built-in engines are off"
    )
    assert (await Scene(built_in=False).refused(HELLO)).detail.startswith("the call names no endpoint, and")


@pytest.mark.parametrize("source", [SpokenText(""), SpokenText(" \n\t"), SpokenMarkup(""), SpokenMarkup(" ")])
async def test_an_empty_text_is_refused_before_anybody_is_asked(source: SpokenText | SpokenMarkup) -> None:
    assert (await Scene().refused(source)).fault == "empty-text"


async def test_a_text_has_a_greatest_length() -> None:
    scene = Scene()
    await scene.speaking.speak(SpokenText("a" * 4000), "")
    await scene.speaking.speak(SpokenMarkup("a" * MAX_CHARACTERS), "")
    assert len(scene.inside.spoken) == 2
    failed = await Scene().refused(SpokenText("a" * 4001))
    assert (failed.fault, failed.detail) == (
        "text-too-long",
        "the text has 4001 characters, and 4000 are the most",
    )
    assert (await Scene().refused(SpokenMarkup("a" * (MAX_CHARACTERS + 1)))).fault == "text-too-long"


def test_what_sounds_the_same_has_the_same_key() -> None:
    key = Scene().speaking.voice_key
    assert key(HELLO, "") == key(SpokenText("hello", cache_id="x"), "https://other.example.com")
    different = [
        key(HELLO, ""),
        key(HELLO, ENDPOINT),
        key(SpokenText("hello", "de-DE"), ""),
        key(SpokenText("hello", gender="male"), ""),
        key(SpokenText("hello", voice="en-US-GuyNeural"), ""),
        key(SpokenText("hello", model="m"), ""),
        key(SpokenMarkup("hello"), ""),
        key(SpokenMarkup("hello", model="m"), ""),
    ]
    assert len(set(different)) == len(different)


def test_an_endpoint_matches_whatever_its_case_and_slash() -> None:
    assert SpeechEndpoint(ENDPOINT).matches("https://speech.example.com")
    assert not SpeechEndpoint(ENDPOINT).matches("https://speech.example.com/other")
