"""What is said to the recogniser's worker and what it answers, as MessagePack."""

from typing import TypeAlias

import msgspec


class FindUnknown(msgspec.Struct, frozen=True, tag="unknown"):
    """Answered with a list of those words that the dictionary has not."""

    words: tuple[str, ...]


class Recognise(msgspec.Struct, frozen=True, tag="recognise"):
    """Answered with `Recognised`. With `phrases` (their words) one of these was said, or nothing known.

    `pronunciations` are pairs of a word that the dictionary has not and its phones.
    """

    samples: bytes
    """16 bits, 16 kHz: one utterance, with some silence around it."""
    phrases: tuple[tuple[str, ...], ...] = ()
    pronunciations: tuple[tuple[str, str], ...] = ()


class RecognisedWord(msgspec.Struct, frozen=True, array_like=True):
    text: str
    begin_ms: int
    length_ms: int


class Recognised(msgspec.Struct, frozen=True):
    words: tuple[RecognisedWord, ...]
    confidence: float


SphinxRequest: TypeAlias = FindUnknown | Recognise
