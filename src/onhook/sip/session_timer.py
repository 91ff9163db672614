"""The session timer: a session whose far end vanished without BYE ends in known time (RFC 4028).

Both ends agree, in the INVITE and its 2xx, after how long a session is over unless one of them, the
refresher, asks again. We ask with UPDATE where the far end takes it, else with a re-INVITE that repeats our
last description. It is fed responses, what the far end's own requests say, and the time; it gives back
effects, `Renewed` and, once, `SessionExpired`.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Literal, TypeAlias

import msgspec

from onhook.effects import Destination, Record, Transmit
from onhook.facts import TimerFired
from onhook.machine import Machine, Outputs, nothing, rows
from onhook.sip.headers import parse_number
from onhook.sip.invite_client import InviteClient
from onhook.sip.messages import Headers, Request, Response
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.transaction import Failure, Provisional, Success, TimedOut, Undeliverable

SESSION_EXPIRES = "session-expires"
"""Name of the timer that ends a session which nobody refreshed."""
LEAST_SECONDS = 90
"""The shortest interval that may be asked for (section 4)."""
MOST_SECONDS = 86_400 * 7
"""A longer interval is as good as none."""
GLARE_SECONDS = 2.5
"""How long after a 491 we ask again (RFC 3261 section 14.1)."""
TOO_BRIEF = 422
GONE = frozenset({408, 481})
"""Answers to a refresh that say that the far end knows the session no more (section 10)."""
NOT_AS_THAT = frozenset({405, 501})

Who: TypeAlias = Literal["us", "them"]
Make: TypeAlias = Callable[[str, int], tuple[Request, Destination]]
""""UPDATE" or "INVITE", and the interval in seconds -> the request, anew each time."""
Acknowledge: TypeAlias = Callable[[Request], Transmit]
"""The ACK of a 2xx to that re-INVITE."""


class State(Enum):
    OFF = auto()
    RUNNING = auto()
    REFRESHING = auto()  # our UPDATE or re-INVITE is out
    ENDED = auto()


class Agreed(msgspec.Struct, frozen=True):
    """Input: both ends agree on this interval (seconds), and on who refreshes; 0: on no interval."""

    seconds: int
    who: Who


class RefreshDue(msgspec.Struct, frozen=True):
    """Input: it is our turn to ask."""


class AskAgain(msgspec.Struct, frozen=True):
    """Input: a failure that another refresh may mend: credentials, a longer interval, another method, 491."""

    after_seconds: float


class FarEndForgot(msgspec.Struct, frozen=True):
    """Input: the refresh found no session, or nobody."""


class Expired(msgspec.Struct, frozen=True):
    """Input: nobody refreshed in time."""


class Stopped(msgspec.Struct, frozen=True):
    """Input: the session ends for another reason."""


class Renewed(msgspec.Struct, frozen=True):
    """Signal: the 2xx to our re-INVITE; its body answers our repeated offer."""

    response: Response


class SessionExpired(msgspec.Struct, frozen=True):
    """Signal: the session has to be released."""


def wish(wanted_seconds: int, least_seconds: int = LEAST_SECONDS) -> list[tuple[str, str]]:
    """What our INVITE says; with 0 only that a wish of the far end is understood."""
    if not wanted_seconds:
        return [("supported", "timer")]
    return [
        ("supported", "timer"),
        ("session-expires", str(wanted_seconds)),
        ("min-se", str(least_seconds)),
    ]


def interval_of(headers: Headers) -> tuple[int, str]:
    """(seconds, refresher) of a Session-Expires header; 0 where there is none that can be read."""
    value, _, params = headers.get("session-expires").partition(";")
    seconds = parse_number(value.strip(), MOST_SECONDS)
    named = [param.partition("=")[2] for param in params.split(";") if param.strip().startswith("refresher=")]
    return seconds or 0, named[0].strip().lower() if named else ""


def least_of(response: Response) -> int:
    """The Min-SE of a 422 in seconds; 0 if it names none that we could ask for."""
    seconds = parse_number(response.headers.get("min-se").partition(";")[0].strip(), MOST_SECONDS)
    return seconds if seconds is not None and seconds >= LEAST_SECONDS else 0


def agreed_by(response: Response) -> Agreed:
    """What the 2xx to a request of ours says: we are the uac."""
    seconds, refresher = interval_of(response.headers)
    return Agreed(max(seconds, LEAST_SECONDS) if seconds else 0, "them" if refresher == "uas" else "us")


def too_brief(request: Request) -> bool:
    """Whether the far end asks for less than the RFC allows, and can be told so."""
    seconds, _ = interval_of(request.headers)
    return 0 < seconds < LEAST_SECONDS and "timer" in request.headers.values("supported")


def answer_wish(request: Request, wanted_seconds: int) -> tuple[Agreed, list[tuple[str, str]]]:
    """What we agree to, and what our 2xx says of it (section 9, table 2): we are the uas."""
    asked, refresher = interval_of(request.headers)
    knows = "timer" in request.headers.values("supported") or "timer" in request.headers.values("require")
    seconds = max(asked, LEAST_SECONDS) if asked else wanted_seconds
    if not seconds:
        return Agreed(0, "us"), []
    if not knows:
        refresher = "uas"
    elif refresher not in {"uac", "uas"}:
        refresher = "uac"
    said = [("session-expires", f"{seconds};refresher={refresher}")]
    if refresher == "uac":
        said.append(("require", "timer"))
    return Agreed(seconds, "us" if refresher == "uas" else "them"), said


class SessionTimer(Machine[State]):
    """`may_authorize` takes a 401 or 407: True if `make` can answer it now."""

    def __init__(
        self,
        leg: str,
        make: Make,
        acknowledge: Acknowledge,
        *,
        may_authorize: Callable[[Response], bool],
        now: float,
    ) -> None:
        self.state = State.OFF
        self.leg, self.now = leg, now
        self._make, self._acknowledge, self._may_authorize = make, acknowledge, may_authorize
        self._transaction: InviteClient | NonInviteClient | None = None
        self._older: InviteClient | None = None
        self._timers: dict[type[RefreshDue | Expired], float] = {}
        self.agreed = Agreed(0, "us")
        self.by_update = True

    # What goes in

    def agree(self, agreed: Agreed, now: float) -> None:
        self.now = now
        if self.accepts(Agreed):
            self.handle(agreed)

    def stop(self) -> None:
        self.handle(Stopped())

    @property
    def offering(self) -> bool:
        """Whether a re-INVITE of ours is under way: the far end's own has to wait (RFC 3261 14.2)."""
        return self.state is State.REFRESHING and isinstance(self._transaction, InviteClient)

    def awaits(self, response: Response) -> bool:
        return any(sent.request.branch == response.branch for sent in self._sent())

    def receive(self, response: Response, now: float) -> Outputs:
        self.now = now
        outputs: Outputs = []
        for sent in self._sent():
            if sent.request.branch == response.branch:
                outputs += self._rise(sent, sent.receive(response, now))
        return outputs

    def fail(self, error: str, now: float) -> Outputs:
        self.now = now
        sent = self._transaction
        return [] if sent is None else self._rise(sent, sent.fail(error, now))

    @property
    def deadline(self) -> float | None:
        times = list(self._timers.values())
        times += [sent.deadline for sent in self._sent() if sent.deadline is not None]
        return min(times) if times else None

    def handle_timeout(self, now: float) -> Outputs:
        self.now = now
        outputs: Outputs = []
        for sent in self._sent():
            outputs += self._rise(sent, sent.handle_timeout(now))
        for kind in [kind for kind, at in self._timers.items() if at <= now]:
            if self._timers.pop(kind, None) is not None and self.accepts(kind):
                outputs += self.handle(kind())
        if self._older is not None and self._older.terminated:
            self._older = None
        if self._transaction is not None and self._transaction.terminated:
            self._transaction = None
        return outputs

    # Between the transactions and the table

    def _sent(self) -> list[InviteClient | NonInviteClient]:
        return [sent for sent in (self._older, self._transaction) if sent is not None]

    def _rise(self, sent: InviteClient | NonInviteClient, outputs: Outputs) -> Outputs:
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, Transmit | Record):
                risen.append(output)
            elif isinstance(output, Success) and sent.request.method == "INVITE":
                risen.append(self._acknowledge(sent.request))
                risen += self._weighed(sent, output)
            elif not isinstance(output, Provisional):
                risen += self._weighed(sent, output)
        return risen

    def _weighed(self, sent: InviteClient | NonInviteClient, output: object) -> Outputs:
        if sent is not self._transaction:  # only repeats come of an older one
            return []
        received = self._weigh(output)
        return self.handle(received) if self.accepts(type(received)) else []

    def _weigh(self, output: object) -> object:
        """What a final response means for us, beyond its class."""
        if isinstance(output, TimedOut):
            return FarEndForgot()
        if not isinstance(output, Failure):
            return output
        response = output.response
        if response.status in {401, 407} and self._may_authorize(response):
            return AskAgain(0.0)
        if response.status == TOO_BRIEF and (least := least_of(response)) > self.agreed.seconds:
            self.agreed = Agreed(least, self.agreed.who)
            return AskAgain(0.0)
        if response.status in NOT_AS_THAT and self.by_update:
            self.by_update = False
            return AskAgain(0.0)
        if response.status in GONE:
            return FarEndForgot()
        return AskAgain(GLARE_SECONDS)  # 491, 500 with its Retry-After …: until the session expires

    # Actions

    def start(self, agreed: Agreed) -> Outputs:
        """Count anew. The end comes a little before the interval is over, so that BYE is in time (10)."""
        self.agreed = agreed
        self._timers.clear()
        if agreed.seconds:
            self._timers[Expired] = self.now + agreed.seconds - min(32.0, agreed.seconds / 3)
            if agreed.who == "us":
                self._timers[RefreshDue] = self.now + agreed.seconds / 2
        return []

    def refresh(self, _: RefreshDue) -> Outputs:
        if isinstance(self._transaction, InviteClient):
            self._older = self._transaction
        request, to = self._make("UPDATE" if self.by_update else "INVITE", self.agreed.seconds)
        kind = NonInviteClient if self.by_update else InviteClient
        self._transaction = kind(self.leg, request, to, self.now)
        return self._transaction.start()

    def renew(self, success: Success) -> Outputs:
        """It goes on; a 2xx that speaks of no interval ends the agreement (7.2)."""
        self.start(agreed_by(success.response))
        offered = success.response.cseq is not None and success.response.cseq.method == "INVITE"
        return [Renewed(success.response)] if offered else []

    def ask_again(self, asked: AskAgain) -> Outputs:
        if not asked.after_seconds:
            return self.handle(RefreshDue())
        self._timers[RefreshDue] = self.now + asked.after_seconds
        return []

    def expire(self, _: object) -> Outputs:
        self._timers.clear()
        fired = TimerFired(
            at=self.now, leg=self.leg, name=SESSION_EXPIRES, after_seconds=float(self.agreed.seconds)
        )
        return [Record(fired), SessionExpired()]

    def forget(self, _: Stopped) -> Outputs:
        self._timers.clear()
        return []

    TABLE = {
        (State.OFF, Agreed): (State.RUNNING, start),
        (State.RUNNING, Agreed): (State.RUNNING, start),
        (State.RUNNING, RefreshDue): (State.REFRESHING, refresh),
        (State.RUNNING, Expired): (State.ENDED, expire),
        (State.REFRESHING, Agreed): (State.REFRESHING, start),
        (State.REFRESHING, Success): (State.RUNNING, renew),
        (State.REFRESHING, AskAgain): (State.RUNNING, ask_again),
        (State.REFRESHING, FarEndForgot): (State.ENDED, expire),
        (State.REFRESHING, Undeliverable): (State.RUNNING, nothing),
        (State.REFRESHING, Expired): (State.ENDED, expire),
        **dict.fromkeys(rows(list(State), Stopped), (State.ENDED, forget)),
    }
