"""A call rebuilt from its facts: equal inputs give equal calls, down to the bytes on the wire.

After a crash the switch replays each open call, so that the restarted server knows its dialog and can
release the telephone properly instead of leaving it off the hook.

When did timers fire? A call lets everything that is due happen before it takes an input, so the facts tell:
what is due at an input's time fired before it, and what fired by itself shows in the messages and timers
that it brought forth, which are facts with their own times and follow from no input. Timers that show in
nothing change nothing that an input could tell.
"""

from collections.abc import Mapping

import msgspec

from onhook.acs.operations import OPERATIONS
from onhook.calls.call import Call, State
from onhook.calls.directory import Trunk, VoiceRoute
from onhook.calls.features.feature import Operation
from onhook.calls.features.table import FEATURE_OF
from onhook.calls.inputs import Arrival, Target
from onhook.calls.kept_leg import resumed, trunk_of
from onhook.calls.legs import Leg
from onhook.calls.record import CallRecord, Connection, LegPlan, called_first, first_connection
from onhook.calls.routing import Chosen, NotRouted
from onhook.effects import Destination, Effect, Record
from onhook.endings.reading_parties import ends_call
from onhook.facts import (
    OF_MEDIA,
    ApiRequested,
    CallArrived,
    ConnectionJoined,
    ConnectionLeft,
    Fact,
    InboundRefused,
    IncomingCallAnnounced,
    LegDismissed,
    LegMovedIn,
    LegMovedOut,
    MediaMeasured,
    OperationEnded,
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
from onhook.sip.headers import split_host_port
from onhook.sip.messages import Request, parse

REQUESTS = {operation.name: operation.request for operation in OPERATIONS}
"""The model of each operation's body."""
OWN_FACTS = (
    RouteTaken,
    RouteRefused,
    CallArrived,
    InboundRefused,
    IncomingCallAnnounced,
    UserLegChanged,
    ConnectionJoined,
    ConnectionLeft,
    LegDismissed,
    LegMovedIn,
    OperationEnded,
)
"""What a call observes of itself, and observes again."""


def replay(
    record: CallRecord,
    timeline: Timeline,
    trunk: Trunk | None,
    *,
    setup_seconds: float,
    max_seconds: float,
    ring_seconds: float = 30.0,
    end_after_silence_seconds: float = 0.0,
    trunks: Mapping[str, Trunk] | None = None,
) -> tuple[Call, list[Effect]]:
    """The call as it stood after the last fact, and every effect that led there.

    `timeline` begins with createCall or an INVITE; a call that was refused a route ended in the same turn,
    and is never replayed. `trunks` are those of each leg, `trunk` counts for legs that it does not name.
    `record` is changed as the call goes.
    """
    call = Call(
        record,
        setup_seconds=setup_seconds,
        max_seconds=max_seconds,
        ring_seconds=ring_seconds,
        end_after_silence_seconds=end_after_silence_seconds,
    )
    player = _Player(call, timeline, trunk, trunks or {})
    effects: list[Effect] = []
    brought_forth = 0  # facts to come that follow from the last input
    for fact in timeline:
        if brought_forth and isinstance(fact, (SipSeen, TimerFired, *OWN_FACTS)):
            brought_forth -= 1
            continue
        fed = player.feed(fact)
        effects += fed
        brought_forth = _after(fact, fed)
    return call, effects


def _after(fact: Fact, effects: list[Effect]) -> int:
    """How many facts of `effects` come after `fact`."""
    facts = [effect.fact for effect in effects if isinstance(effect, Record)]
    return len(facts) - facts.index(fact) - 1 if fact in facts else 0


class _Player:
    """Gives facts from outside back to a call."""

    def __init__(
        self, call: Call, timeline: Timeline, trunk: Trunk | None, trunks: Mapping[str, Trunk]
    ) -> None:
        record = call.record
        self.call, self._trunk, self._trunks = call, trunk, trunks
        self._taken = {fact.leg: fact for fact in timeline if isinstance(fact, RouteTaken)}
        self._refused = {fact.leg: fact for fact in timeline if isinstance(fact, RouteRefused)}
        self._unknown = next(
            (
                fact.detail
                for fact in timeline
                if isinstance(fact, InboundRefused) and fact.why == "number-unknown"
            ),
            "",
        )
        self._seekers = {fact.after for fact in timeline if isinstance(fact, RouteTaken | RouteRefused)}
        self._plans, record.legs = record.legs, [plan for plan in record.legs if not plan.after]
        self._counted = {fact.leg: fact for fact in timeline if isinstance(fact, MediaMeasured)}
        self._connections = {each.id: _fresh(each) for each in record.connections}
        self._first = _fresh(first_connection(record))
        self._created: ApiRequested | None = None
        record.connections, record.connected_at = [], None

    def feed(self, fact: Fact) -> list[Effect]:
        call = self.call
        match fact:
            case SipSeen(direction="received"):
                return self._receive(fact)
            case SipSeen() | TimerFired() | OperationEnded():
                return self._wake(fact.at)
            case SipUnreadable():
                message, source = parse(fact.data), _destination(fact)
                return call.receive(message, fact.data, source, fact.at, candidates=fact.candidates)
            case TransportFailed():
                return call.fail(_destination(fact), fact.error, fact.at)
            case ApiRequested():
                return self._ask(fact)
            case RouteTaken() | RouteRefused():
                return self._route(fact)
            case LegMovedOut() | ServerRestarted():
                return call.give_away(fact) if isinstance(fact, LegMovedOut) else call.restart(fact.at)
            case _ if isinstance(fact, OF_MEDIA):
                return self._hear(fact)
            case _:
                if not isinstance(fact, OWN_FACTS):
                    call.note(fact)
                return []

    def _route(self, fact: RouteTaken | RouteRefused) -> list[Effect]:
        """The trunk of the call is known; or that which took it over, or that none did."""
        call = self.call
        if isinstance(fact, RouteTaken) and self._created is not None and call.state is State.NEW:
            return call.place(self._chosen(fact), self._created)
        if not fact.after:
            return []  # observed by the call itself
        if isinstance(fact, RouteRefused):
            return call.give_up(fact)
        plan = next(plan for plan in self._plans if plan.id == fact.leg)
        return call.try_next(fact, plan, self._chosen(fact))

    def _wake(self, at: float) -> list[Effect]:
        due = self.call.deadline is not None and self.call.deadline <= at
        return self.call.handle_timeout(at) if due else []

    def _hear(self, fact: Fact) -> list[Effect]:
        """The last count of a leg that is being closed answers the closing; any other was told by itself."""
        if isinstance(fact, MediaMeasured) and fact is self._counted[fact.leg]:
            counting = self.call.is_counting(fact.leg)
            return self.call.media_closed(fact) if counting else self.call.media_seen(fact)
        return self.call.media_seen(fact)

    def _receive(self, fact: SipSeen) -> list[Effect]:
        call, message, source = self.call, parse(fact.message), _destination(fact)
        if call.state is State.NEW and isinstance(message, Request):
            trunk = self._trunk or Trunk(call.record.trunk, source.host, source.port, source.transport)
            return call.arrive(message, fact.message, source, Arrival(trunk, self._unknown), fact.at)
        return call.receive(message, fact.message, source, fact.at)

    def _ask(self, fact: ApiRequested) -> list[Effect]:
        call, operation = self.call, fact.operation
        if call.state is State.NEW:
            self._created = fact
            targets = tuple(self._target(plan) for plan in call.record.legs if called_first(plan))
            return call.invite(targets, fact) if targets else []
        match operation:
            case "answerCall":
                return call.answer(fact, self._connection(fact.connection), call.record.media)
            case "rejectCall":
                return call.reject(fact)
            case "redirectCall":
                ringing = call.legs.ringing_as(fact.leg)
                plan = next(
                    (plan for plan in call.record.legs if ringing and plan.instead_of == ringing.id), None
                )
                return call.redirect(fact, self._target(plan)) if plan else []
            case "connect":
                return call.join(fact, self._connection(fact.connection))
            case _ if ends_call(operation):
                return call.hang_up(fact, None if _for_everyone(fact) else self._leaver(fact))
            case _ if operation in FEATURE_OF:
                return self._operate(fact)
            case _:
                call.note(fact)
                return []

    def _operate(self, fact: ApiRequested) -> list[Effect]:
        """Ask an operation of an open call again, with the same body, name and targets."""
        connection = self._leaver(fact)
        if connection is None:
            self.call.note(fact)
            return []
        model = REQUESTS[fact.operation]
        request = msgspec.json.decode(fact.body, type=model) if model is not None and fact.body else None
        plans = [plan for plan in self.call.record.legs if plan.invitation == fact.action and fact.action]
        targets = tuple(self._target(plan) for plan in plans)
        legs = tuple(self._resumed(plan, fact.at) for plan in plans if plan.kept is not None)
        operation = Operation(
            fact.operation,
            connection,
            request,
            fact.action,
            targets=targets,
            legs=legs,
            about=fact.detail,
        )
        return self.call.operate(fact, operation)

    def _resumed(self, plan: LegPlan, now: float) -> Leg:
        return resumed(plan, trunk_of(plan, self._trunks.get(plan.id)), now)

    def _leaver(self, fact: ApiRequested) -> Connection | None:
        known = self.call.connections
        return next((each for each in known if each.id == (fact.connection or self.call.record.id)), None)

    def _connection(self, name: str) -> Connection:
        return self._connections.get(name, self._first)

    def _target(self, plan: LegPlan) -> Target:
        if (taken := self._taken.get(plan.id)) is not None:
            return Target(plan, self._chosen(taken))
        if (refused := self._refused.get(plan.id)) is not None:
            return Target(plan, NotRouted(refused.why, refused.detail))
        return Target(plan)

    def _chosen(self, taken: RouteTaken) -> Chosen:
        trunk = self._trunks.get(taken.leg) or self._trunk
        assert trunk is not None, "a leg that took a route is replayed with its trunk"
        route = VoiceRoute(taken.pattern, taken.pattern, (trunk.name,))
        # Who it was does not matter: the next fact says whether one took over, and which.
        others = (Chosen(trunk, route),) if taken.leg in self._seekers else ()
        return Chosen(trunk, route, others)


def _fresh(connection: Connection) -> Connection:
    return msgspec.structs.replace(connection, connected_at=None, ended_at=None, verdict=None, sequence=0)


def _for_everyone(fact: ApiRequested) -> bool:
    return "terminate" in fact.operation.lower()


def _destination(fact: SipSeen | SipUnreadable | TransportFailed) -> Destination:
    host, port = split_host_port(fact.peer) or (fact.peer, None)
    return Destination(fact.transport, host, port or 0)
