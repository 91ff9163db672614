"""What a leg tells its call, and how far a leg has come."""

from collections.abc import Callable
from enum import Enum, auto

import msgspec

from onhook.effects import Effect
from onhook.endings.verdict import Verdict


class Standing(Enum):
    TRYING = auto()  # rings, or is being reached
    CONNECTED = auto()
    LEAVING = auto()  # our side let it go; the far end has not confirmed
    ENDED = auto()


class Presence:
    """What every leg has, whatever its signalling."""

    standing = Standing.TRYING
    muted = False
    held = False
    aside = ""
    """The name of the room that it shares with another leg, apart from the rest of the call."""
    dismissed = False
    """Taken out by our side, by itself."""
    invited = False
    """Rung by an operation while the call was up."""
    seeks = False
    """Its trunk failed, and another one is looked for."""


class LegRang(msgspec.Struct, frozen=True):
    """Signal: the far end rings, or its announcement plays."""


class LegConnected(msgspec.Struct, frozen=True):
    """Signal: answered, with media that we can use."""


class LegUnusable(msgspec.Struct, frozen=True):
    """Signal: answered, but with media that we cannot use; the session is being released."""

    why: str


class LegEnded(msgspec.Struct, frozen=True):
    """Signal, once: the session is over, refused or released."""


class LegVerdict(msgspec.Struct, frozen=True):
    """Output: to be told of one leg, when every fact of the turn is known."""

    leg: str
    tell: Callable[[Verdict], Effect]


LegSignal = LegRang | LegConnected | LegUnusable | LegEnded
