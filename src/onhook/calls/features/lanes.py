"""Which media operations may run or wait beside each other, for one application in one call.

Documented (Microsoft, control mid-call media actions, media action compatibility table):

| Runs or waits                  | May run or wait beside it      | Refused with 412/8583            |
|--------------------------------|--------------------------------|----------------------------------|
| play to all, recognize         | everything                     |                                  |
| (not a group)                  |                                |                                  |
| play to some, recognize        | play to all, recognize         | play to some, recognize (group), |
| (group), digits sent           | (not a group)                  | digits sent, continuous digits   |
| continuous digits              | everything                     |                                  |

What is for everyone goes through the main lane, one after the other; what is for one participant has the
lane of that participant, where nothing waits. Lanes do not hinder each other: a prompt to one participant
is heard together with one to all. Assumed: the table counts by participant; interruptCallMediaOperation ends
what runs and waits in its own lane, and also in that of a participant.
"""

from enum import Enum, auto
from typing import TypeAlias

import msgspec

from onhook.calls.features.media_operation import MediaOperation
from onhook.facts import OperationEnd
from onhook.machine import Machine, Outputs, nothing

MAX_WAITING = 100
"""Operations that may wait in a main lane; a limit of ours."""
CANCELLED = "the application cancelled all media operations"
INTERRUPTED = "another operation with interruptCallMediaOperation took its place"


class LaneState(Enum):
    FREE = auto()
    BUSY = auto()
    QUEUED = auto()  # busy, and others wait
    SENDING = auto()  # digits are on their way, which cannot be taken back


class Asked(msgspec.Struct, frozen=True):
    """Input: an operation that waits for its turn."""

    operation: MediaOperation


class Interrupting(msgspec.Struct, frozen=True):
    """Input: an operation that jumps in."""

    operation: MediaOperation


class TonesToSend(msgspec.Struct, frozen=True):
    """Input: digits that are to be sent."""

    operation: MediaOperation


class TonesAsked(msgspec.Struct, frozen=True):
    """Input: continuous recognition of digits begins; it takes no place in the lane."""


class Over(msgspec.Struct, frozen=True):
    """Input: the operation that ran is over."""


class Withdrawn(msgspec.Struct, frozen=True):
    """Input: an operation that waited is over before its turn."""

    operation: MediaOperation


class Cancelled(msgspec.Struct, frozen=True):
    """Input: the application cancels what can be cancelled."""


class Cleared(msgspec.Struct, frozen=True):
    """Input: everything in the lane ends, as the call or its application does."""

    how: OperationEnd
    why: str


class Begin(msgspec.Struct, frozen=True):
    """Signal: it is the turn of this operation."""

    operation: MediaOperation


class Abandon(msgspec.Struct, frozen=True):
    """Signal: this operation has lost its place."""

    operation: MediaOperation
    how: OperationEnd
    why: str


class MainLane(Machine[LaneState]):
    """What an application plays to everyone, or recognises in a call that is no group: one at a time."""

    def __init__(self) -> None:
        self.state = LaneState.FREE
        self.running: MediaOperation | None = None
        self.waiting: list[MediaOperation] = []

    def begin(self, asked: Asked | Interrupting) -> Outputs:
        self.running = asked.operation
        return [Begin(asked.operation)]

    def wait(self, asked: Asked) -> Outputs:
        self.waiting.append(asked.operation)
        return []

    def jump_in(self, asked: Interrupting) -> Outputs:
        return [*self.clear(Cleared("cancelled", INTERRUPTED)), *self.begin(asked)]

    def rest(self, _: Over) -> Outputs:
        self.running = None
        return []

    def go_on(self, _: Over) -> Outputs:
        """The next begins, and the others wait again."""
        waiting, self.waiting = self.waiting, []
        return [output for each in waiting for output in self.handle(Asked(each))]

    def thin_out(self, withdrawn: Withdrawn) -> Outputs:
        """The others wait again, if any are left."""
        waiting, self.waiting = self.waiting, []
        left = [each for each in waiting if each is not withdrawn.operation]
        return [output for each in left for output in self.handle(Asked(each))]

    def cancel(self, _: Cancelled) -> Outputs:
        return self.clear(Cleared("cancelled", CANCELLED))

    def clear(self, cleared: Cleared) -> Outputs:
        lost = [each for each in (self.running, *self.waiting) if each is not None]
        self.running, self.waiting = None, []
        return [Abandon(each, cleared.how, cleared.why) for each in lost]

    TABLE = {
        (LaneState.FREE, Asked): (LaneState.BUSY, begin),
        (LaneState.BUSY, Asked): (LaneState.QUEUED, wait),
        (LaneState.QUEUED, Asked): (LaneState.QUEUED, wait),
        (LaneState.FREE, Interrupting): (LaneState.BUSY, begin),
        (LaneState.BUSY, Interrupting): (LaneState.BUSY, jump_in),
        (LaneState.QUEUED, Interrupting): (LaneState.BUSY, jump_in),
        (LaneState.BUSY, Over): (LaneState.FREE, rest),
        (LaneState.QUEUED, Over): (LaneState.FREE, go_on),
        (LaneState.QUEUED, Withdrawn): (LaneState.BUSY, thin_out),
        (LaneState.BUSY, Cancelled): (LaneState.FREE, cancel),
        (LaneState.QUEUED, Cancelled): (LaneState.FREE, cancel),
        (LaneState.BUSY, Cleared): (LaneState.FREE, clear),
        (LaneState.QUEUED, Cleared): (LaneState.FREE, clear),
    }


class SubLane(Machine[LaneState]):
    """What an application does with one participant: one thing, and nothing waits. No row means 412/8583.

    An operation for several participants stands in the lane of each; it is begun by who puts it there.
    """

    def __init__(self) -> None:
        self.state = LaneState.FREE
        self.running: MediaOperation | None = None

    def take(self, asked: Asked | Interrupting | TonesToSend) -> Outputs:
        self.running = asked.operation
        return []

    def jump_in(self, asked: Interrupting) -> Outputs:
        return [*self.clear(Cleared("cancelled", INTERRUPTED)), *self.take(asked)]

    def rest(self, _: Over) -> Outputs:
        self.running = None
        return []

    def cancel(self, _: Cancelled) -> Outputs:
        return self.clear(Cleared("cancelled", CANCELLED))

    def clear(self, cleared: Cleared) -> Outputs:
        lost, self.running = self.running, None
        return [] if lost is None else [Abandon(lost, cleared.how, cleared.why)]

    TABLE = {
        (LaneState.FREE, Asked): (LaneState.BUSY, take),
        (LaneState.FREE, Interrupting): (LaneState.BUSY, take),
        (LaneState.FREE, TonesAsked): (LaneState.FREE, nothing),
        (LaneState.BUSY, Interrupting): (LaneState.BUSY, jump_in),
        (LaneState.FREE, TonesToSend): (LaneState.SENDING, take),
        (LaneState.BUSY, Over): (LaneState.FREE, rest),
        (LaneState.SENDING, Over): (LaneState.FREE, rest),
        (LaneState.BUSY, Cancelled): (LaneState.FREE, cancel),
        (LaneState.BUSY, Cleared): (LaneState.FREE, clear),
        (LaneState.SENDING, Cleared): (LaneState.FREE, clear),
    }


Lane: TypeAlias = MainLane | SubLane
