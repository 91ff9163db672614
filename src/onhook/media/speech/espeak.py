"""The built-in speaker: eSpeak NG in a process of its own."""

from typing import Final

import msgspec
import numpy as np

from onhook.effects import SpokenMarkup, SpokenText
from onhook.media.parts import Clip
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.speech.espeak_words import Language, ListLanguages, Pronounce, Speak, SpokenPart
from onhook.media.speech.ssml import Part, Unreadable, from_text, read_ssml
from onhook.media.speech.voices import NoSuchVoice, Voices, Wish
from onhook.media.speech.workers import Workers, WorkFailed, WorkRefused

MODULE: Final = "onhook.media.speech.espeak_worker"
RATE: Final = 16_000
MAX_SECONDS: Final = 900.0
"""Longest sound of one text or SSML: 4,000 characters take about five minutes."""
SHORTEST_SECONDS: Final = 0.1
"""ESpeak answers a text of points only with less, and silent."""


class Espeak:
    """`workers` run MODULE."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._voices: Voices | None = None

    async def speak(self, source: SpokenText | SpokenMarkup) -> Clip:
        """Raises SourceFailed: voice, markup, empty-text, text-too-long, speech-failed."""
        try:
            parts = _parts(source)
            voices = await self._known_voices()
            spoken = tuple(
                SpokenPart(voices.find(part.wish, any_name=bool(source.model)), part.ssml) for part in parts
            )
            data = await self._workers.ask(msgspec.msgpack.encode(Speak(spoken, MAX_SECONDS)))
        except Unreadable as problem:
            raise SourceFailed("markup", str(problem)) from None
        except NoSuchVoice as problem:
            raise SourceFailed("voice", str(problem)) from None
        except WorkRefused as problem:
            raise SourceFailed("text-too-long", str(problem)) from None
        except WorkFailed as problem:
            raise SourceFailed("speech-failed", f"the built-in speech engine: {problem}") from None
        samples = np.frombuffer(data, np.int16)
        if len(samples) < SHORTEST_SECONDS * RATE and not samples.any():
            raise SourceFailed("empty-text", "there is nothing in it that can be spoken")
        return Clip(samples, RATE)

    async def pronounce(self, words: tuple[str, ...]) -> list[str]:
        """American English, in eSpeak's phonemes. Raises WorkFailed."""
        voice = (await self._known_voices()).find(Wish())
        answer = await self._workers.ask(msgspec.msgpack.encode(Pronounce(voice, words)))
        return msgspec.msgpack.decode(answer, type=list[str])

    async def _known_voices(self) -> Voices:
        if self._voices is None:
            answer = await self._workers.ask(msgspec.msgpack.encode(ListLanguages()))
            self._voices = Voices(msgspec.msgpack.decode(answer, type=list[Language]))
        return self._voices


def _parts(source: SpokenText | SpokenMarkup) -> tuple[Part, ...]:
    if isinstance(source, SpokenText):
        return (Part(Wish(source.voice, source.locale, source.gender), from_text(source.text)),)
    parts = read_ssml(source.ssml)
    if not parts:
        raise SourceFailed("empty-text", "the SSML has no text to be spoken")
    return parts
