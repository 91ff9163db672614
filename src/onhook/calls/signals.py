"""What a leg tells its call, and how far a leg has come."""

from enum import Enum, auto

import msgspec


class Standing(Enum):
    TRYING = auto()  # rings, or is being reached
    CONNECTED = auto()
    ENDED = auto()


class LegRang(msgspec.Struct, frozen=True):
    """Signal: the far end rings, or its announcement plays."""


class LegConnected(msgspec.Struct, frozen=True):
    """Signal: answered, with media that we can use."""


class LegUnusable(msgspec.Struct, frozen=True):
    """Signal: answered, but with media that we cannot use; the session is being released."""

    why: str


class LegEnded(msgspec.Struct, frozen=True):
    """Signal, once: the session is over, refused or released."""


LegSignal = LegRang | LegConnected | LegUnusable | LegEnded
