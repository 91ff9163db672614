"""The recognisers: the built-in one, in processes of its own, and endpoints in the shape of Azure Speech."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

from onhook.effects import Listen
from onhook.facts import HeardWord
from onhook.media.parts import Samples
from onhook.media.speech.arpabet import phones
from onhook.media.speech.phrases import Phrases
from onhook.media.speech.settings import SpeechSettings, plain
from onhook.media.speech.speaking import no_speech
from onhook.media.speech.sphinx_words import FindUnknown, Recognise, Recognised
from onhook.media.speech.workers import Workers, WorkFailed, WorkRefused

MODULE: Final = "onhook.media.speech.sphinx_worker"
LANGUAGE: Final = "en"
"""Any English: its model is that of the United States, and other accents are heard less well."""
SURE: Final = 0.5
"""What is heard with less confidence counts as not understood."""
RATE: Final = 16_000
GUESS_SECONDS: Final = 12.0
"""Longer utterances are not guessed at: each guess reads from their begin."""
MAX_PRONUNCIATIONS: Final = 20_000
"""Words remembered, of all menus."""


class Heard(NamedTuple):
    text: str
    confidence: float
    words: tuple[HeardWord, ...] = ()


class ListeningRefused(Exception):
    """It cannot be recognised, and why; `http_status` is that of an endpoint."""

    def __init__(self, why: str, http_status: int | None = None) -> None:
        super().__init__(why)
        self.http_status = http_status


class Recogniser(Protocol):
    def check(self, effect: Listen) -> None:
        """Raises ListeningRefused for a language, or for phrases, that it cannot do."""
        ...

    async def recognise(self, samples: Samples, effect: Listen) -> Heard:
        """One utterance at 16 kHz. Raises ListeningRefused."""
        ...

    async def guess(self, samples: Samples, effect: Listen) -> str:
        """What the begin of an utterance may be; empty if nothing, or if there is no time for guesses."""
        ...


class Pronouncer(Protocol):
    async def pronounce(self, words: tuple[str, ...]) -> list[str]:
        """Each word in eSpeak's phonemes. Raises WorkFailed."""
        ...


class Sphinx:
    """PocketSphinx with its model of US English. `workers` run MODULE.

    What its dictionary has not (names of people and firms) is pronounced by `pronouncer`.
    """

    def __init__(self, workers: Workers, pronouncer: Pronouncer) -> None:
        self._workers, self._pronouncer = workers, pronouncer
        self._pronunciations: dict[str, str] = {}
        """By word: phones; empty if the dictionary has it."""

    def check(self, effect: Listen) -> None:
        if effect.language and effect.language.lower().partition("-")[0] != LANGUAGE:
            raise ListeningRefused(
                f"the built-in recogniser knows English (en-US), not {effect.language!r}: name a speech"
                " endpoint ([speech_endpoint.NAME]) that knows it"
            )
        if effect.phrases and not Phrases(effect.phrases):
            raise ListeningRefused(f"none of the phrases has words of English: {', '.join(effect.phrases)}")

    async def recognise(self, samples: Samples, effect: Listen) -> Heard:
        phrases = Phrases(effect.phrases)
        try:
            request = Recognise(samples.tobytes(), phrases.all_words, await self._pronounced(phrases))
            answer = await self._workers.ask(msgspec.msgpack.encode(request))
        except (WorkFailed, WorkRefused) as problem:
            raise ListeningRefused(f"the built-in recogniser: {problem}") from None
        read = msgspec.msgpack.decode(answer, type=Recognised)
        if read.confidence < SURE:
            return Heard("", read.confidence)
        text = " ".join(word.text for word in read.words)
        if effect.phrases:
            text = phrases.said_in(text)
        words = tuple(HeardWord(each.text, each.begin_ms, each.length_ms) for each in read.words)
        return Heard(text, read.confidence, words)

    async def guess(self, samples: Samples, effect: Listen) -> str:
        if self._workers.waiting >= self._workers.count or len(samples) > GUESS_SECONDS * RATE:
            return ""
        try:
            return (await self.recognise(samples, effect)).text
        except ListeningRefused:
            return ""

    async def _pronounced(self, phrases: Phrases) -> tuple[tuple[str, str], ...]:
        """Words of the phrases that the dictionary has not, with their phones. Raises WorkFailed."""
        words = sorted({word for phrase in phrases.all_words for word in phrase})
        if len(self._pronunciations) > MAX_PRONUNCIATIONS:
            self._pronunciations.clear()
        new = tuple(word for word in words if word not in self._pronunciations)
        if new:
            answer = await self._workers.ask(msgspec.msgpack.encode(FindUnknown(new)))
            unknown = tuple(msgspec.msgpack.decode(answer, type=list[str]))
            spoken = await self._pronouncer.pronounce(unknown) if unknown else []
            self._pronunciations |= dict.fromkeys(new, "")
            self._pronunciations |= {
                word: " ".join(phones(said)) for word, said in zip(unknown, spoken, strict=True)
            }
        return tuple((word, self._pronunciations[word]) for word in words if self._pronunciations[word])


class Recognisers:
    """Which of them listens for a call: that of its endpoint, else the built-in one."""

    def __init__(
        self, settings: SpeechSettings, built_in: Recogniser, endpoints: Mapping[str, Recogniser]
    ) -> None:
        self._settings, self._built_in, self._endpoints = settings, built_in, endpoints

    def find(self, speech_endpoint: str) -> Recogniser:
        """Raises ListeningRefused."""
        if named := self._endpoints.get(plain(speech_endpoint)):
            return named
        if problem := no_speech(self._settings, speech_endpoint):
            raise ListeningRefused(problem)
        return self._built_in
