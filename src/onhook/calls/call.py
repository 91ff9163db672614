"""A call: one timeline, legs of those who take part, and connections of the applications that steer it.

The plain call has one telephone and one application: createCall rings it, or it calls and an application
answers. Others have several: group calls, users without a telephone, redirected calls, applications that
connect later. Every leg is one party's signalling; every connection ends with exactly one terminal event.

Pure: inputs and `now` in, effects out. The call keeps its timeline, so that when the media of its legs is
counted and closed it can be judged, and its terminal events say what the verdict says.
"""

from collections.abc import Callable
from functools import partial

from onhook.calls.custom_context import headers_of
from onhook.calls.events import call_connected
from onhook.calls.features.streams import Streams
from onhook.calls.host import Host
from onhook.calls.inbound_leg import InboundLeg
from onhook.calls.inputs import (
    AnswerAsked,
    Arrival,
    Arrived,
    AsideParted,
    Invited,
    JoinAsked,
    LateSetupExpired,
    LeaveAsked,
    LegLeft,
    LegParted,
    MainParted,
    NothingToCount,
    RedirectAsked,
    RejectAsked,
    Rejection,
    Target,
    TargetAnswered,
)
from onhook.calls.leg import PhoneLeg
from onhook.calls.legs import Leg
from onhook.calls.offering import Manner, offer_to, raw_id, user_leg_changed
from onhook.calls.record import Connection, LegPlan, first_connection, leg_id
from onhook.calls.routing import Chosen, NotRouted
from onhook.calls.signals import LegConnected, LegEnded, LegRang, LegUnusable, Standing
from onhook.calls.states import (
    MAX_TRACEBACK,
    MAX_UNREADABLE,
    RELEASE_SECONDS,
    DurationExpired,
    Faulted,
    HangUpAsked,
    MediaClosed,
    Placed,
    ReleaseExpired,
    Restarted,
    SetupExpired,
    State,
)
from onhook.calls.user_leg import UserLeg
from onhook.effects import Destination, Effect, Record
from onhook.facts import (
    ApiRequested,
    CallArrived,
    ConnectionJoined,
    InboundRefused,
    TimerFired,
)
from onhook.machine import Outputs, nothing, rows
from onhook.sip.messages import Request

__all__ = [
    "MAX_TRACEBACK",
    "MAX_UNREADABLE",
    "RELEASE_SECONDS",
    "Call",
    "DurationExpired",
    "Faulted",
    "HangUpAsked",
    "MediaClosed",
    "Placed",
    "ReleaseExpired",
    "Restarted",
    "SetupExpired",
    "State",
    "leg_id",
]

REJECTIONS: dict[Rejection, int] = {"none": 603, "busy": 486, "forbidden": 403}
"""SIP final that a calling telephone gets for each callRejectReason (assumed)."""
NAMED_REJECTIONS: dict[str, Rejection] = {name: name for name in REJECTIONS}


class Call(Host):
    # What goes in

    def place(self, routed: Chosen | NotRouted, asked: ApiRequested) -> list[Effect]:
        return self._take(asked, partial(self.handle, Placed(routed)))

    def invite(self, targets: tuple[Target, ...], asked: ApiRequested) -> list[Effect]:
        """The call was created for others than one telephone."""
        return self._take(asked, partial(self.handle, Invited(targets)))

    def arrive(
        self, invite: Request, data: bytes, source: Destination, arrival: Arrival, now: float
    ) -> list[Effect]:
        """A telephone calls by a trunk of ours."""
        arrived = Arrived(invite, arrival, headers_of(data))
        return self._take(self._seen(leg_id(self.record), data, source, now), self._begin(arrived, source))

    def _begin(self, arrived: Arrived, source: Destination) -> Callable[[], Outputs]:
        record = self.record
        trunk = arrived.arrival.trunk
        leg = InboundLeg(
            arrived.invite,
            id=leg_id(record),
            party=raw_id(record.source),
            seed=record.seed,
            source=source,
            local=record.local,
            terms=trunk.terms(record.secret, record.seed),
            trunk=trunk,
            now=record.started_at,
        )
        self.legs.add(leg)
        return partial(self.handle, arrived)

    def answer(self, asked: ApiRequested, connection: Connection, media: tuple[str, int]) -> list[Effect]:
        """`asked.leg` names who rings; the switch has checked that it still does."""
        return self._ask(asked, AnswerAsked(asked.leg, connection, media))

    def reject(self, asked: ApiRequested) -> list[Effect]:
        """`asked.detail` is the reason; whatever is none of ours counts as none."""
        return self._ask(asked, RejectAsked(asked.leg, NAMED_REJECTIONS.get(asked.detail, "none")))

    def redirect(self, asked: ApiRequested, target: Target) -> list[Effect]:
        return self._ask(asked, RedirectAsked(asked.leg, target))

    def join(self, asked: ApiRequested, connection: Connection) -> list[Effect]:
        return self._ask(asked, JoinAsked(connection))

    def hang_up(self, asked: ApiRequested, leaving: Connection | None = None) -> list[Effect]:
        """For everyone; or for one application, after which the call goes on if enough are left."""
        if leaving is None or not self._survives(leaving):
            return self._take(asked, partial(self._stop, leaving))
        return self._ask(asked, LeaveAsked(leaving))

    def _survives(self, leaving: Connection) -> bool:
        """Two legs and one application are enough for a call that was up (documented for hangUp)."""
        left = [leg for leg in self.legs.connected if leg.id != leaving.leg]
        apps = [each for each in self.open_connections if each is not leaving]
        return self.state is State.CONNECTED and len(left) > 1 and bool(apps)

    # Actions. First, how a call begins

    def dial(self, placed: Placed) -> Outputs:
        routed, record = placed.routed, self.record
        self._own_leg()
        if isinstance(routed, NotRouted):
            return [Record(self.refused(record.target, routed)), *self.handle(routed)]
        self._clocks[SetupExpired] = self.now + self.setup_seconds
        record.trunk = routed.trunk.name
        plan = LegPlan(
            id=leg_id(record), party=record.target, seed=record.seed, local=record.local, media=record.media
        )
        return self.call_out(plan, routed)

    def _own_leg(self) -> None:
        """The connection of createCall, and its identity, which is in the call from the start."""
        connection = first_connection(self.record)
        self.connections.append(connection)
        leg = UserLeg(connection.leg, self.record.source_user)
        leg.standing = Standing.CONNECTED
        self.legs.add(leg, own=True)

    def ring_all(self, invited: Invited) -> Outputs:
        self._own_leg()
        record = self.record
        joined = ConnectionJoined(
            at=self.now, connection=record.id, operation="createCall", user=record.source_user
        )
        outputs: Outputs = [Record(joined)]
        self._clocks[SetupExpired] = self.now + self.setup_seconds
        refused: NotRouted | None = None
        for target in invited.targets:
            if isinstance(target.routed, NotRouted):
                refused = target.routed
            outputs += self.reach(target)
        if refused is not None and not any(leg.id not in self.legs.own for leg in self.legs):
            outputs += self.handle(refused)
        return outputs

    def let_in(self, arrived: Arrived) -> Outputs:
        leg, record, arrival = self.legs.caller, self.record, arrived.arrival
        assert leg is not None
        if arrival.unknown:
            refused = InboundRefused(
                at=self.now,
                leg=leg.id,
                why="number-unknown",
                status=404,
                number=record.target,
                trunk=arrival.trunk.name,
                detail=arrival.unknown,
            )
            return [Record(refused), *self._rise(leg, leg.reject(404, self.now))]
        fact = CallArrived(
            at=self.now,
            leg=leg.id,
            number=record.target,
            caller=record.source,
            trunk=arrival.trunk.name,
            resource=record.resource,
        )
        number = UserLeg(f"{leg.id}-number", record.target, rings_as=leg.id)
        self.legs.add(number, own=True)
        outputs = [Record(fact), *self._rise(leg, leg.begin(self.now)), *self._rise(leg, leg.ring(self.now))]
        manner = Manner(headers=arrived.headers)
        return outputs + offer_to(record, number, record.resource, self.ring_seconds, self.now, manner=manner)

    # Then, what applications decide

    def take_call(self, asked: AnswerAsked) -> Outputs:
        """The party that rings is in the call; a calling telephone gets its answer now."""
        connection, leg = asked.connection, self.legs.ringing_as(asked.leg)
        assert leg is not None
        leg.stop("answered")
        connection.leg = leg.id
        if leg.rings_as != leg.id:
            leg.party = connection.user
        outputs = [*user_leg_changed(leg, "connected", now=self.now), *self._add(connection, "answerCall")]
        outputs += self._connect(leg)
        caller = self.legs.caller
        if caller is None or caller.answered:
            return outputs + self.handle(LegConnected())
        self.record.media = asked.media
        return outputs + self._rise(caller, caller.answer(asked.media, self.now))

    def _add(self, connection: Connection, operation: str) -> Outputs:
        record = self.record
        self.connections.append(connection)
        if connection.id == record.id:
            record.answered_leg = connection.leg
            record.callback_uri, record.api_version = connection.callback_uri, connection.api_version
            record.operation_context, record.source_user = connection.operation_context, connection.user
            record.media_options = connection.media_options
        elif connection not in record.connections:
            record.connections.append(connection)
        fact = ConnectionJoined(
            at=self.now,
            leg=connection.leg,
            connection=connection.id,
            operation=operation,
            user=connection.user,
        )
        return [Record(fact)]

    def refuse(self, asked: RejectAsked) -> Outputs:
        leg = self.legs.ringing_as(asked.leg)
        assert leg is not None
        leg.stop("rejected")
        why = asked.reason
        outputs = user_leg_changed(leg, "rejected", why, now=self.now)
        if (caller := self.legs.caller) is not None:
            caller.refusal = REJECTIONS[why]
        return outputs + self._signal(leg, LegEnded())

    def ring_another(self, asked: RedirectAsked) -> Outputs:
        leg, caller, target = self.legs.ringing_as(asked.leg), self.legs.caller, asked.target
        assert leg is not None
        leg.stop("redirected")
        leg.end()
        outputs = user_leg_changed(leg, "ended", "redirected", now=self.now)
        waiting = caller is not None and not caller.answered
        if target.routed is None:
            return outputs + self.reach(target)
        self._clocks.setdefault(SetupExpired, self.now + self.setup_seconds)
        self._bridged = self._bridged or waiting
        return outputs + self.reach(target, offer=caller.offer if caller and waiting else b"")

    def pass_answer(self, _: TargetAnswered) -> Outputs:
        caller, target = self.legs.caller, self._speaking
        assert caller is not None
        answer = target.answer if isinstance(target, PhoneLeg) else b""
        return self._rise(caller, caller.pass_answer(answer, self.now))

    def let_join(self, asked: JoinAsked) -> Outputs:
        connection = asked.connection
        leg = UserLeg(connection.leg, connection.user)
        leg.standing = Standing.CONNECTED
        self.legs.add(leg, own=True)
        return [*self._add(connection, "connect"), *self.tell(None)]

    def let_go(self, asked: LeaveAsked) -> Outputs:
        return [*self.leave(asked.connection, "hung-up"), *self.tell_participants()]

    def _stop(self, leaving: Connection | None) -> Outputs:
        if not self.accepts(HangUpAsked):
            return []
        if self.state is State.CONNECTED and self.legs.aside:
            self._speaking = None
            return self.handle(MainParted())
        several = leaving is not None and len(self.connections) > 1
        gone: Outputs = [Record(self.gone(leaving, "hung-up"))] if leaving and several else []
        return gone + self.handle(HangUpAsked())

    # Then, who is in it

    def connect(self, connected: LegConnected) -> Outputs:
        self.record.connected_at = self.now
        setup = self._clocks.get(SetupExpired)
        self._clocks = {DurationExpired: self.now + self.max_seconds}
        ringing = [leg for leg in self.legs.telephones if leg.standing is Standing.TRYING]
        if setup is not None and ringing:
            self._clocks[LateSetupExpired] = setup
        return self.tell(connected)

    def tell(self, _: object) -> Outputs:
        """Whose own leg is in the call hears that it is up; everyone hears who is in it now."""
        outputs: Outputs = []
        new: list[Connection] = []
        for connection in self.open_connections:
            leg = self.legs.user(connection.leg)
            if connection.connected_at is None and leg and leg.standing is Standing.CONNECTED:
                connection.connected_at = self.now
                outputs.append(call_connected(self.record, connection))
                new.append(connection)
        outputs += self.tell_participants()
        streaming = [each for each in new if each.media_options.streams_at_once]
        return outputs + [output for each in streaming for output in self.feature(Streams).connected(each)]

    def lose(self, _: LegLeft) -> Outputs:
        """One of several who were still being reached."""
        return (
            []
            if self._speaking is None
            else [*self._tell_end(self._speaking), *self._close_one(self._speaking)]
        )

    def lose_participant(self, left: LegLeft) -> Outputs:
        return [*self.lose(left), *(self.tell_participants() if self._was_in else [])]

    def part_aside(self, _: AsideParted) -> Outputs:
        """One of two who spoke apart is gone, and the other has nobody to speak to."""
        gone = self._speaking
        assert gone is not None
        outputs = self._close_one(gone)
        for leg in self.legs.telephones:
            if leg.aside == gone.aside and leg.standing is Standing.CONNECTED:
                outputs += self._rise(leg, leg.hang_up(self.now))
        return outputs

    def part_main(self, _: MainParted) -> Outputs:
        """The applications' call is over; those who speak apart do not notice."""
        gone, outputs = self._speaking, list[object]()
        if gone is not None and gone.standing is Standing.ENDED:
            outputs += [*self._tell_end(gone), *self._close_one(gone)]
        for leg in self.legs.alive():
            if leg.aside or leg.id in self.legs.own or self.connection_of(leg):
                continue
            trying = leg.standing is Standing.TRYING
            if trying:
                outputs += self.dismiss(leg, "call-over")
            elif leg.standing is Standing.CONNECTED:
                leg.standing = Standing.LEAVING
                outputs += self.let_off(leg)
        for connection in self.open_connections:
            outputs += self.leave(connection, "call-ended")
        return outputs

    def _tell_end(self, leg: Leg) -> Outputs:
        if not isinstance(leg, UserLeg) or not leg.outcome.startswith("left to ring"):
            return []
        return user_leg_changed(leg, "ended", "rang-out", now=self.now)

    # At last, how it ends

    def release(self, _: HangUpAsked) -> Outputs:
        self._clocks = {ReleaseExpired: self.now + RELEASE_SECONDS}
        return self._hang_up_legs()

    def part(self, _: LegParted) -> Outputs:
        """The leg that decided is gone; a caller that still waits hears what became of its call."""
        leg, caller = self._speaking, self.legs.caller
        if caller is not None and isinstance(leg, PhoneLeg) and leg.refused_with >= 400:
            caller.refusal = leg.refused_with
        self._clocks = {ReleaseExpired: self.now + RELEASE_SECONDS}
        told = [] if leg is None else self._tell_end(leg)
        return told + self._hang_up_legs()

    def expire_setup(self, _: SetupExpired) -> Outputs:
        self._clocks[ReleaseExpired] = self.now + RELEASE_SECONDS
        fired = TimerFired(at=self.now, name="setup", after_seconds=self.setup_seconds)
        return [Record(fired), *self._hang_up_legs()]

    def expire_late_setup(self, _: LateSetupExpired) -> Outputs:
        outputs: Outputs = []
        for leg in self.legs.telephones:
            if leg.standing is Standing.TRYING and not leg.invited:
                fired = TimerFired(at=self.now, leg=leg.id, name="setup", after_seconds=self.setup_seconds)
                outputs += [Record(fired), *self._rise(leg, leg.hang_up(self.now))]
        return outputs

    def expire_duration(self, _: DurationExpired) -> Outputs:
        fired = TimerFired(at=self.now, name="duration", after_seconds=self.max_seconds)
        self._clocks = {ReleaseExpired: self.now + RELEASE_SECONDS}
        return [Record(fired), *self._hang_up_legs()]

    def expire_release(self, _: ReleaseExpired) -> Outputs:
        """A fact too: what comes after it belongs to a call that the application knows to be over."""
        fired = TimerFired(at=self.now, name="release", after_seconds=RELEASE_SECONDS)
        return [Record(fired), *self._close_media()]

    def _hang_up_legs(self) -> Outputs:
        outputs: Outputs = []
        telephones = self.legs.telephones
        for leg in telephones:
            if leg.invited and leg.standing is Standing.TRYING:
                outputs += self.dismiss(leg, "call-over")
            elif leg.standing is not Standing.ENDED or len(telephones) == 1:
                outputs += self._rise(leg, leg.hang_up(self.now))
        nobody = len(self.legs) > 0 and not self.legs.telephones_alive
        if self.state is State.DISCONNECTING and nobody:
            outputs += self.handle(LegEnded())
        return outputs

    def release_after_restart(self, _: Restarted) -> Outputs:
        self._clocks.clear()
        return self._hang_up_legs()

    def close(self, ended: object) -> Outputs:
        told = self._tell_end(self._speaking) if self._speaking and isinstance(ended, LegEnded) else []
        return told + self._close_media()

    def break_off(self, _: Faulted) -> Outputs:
        """Our code is not to be trusted with this call any more, but no telephone should stay up."""
        try:
            released = self._hang_up_legs()
        except Exception:  # noqa: BLE001  # the fault that led here is on record; this one is its echo
            self._broken = True
            released = []
        return [*released, *self._close_media()]

    TABLE = {
        (State.NEW, Placed): (State.CONNECTING, dial),
        (State.NEW, Invited): (State.CONNECTING, ring_all),
        (State.NEW, Arrived): (State.CONNECTING, let_in),
        (State.CONNECTING, NotRouted): (State.ENDED, nothing),
        (State.CONNECTING, LegRang): (State.CONNECTING, nothing),
        (State.CONNECTING, TargetAnswered): (State.CONNECTING, pass_answer),
        (State.CONNECTING, LegConnected): (State.CONNECTED, connect),
        (State.CONNECTING, LegUnusable): (State.CLOSING, close),
        (State.CONNECTING, LegLeft): (State.CONNECTING, lose),
        (State.CONNECTING, LegEnded): (State.CLOSING, close),
        (State.CONNECTING, HangUpAsked): (State.DISCONNECTING, release),
        (State.CONNECTING, SetupExpired): (State.DISCONNECTING, expire_setup),
        (State.CONNECTED, LegConnected): (State.CONNECTED, tell),
        (State.CONNECTED, LegLeft): (State.CONNECTED, lose_participant),
        (State.CONNECTED, AsideParted): (State.CONNECTED, part_aside),
        (State.CONNECTED, MainParted): (State.CONNECTED, part_main),
        (State.CONNECTED, JoinAsked): (State.CONNECTED, let_join),
        (State.CONNECTED, LeaveAsked): (State.CONNECTED, let_go),
        (State.CONNECTED, LateSetupExpired): (State.CONNECTED, expire_late_setup),
        (State.CONNECTED, HangUpAsked): (State.DISCONNECTING, release),
        (State.CONNECTED, DurationExpired): (State.DISCONNECTING, expire_duration),
        (State.CONNECTED, LegEnded): (State.CLOSING, close),
        (State.DISCONNECTING, LegLeft): (State.DISCONNECTING, nothing),
        (State.DISCONNECTING, LegEnded): (State.CLOSING, close),
        (State.DISCONNECTING, ReleaseExpired): (State.CLOSING, expire_release),
        (State.CLOSING, MediaClosed): (State.ENDED, nothing),
        (State.CLOSING, NothingToCount): (State.ENDED, nothing),
        **dict.fromkeys(rows([State.CONNECTING, State.CONNECTED], LegParted), (State.DISCONNECTING, part)),
        (State.CONNECTING, AnswerAsked): (State.CONNECTING, take_call),
        (State.CONNECTED, AnswerAsked): (State.CONNECTED, take_call),
        (State.CONNECTING, RejectAsked): (State.CONNECTING, refuse),
        (State.CONNECTED, RejectAsked): (State.CONNECTED, refuse),
        (State.CONNECTING, RedirectAsked): (State.CONNECTING, ring_another),
        (State.CONNECTED, RedirectAsked): (State.CONNECTED, ring_another),
        **dict.fromkeys(rows(list(State)[1:4], Restarted), (State.ENDED, release_after_restart)),
        **dict.fromkeys(rows(list(State)[1:4], Faulted), (State.CLOSING, break_off)),
    }
