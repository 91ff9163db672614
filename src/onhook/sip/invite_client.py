"""The INVITE client transaction (RFC 3261 section 17.1.1, RFC 6026 section 7.2)."""

from enum import Enum, auto

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs, nothing
from onhook.sip.messages import Headers, Request, Response
from onhook.sip.size import fit
from onhook.sip.timers import ABSORB, GIVE_UP, T1
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
    CALLING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class TimerA(Timer):
    """Retransmit the INVITE, doubling."""


class TimerB(Timer):
    """Give up waiting for any response."""


class TimerD(Timer):
    """Stop absorbing repeated failures."""


class TimerM(Timer):
    """Stop taking repeated successes (RFC 6026)."""


def acknowledge_failure(invite: Request, failure: Response) -> Request:
    """The ACK of a non-2xx final response, within the transaction (RFC 3261 section 17.1.1.3)."""
    headers = Headers.of(("via", invite.headers.values("via")[0]))
    headers.add("max-forwards", "70")
    headers.add("from", invite.headers.get("from"))
    headers.add("to", failure.headers.get("to") or invite.headers.get("to"))
    headers.add("call-id", invite.call_id)
    headers.add("cseq", f"{invite.cseq.number if invite.cseq else 1} ACK")
    for route in invite.headers.all("route"):
        headers.add("route", route)
    return Request("ACK", invite.uri, headers)


class InviteClient(Transaction[State]):
    """Signals upwards: Provisional, Success (every one), Failure (once), TimedOut, Undeliverable."""

    TERMINATED = State.TERMINATED

    def __init__(self, leg: str, request: Request, to: Destination, now: float) -> None:
        self._by_udp: tuple[Request, Destination] = request, to
        request, to = fit(request, to)
        super().__init__(leg, to, now)
        self.state = State.CALLING
        self.request: Request = request
        self._data: bytes = request.to_bytes()
        self._ack = b""
        self._interval = T1

    def start(self) -> Outputs:
        self.deadlines[TimerB] = self.now + GIVE_UP
        if not self.reliable:
            self.deadlines[TimerA] = self.now + T1
        return [Transmit(self._data, self.to)]

    def fail(self, error: str, now: float) -> Outputs:
        """What was too long for UDP is tried there all the same if nobody takes TCP (section 18.1.1)."""
        request, to = self._by_udp
        if to == self.to or self.state is not State.CALLING:
            return super().fail(error, now)
        self.now, self.request, self.to, self.reliable = now, request, to, False
        self._data = request.to_bytes()
        return self.start()

    def receive(self, response: Response, now: float) -> Outputs:
        self.now = now
        received = classify(response)
        return self.handle(received) if self.accepts(type(received)) else []

    # Actions

    def retransmit(self, _: TimerA) -> Outputs:
        self._interval *= 2
        self.deadlines[TimerA] = self.now + self._interval
        return [Transmit(self._data, self.to)]

    def proceed(self, received: Provisional) -> Outputs:
        self.deadlines.clear()
        return [received]

    def accept(self, received: Success) -> Outputs:
        self.deadlines = {TimerM: self.now + GIVE_UP}
        return [received]

    def pass_up(self, received: Success) -> Outputs:
        return [received]

    def refuse(self, received: Failure) -> Outputs:
        self._ack = acknowledge_failure(self.request, received.response).to_bytes()
        self.deadlines = {TimerD: self.now + (0.0 if self.reliable else ABSORB)}
        return [Transmit(self._ack, self.to), received]

    def acknowledge_again(self, _: Failure) -> Outputs:
        return [Transmit(self._ack, self.to)]

    def give_up(self, _: TimerB) -> Outputs:
        self.deadlines.clear()
        return [self.fired("B", GIVE_UP), TimedOut("B")]

    def stop(self, error: Undeliverable) -> Outputs:
        self.deadlines.clear()
        return [error]

    TABLE = {
        (State.CALLING, TimerA): (State.CALLING, retransmit),
        (State.CALLING, TimerB): (State.TERMINATED, give_up),
        (State.CALLING, Provisional): (State.PROCEEDING, proceed),
        (State.CALLING, Success): (State.ACCEPTED, accept),
        (State.CALLING, Failure): (State.COMPLETED, refuse),
        (State.CALLING, Undeliverable): (State.TERMINATED, stop),
        (State.PROCEEDING, Provisional): (State.PROCEEDING, proceed),
        (State.PROCEEDING, Success): (State.ACCEPTED, accept),
        (State.PROCEEDING, Failure): (State.COMPLETED, refuse),
        (State.ACCEPTED, Success): (State.ACCEPTED, pass_up),
        (State.ACCEPTED, TimerM): (State.TERMINATED, nothing),
        (State.COMPLETED, Failure): (State.COMPLETED, acknowledge_again),
        (State.COMPLETED, TimerD): (State.TERMINATED, nothing),
        (State.COMPLETED, Undeliverable): (State.TERMINATED, stop),
    }
