"""One pass over a timeline: which facts bear on how the call ended, by number. Nothing is decided here.

The pass knows one thing only: when the call was over. A call is over at the first of: a final refusal,
the caller's CANCEL, a BYE, a transport failure or a timer without any response, the release timer after our
hang-up, a routing refusal, a restart, a fault of ours. While others still talk to each other (parties.py), a
leg that goes is not the end.
What is seen after it (late responses, timers of transactions, deliveries, a second hang-up) is kept for
remarks and never for the decision, so that a verdict stays the same when it is judged again later. A new
INVITE after a refused or unanswered one (the next trunk, or credentials) opens the call again.

SIP is read by its start line and the few headers that matter; a message that does not yield them that way
(compact names, odd spacing) goes through the full parser.
"""

from collections.abc import Callable
from typing import Any

from onhook.endings.attempts import Attempt, Reading, Stop
from onhook.endings.reading_parties import (
    read_announced,
    read_door,
    read_joined,
    read_left,
    read_request,
    read_ring_timer,
    read_user_leg,
)
from onhook.endings.reading_sip import read_sip
from onhook.facts import (
    ApiRequested,
    CallArrived,
    ClockSkipped,
    ConnectionJoined,
    ConnectionLeft,
    DigitHeard,
    DigitsSent,
    EventAttempted,
    Fact,
    FaultRaised,
    GridAttempted,
    GridUnheard,
    InboundRefused,
    IncomingCallAnnounced,
    LegDismissed,
    LegMovedIn,
    LegMovedOut,
    ListeningFailed,
    MediaMeasured,
    OperationEnded,
    PromptEnded,
    PromptStarted,
    Provoked,
    RecordingChanged,
    RelayFailed,
    RouteRefused,
    RouteTaken,
    RtpResumed,
    RtpStopped,
    ServerRestarted,
    SipSeen,
    SipUnreadable,
    SpeechBegan,
    SpeechHeard,
    StreamChanged,
    Timeline,
    TimerFired,
    TransportFailed,
    UserLegChanged,
)

STOP_TIMERS: dict[str, Stop] = {"setup": "setup", "duration": "duration", "no-rtp": "no-rtp"}
RELEASE_TIMER = "release"
"""Our side had hung up, and the application was told so without the far end's word."""
SILENCE_TIMERS = frozenset({"no-response", "B"})
SESSION_EXPIRES = "session-expires"
ACK_TIMERS = frozenset({"ACK", "H", "L"})
RING_TIMER = "ring"
OF_ONE_LEG: frozenset[type[Any]] = frozenset({
    SipSeen, SipUnreadable, TransportFailed, MediaMeasured, RouteRefused, LegDismissed, LegMovedIn,
    LegMovedOut,
})  # fmt: skip


def read(timeline: Timeline) -> Reading:
    """Read every fact once, in order. Never raises, whatever bytes the messages hold."""
    reading = Reading(timeline)
    for number, fact in enumerate(timeline, 1):
        _READERS[type(fact)](reading, fact, number)
    return reading


def read_leg(timeline: Timeline, leg: str | None) -> Reading:
    """Read as if `leg` were the only one with signalling; None: without any. Numbers stay what they are.

    Requests to hang up are noted, but not weighed: that takes all legs (legs.py).
    """
    reading = Reading(timeline, several=True)
    for number, fact in enumerate(timeline, 1):
        mine = fact.leg == leg or (leg is not None and not fact.leg)
        if mine or not _of_one_leg(fact):
            _READERS[type(fact)](reading, fact, number)
    return reading


def _of_one_leg(fact: Fact) -> bool:
    """Is it a fact of one leg's signalling, and of no weight for another's?"""
    if isinstance(fact, TimerFired):
        return bool(fact.leg) and fact.name != RING_TIMER
    return type(fact) in OF_ONE_LEG


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
        reading.stop_for(number, STOP_TIMERS[name])
    elif name == RING_TIMER:
        read_ring_timer(reading, fact, number)
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
    elif name == SESSION_EXPIRES and attempt.answer:
        attempt.expired = number


def _transport(reading: Reading, fact: TransportFailed, number: int) -> None:
    attempt = None if reading.ended else _attempt_of(reading, fact.leg)
    if attempt is None or attempt is not reading.attempt or _got_through(attempt):
        reading.strays.append(number)
        return
    attempt.failure = number
    reading.end(number, "transport")


def _got_through(attempt: Attempt) -> bool:
    """Did the far end respond, or the caller get our answer? Then a lost message is sent again."""
    return bool(attempt.answer if attempt.inbound else attempt.first_response)


def _route_taken(reading: Reading, fact: RouteTaken, number: int) -> None:
    reading.trunks[fact.leg] = fact.trunk
    before = reading.by_leg.get(fact.after) if fact.after else None
    if before is not None:
        before.replaced = number
    if fact.rewrites:
        reading.rewriting[fact.leg] = number, fact


def _route_refused(reading: Reading, fact: RouteRefused, number: int) -> None:
    attempt = reading.attempt
    if fact.after or _is_up(reading):  # somebody was to be added; the call goes on
        return
    if not reading.ended:
        reading.refused = number
    if attempt is None or not attempt.inbound:  # of a call that came in, the caller is still to be told
        reading.end(number, "route")


def _is_up(reading: Reading) -> bool:
    """Has somebody answered? Later facts of other legs end nothing."""
    users = reading.parties.users.values()
    return any(each.answer for each in reading.attempts) or any(each.connected for each in users)


def _dismissed(reading: Reading, fact: LegDismissed, number: int) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is not None and not attempt.dismissed:
        attempt.dismissed, attempt.dismissed_why = number, fact.why
    rung = fact.why in {"cancelled", "call-over"}
    if rung and not _is_up(reading) and (attempt is reading.attempt):
        reading.stop_for(number, "hang-up")


def _moved_out(reading: Reading, fact: LegMovedOut, number: int) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is not None and not attempt.dismissed:
        attempt.dismissed, attempt.dismissed_why = number, "moved"


def _moved_in(reading: Reading, fact: LegMovedIn, number: int) -> None:
    """It was answered and acknowledged in another call."""
    begun = Attempt(fact.leg, fact.inbound, answer=number, ack=number)
    reading.several = reading.several or bool(reading.attempts)
    reading.attempts.append(begun)
    reading.by_leg[fact.leg] = begun
    reading.trunks[fact.leg] = fact.trunk


def _media(reading: Reading, fact: MediaMeasured, number: int) -> None:
    attempt = reading.by_leg.get(fact.leg) or (None if fact.leg else reading.attempt)
    if (
        attempt is not None and not 0 < reading.ended < attempt.media
    ):  # the first count after the end is the last
        attempt.media = number


def _delivery(reading: Reading, fact: EventAttempted, number: int) -> None:
    reading.deliveries[fact.event_id] = number


def _grid(_reading: Reading, _fact: GridAttempted | GridUnheard, _number: int) -> None:
    """Who heard of a call does not decide how it ended; hearing.py tells it."""


def _rtp_stopped(reading: Reading, fact: RtpStopped, number: int) -> None:
    if (attempt := reading.by_leg.get(fact.leg)) is not None:
        attempt.rtp_stopped = number


def _rtp_resumed(reading: Reading, fact: RtpResumed, number: int) -> None:
    if (attempt := reading.by_leg.get(fact.leg)) is not None:
        attempt.rtp_resumed.append(number)


def _relay(reading: Reading, _fact: RelayFailed, number: int) -> None:
    reading.relays.append(number)


def _noted(_reading: Reading, _fact: Fact, _number: int) -> None:
    """Media and what was made of it: rules that weigh it look it up. That it was provoked decides nothing."""


def _arrived(reading: Reading, fact: CallArrived, _number: int) -> None:
    reading.trunks[fact.leg] = fact.trunk


def _skipped(_reading: Reading, _fact: ClockSkipped, _number: int) -> None:
    """Decides nothing: remarks.py tells of it."""


def _restart(reading: Reading, _fact: ServerRestarted, number: int) -> None:
    if not reading.ended:
        reading.restarted = number
    reading.end(number, "restart")


def _fault(reading: Reading, fact: FaultRaised, number: int) -> None:
    if fact.survived:
        return
    if not reading.ended:
        reading.fault = number
    reading.end(number, "fault")


_READERS: dict[type[Any], Callable[[Reading, Any, int], None]] = {
    SipSeen: read_sip,
    SipUnreadable: _unreadable,
    TimerFired: _timer,
    ClockSkipped: _skipped,
    TransportFailed: _transport,
    ApiRequested: read_request,
    RouteTaken: _route_taken,
    RouteRefused: _route_refused,
    MediaMeasured: _media,
    EventAttempted: _delivery,
    GridAttempted: _grid,
    GridUnheard: _grid,
    CallArrived: _arrived,
    RtpStopped: _rtp_stopped,
    RtpResumed: _rtp_resumed,
    RelayFailed: _relay,
    PromptStarted: _noted,
    PromptEnded: _noted,
    DigitHeard: _noted,
    DigitsSent: _noted,
    SpeechBegan: _noted,
    SpeechHeard: _noted,
    ListeningFailed: _noted,
    OperationEnded: _noted,
    StreamChanged: _noted,
    RecordingChanged: _noted,
    InboundRefused: read_door,
    IncomingCallAnnounced: read_announced,
    UserLegChanged: read_user_leg,
    ConnectionJoined: read_joined,
    ConnectionLeft: read_left,
    LegDismissed: _dismissed,
    LegMovedIn: _moved_in,
    LegMovedOut: _moved_out,
    ServerRestarted: _restart,
    Provoked: _noted,
    FaultRaised: _fault,
}
