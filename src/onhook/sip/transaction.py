"""What the four transactions share: timers, sending, and the words in which they speak upwards.

A transaction is fed messages and the time; it gives back effects (`Transmit`, `Record`) and signals.
On a reliable transport nothing is retransmitted and the absorbing timers are zero (RFC 3261 section 17).
"""

from enum import Enum
from operator import itemgetter
from typing import ClassVar, TypeVar

import msgspec

from onhook.effects import Destination, Record, Transmit
from onhook.facts import TimerFired
from onhook.machine import Machine, Outputs
from onhook.sip.messages import Request, Response

S = TypeVar("S", bound=Enum)


class Provisional(msgspec.Struct, frozen=True, gc=False):
    """1xx: an input of a client transaction, and its signal upwards."""

    response: Response


class Success(msgspec.Struct, frozen=True, gc=False):
    """2xx, each time it comes: the user of an INVITE transaction acknowledges every one."""

    response: Response


class Failure(msgspec.Struct, frozen=True, gc=False):
    """3xx to 6xx."""

    response: Response


class TimedOut(msgspec.Struct, frozen=True, gc=False):
    """Signal: the transaction gave up; `timer` is "B", "F" or "H"."""

    timer: str


class Undeliverable(msgspec.Struct, frozen=True, gc=False):
    """Input and signal: the transport could not carry the message (RFC 3261 sections 17.1.4, 17.2.4)."""

    error: str


class Timer:
    """Base of the timer inputs; a class is the timer's name in a table."""


def classify(response: Response) -> Provisional | Success | Failure:
    if response.status < 200:
        return Provisional(response)
    return Success(response) if response.status < 300 else Failure(response)


RELIABLE = frozenset({"tcp", "tls", "ws", "wss"})


class Transaction(Machine[S]):
    TERMINATED: ClassVar[Enum]

    def __init__(self, leg: str, to: Destination, now: float) -> None:
        self.leg, self.now = leg, now
        self.to: Destination = to
        self.reliable: bool = to.transport in RELIABLE
        self.deadlines: dict[type[Timer], float] = {}

    @property
    def deadline(self) -> float | None:
        """When `handle_timeout` wants to be called next."""
        return min(self.deadlines.values()) if self.deadlines else None

    @property
    def terminated(self) -> bool:
        return self.state is self.TERMINATED

    def handle_timeout(self, now: float) -> Outputs:
        """Run every timer due at `now`, the earliest first."""
        self.now = now
        outputs: Outputs = []
        due = sorted(((at, timer) for timer, at in self.deadlines.items() if at <= now), key=itemgetter(0))
        for _, timer in due:
            if self.deadlines.pop(timer, None) is not None:  # an earlier one may have stopped it
                outputs += self.handle(timer())
        return outputs

    def fail(self, error: str, now: float) -> Outputs:
        """The transport could not carry what this transaction sent last."""
        self.now = now
        return self.handle(Undeliverable(error)) if self.accepts(Undeliverable) else []

    def transmit(self, message: Request | Response) -> Outputs:
        return [Transmit(message.to_bytes(), self.to)]

    def fired(self, name: str, after_seconds: float) -> Record:
        return Record(TimerFired(at=self.now, leg=self.leg, name=name, after_seconds=after_seconds))
