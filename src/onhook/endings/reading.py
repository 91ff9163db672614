"""One pass over a timeline: which facts bear on how the call ended, by number. Nothing is decided here.

The pass knows one thing only: when the call was over. A call is over at the first of: a final refusal,
the caller's CANCEL, a BYE, a transport failure or a timer without any response, the release timer after our
hang-up, a routing refusal, a restart, a fault of ours.
What is seen after it (late responses, timers of transactions, deliveries, a second hang-up) is kept for
remarks and never for the decision, so that a verdict stays the same when it is judged again later. A new
INVITE after a refused or unanswered one (the next trunk, or credentials) opens the call again.

SIP is read by its start line and the few headers that matter; a message that does not yield them that way
(compact names, odd spacing) goes through the full parser.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from onhook.endings.signals import Signal, cseq_of, reasons_of, status_of, to_tag_of
from onhook.facts import (
    ApiRequested,
    EventAttempted,
    FaultRaised,
    GridAttempted,
    GridUnheard,
    MediaMeasured,
    RouteRefused,
    RouteTaken,
    ServerRestarted,
    SipSeen,
    SipUnreadable,
    Timeline,
    TimerFired,
    TransportFailed,
)

Stop: TypeAlias = Literal["", "hang-up", "setup", "duration"]
"""Why our side ended the call: the application asked, or one of the call's own timers ran out."""

EndedBy: TypeAlias = Literal[
    "", "final", "cancel", "bye", "timer", "transport", "route", "restart", "fault", "release"
]

RETRIED: frozenset[EndedBy] = frozenset({"final", "timer", "transport"})
"""Ends that a new INVITE undoes: the next trunk is tried, or credentials are added."""

STOP_TIMERS: dict[str, Stop] = {"setup": "setup", "duration": "duration"}
RELEASE_TIMER = "release"
"""Our side had hung up, and the application was told so without the far end's word."""
SILENCE_TIMERS = frozenset({"no-response", "B"})
ACK_TIMERS = frozenset({"ACK", "H", "L"})


class Attempt(msgspec.Struct, eq=False):
    """One INVITE and what came of it. Numbers are numbers of facts; 0 means that it was never seen."""

    leg: str
    inbound: bool = False
    cseq: int = 0
    invite: int = 0
    invites: int = 0
    """How often the INVITE crossed the wire, repeats included."""
    first_response: int = 0
    ringing: int = 0
    """The first provisional response other than 100."""
    ringing_status: int = 0
    final: Signal | None = None
    """The final response, 3xx to 6xx."""
    answer: int = 0
    """The first 2xx."""
    answer_tag: bytes = b""
    answer_repeats: list[int] = []
    other_answers: list[int] = []
    """2xx of other far ends: another fork answered too."""
    ack: int = 0
    cancel: Signal | None = None
    bye: Signal | None = None
    bye_sent: bool = False
    challenges: list[int] = []
    """401 and 407 that an INVITE with credentials followed."""
    unreadable: list[int] = []
    silent: int = 0
    """The timer that found no response."""
    no_ack: int = 0
    """The timer that found no ACK of our answer."""
    failure: int = 0
    """The transport failure that ended the attempt."""
    media: int = 0
    """The last count of RTP."""


class Reading(msgspec.Struct, eq=False):
    """What `read` found. Numbers are numbers of facts; 0 means that it was never seen."""

    timeline: Timeline
    attempts: list[Attempt] = []
    trunks: dict[str, str] = {}
    """Trunk name by leg."""
    stop: int = 0
    """The first fact by which our side wanted the call to end, while it lasted."""
    stop_kind: Stop = ""
    refused: int = 0
    restarted: int = 0
    fault: int = 0
    ended: int = 0
    ended_by: EndedBy = ""
    late: list[int] = []
    """SIP that belongs to the set-up, seen after the end."""
    strays: list[int] = []
    """Transport failures and unreadable bytes that ended nothing."""
    deliveries: dict[str, int] = {}
    """The last attempt to deliver each event."""
    by_leg: dict[str, Attempt] = {}

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that decides: the last that was begun."""
        return self.attempts[-1] if self.attempts else None

    def party(self, leg: str) -> str:
        """How a person calls the far end of `leg`."""
        trunk = self.trunks.get(leg) or leg
        return f"trunk {trunk}" if trunk else "the trunk"

    def end(self, number: int, by: EndedBy) -> None:
        if not self.ended:
            self.ended, self.ended_by = number, by


def read(timeline: Timeline) -> Reading:
    """Read every fact once, in order. Never raises, whatever bytes the messages hold."""
    reading = Reading(timeline)
    for number, fact in enumerate(timeline, 1):
        _READERS[type(fact)](reading, fact, number)
    return reading


def _sip(reading: Reading, fact: SipSeen, number: int) -> None:
    message = fact.message
    if message[:1] in {b"\r", b"\n"}:  # blank lines before a message are allowed (RFC 3261 section 7.5)
        message = message.lstrip(b"\r\n")
    status = status_of(message)
    if status:
        _response(reading, fact, number, message, status)
    elif reader := _REQUESTS.get(message[: message.find(b" ")]):
        reader(reading, fact, number, message)


def _response(reading: Reading, fact: SipSeen, number: int, message: bytes, status: int) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is None or (fact.direction == "sent") is not attempt.inbound:
        return
    if status >= 200:
        cseq, method = cseq_of(message)
        if method != b"INVITE" or (attempt.cseq and cseq != attempt.cseq):
            return
    if _over(reading, attempt):
        _late_response(reading, attempt, number, message, status)
        return
    attempt.first_response = attempt.first_response or number
    if status < 200:
        if status > 100 and not attempt.ringing:
            attempt.ringing, attempt.ringing_status = number, status
    elif status >= 300:
        attempt.final = Signal(number, status, message, reasons_of(message))
        reading.end(number, "final")
    elif not attempt.answer:
        attempt.answer, attempt.answer_tag = number, to_tag_of(message)
    else:
        _another_answer(attempt, number, message)


def _late_response(reading: Reading, attempt: Attempt, number: int, message: bytes, status: int) -> None:
    if attempt.answer and 200 <= status < 300:
        _another_answer(attempt, number, message)
        return
    repeated = attempt.final is not None and attempt.final.status == status
    confirming = reading.ended_by == "cancel" and status == 487
    if not repeated and not confirming:
        reading.late.append(number)


def _another_answer(attempt: Attempt, number: int, message: bytes) -> None:
    same = to_tag_of(message) == attempt.answer_tag
    (attempt.answer_repeats if same else attempt.other_answers).append(number)


def _over(reading: Reading, attempt: Attempt) -> bool:
    return reading.ended != 0 or attempt is not reading.attempts[-1]


def _invite(reading: Reading, fact: SipSeen, number: int, message: bytes) -> None:
    if to_tag_of(message):  # within a dialog: hold, resume, session refresh
        return
    inbound = fact.direction == "received"
    cseq = cseq_of(message)[0]
    attempt = reading.by_leg.get(fact.leg)
    if reading.ended and (inbound or reading.ended_by not in RETRIED):
        if inbound:  # ours is repeated as long as the far end may not know that we gave up
            reading.late.append(number)
        return
    if attempt is not None and attempt.invite and attempt.inbound is not inbound:
        return  # our own INVITE came back (a loop), or one with its Call-ID: it begins nothing
    if attempt is not None and attempt.invite and attempt.cseq == cseq and attempt.final is None:
        attempt.invites += 1
        _reopen(reading, attempt)
        return
    if attempt is not None and not attempt.invite:  # its transport failed, or bytes came, before this one
        attempt.inbound, attempt.cseq, attempt.invite, attempt.invites = inbound, cseq, number, 1
        _reopen(reading, attempt)
        return
    begun = Attempt(fact.leg, inbound, cseq, number, 1)
    if attempt is not None and attempt.final is not None and attempt.final.status in {401, 407}:
        begun.challenges = [*attempt.challenges, attempt.final.fact]
        reading.attempts = [other for other in reading.attempts if other is not attempt]
    reading.attempts.append(begun)
    reading.by_leg[fact.leg] = begun
    _reopen(reading, begun)


def _reopen(reading: Reading, attempt: Attempt) -> None:
    if reading.ended_by in RETRIED:
        reading.ended, reading.ended_by = 0, ""
        attempt.failure = attempt.silent = 0


def _ack(reading: Reading, fact: SipSeen, number: int, _message: bytes) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is not None and attempt.answer and not attempt.ack:
        attempt.ack = number


def _cancel(reading: Reading, fact: SipSeen, number: int, message: bytes) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is None or attempt.cancel is not None or (fact.direction == "received") is not attempt.inbound:
        return
    if _over(reading, attempt) or attempt.ack:  # after the ACK it has no effect (RFC 3261 section 9.2)
        return
    attempt.cancel = Signal(number, 0, message, reasons_of(message))
    if attempt.inbound:
        reading.end(number, "cancel")


def _bye(reading: Reading, fact: SipSeen, number: int, message: bytes) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is None or attempt.bye is not None or not attempt.answer or _over(reading, attempt):
        return
    sent = fact.direction == "sent"
    if sent and attempt.other_answers and to_tag_of(message) != attempt.answer_tag and not attempt.inbound:
        return  # the release of another fork
    attempt.bye, attempt.bye_sent = Signal(number, 0, message, reasons_of(message)), sent
    reading.end(number, "bye")


def _attempt_of(reading: Reading, leg: str) -> Attempt:
    """The attempt of `leg` (or, where the fact names none, the last), begun here if need be."""
    attempt = reading.by_leg.get(leg)
    if attempt is None and not leg:
        attempt = reading.attempt
    if attempt is None:
        attempt = Attempt(leg)
        reading.attempts.append(attempt)
        reading.by_leg[leg] = attempt
    return attempt


def _unreadable(reading: Reading, fact: SipUnreadable, number: int) -> None:
    if reading.ended or fact.candidates > 1:  # it may have been meant for another call: it blames none
        reading.strays.append(number)
    else:
        _attempt_of(reading, fact.leg).unreadable.append(number)


def _timer(reading: Reading, fact: TimerFired, number: int) -> None:
    if reading.ended:
        return
    name, attempt = fact.name, reading.attempt
    if name in STOP_TIMERS:
        _stop(reading, number, STOP_TIMERS[name])
    elif name == RELEASE_TIMER:
        reading.end(number, "release")
    elif attempt is None:
        return
    elif name in SILENCE_TIMERS and not attempt.first_response and not attempt.inbound:
        attempt.silent = number
        reading.end(number, "timer")
    elif name in ACK_TIMERS and attempt.inbound and attempt.answer and not attempt.ack:
        attempt.no_ack = number
        reading.end(number, "timer")


def _transport(reading: Reading, fact: TransportFailed, number: int) -> None:
    attempt = None if reading.ended else _attempt_of(reading, fact.leg)
    if attempt is None or attempt.first_response or attempt.inbound or attempt is not reading.attempt:
        reading.strays.append(number)
        return
    attempt.failure = number
    reading.end(number, "transport")


def _request(reading: Reading, fact: ApiRequested, number: int) -> None:
    if not reading.ended and fact.status < 300 and ends_call(fact.operation):
        _stop(reading, number, "hang-up")


def ends_call(operation: str) -> bool:
    """Is this API operation hangUp or terminate, as the specification or the SDKs spell it?"""
    name = operation.replace("_", "").lower()
    return "hangup" in name or "terminate" in name


def _stop(reading: Reading, number: int, kind: Stop) -> None:
    if not reading.stop:
        reading.stop, reading.stop_kind = number, kind


def _route_taken(reading: Reading, fact: RouteTaken, _number: int) -> None:
    reading.trunks[fact.leg] = fact.trunk


def _route_refused(reading: Reading, _fact: RouteRefused, number: int) -> None:
    if not reading.ended:
        reading.refused = number
    reading.end(number, "route")


def _media(reading: Reading, fact: MediaMeasured, number: int) -> None:
    attempt = reading.by_leg.get(fact.leg) or (None if fact.leg else reading.attempt)
    if attempt is not None:
        attempt.media = number


def _delivery(reading: Reading, fact: EventAttempted, number: int) -> None:
    reading.deliveries[fact.event_id] = number


def _grid(_reading: Reading, _fact: GridAttempted | GridUnheard, _number: int) -> None:
    """Who heard of a call does not decide how it ended; hearing.py tells it."""


def _restart(reading: Reading, _fact: ServerRestarted, number: int) -> None:
    if not reading.ended:
        reading.restarted = number
    reading.end(number, "restart")


def _fault(reading: Reading, _fact: FaultRaised, number: int) -> None:
    if not reading.ended:
        reading.fault = number
    reading.end(number, "fault")


_REQUESTS: dict[bytes, Callable[[Reading, SipSeen, int, bytes], None]] = {
    b"INVITE": _invite,
    b"ACK": _ack,
    b"CANCEL": _cancel,
    b"BYE": _bye,
}

_READERS: dict[type[Any], Callable[[Reading, Any, int], None]] = {
    SipSeen: _sip,
    SipUnreadable: _unreadable,
    TimerFired: _timer,
    TransportFailed: _transport,
    ApiRequested: _request,
    RouteTaken: _route_taken,
    RouteRefused: _route_refused,
    MediaMeasured: _media,
    EventAttempted: _delivery,
    GridAttempted: _grid,
    GridUnheard: _grid,
    ServerRestarted: _restart,
    FaultRaised: _fault,
}
