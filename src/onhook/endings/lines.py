"""A timeline in lines, one per fact: who to whom, and what. Ladders and explanations are made of them."""

from collections.abc import Container
from functools import singledispatch

import msgspec

from onhook.endings.cast import APPLICATION, Cast, cast_of, raw_id_name, user_name
from onhook.endings.lines_media import OF_ONE_LEG, TRUNK, Told, Way, tell_media
from onhook.endings.signals import cseq_of, printable
from onhook.facts import (
    ApiRequested,
    CallArrived,
    ClockSkipped,
    ConnectionJoined,
    ConnectionLeft,
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
    Provoked,
    RouteRefused,
    RouteTaken,
    ServerRestarted,
    SipSeen,
    SipUnreadable,
    Timeline,
    TimerFired,
    TransportFailed,
    UserLegChanged,
)

OURSELVES = "onhook"
MAX_LABEL_CHARACTERS = 120


class Line(msgspec.Struct, frozen=True, gc=False):
    """`way`: to us, from us, from us and not carried, or something within us.

    `leg` is the far end's leg; `party` names the far end for people: application, user, trunk, or "".
    """

    number: int
    at: float
    way: Way
    party: str
    leg: str
    label: str


def describe(timeline: Timeline, wanted: Container[int] | None = None) -> dict[int, Line]:
    """Lines by the number of their fact; of all facts, or of those wanted."""
    cast = cast_of(timeline)
    return {
        number: _line(fact, number, cast)
        for number, fact in enumerate(timeline, 1)
        if wanted is None or number in wanted
    }


def direction_of(line: Line) -> str:
    return {"in": "◀", "out": "▶", "lost": "✗", "note": "·"}[line.way]


def _line(fact: Fact, number: int, cast: Cast) -> Line:
    way, party, label = _tell(fact)
    if party == TRUNK:
        party = f"trunk {cast.trunks.get(fact.leg) or fact.leg}".strip()
    elif isinstance(fact, OF_ONE_LEG) and len(cast.trunks) > 1:
        label = f"{_telephone(fact.leg, cast)}: {label}"
    elif isinstance(fact, ApiRequested):
        party = cast.speaker(fact)
    elif isinstance(fact, UserLegChanged) and way != "note":
        party = cast.users.get(fact.leg, user_name(fact.user))
    elif isinstance(fact, ConnectionJoined | ConnectionLeft):
        label = f"{cast.speaker(fact)} {label}"
    return Line(number, fact.at, way, party, fact.leg, printable(label, MAX_LABEL_CHARACTERS))


def _telephone(leg: str, cast: Cast) -> str:
    """The far end of a leg by its number, which tells legs apart better than a trunk does."""
    return cast.numbers.get(leg) or cast.trunks.get(leg) or leg or "a leg"


@singledispatch
def _tell(fact: object) -> Told:
    """(way, TRUNK or another party, label)."""
    return tell_media(fact) or ("note", "", type(fact).__name__)


@_tell.register
def _(fact: SipSeen) -> Told:
    label = printable(fact.start_line, MAX_LABEL_CHARACTERS)
    if label.startswith("SIP/2.0 "):
        method = cseq_of(fact.message)[1].decode(errors="replace")
        if method not in {"INVITE", ""}:
            label += f" ({method})"
    return ("out" if fact.direction == "sent" else "in"), TRUNK, label


@_tell.register
def _(fact: SipUnreadable) -> Told:
    return "in", TRUNK, f"{len(fact.data)} bytes that are no SIP: {fact.why}"


@_tell.register
def _(fact: TimerFired) -> Told:
    return "note", "", f"timer {fact.name} ran out after {fact.after_seconds:g} s"


@_tell.register
def _(fact: ClockSkipped) -> Told:
    return "note", "", f"{fact.seconds:.1f} s passed at once ({fact.why})"


@_tell.register
def _(fact: TransportFailed) -> Told:
    return "lost", TRUNK, f"{fact.transport.upper()} to {fact.peer}: {fact.error}"


@_tell.register
def _(fact: ApiRequested) -> Told:
    return "in", APPLICATION, f"{fact.operation} → {fact.status} {fact.detail}"


@_tell.register
def _(fact: RouteTaken) -> Told:
    how = "goes on by" if fact.after else "takes"
    return "note", "", f"{fact.number} {how} trunk {fact.trunk} (pattern {fact.pattern})"


@_tell.register
def _(fact: RouteRefused) -> Told:
    which = "no other trunk" if fact.after else "no trunk"
    return "note", "", f"{which} for {fact.number}: {fact.detail or fact.why}"


@_tell.register
def _(fact: CallArrived) -> Told:
    caller = fact.caller or "a withheld number"
    return "note", "", f"{caller} calls {fact.number} of resource {fact.resource} by trunk {fact.trunk}"


@_tell.register
def _(fact: InboundRefused) -> Told:
    return "note", "", f"the call for {fact.number} is not let in: {fact.detail or fact.why}"


@_tell.register
def _(fact: IncomingCallAnnounced) -> Told:
    whom = raw_id_name(fact.callee)
    return "note", "", f"IncomingCall for {whom} published for resource {fact.resource}"


@_tell.register
def _(fact: UserLegChanged) -> Told:
    if fact.state == "ringing":
        return "out", "user", "rings"
    why = f" ({fact.why})" if fact.why else ""
    return "note", "", f"{user_name(fact.user)} {fact.state}{why}"


@_tell.register
def _(fact: ConnectionJoined) -> Told:
    return "note", "", f"joined the call ({fact.operation})"


@_tell.register
def _(fact: ConnectionLeft) -> Told:
    return "note", "", f"left the call ({fact.why or 'no reason given'})"


@_tell.register
def _(fact: LegDismissed) -> Told:
    return "note", TRUNK, f"taken out of the call ({fact.why})"


@_tell.register
def _(fact: LegMovedOut) -> Told:
    return "note", TRUNK, f"goes on in call {fact.to_call}"


@_tell.register
def _(fact: LegMovedIn) -> Told:
    return "note", TRUNK, f"{fact.number} comes from call {fact.from_call}"


@_tell.register
def _(fact: EventAttempted) -> Told:
    answer = f"{fact.status}" if fact.status is not None else (fact.error or "no answer")
    again = f" (attempt {fact.attempt})" if fact.attempt > 1 else ""
    way: Way = "out" if fact.status is not None else "lost"
    return way, APPLICATION, f"{fact.event_type.rpartition('.')[2]} → {answer}{again}"


@_tell.register
def _(fact: GridAttempted) -> Told:
    answer = f"{fact.status}" if fact.status is not None else (fact.error or "no answer")
    again = f" (attempt {fact.attempt})" if fact.attempt > 1 else ""
    way: Way = "out" if fact.status is not None else "lost"
    kind = fact.event_type.rpartition(".")[2]
    return way, APPLICATION, f"{kind} to subscription {fact.subscription} → {answer}{again}"


@_tell.register
def _(fact: GridUnheard) -> Told:
    kind = fact.event_type.rpartition(".")[2]
    states = ", ".join(f"{each.subscription}: {each.state}" for each in fact.listeners)
    return "lost", APPLICATION, f"{kind}: no subscription took it ({states or 'there is none'})"


@_tell.register
def _(fact: ServerRestarted) -> Told:
    return "note", "", f"the server restarted; nothing was noted for {fact.at - fact.last_seen_at:.1f} s"


@_tell.register
def _(fact: Provoked) -> Told:
    detail = f": {fact.detail}" if fact.detail else ""
    return "note", "", f"provoked ({fact.provocation}, {fact.arm}): {fact.name}{detail}"


@_tell.register
def _(fact: FaultRaised) -> Told:
    return "note", "", f"our fault in {fact.where}: {fact.traceback.strip().rpartition(chr(10))[2]}"
