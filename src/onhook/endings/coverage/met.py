"""Read the endings off the facts of a run: which were met, how each was told, and what came next."""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from onhook.endings.coverage.ways import EVENTS_OF, INCOMING
from onhook.endings.judge import judge
from onhook.endings.operations import judge_operation
from onhook.facts import (
    ApiRequested,
    CallArrived,
    EventAttempted,
    IncomingCallAnnounced,
    LegMovedIn,
    OperationEnded,
    RouteRefused,
    RouteTaken,
    Timeline,
    UserLegChanged,
)

TERMINAL = frozenset({"CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected"})
"""The last event of a connection: one of these."""
ABOUT = frozenset({"getCall", "getParticipants", "getParticipant", "getRecordingProperties"})
"""Operations that only ask: no step of an application."""
KINDS = re.compile(rb'"(?:kind|recognizeInputType)" ?: ?"(\w+)"')
"""In the JSON of a request; within a text of it the quotes would be escaped."""
CALL_EVENTS = "Microsoft.Communication."


class KeptCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a run: its facts, and who asks for its ending."""

    id: str
    timeline: Timeline
    over: bool = True
    """A call that is open has no ending yet; what was asked of it counts as used."""
    others: tuple[str, ...] = ()
    """callConnectionIds of the applications in it beside the first."""
    test: str = ""
    """The test that placed it, if one did."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The event that told of an ending, and what the application answered; its last attempt counts."""

    event: str
    status: int | None
    """HTTP status; None if no answer came, and `error` says why."""
    elapsed_ms: float
    """From the request to its answer."""
    attempts: int = 1
    error: str = ""

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """The operation that followed an ending: on the same call, or by which the next call began."""

    operation: str
    status: int
    after_seconds: float
    call: str
    same_call: bool


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """One ending that was met. `at` is Unix time, of the fact that decided."""

    ending: str
    call: str
    at: float
    after: str
    """The operation that it ended, or by which its call began; empty if there was none."""
    connection: str = ""
    test: str = ""
    delivery: Delivery | None = None
    """None if no event told of it, or none went out yet."""
    then: NextStep | None = None
    """None if the application did nothing more."""


class Run(msgspec.Struct, kw_only=True):
    """What the facts of some calls show. Plain data, so that processes can hand it on."""

    calls: int = 0
    open_calls: int = 0
    used: dict[str, int] = {}
    """Calls by operation, and by operation with what it was asked for (ways.py)."""
    meetings: list[Meeting] = []


def read_run(calls: Iterable[KeptCall]) -> Run:
    """Judge every call that is over, by the rules of today."""
    kept = list(calls)
    begun = sorted(filter(None, map(_begun, kept)), key=lambda step: step[0])
    run = Run(calls=len(kept), open_calls=sum(not call.over for call in kept))
    for call in kept:
        for name in _used(call.timeline):
            run.used[name] = run.used.get(name, 0) + 1
        if call.over:
            run.meetings += _met(call, begun)
    run.meetings.sort(key=lambda meeting: meeting.at)
    return run


_Begun = tuple[float, KeptCall, ApiRequested]


def _begun(call: KeptCall) -> _Begun | None:
    """When an application first asked something of this call."""
    first = next((fact for fact in call.timeline if isinstance(fact, ApiRequested)), None)
    return (first.at, call, first) if first else None


def _used(timeline: Timeline) -> set[str]:
    phone = any(isinstance(fact, RouteTaken | RouteRefused | CallArrived | LegMovedIn) for fact in timeline)
    user = any(isinstance(fact, UserLegChanged) for fact in timeline)
    found: set[str] = set()
    for fact in timeline:
        match fact:
            case IncomingCallAnnounced():
                found.add(INCOMING)
            case ApiRequested() if fact.status < 400:
                found.add(fact.operation)
                found |= {f"{fact.operation} {each}" for each in _asked_for(fact)}
            case OperationEnded():
                found.add(fact.operation)
            case _:
                pass
    if "startTranscription" in found:
        found.add("startTranscription transcription")
    plain = [name for name in found if " " not in name]
    found |= {f"{name} to phone" for name in plain if phone}
    return found | {f"{name} to user" for name in plain if user}


def _asked_for(fact: ApiRequested) -> set[str]:
    """Kinds of sources and of input, in lower case; the reason of rejectCall."""
    if fact.operation == "rejectCall":
        return {fact.detail or "none"}
    return {kind.decode().lower() for kind in KINDS.findall(fact.body)}


def _met(call: KeptCall, begun: Sequence[_Begun]) -> Iterator[Meeting]:
    told = _deliveries(call.timeline)
    for number, fact in enumerate(call.timeline, 1):
        if not isinstance(fact, OperationEnded):
            continue
        verdict = judge_operation(call.timeline, fact.action)
        if verdict is not None:
            types = EVENTS_OF.get(fact.operation, ())
            yield Meeting(
                ending=verdict.ending,
                call=call.id,
                at=fact.at,
                after=fact.operation,
                connection=fact.connection,
                test=call.test,
                delivery=_take(told, types, number),
                then=_then(call, number, fact.at, begun),
            )
    for connection in ("", *call.others):
        verdict = judge(call.timeline, connection=connection)
        number = max((proof.fact for proof in verdict.evidence), default=len(call.timeline))
        at = call.timeline[number - 1].at if call.timeline else 0.0
        yield Meeting(
            ending=verdict.ending,
            call=call.id,
            at=at,
            after=_beginning(call.timeline, connection),
            connection=connection or call.id,
            test=call.test,
            delivery=_take(told, TERMINAL, 0),
            then=_then(call, number, at, begun),
        )


def _beginning(timeline: Timeline, connection: str) -> str:
    """The operation by which this application came to the call; of the first one, its first operation."""
    for fact in timeline:
        if isinstance(fact, ApiRequested) and (not connection or fact.connection == connection):
            return fact.operation
    return ""


def _then(call: KeptCall, number: int, at: float, begun: Sequence[_Begun]) -> NextStep | None:
    for fact in call.timeline[number:]:
        if isinstance(fact, ApiRequested) and fact.operation not in ABOUT:
            return _step(fact, at, call.id, same_call=True)
    for began, other, fact in begun:
        if began >= at and other.id != call.id and other.test == call.test:
            return _step(fact, at, other.id, same_call=False)
    return None


def _step(fact: ApiRequested, at: float, call_id: str, *, same_call: bool) -> NextStep:
    after = round(max(0.0, fact.at - at), 3)
    return NextStep(
        operation=fact.operation, status=fact.status, after_seconds=after, call=call_id, same_call=same_call
    )


_Told = tuple[int, Delivery]


def _deliveries(timeline: Timeline) -> list[_Told]:
    """Each event that was sent, with the number of its first attempt; attempts of one event are one."""
    found: dict[str, _Told] = {}
    for number, fact in enumerate(timeline, 1):
        if isinstance(fact, EventAttempted):
            first = found[fact.event_id][0] if fact.event_id in found else number
            found[fact.event_id] = (
                first,
                Delivery(
                    event=fact.event_type.removeprefix(CALL_EVENTS),
                    status=fact.status,
                    elapsed_ms=fact.elapsed_ms,
                    attempts=fact.attempt,
                    error=fact.error,
                ),
            )
    return list(found.values())


def _take(told: list[_Told], types: Iterable[str], after: int) -> Delivery | None:
    """The first event of these types after fact number `after`; it tells of one ending only."""
    wanted = frozenset(types)
    for each in told:
        number, delivery = each
        if number > after and delivery.event in wanted:
            told.remove(each)
            return delivery
    return None
