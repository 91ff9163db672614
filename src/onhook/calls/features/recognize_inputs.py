"""The states of a recognition, and what can come in."""

from enum import Enum, auto

import msgspec

from onhook.acs.models import Choice, Tone
from onhook.facts import PromptEnded, SpeechHeard


class RecognizeState(Enum):
    WAITING = auto()  # for its turn
    PROMPTING = auto()  # the prompt plays, and input does not count yet
    INTERRUPTIBLE = auto()  # the prompt plays, and input counts
    LISTENING = auto()  # the time for the first input runs
    COLLECTING = auto()  # digits came; the time between digits runs
    HEARING = auto()  # somebody speaks
    OVER = auto()


class BeginProtected(msgspec.Struct, frozen=True):
    """Input: its turn, with a prompt that is to be heard to its end."""


class BeginInterruptible(msgspec.Struct, frozen=True):
    """Input: its turn, with a prompt that input ends."""


class BeginUnprompted(msgspec.Struct, frozen=True):
    """Input: its turn, without a prompt."""


class PromptPlayed(msgspec.Struct, frozen=True):
    """Input: the prompt is over."""


class PromptBroke(msgspec.Struct, frozen=True):
    """Input: the prompt cannot be played."""

    fact: PromptEnded


class PromptCut(msgspec.Struct, frozen=True):
    """Input: media stopped the prompt by itself."""


class ToneCounted(msgspec.Struct, frozen=True):
    """Input: a digit, with more to come."""

    tone: Tone


class LastTone(msgspec.Struct, frozen=True):
    """Input: the last digit of those asked for."""

    tone: Tone


class StopTone(msgspec.Struct, frozen=True):
    """Input: a digit that ends the input."""


class ChoiceTone(msgspec.Struct, frozen=True):
    """Input: the digit of a choice."""

    choice: Choice


class WrongTone(msgspec.Struct, frozen=True):
    """Input: a digit of no choice."""

    tone: Tone


class Understood(msgspec.Struct, frozen=True):
    """Input: words."""

    fact: SpeechHeard


class NotUnderstood(msgspec.Struct, frozen=True):
    """Input: speech, and no words in it."""


class ChoiceSaid(msgspec.Struct, frozen=True):
    """Input: a phrase of a choice."""

    choice: Choice
    phrase: str
    confidence: float


class NoChoiceSaid(msgspec.Struct, frozen=True):
    """Input: words of no choice."""

    text: str


class SilenceExpired(msgspec.Struct, frozen=True):
    """Input: the time for the first input is over."""


class GapExpired(msgspec.Struct, frozen=True):
    """Input: the time between two digits is over."""


class SpeechExpired(msgspec.Struct, frozen=True):
    """Input: the time to speak is over."""


class Ending(msgspec.Struct, frozen=True):
    """Input: it is ended from outside."""
