"""A call as host of its features: what they are asked, and what they need of it.

Beside operations that is everything by which parties come into a call and leave it, so that call.py and the
features do it in the same way.
"""

from functools import partial
from typing import Any, TypeVar

from onhook.acs.errors import participant_not_in_call
from onhook.acs.identifiers import identify, normalise
from onhook.acs.models import CallConnectionStateModel, CommunicationIdentifierModel
from onhook.calls.custom_context import Pairs
from onhook.calls.events import participants_updated
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.features.silence import Silence
from onhook.calls.features.table import FEATURE_OF, FEATURES
from onhook.calls.features.transfers import Transfers
from onhook.calls.inputs import LegParted, MainParted, Target
from onhook.calls.kept_leg import plan_of
from onhook.calls.leg import PhoneLeg
from onhook.calls.legs import Leg, Telephone
from onhook.calls.offering import AS_EVER, Manner, offer_to, user_leg_changed
from onhook.calls.record import Connection, LegPlan
from onhook.calls.routing import Chosen, NotRouted
from onhook.calls.signals import LegEnded, Standing
from onhook.calls.spine import UP, Spine
from onhook.calls.states import State
from onhook.calls.user_leg import UserLeg
from onhook.effects import CloseMedia, Effect, Record, StartMedia
from onhook.facts import (
    ApiRequested,
    ConnectionLeft,
    Dismissal,
    Fact,
    LegDismissed,
    LegMovedIn,
    LegMovedOut,
    RouteRefused,
    RouteTaken,
    RtpStopped,
    UserLegCause,
)
from onhook.machine import Outputs

F = TypeVar("F", bound=Feature)


class Host(Spine):
    def media_seen(self, fact: Fact) -> list[Effect]:
        if isinstance(fact, RtpStopped) and self.end_after_silence_seconds:
            self.feature(Silence)
        return super().media_seen(fact)

    # Operations

    def feature_for(self, operation: str) -> Feature:
        """The feature that serves an operation, made when first asked for. Raises KeyError."""
        return self.feature(FEATURE_OF[operation])

    def feature(self, kind: type[F]) -> F:
        made = self._features.get(kind)
        if not isinstance(made, kind):
            made = kind(self)
            known: dict[type[Feature], Feature] = {**self._features, kind: made}
            # One order for every call: a replay asks nothing that was refused, so it makes them in another.
            self._features = {each: known[each] for each in (*FEATURES, *known) if each in known}
        return made

    def operate(self, asked: ApiRequested, operation: Operation) -> list[Effect]:
        """`operation` has been checked by its feature, in this very turn."""
        return self._take(asked, partial(self.feature_for(operation.name).begin, operation))

    # Who is in it

    def participant(self, identifier: CommunicationIdentifierModel, where: str) -> Leg:
        """Who is meant; `where` is the JSON path. Raises ApiError 400 if it is nobody in the call."""
        raw_id = normalise(identifier, where).raw_id or ""
        if (leg := self.find_participant(raw_id)) is not None:
            return leg
        raise participant_not_in_call(raw_id, where)

    def find_participant(self, raw_id: str) -> Leg | None:
        return next((leg for leg in self.legs.connected if identify(leg.party).raw_id == raw_id), None)

    def agreed(self, leg: str) -> StartMedia | None:
        """What a telephone agreed to about media, last; None for who has none of ours."""
        return self._agreed.get(leg)

    def tell_participants(self, *, but: Connection | None = None) -> Outputs:
        """ParticipantsUpdated for every application."""
        return [
            participants_updated(self.record, connection, self.participants)
            for connection in self.open_connections
            if connection is not but
        ]

    # Coming

    def reach(self, target: Target, *, offer: bytes = b"", manner: Manner = AS_EVER) -> Outputs:
        """Ring a telephone by its trunk, or a user; or note that no route led to the telephone."""
        if target.plan not in self.record.legs:
            self.record.legs.append(target.plan)
        if isinstance(target.routed, Chosen):
            return self.call_out(target.plan, target.routed, offer=offer, manner=manner)
        if isinstance(target.routed, NotRouted):
            return [Record(self.refused(target.plan.party, target.routed, target.plan.id))]
        leg = UserLeg(target.plan.id, target.plan.party)
        leg.invited = bool(target.plan.invitation)
        self.legs.add(leg)
        return offer_to(self.record, leg, target.plan.resource, self.ring_seconds, self.now, manner=manner)

    def call_out(
        self, plan: LegPlan, routed: Chosen, *, offer: bytes = b"", manner: Manner = AS_EVER
    ) -> Outputs:
        leg = PhoneLeg(
            id=plan.id,
            seed=plan.seed,
            trunk=routed.trunk,
            local=plan.local,
            media=plan.media,
            offer=offer,
            target=plan.party,
            caller=plan.caller or self.record.source,
            display_name=manner.display_name or self.record.source_display_name,
            headers=manner.headers,
            secret=self.record.secret,
            now=self.now,
        )
        leg.invited, leg.others = bool(plan.invitation), routed.others
        self.legs.add(leg)
        if self.leg is None:
            self.leg, self.trunk = leg, routed.trunk
        return [Record(self.taken(plan, routed)), *self._rise(leg, leg.dial(self.now))]

    # Failing over: the next trunk of the route

    def try_next(self, fact: RouteTaken, plan: LegPlan, routed: Chosen) -> list[Effect]:
        """`plan` is begun by another trunk in the place of the leg that failed (`plan.after`)."""
        return self._take(fact, partial(self._try_next, plan, routed))

    def give_up(self, fact: RouteRefused) -> list[Effect]:
        """No other trunk takes the call of the leg `fact.after`: it ends as its own trunk ended it."""
        return self._take(fact, partial(self._give_up, fact.after))

    def _try_next(self, plan: LegPlan, routed: Chosen) -> Outputs:
        gone = self.legs.get(plan.after)
        if not isinstance(gone, PhoneLeg) or not gone.seeks or self.state not in UP:
            return [*self.free_media(plan), *self._give_up(plan.after)]
        self.record.legs.append(plan)
        gone.seeks, gone.standing = False, Standing.ENDED
        leg = self._next_leg(gone, plan, routed)
        for feature in self._features.values():
            feature.replaced(gone.id, leg.id)
        if self.leg is gone:
            self.leg, self.trunk = leg, routed.trunk
            self.record.trunk = routed.trunk.name
        return self._rise(leg, leg.dial(self.now))

    def _next_leg(self, gone: PhoneLeg, plan: LegPlan, routed: Chosen) -> PhoneLeg:
        offer, display_name, headers = gone.asked
        leg = PhoneLeg(
            id=plan.id,
            seed=plan.seed,
            trunk=routed.trunk,
            local=plan.local,
            media=plan.media,
            offer=offer,
            target=plan.party,
            caller=plan.caller,
            display_name=display_name,
            headers=headers,
            secret=self.record.secret,
            now=self.now,
        )
        leg.invited, leg.others = gone.invited, routed.others
        self.legs.add(leg)
        return leg

    def _give_up(self, leg_id: str) -> Outputs:
        leg = self.legs.get(leg_id)
        if leg is None or not leg.seeks:
            return []
        leg.seeks = False
        return self._lose(leg, LegEnded())

    def taken(self, plan: LegPlan, routed: Chosen) -> RouteTaken:
        return RouteTaken(
            at=self.now,
            leg=plan.id,
            after=plan.after,
            number=plan.party,
            trunk=routed.trunk.name,
            pattern=routed.route.pattern,
            rewrites=routed.trunk.rewrites,
        )

    def refused(self, number: str, routed: NotRouted, leg: str = "") -> RouteRefused:
        return RouteRefused(at=self.now, leg=leg, number=number, why=routed.why, detail=routed.detail)

    def take_in(self, leg: Telephone, plan: LegPlan, from_call: str) -> Outputs:
        """A telephone that another call gave away is in this one."""
        assert plan.kept is not None
        if plan not in self.record.legs:
            self.record.legs.append(plan)
        self.legs.take_in(leg)
        if plan.kept.agreed is not None:
            self._agreed[leg.id] = plan.kept.agreed
        moved = LegMovedIn(
            at=self.now,
            leg=leg.id,
            from_call=from_call,
            number=leg.party,
            trunk=plan.kept.trunk,
            inbound=plan.kept.inbound,
        )
        return [Record(moved), *self._connect(leg)]

    # Leaving

    def give_away(self, fact: LegMovedOut) -> list[Effect]:
        """Another call takes a leg over; this one is over if too few are left."""
        leg = self.legs.get(fact.leg)
        if leg is None or isinstance(leg, UserLeg):
            return self._take(fact, list[Any])
        return self._take(fact, partial(self._give_away, leg))

    def _give_away(self, leg: Telephone) -> Outputs:
        self.legs.take_out(leg)
        gone = self._left(leg)
        return [*gone, *self.settle(leg)]

    def plan_to_move(self, leg: Telephone, action: str) -> LegPlan:
        """What the call that takes `leg` over by the operation `action` has to know of it."""
        return plan_of(leg, secret=self.secret_of(leg), agreed=self.agreed(leg.id), action=action)

    def secret_of(self, leg: Telephone) -> str:
        """Of the call in which the leg began."""
        kept = next((plan.kept for plan in self.record.legs if plan.id == leg.id and plan.kept), None)
        return kept.secret if kept else self.record.secret

    def dismiss(self, leg: Leg, why: Dismissal, reason: str = "") -> Outputs:
        """Our side takes a leg out: it is no participant from now on, whatever its far end answers.

        `reason` becomes a Reason header. Nothing happens to a leg that was dismissed before.
        """
        if leg.dismissed:
            return []
        leg.dismissed = True
        outputs: Outputs = [Record(LegDismissed(at=self.now, leg=leg.id, why=why))]
        was_in = leg.standing is Standing.CONNECTED
        if isinstance(leg, UserLeg):
            leg.stop("taken back by its caller")
            leg.end()
            return outputs if was_in else outputs + user_leg_changed(leg, "ended", "cancelled", now=self.now)
        if was_in:
            leg.standing = Standing.LEAVING
        return outputs + self._rise(leg, leg.hang_up(self.now, reason))

    def let_off(self, leg: Leg) -> Outputs:
        """Hang up, or ring no more, whatever the leg is."""
        return [] if isinstance(leg, UserLeg) else self._rise(leg, leg.hang_up(self.now))

    def leave(self, connection: Connection, why: UserLegCause) -> Outputs:
        """An application leaves the call with its identity; its terminal event ends this turn."""
        told = [output for each in list(self._features.values()) for output in each.over(connection)]
        self._over.append(connection)
        if (leg := self.legs.user(connection.leg)) is not None:
            leg.end()
        return [*told, Record(self.gone(connection, why))]

    def gone(self, connection: Connection, why: UserLegCause) -> ConnectionLeft:
        return ConnectionLeft(
            at=self.now,
            leg=connection.leg,
            connection=connection.id,
            user=connection.user,
            why=why,
        )

    def leave_to_themselves(self, connection: Connection) -> Outputs:
        """An application leaves; who is left goes on speaking, if need be without any application."""
        outputs = self.leave(connection, "transferred")
        self._bridged = not self.open_connections
        return outputs

    def set_aside(self, legs: list[Leg], room: str) -> Outputs:
        """These speak with each other from now on, and are out of the applications' call.

        Whoever calls this tells the participants.
        """
        outputs: Outputs = []
        for leg in legs:
            leg.aside, leg.dismissed = room, True
            outputs.append(Record(LegDismissed(at=self.now, leg=leg.id, why="transferred")))
        return outputs + ([] if self._attended else self.settle(legs[0]))

    def refer(self, leg: Telephone, target: Target, headers: Pairs, seconds: float) -> Outputs:
        """Ask the far end of `leg` to call the target; what it says goes to the features (`referred`)."""
        if target.plan not in self.record.legs:
            self.record.legs.append(target.plan)
        assert isinstance(target.routed, Chosen)
        taken = Record(self.taken(target.plan, target.routed))
        return [taken, *self._rise(leg, leg.refer(target.plan.party, headers, seconds, self.now))]

    def free_media(self, plan: LegPlan) -> Outputs:
        """Nobody speaks on the port that was kept for this leg."""
        self._counting.add(plan.id)
        return [CloseMedia(plan.id)]

    @property
    def connection_state(self) -> CallConnectionStateModel:
        transfers = self._features.get(Transfers)
        transferring = isinstance(transfers, Transfers) and transfers.under_way
        if self.state is State.CONNECTED and transferring:
            return CallConnectionStateModel.TRANSFERRING
        return super().connection_state

    def connection_of(self, leg: Leg) -> Connection | None:
        """The application whose own leg this is, if it has not left."""
        own = isinstance(leg, UserLeg)
        return next((each for each in self.open_connections if own and each.leg == leg.id), None)

    @property
    def _attended(self) -> bool:
        return len(self.legs.connected) > 1 and bool(self.open_connections)

    def settle(self, leg: Leg) -> Outputs:
        """`leg` was taken out: the call ends if too few are left in it."""
        if self.state is not State.CONNECTED:
            return []
        if self._attended:
            return self.tell_participants()
        self._speaking = leg
        return self.handle(MainParted() if self.legs.aside else LegParted())
