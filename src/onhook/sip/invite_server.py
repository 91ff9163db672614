"""The INVITE server transaction (RFC 3261 section 17.2.1, RFC 6026 section 7.1)."""

from enum import Enum, auto

import msgspec

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs, nothing
from onhook.sip.messages import Request, Response
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
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class InviteRepeated(msgspec.Struct, frozen=True, gc=False):
    """The INVITE came again."""


class AckReceived(msgspec.Struct, frozen=True, gc=False):
    """Input and signal: the ACK of our final response."""

    request: Request


class TimerG(Timer):
    """Repeat the final response, doubling up to T2."""


class TimerH(Timer):
    """Give up waiting for the ACK."""


class TimerI(Timer):
    """Stop absorbing repeated ACKs."""


class TimerL(Timer):
    """Stop absorbing repeated INVITEs after a 2xx (RFC 6026)."""


class InviteServer(Transaction[State]):
    """Signals upwards: AckReceived, TimedOut("H"), Undeliverable.

    A 2xx is repeated by its sender, not here (RFC 3261 section 13.3.1.4): see answer.py.
    """

    TERMINATED = State.TERMINATED

    def __init__(self, leg: str, request: Request, to: Destination, now: float) -> None:
        super().__init__(leg, to, now)
        self.state = State.PROCEEDING
        self.request = request
        self._last = b""
        self._interval = T1

    def receive(self, request: Request, now: float) -> Outputs:
        """A repeated INVITE, or an ACK, that matches this transaction (RFC 3261 section 17.2.3)."""
        self.now = now
        received = AckReceived(request) if request.method == "ACK" else InviteRepeated()
        return self.handle(received) if self.accepts(type(received)) else []

    def respond(self, response: Response, now: float) -> Outputs:
        """Send `response`; refused responses (a second final one) raise UnexpectedInput."""
        self.now = now
        return self.handle(classify(response))

    # Actions

    def send(self, sent: Provisional | Success) -> Outputs:
        self._last = sent.response.to_bytes()
        return [Transmit(self._last, self.to)]

    def repeat(self, _: InviteRepeated) -> Outputs:
        return [Transmit(self._last, self.to)] if self._last else []

    def accept(self, sent: Success) -> Outputs:
        self.deadlines = {TimerL: self.now + GIVE_UP}
        return self.send(sent)

    def refuse(self, sent: Failure) -> Outputs:
        self._last = sent.response.to_bytes()
        self.deadlines = {TimerH: self.now + GIVE_UP}
        if not self.reliable:
            self.deadlines[TimerG] = self.now + T1
        return [Transmit(self._last, self.to)]

    def repeat_refusal(self, _: TimerG) -> Outputs:
        self._interval = min(self._interval * 2, T2)
        self.deadlines[TimerG] = self.now + self._interval
        return [Transmit(self._last, self.to)]

    def confirm(self, received: AckReceived) -> Outputs:
        self.deadlines = {TimerI: self.now + (0.0 if self.reliable else T4)}
        return [received]

    def pass_up(self, received: AckReceived) -> Outputs:
        return [received]

    def give_up(self, _: TimerH) -> Outputs:
        self.deadlines.clear()
        return [self.fired("H", GIVE_UP), TimedOut("H")]

    def stop(self, error: Undeliverable) -> Outputs:
        self.deadlines.clear()
        return [error]

    TABLE = {
        (State.PROCEEDING, InviteRepeated): (State.PROCEEDING, repeat),
        (State.PROCEEDING, Provisional): (State.PROCEEDING, send),
        (State.PROCEEDING, Success): (State.ACCEPTED, accept),
        (State.PROCEEDING, Failure): (State.COMPLETED, refuse),
        (State.PROCEEDING, Undeliverable): (State.TERMINATED, stop),
        (State.COMPLETED, InviteRepeated): (State.COMPLETED, repeat),
        (State.COMPLETED, TimerG): (State.COMPLETED, repeat_refusal),
        (State.COMPLETED, TimerH): (State.TERMINATED, give_up),
        (State.COMPLETED, AckReceived): (State.CONFIRMED, confirm),
        (State.COMPLETED, Undeliverable): (State.TERMINATED, stop),
        (State.CONFIRMED, AckReceived): (State.CONFIRMED, nothing),
        (State.CONFIRMED, TimerI): (State.TERMINATED, nothing),
        (State.ACCEPTED, InviteRepeated): (State.ACCEPTED, nothing),
        (State.ACCEPTED, Success): (State.ACCEPTED, send),
        (State.ACCEPTED, AckReceived): (State.ACCEPTED, pass_up),
        (State.ACCEPTED, TimerL): (State.TERMINATED, nothing),
    }
