"""The non-INVITE client transaction (RFC 3261 section 17.1.2)."""

from enum import Enum, auto

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs, nothing
from onhook.sip.messages import Request, Response
from onhook.sip.size import fit
from onhook.sip.timers import GIVE_UP, T1, T2, T4
from onhook.sip.transaction import (
    Failure,
    Provisional,
    Success,
    TimedOut,
    Timer,
    Transaction,
    Undeliverable,
    classify,
)


class State(Enum):
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class TimerE(Timer):
    """Retransmit the request, doubling up to T2."""


class TimerF(Timer):
    """Give up waiting for a final response."""


class TimerK(Timer):
    """Stop absorbing repeated responses."""


class NonInviteClient(Transaction[State]):
    """Signals upwards: Provisional, Success or Failure (once), TimedOut, Undeliverable."""

    TERMINATED = State.TERMINATED

    def __init__(self, leg: str, request: Request, to: Destination, now: float) -> None:
        self._by_udp: tuple[Request, Destination] = request, to
        request, to = fit(request, to)
        super().__init__(leg, to, now)
        self.state = State.TRYING
        self.request: Request = request
        self._data: bytes = request.to_bytes()
        self._interval = T1

    def start(self) -> Outputs:
        self.deadlines[TimerF] = self.now + GIVE_UP
        if not self.reliable:
            self.deadlines[TimerE] = self.now + T1
        return [Transmit(self._data, self.to)]

    def fail(self, error: str, now: float) -> Outputs:
        """What was too long for UDP is tried there all the same if nobody takes TCP (section 18.1.1)."""
        request, to = self._by_udp
        if to == self.to or self.state is not State.TRYING:
            return super().fail(error, now)
        self.now, self.request, self.to, self.reliable = now, request, to, False
        self._data = request.to_bytes()
        return self.start()

    def receive(self, response: Response, now: float) -> Outputs:
        self.now = now
        received = classify(response)
        return self.handle(received) if self.accepts(type(received)) else []

    # Actions

    def retransmit(self, _: TimerE) -> Outputs:
        self._interval = min(self._interval * 2, T2)
        self.deadlines[TimerE] = self.now + self._interval
        return [Transmit(self._data, self.to)]

    def retransmit_slowly(self, _: TimerE) -> Outputs:
        self.deadlines[TimerE] = self.now + T2
        return [Transmit(self._data, self.to)]

    def pass_up(self, received: Provisional) -> Outputs:
        return [received]

    def complete(self, received: Success | Failure) -> Outputs:
        self.deadlines = {TimerK: self.now + (0.0 if self.reliable else T4)}
        return [received]

    def give_up(self, _: TimerF) -> Outputs:
        self.deadlines.clear()
        return [self.fired("F", GIVE_UP), TimedOut("F")]

    def stop(self, error: Undeliverable) -> Outputs:
        self.deadlines.clear()
        return [error]

    TABLE = {
        (State.TRYING, TimerE): (State.TRYING, retransmit),
        (State.TRYING, TimerF): (State.TERMINATED, give_up),
        (State.TRYING, Provisional): (State.PROCEEDING, pass_up),
        (State.TRYING, Success): (State.COMPLETED, complete),
        (State.TRYING, Failure): (State.COMPLETED, complete),
        (State.TRYING, Undeliverable): (State.TERMINATED, stop),
        (State.PROCEEDING, TimerE): (State.PROCEEDING, retransmit_slowly),
        (State.PROCEEDING, TimerF): (State.TERMINATED, give_up),
        (State.PROCEEDING, Provisional): (State.PROCEEDING, pass_up),
        (State.PROCEEDING, Success): (State.COMPLETED, complete),
        (State.PROCEEDING, Failure): (State.COMPLETED, complete),
        (State.PROCEEDING, Undeliverable): (State.TERMINATED, stop),
        (State.COMPLETED, TimerK): (State.TERMINATED, nothing),
    }
