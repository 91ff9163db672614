"""The states of a call, its inputs that concern every call, and the times that it knows."""

from enum import Enum, auto
from typing import TypeAlias

import msgspec

from onhook.acs.models import CallConnectionStateModel
from onhook.calls.inputs import LateSetupExpired
from onhook.calls.routing import Chosen, NotRouted
from onhook.facts import MediaMeasured

RELEASE_SECONDS = 4.0
"""How long a BYE may stay unanswered before the application is told all the same."""
MAX_TRACEBACK = 8000
MAX_UNREADABLE = 100
"""Unreadable messages of one call that are kept; more prove nothing new."""


class State(Enum):
    NEW = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    DISCONNECTING = auto()  # our side hung up; the far end has not confirmed
    CLOSING = auto()  # the leg is over; its media is being counted
    ENDED = auto()


STATE_ON_THE_WIRE = {
    State.NEW: CallConnectionStateModel.CONNECTING,
    State.CONNECTING: CallConnectionStateModel.CONNECTING,
    State.CONNECTED: CallConnectionStateModel.CONNECTED,
    State.DISCONNECTING: CallConnectionStateModel.DISCONNECTING,
    State.CLOSING: CallConnectionStateModel.DISCONNECTING,
    State.ENDED: CallConnectionStateModel.DISCONNECTED,
}


class Placed(msgspec.Struct, frozen=True):
    """Input: the call was created, and this is what routing said."""

    routed: Chosen | NotRouted


class HangUpAsked(msgspec.Struct, frozen=True):
    """Input: the application hangs up or terminates."""


class SetupExpired(msgspec.Struct, frozen=True):
    """Input: nobody answered within the set-up time."""


class DurationExpired(msgspec.Struct, frozen=True):
    """Input: the call reached the longest time a call may last."""


class ReleaseExpired(msgspec.Struct, frozen=True):
    """Input: the far end did not confirm our hang-up in time."""


class MediaClosed(msgspec.Struct, frozen=True):
    """Input: the leg's media is closed; this is what went through."""

    fact: MediaMeasured


class Restarted(msgspec.Struct, frozen=True):
    """Input: the server was started again and found this call open."""


class Faulted(msgspec.Struct, frozen=True):
    """Input: our own code failed while it handled this call."""


Clock: TypeAlias = type[SetupExpired | DurationExpired | ReleaseExpired | LateSetupExpired]
