"""A referral: our REFER within a dialog, and the NOTIFYs that tell what became of it (RFC 3515).

The far end is asked to call somebody in our place. Its 2xx only says that it tries; NOTIFYs of the
subscription that comes with every REFER say how that goes. It is fed responses, NOTIFYs and the time, and
gives back effects and, exactly once, one of the signals ReferDone and ReferFailed.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Literal, TypeAlias

import msgspec

from onhook.effects import Destination, Record, Transmit
from onhook.facts import TimerFired
from onhook.machine import Machine, Outputs, nothing, rows
from onhook.sip.messages import Request, Response
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.refer import REFER, Told, event_of, read_notify
from onhook.sip.transaction import Failure, Provisional, Success, TimedOut, Undeliverable

TRANSFER = "transfer"
"""Name of the timer that gives up waiting for the end of a referral."""
GLARE_SECONDS = 2.5
"""How long after a 491 the REFER is sent again: the far end was asking something itself (RFC 3261 14.1)."""
MAX_TRIES = 4
"""REFERs of one referral, those with credentials and those after a 491 counted."""
PENDING = 491

Make: TypeAlias = Callable[[], tuple[Request, Destination]]
"""The REFER, anew each time: with the next CSeq number, and credentials as far as they are known."""


class State(Enum):
    IDLE = auto()
    SENT = auto()  # no final response yet; NOTIFYs may be faster (section 2.4.4)
    WAITING = auto()  # 491: to be sent again
    ACCEPTED = auto()  # 2xx: NOTIFYs follow
    ENDED = auto()


class Refer(msgspec.Struct, frozen=True):
    """Input: send the REFER."""


class AskedAgain(msgspec.Struct, frozen=True):
    """Input: a response that another REFER may answer: a challenge that our credentials fit, or 491."""

    response: Response


class GlareOver(msgspec.Struct, frozen=True):
    """Input: the time after a 491 is over."""


class ReferExpired(msgspec.Struct, frozen=True):
    """Input: the time allowed for all of it is over."""


class Unsubscribed(msgspec.Struct, frozen=True):
    """Input: a 2xx that says there will be no NOTIFY (RFC 4488)."""


class FarEndLeft(msgspec.Struct, frozen=True):
    """Input: the far end ended the dialog."""


class Dropped(msgspec.Struct, frozen=True):
    """Input: our side ends the dialog, and wants to hear nothing more."""


class Finished(msgspec.Struct, frozen=True):
    """Input: the NOTIFY that tells the outcome."""

    told: Told


class ReferProgressed(msgspec.Struct, frozen=True):
    """Signal: a NOTIFY told of a provisional response of the target."""

    status: int


class ReferDone(msgspec.Struct, frozen=True):
    """Signal: the target answered, or (`told` 0) the far end left us for it without a word."""

    told: int


ReferFault: TypeAlias = Literal[
    "refused",  # the REFER got a final response that is no 2xx
    "target",  # a NOTIFY told of a final response of the target
    "untold",  # the subscription ended without one
    "left",  # the far end ended the dialog before it took the REFER
    "timeout",
    "undeliverable",
]


class ReferFailed(msgspec.Struct, frozen=True):
    """Signal: it came to nothing; the dialog goes on. `status` is 0 where no response says so."""

    why: ReferFault
    status: int = 0
    phrase: str = ""


ReferSignal: TypeAlias = ReferProgressed | ReferDone | ReferFailed


class Referral(Machine[State]):
    """`may_authorize` takes a 401 or 407: True if `make` can answer it now."""

    def __init__(
        self,
        leg: str,
        make: Make,
        *,
        may_authorize: Callable[[Response], bool],
        seconds: float,
        now: float,
    ) -> None:
        self.state = State.IDLE
        self.leg, self.now, self.seconds = leg, now, seconds
        self._make, self._may_authorize = make, may_authorize
        self._transaction: NonInviteClient | None = None
        self._numbers: list[int] = []  # CSeq of each REFER: the ids of its NOTIFYs
        self._timers: dict[type[GlareOver | ReferExpired], float] = {}

    # What goes in

    def start(self) -> Outputs:
        return self.handle(Refer())

    @property
    def over(self) -> bool:
        return self.state is State.ENDED

    def awaits(self, response: Response) -> bool:
        sent = self._transaction
        return sent is not None and sent.request.branch == response.branch

    def receive(self, response: Response, now: float) -> Outputs:
        self.now = now
        sent = self._transaction
        return [] if sent is None else self._rise(sent.receive(response, now))

    def subscribes(self, notify: Request) -> bool:
        """Is this NOTIFY one of ours to hear, and do we still want to?"""
        event, number = event_of(notify)
        ours = event == REFER and (number is None or number in self._numbers)
        return ours and self.state not in {State.IDLE, State.ENDED}

    def take_notify(self, notify: Request, now: float) -> Outputs:
        self.now = now
        told = read_notify(notify)
        final = told.status >= 200 or told.terminated
        received: object = Finished(told) if final else told
        return self.handle(received) if self.accepts(type(received)) else []

    def fail(self, error: str, now: float) -> Outputs:
        self.now = now
        sent = self._transaction
        return [] if sent is None else self._rise(sent.fail(error, now))

    def leave(self) -> Outputs:
        """The far end ended the dialog."""
        return self.handle(FarEndLeft())

    def drop(self) -> None:
        self.handle(Dropped())

    @property
    def deadline(self) -> float | None:
        times = list(self._timers.values())
        if self._transaction is not None and self._transaction.deadline is not None:
            times.append(self._transaction.deadline)
        return min(times) if times else None

    def handle_timeout(self, now: float) -> Outputs:
        self.now = now
        outputs: Outputs = []
        if self._transaction is not None:
            outputs += self._rise(self._transaction.handle_timeout(now))
        for kind in [kind for kind, at in self._timers.items() if at <= now]:
            if self._timers.pop(kind, None) is not None:
                outputs += self.handle(kind())
        return outputs

    def _rise(self, outputs: Outputs) -> Outputs:
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, Transmit | Record):
                risen.append(output)
            elif not isinstance(output, Provisional):
                received = self._weigh(output)
                risen += self.handle(received) if self.accepts(type(received)) else []
        return risen

    def _weigh(self, output: object) -> object:
        """What a final response means for us, beyond its class."""
        if isinstance(output, Success):
            silent = output.response.headers.get("refer-sub").strip().lower() == "false"
            return Unsubscribed() if silent else output
        if not isinstance(output, Failure) or len(self._numbers) >= MAX_TRIES:
            return output
        response = output.response
        asked = response.status in {401, 407} and self._may_authorize(response)
        return AskedAgain(response) if asked or response.status == PENDING else output

    def _end(self, signal: ReferDone | ReferFailed) -> Outputs:
        self._timers.clear()
        return [signal]

    # Actions

    def send(self, received: Refer | GlareOver) -> Outputs:
        if isinstance(received, Refer):
            self._timers[ReferExpired] = self.now + self.seconds
        request, to = self._make()
        self._numbers.append(request.cseq.number if request.cseq else 0)
        self._transaction = NonInviteClient(self.leg, request, to, self.now)
        return self._transaction.start()

    def ask_again(self, asked: AskedAgain) -> Outputs:
        if asked.response.status == PENDING:
            self._timers[GlareOver] = self.now + GLARE_SECONDS
            return []
        return self.handle(GlareOver())

    def progress(self, told: Told) -> Outputs:
        return [ReferProgressed(told.status)] if told.status else []

    def finish(self, finished: Finished) -> Outputs:
        told = finished.told
        if 200 <= told.status < 300:
            return self._end(ReferDone(told.status))
        if told.status >= 300:
            return self._end(ReferFailed("target", told.status, told.phrase))
        return self._end(ReferFailed("untold", 0, told.reason))

    def refused(self, failure: Failure) -> Outputs:
        response = failure.response
        return self._end(ReferFailed("refused", response.status, response.reason))

    def done(self, _: Unsubscribed | FarEndLeft) -> Outputs:
        """No word of the target will come; it agreed, and if it left, then for the target (RFC 5589 6.1)."""
        return self._end(ReferDone(0))

    def left(self, _: FarEndLeft) -> Outputs:
        return self._end(ReferFailed("left"))

    def time_out(self, _: TimedOut) -> Outputs:
        return self._end(ReferFailed("timeout"))

    def expire(self, _: ReferExpired) -> Outputs:
        fired = TimerFired(at=self.now, leg=self.leg, name=TRANSFER, after_seconds=self.seconds)
        return [Record(fired), *self._end(ReferFailed("timeout"))]

    def undeliverable(self, error: Undeliverable) -> Outputs:
        return self._end(ReferFailed("undeliverable", 0, error.error))

    def forget(self, _: Dropped) -> Outputs:
        self._timers.clear()
        return []

    TABLE = {
        (State.IDLE, Refer): (State.SENT, send),
        (State.SENT, Told): (State.SENT, progress),
        (State.SENT, Finished): (State.ENDED, finish),
        (State.SENT, Success): (State.ACCEPTED, nothing),
        (State.SENT, Unsubscribed): (State.ENDED, done),
        (State.SENT, Failure): (State.ENDED, refused),
        (State.SENT, AskedAgain): (State.WAITING, ask_again),
        (State.SENT, TimedOut): (State.ENDED, time_out),
        (State.SENT, Undeliverable): (State.ENDED, undeliverable),
        (State.SENT, FarEndLeft): (State.ENDED, left),
        (State.WAITING, GlareOver): (State.SENT, send),
        (State.WAITING, FarEndLeft): (State.ENDED, left),
        (State.ACCEPTED, Told): (State.ACCEPTED, progress),
        (State.ACCEPTED, Finished): (State.ENDED, finish),
        (State.ACCEPTED, FarEndLeft): (State.ENDED, done),
        (State.ENDED, FarEndLeft): (State.ENDED, nothing),
        **dict.fromkeys(
            rows([State.SENT, State.WAITING, State.ACCEPTED], ReferExpired), (State.ENDED, expire)
        ),
        **dict.fromkeys(rows(list(State)[1:], Dropped), (State.ENDED, forget)),
    }
