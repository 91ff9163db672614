"""The built-in speaker speaks: for real, in its own process."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from hearing import level_dbfs, longest_pause_seconds, pitch_hertz
from onhook.effects import SpokenMarkup, SpokenText
from onhook.media.parts import Clip
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.speech.espeak import MODULE, Espeak
from onhook.media.speech.workers import Workers

HELLO = "Hello, and welcome to the company."


@pytest.fixture
async def workers() -> AsyncGenerator[Workers]:
    made = Workers(MODULE, count=1, max_waiting=200, seconds=60)
    yield made
    await made.close()


@pytest.fixture
def espeak(workers: Workers) -> Espeak:
    return Espeak(workers)


def seconds(clip: Clip) -> float:
    assert clip.rate == 16_000
    return len(clip.samples) / clip.rate


async def refused(espeak: Espeak, source: SpokenText | SpokenMarkup) -> SourceFailed:
    with pytest.raises(SourceFailed) as failed:
        await espeak.speak(source)
    return failed.value


async def test_text_becomes_speech_of_a_fitting_length_and_level(espeak: Espeak) -> None:
    spoken = await espeak.speak(SpokenText(HELLO, "en-US", "female"))
    assert 1.5 < seconds(spoken) < 3.5
    assert -32 < level_dbfs(spoken.samples) < -15
    assert spoken.samples.dtype == np.int16
    twice = await espeak.speak(SpokenText(f"{HELLO} {HELLO}", "en-US", "female"))
    assert seconds(twice) > 1.8 * seconds(spoken)


async def test_the_same_text_sounds_the_same(espeak: Espeak) -> None:
    first, second = [await espeak.speak(SpokenText(HELLO)) for _ in range(2)]
    assert abs(seconds(first) - seconds(second)) < 0.1


async def test_a_woman_speaks_higher_than_a_man(espeak: Espeak) -> None:
    she = await espeak.speak(SpokenText(HELLO, voice="en-US-NancyNeural"))
    he = await espeak.speak(SpokenText(HELLO, voice="en-US-GuyNeural"))
    assert pitch_hertz(she.samples) > 1.3 * pitch_hertz(he.samples)


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("de-DE", "Guten Tag"),
        ("fr-FR", "Bonjour"),
        ("ja-JP", "こんにちは"),
        ("zh-CN", "你好"),
        ("ar-EG", "مرحبا"),
    ],
)
async def test_other_languages_are_spoken(espeak: Espeak, locale: str, text: str) -> None:
    spoken = await espeak.speak(SpokenText(text, locale))
    assert 0.3 < seconds(spoken) < 2.5
    assert level_dbfs(spoken.samples) > -35


async def test_what_looks_like_markup_in_a_text_is_text(espeak: Espeak) -> None:
    spoken = await espeak.speak(SpokenText('<break time="5s"/> 1 < 2 & 3'))
    assert longest_pause_seconds(spoken.samples) < 1


async def test_markup_is_obeyed(espeak: Espeak) -> None:
    plain = await espeak.speak(SpokenMarkup(f"<speak>{HELLO}</speak>"))
    pause = await espeak.speak(SpokenMarkup('<speak>Hello.<break time="2s"/>Welcome.</speak>'))
    fast = await espeak.speak(SpokenMarkup(f'<speak><prosody rate="+80%">{HELLO}</prosody></speak>'))
    quiet = await espeak.speak(SpokenMarkup(f'<speak><prosody volume="-12dB">{HELLO}</prosody></speak>'))
    assert 1.8 < longest_pause_seconds(pause.samples) < 2.8
    assert seconds(fast) < 0.75 * seconds(plain)
    assert 9 < level_dbfs(plain.samples) - level_dbfs(quiet.samples) < 15


async def test_several_voices_in_one_document(espeak: Espeak) -> None:
    ssml = (
        '<speak version="1.0" xml:lang="en-US"><voice name="en-US-GuyNeural">Good morning everybody.</voice>'
        '<voice name="de-DE-KatjaNeural">Guten Morgen allerseits.</voice></speak>'
    )
    both = await espeak.speak(SpokenMarkup(ssml))
    half = len(both.samples) // 2
    assert pitch_hertz(both.samples[half:]) > 1.2 * pitch_hertz(both.samples[:half])


async def test_4000_characters_are_spoken_in_a_moment(espeak: Espeak) -> None:
    await espeak.speak(SpokenText("Warm up."))
    began = time.monotonic()
    spoken = await espeak.speak(SpokenText("All our lines are busy. " * 166))
    assert seconds(spoken) > 150
    assert time.monotonic() - began < 30  # measured: 1 to 2


@pytest.mark.parametrize(
    ("source", "fault", "detail"),
    [
        (SpokenText("a", voice="Nonsense"), "voice", "there is no voice 'Nonsense': names look like"),
        (
            SpokenText("a", "tlh-KX"),
            "voice",
            "there is no voice for 'tlh-KX': the built-in engine speaks af, am",
        ),
        (SpokenMarkup('<speak><voice name="x">a</voice></speak>'), "voice", "there is no voice 'x'"),
        (SpokenText("... -"), "empty-text", "there is nothing in it that can be spoken"),
        (SpokenText("\x00\x01"), "empty-text", "there is nothing in it"),
        (SpokenMarkup("<speak/>"), "empty-text", "the SSML has no text to be spoken"),
        (SpokenMarkup("<speak>"), "markup", "the SSML cannot be read: line 1: no element found"),
        (
            SpokenMarkup(f"<speak>{'All our lines are busy. ' * 2600}</speak>"),
            "text-too-long",
            "it speaks longer than 900 s",
        ),
    ],
)
async def test_what_cannot_be_spoken_says_why(
    espeak: Espeak, source: SpokenText | SpokenMarkup, fault: str, detail: str
) -> None:
    failed = await refused(espeak, source)
    assert failed.fault == fault
    assert failed.detail.startswith(detail)


async def test_a_custom_voice_gets_a_usual_one(espeak: Espeak) -> None:
    spoken = await espeak.speak(SpokenText(HELLO, voice="OurBrandVoice", model="7c3d"))
    assert seconds(spoken) > 1


async def test_a_hundred_at_once_are_all_spoken(espeak: Espeak, workers: Workers) -> None:
    asked = [espeak.speak(SpokenText(f"You are number {number} in the queue.")) for number in range(100)]
    assert all(0.8 < seconds(spoken) < 4 for spoken in await asyncio.gather(*asked))
    assert len(workers.processes) == 1


async def test_a_worker_killed_mid_sentence_is_replaced_and_the_sentence_spoken(
    espeak: Espeak, workers: Workers
) -> None:
    await espeak.speak(SpokenText("Warm up."))
    (pid,) = workers.processes
    long = asyncio.ensure_future(espeak.speak(SpokenText("All our lines are busy. " * 160)))
    await asyncio.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    assert seconds(await long) > 150
    assert workers.processes != [pid]
    assert workers.died == 1


async def test_when_the_engine_is_down_that_is_told(workers: Workers, espeak: Espeak) -> None:
    await workers.close()
    failed = await refused(espeak, SpokenText(HELLO))
    assert (failed.fault, failed.detail) == ("speech-failed", "the built-in speech engine: the server stops")


async def test_words_are_pronounced(espeak: Espeak) -> None:
    assert await espeak.pronounce(("contoso", "yes", "two words")) == ["k@nt'oUsoU", "j'Es", "t'u: w'3:dz"]


def test_the_library_is_not_loaded_by_the_server() -> None:
    with open("/proc/self/maps", encoding="ascii") as maps:  # noqa: PTH123  # no file
        assert "espeak-ng.so" not in maps.read()
