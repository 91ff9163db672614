"""What is said to the eSpeak worker and what it answers, as MessagePack."""

from typing import NamedTuple, TypeAlias

import msgspec


class Language(NamedTuple):
    """A language that a voice speaks: the lower the priority number, the better."""

    tag: str
    priority: int
    voice: str


class SpokenPart(msgspec.Struct, frozen=True, array_like=True):
    """SSML in eSpeak's subset, without its root, for one voice ("gmw/en-US+f3")."""

    voice: str
    ssml: str


class Speak(msgspec.Struct, frozen=True, tag="speak"):
    """Answered with 16-bit samples at 16 kHz."""

    parts: tuple[SpokenPart, ...]
    max_seconds: float


class Pronounce(msgspec.Struct, frozen=True, tag="pronounce"):
    """Answered with a list of texts in eSpeak's phonemes, one a word."""

    voice: str
    words: tuple[str, ...]


class ListLanguages(msgspec.Struct, frozen=True, tag="languages"):
    """Answered with a list of `Language`."""


EspeakRequest: TypeAlias = Speak | Pronounce | ListLanguages
