"""The recognisers: the built-in one, in processes of its own, and endpoints in the shape of Azure Speech."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

from onhook.effects import Listen
from onhook.facts import HeardWord
from onhook.media.parts import Samples
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


class Sphinx:
    """PocketSphinx with its model of US English. `workers` run MODULE."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._unknown: dict[tuple[str, ...], frozenset[str]] = {}

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
        known = await self._known(phrases)
        try:
            answer = await self._workers.ask(msgspec.msgpack.encode(Recognise(samples.tobytes(), known)))
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

    async def _known(self, phrases: Phrases) -> tuple[tuple[str, ...], ...]:
        """Phrases whose words the dictionary has; the others cannot be heard."""
        words = tuple(sorted({word for phrase in phrases.all_words for word in phrase}))
        if not words:
            return ()
        if words not in self._unknown:
            try:
                answer = await self._workers.ask(msgspec.msgpack.encode(FindUnknown(words)))
            except (WorkFailed, WorkRefused) as problem:
                raise ListeningRefused(f"the built-in recogniser: {problem}") from None
            self._unknown[words] = frozenset(msgspec.msgpack.decode(answer, type=list[str]))
        unknown = self._unknown[words]
        known = tuple(phrase for phrase in phrases.all_words if not unknown.intersection(phrase))
        if not known:
            raise ListeningRefused(f"the built-in recogniser knows none of the words {', '.join(words)}")
        return known


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
