"""The non-INVITE server transaction (RFC 3261 section 17.2.2)."""

from enum import Enum, auto

import msgspec

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs, nothing
from onhook.sip.messages import Request, Response
from onhook.sip.timers import GIVE_UP
from onhook.sip.transaction import Failure, Provisional, Success, Timer, Transaction, Undeliverable, classify


class State(Enum):
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class RequestRepeated(msgspec.Struct, frozen=True, gc=False):
    """The request came again."""


class TimerJ(Timer):
    """Stop answering repeated requests."""


class NonInviteServer(Transaction[State]):
    """Signals upwards: Undeliverable."""

    TERMINATED = State.TERMINATED

    def __init__(self, leg: str, request: Request, to: Destination, now: float) -> None:
        super().__init__(leg, to, now)
        self.state = State.TRYING
        self.request = request
        self._last = b""

    def receive(self, _request: Request, now: float) -> Outputs:
        """The same request again (RFC 3261 section 17.2.3)."""
        self.now = now
        return self.handle(RequestRepeated()) if self.accepts(RequestRepeated) else []

    def respond(self, response: Response, now: float) -> Outputs:
        """Send `response`; a second final one raises UnexpectedInput."""
        self.now = now
        return self.handle(classify(response))

    # Actions

    def send(self, sent: Provisional) -> Outputs:
        self._last = sent.response.to_bytes()
        return [Transmit(self._last, self.to)]

    def complete(self, sent: Success | Failure) -> Outputs:
        self._last = sent.response.to_bytes()
        self.deadlines = {TimerJ: self.now + (0.0 if self.reliable else GIVE_UP)}
        return [Transmit(self._last, self.to)]

    def repeat(self, _: RequestRepeated) -> Outputs:
        return [Transmit(self._last, self.to)]

    def stop(self, error: Undeliverable) -> Outputs:
        self.deadlines.clear()
        return [error]

    TABLE = {
        (State.TRYING, RequestRepeated): (State.TRYING, nothing),
        (State.TRYING, Provisional): (State.PROCEEDING, send),
        (State.TRYING, Success): (State.COMPLETED, complete),
        (State.TRYING, Failure): (State.COMPLETED, complete),
        (State.PROCEEDING, RequestRepeated): (State.PROCEEDING, repeat),
        (State.PROCEEDING, Provisional): (State.PROCEEDING, send),
        (State.PROCEEDING, Success): (State.COMPLETED, complete),
        (State.PROCEEDING, Failure): (State.COMPLETED, complete),
        (State.PROCEEDING, Undeliverable): (State.TERMINATED, stop),
        (State.COMPLETED, RequestRepeated): (State.COMPLETED, repeat),
        (State.COMPLETED, TimerJ): (State.TERMINATED, nothing),
        (State.COMPLETED, Undeliverable): (State.TERMINATED, stop),
    }
