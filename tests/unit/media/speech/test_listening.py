"""Listening: from frames of a room to what was said, with recognisers that are made for the test."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onhook.effects import Listen, StopListening
from onhook.facts import Fact, HeardWord, ListeningFailed, SpeechBegan, SpeechHeard
from onhook.media.parts import Frame, Samples, Tap
from onhook.media.speech.listening import Listening
from onhook.media.speech.recognising import Heard, ListeningRefused, Recognisers
from onhook.media.speech.settings import SpeechSettings
from speech_like import noise, voice

WAIT_SECONDS = 5
SILENT, LOUD = noise(0.8, 10, rate=8_000), voice(0.8, 8_000)


class Room:
    """Taps of one room."""

    def __init__(self) -> None:
        self.taps: list[Tap] = []

    def tap(self, room: str, tap: Tap) -> None:
        self.taps.append(tap)

    def untap(self, room: str, tap: Tap) -> None:
        self.taps.remove(tap)

    def sounds(self, *sounds: Samples) -> None:
        """At 8 kHz, frame by frame; a frame without any sound is that of a leg that was not heard."""
        whole = np.concatenate(sounds)
        for at in range(0, len(whole) - 159, 160):
            frame = whole[at : at + 160]
            for tap in list(self.taps):
                tap(Frame(0.0, 8_000, frame, {"leg": frame} if frame.any() else {}, {}))


class Parrot:
    """Recognises what it is told to."""

    def __init__(self, *answers: Heard | Exception) -> None:
        self.answers = list(answers)
        self.heard: list[int] = []
        self.guesses: list[str] = []
        """Told one after the other; at the end nothing more is guessed."""
        self.guessed: list[int] = []
        self.slow: list[asyncio.Event] = []
        """What the first, second … recognition waits for."""
        self.refusal: ListeningRefused | None = None

    def check(self, effect: Listen) -> None:
        if self.refusal:
            raise self.refusal

    async def recognise(self, samples: Samples, effect: Listen) -> Heard:
        self.heard.append(len(samples))
        answer = self.answers.pop(0)
        if self.slow:
            await self.slow.pop(0).wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def guess(self, samples: Samples, effect: Listen) -> str:
        self.guessed.append(len(samples))
        return self.guesses.pop(0) if self.guesses else ""


class Scene:
    def __init__(self, *answers: Heard | Exception, **settings: Any) -> None:
        self.room, self.parrot = Room(), Parrot(*answers)
        made = SpeechSettings(**settings)
        self.listening = Listening(self.room, Recognisers(made, self.parrot, {}), made, now=lambda: 7.0)
        self.facts: list[Fact] = []
        self._news = asyncio.Event()
        self.listening.on_fact(self.take)

    def take(self, owner: str, fact: Fact) -> None:
        assert owner == "room"
        self.facts.append(fact)
        self._news.set()

    async def until(self, enough: Callable[[list[Fact]], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not enough(self.facts):
                self._news.clear()
                await self._news.wait()

    def says(self) -> None:
        self.room.sounds(SILENT, LOUD, SILENT)


def listen(**changes: object) -> Listen:
    return Listen("l", "room", "leg", **changes)  # type: ignore[arg-type]  # fields of the effect


def kinds(facts: list[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


async def test_an_utterance_is_told_and_then_nothing_more_is_listened_to() -> None:
    scene = Scene(Heard("sales", 0.9, (HeardWord("sales", 100, 400),)))
    scene.listening.perform(listen())
    scene.says()
    await scene.until(lambda facts: len(facts) == 2)
    began, heard = scene.facts
    assert isinstance(began, SpeechBegan)
    assert isinstance(heard, SpeechHeard)
    assert (heard.text, heard.confidence, heard.leg, heard.final) == ("sales", 0.9, "leg", True)
    assert heard.words[0].offset_ms == heard.offset_ms + 100
    assert scene.room.taps == []
    assert scene.listening.listened_to == 0
    assert scene.parrot.heard[0] > 0.8 * 16_000, "at 16 kHz, whole"


async def test_what_is_not_understood_is_told_as_an_empty_text() -> None:
    scene = Scene(Heard("", 0.1))
    scene.listening.perform(listen())
    scene.says()
    await scene.until(lambda facts: len(facts) == 2)
    assert isinstance(scene.facts[1], SpeechHeard)
    assert scene.facts[1].text == ""


async def test_a_transcription_goes_on_and_leaves_out_what_it_did_not_understand() -> None:
    scene = Scene(Heard("one", 0.8), Heard("", 0.1), Heard("two", 0.8))
    scene.listening.perform(listen(keep_on=True))
    for _ in range(3):
        scene.says()
    await scene.until(lambda facts: kinds(facts).count("SpeechHeard") == 2)
    assert [fact.text for fact in scene.facts if isinstance(fact, SpeechHeard)] == ["one", "two"]
    assert len(scene.room.taps) == 1
    scene.listening.leave("room")
    assert scene.room.taps == []


async def test_stopped_means_that_nothing_more_is_told() -> None:
    scene = Scene(Heard("late", 0.9))
    scene.listening.perform(listen())
    scene.listening.perform(StopListening("l"))
    scene.listening.perform(StopListening("l"))
    assert scene.room.taps == []
    scene.says()
    await asyncio.sleep(0.2)
    assert scene.facts == []


@pytest.mark.parametrize(
    ("error", "detail", "status"),
    [(ListeningRefused("no quota", 429), "no quota", 429), (ZeroDivisionError(), "ZeroDivisionError", None)],
)
async def test_a_recogniser_that_fails(error: Exception, detail: str, status: int | None) -> None:
    scene = Scene(error)
    scene.listening.perform(listen())
    scene.says()
    await scene.until(lambda facts: len(facts) == 2)
    failed = scene.facts[1]
    assert isinstance(failed, ListeningFailed)
    assert detail in failed.detail
    assert failed.http_status == status
    assert scene.listening.listened_to == 0


async def test_a_language_that_nobody_knows_is_told_before_anything_is_heard() -> None:
    scene = Scene()
    scene.parrot.refusal = ListeningRefused("knows en-US, not 'tlh'")
    scene.listening.perform(listen(language="tlh"))
    await scene.until(lambda facts: len(facts) == 1)
    assert isinstance(scene.facts[0], ListeningFailed)
    assert scene.room.taps == []


async def test_more_legs_than_the_limit_are_refused_by_its_name() -> None:
    scene = Scene(max_listening=1)
    scene.listening.perform(listen())
    scene.listening.perform(Listen("second", "room", "leg"))
    await scene.until(lambda facts: len(facts) == 1)
    failed = scene.facts[0]
    assert isinstance(failed, ListeningFailed)
    assert (failed.listening, "speech.max_listening" in failed.detail) == ("second", True)
    scene.listening.stop()


async def test_without_an_engine_for_the_call_it_says_which_setting_it_lacks() -> None:
    scene = Scene(require_endpoint=True)
    scene.listening.perform(listen())
    await scene.until(lambda facts: len(facts) == 1)
    assert isinstance(scene.facts[0], ListeningFailed)
    assert "speech.require_endpoint" in scene.facts[0].detail


async def test_utterances_are_told_in_the_order_in_which_they_were_said() -> None:
    scene = Scene(Heard("one", 0.8), Heard("two", 0.8))
    first = asyncio.Event()
    scene.parrot.slow = [first]
    scene.listening.perform(listen(keep_on=True))
    scene.says()
    scene.says()
    await scene.until(lambda facts: kinds(facts).count("SpeechBegan") == 2)
    await asyncio.sleep(0.1)
    assert kinds(scene.facts) == ["SpeechBegan"] * 2
    first.set()
    await scene.until(lambda facts: kinds(facts).count("SpeechHeard") == 2)
    assert [fact.text for fact in scene.facts if isinstance(fact, SpeechHeard)] == ["one", "two"]
    scene.listening.stop()


async def test_what_is_heard_so_far_is_told_where_it_is_asked_for() -> None:
    scene = Scene(Heard("one two three", 0.8))
    scene.parrot.guesses = ["one", "one two"]
    scene.listening.perform(listen(keep_on=True, interim=True))
    scene.room.sounds(SILENT, LOUD, LOUD)
    await scene.until(lambda facts: "SpeechHeard" in kinds(facts))
    scene.room.sounds(LOUD, LOUD)
    await scene.until(lambda facts: kinds(facts).count("SpeechHeard") == 2)
    scene.room.sounds(SILENT, SILENT)
    await scene.until(lambda facts: kinds(facts).count("SpeechHeard") == 3)
    heard = [fact for fact in scene.facts if isinstance(fact, SpeechHeard)]
    assert [(fact.text, fact.final) for fact in heard] == [
        ("one", False),
        ("one two", False),
        ("one two three", True),
    ]
    assert heard[0].offset_ms == heard[2].offset_ms
    assert heard[0].duration_ms < heard[1].duration_ms < heard[2].duration_ms
    scene.listening.stop()


async def test_nothing_is_guessed_unless_it_is_asked_for() -> None:
    scene = Scene(Heard("one", 0.8))
    scene.parrot.guesses = ["never"]
    scene.listening.perform(listen(keep_on=True))
    scene.room.sounds(SILENT, LOUD, LOUD, LOUD, SILENT)
    await scene.until(lambda facts: "SpeechHeard" in kinds(facts))
    assert scene.parrot.guessed == []
    scene.listening.stop()


async def test_when_the_server_stops_who_listens_is_told() -> None:
    scene = Scene()
    scene.listening.perform(listen())
    scene.listening.stop()
    (failed,) = scene.facts
    assert isinstance(failed, ListeningFailed)
    assert failed.detail == "the server stops"
    assert scene.room.taps == []


async def test_one_name_listens_once() -> None:
    scene = Scene()
    scene.listening.perform(listen())
    with pytest.raises(ValueError, match="listening l is under way already"):
        scene.listening.perform(listen())
    assert len(scene.room.taps) == 1
    scene.listening.stop()


async def test_a_fault_of_one_ear_leaves_the_others_listening() -> None:
    scene = Scene(Heard("sales", 0.9))
    scene.listening.perform(listen())
    odd = np.full(77, 9_000, np.int16)  # no engine makes such a frame
    scene.room.sounds(SILENT)
    scene.room.taps[0](Frame(0.0, 8_000, odd, {"leg": odd}, {}))
    await scene.until(lambda facts: len(facts) == 1)
    failed = scene.facts[0]
    assert isinstance(failed, ListeningFailed)
    assert "an unexpected fault" in failed.detail
    scene.listening.perform(Listen("other", "room", "leg"))
    scene.says()
    await scene.until(lambda facts: "SpeechHeard" in kinds(facts))


async def test_more_utterances_than_can_wait_are_a_failure_that_is_told() -> None:
    scene = Scene(*[Heard("late", 0.9)] * 20)
    scene.parrot.slow = [asyncio.Event()]
    scene.listening.perform(listen(keep_on=True))
    for _ in range(10):
        scene.says()
    await scene.until(lambda facts: "ListeningFailed" in kinds(facts))
    (failed,) = [fact for fact in scene.facts if isinstance(fact, ListeningFailed)]
    assert "utterances wait for the recogniser" in failed.detail
    assert scene.listening.listened_to == 0
