"""A call placed through the API: from createCall to its ending, with one telephone in it.

Pure: inputs and `now` in, effects out. The call keeps its timeline, so that when the media of its leg is
counted and closed it can be judged, and its one terminal event says what the verdict says.
"""

from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import TypeAlias

import msgspec

from onhook.acs.identifiers import communication_user, phone_number
from onhook.acs.models import CallConnectionStateModel, CallParticipant
from onhook.calls.directory import Trunk
from onhook.calls.events import call_connected, call_over, participants_updated
from onhook.calls.leg import LegConnected, LegEnded, LegRang, LegUnusable, PhoneLeg
from onhook.calls.record import CallRecord
from onhook.calls.routing import Chosen, NotRouted
from onhook.effects import CloseMedia, Destination, Effect, Publish, Record, Transmit
from onhook.endings.judge import judge
from onhook.facts import (
    ApiRequested,
    Fact,
    FaultRaised,
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
from onhook.machine import Machine, Outputs, nothing, rows
from onhook.sip.messages import Malformed, Message

RELEASE_SECONDS = 4.0
"""How long a BYE may stay unanswered before the application is told all the same."""
MAX_TRACEBACK = 8000
MAX_UNREADABLE = 100
"""Unreadable messages of one call that are kept; more prove nothing new."""


class State(Enum):
    NEW = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    DISCONNECTING = auto()  # our side hung up; the far end has not confirmed
    CLOSING = auto()  # the leg is over; its media is being counted
    ENDED = auto()


STATE_ON_THE_WIRE = {
    State.NEW: CallConnectionStateModel.CONNECTING,
    State.CONNECTING: CallConnectionStateModel.CONNECTING,
    State.CONNECTED: CallConnectionStateModel.CONNECTED,
    State.DISCONNECTING: CallConnectionStateModel.DISCONNECTING,
    State.CLOSING: CallConnectionStateModel.DISCONNECTING,
    State.ENDED: CallConnectionStateModel.DISCONNECTED,
}


class Placed(msgspec.Struct, frozen=True):
    """Input: the call was created, and this is what routing said."""

    routed: Chosen | NotRouted


class HangUpAsked(msgspec.Struct, frozen=True):
    """Input: the application hangs up or terminates."""


class SetupExpired(msgspec.Struct, frozen=True):
    """Input: nobody answered within the set-up time."""


class DurationExpired(msgspec.Struct, frozen=True):
    """Input: the call reached the longest time a call may last."""


class ReleaseExpired(msgspec.Struct, frozen=True):
    """Input: the far end did not confirm our hang-up in time."""


class MediaClosed(msgspec.Struct, frozen=True):
    """Input: the leg's media is closed; this is what went through."""

    fact: MediaMeasured


class Restarted(msgspec.Struct, frozen=True):
    """Input: the server was started again and found this call open."""


class Faulted(msgspec.Struct, frozen=True):
    """Input: our own code failed while it handled this call."""


Clock: TypeAlias = type[SetupExpired | DurationExpired | ReleaseExpired]


def leg_id(record: CallRecord) -> str:
    """The name of a call's leg in facts and in the media engine; no two calls share it."""
    return record.seed[:12]


class Call(Machine[State]):
    def __init__(
        self,
        record: CallRecord,
        *,
        setup_seconds: float,
        max_seconds: float,
    ) -> None:
        self.state = State.NEW
        self.record, self.now = record, record.started_at
        self.setup_seconds, self.max_seconds = setup_seconds, max_seconds
        self.leg: PhoneLeg | None = None
        self.trunk: Trunk | None = None
        self.timeline: Timeline = []
        self.deadline: float | None = None
        """When `handle_timeout` wants to be called next."""
        self._clocks: dict[Clock, float] = {}
        self._sequence = 0
        self._taking: Fact | None = None
        self._unreadable = 0
        self._broken = False  # the leg failed twice: its timers and messages are left alone

    # What goes in. Whatever is due by the time of an input happens before it: so the order in which a call
    # saw its timers and its inputs can be told from its facts alone, and a replay takes the same way.

    def place(self, routed: Chosen | NotRouted, asked: ApiRequested) -> list[Effect]:
        return self._take(asked, partial(self.handle, Placed(routed)))

    def hang_up(self, asked: ApiRequested) -> list[Effect]:
        return self._take(asked, lambda: self.handle(HangUpAsked()) if self.accepts(HangUpAsked) else [])

    def receive(
        self, message: Message, data: bytes, source: Destination, now: float, *, candidates: int = 1
    ) -> list[Effect]:
        """A message of this call; or unreadable bytes that could be meant for as many as `candidates`."""
        leg = self.leg
        name = leg.id if leg else ""
        if isinstance(message, Malformed):
            return self._receive_unreadable(
                SipUnreadable(
                    at=now,
                    leg=name,
                    transport=source.transport,
                    peer=source.peer,
                    data=data,
                    why=message.why,
                    candidates=candidates,
                )
            )
        fact = SipSeen(
            at=now, leg=name, direction="received", transport=source.transport, peer=source.peer, message=data
        )
        if leg is None or self._broken:
            return self._take(fact, _nothing_more)
        return self._take(fact, lambda: self._rise(leg.receive(message, source, self.now)))

    def _receive_unreadable(self, fact: SipUnreadable) -> list[Effect]:
        self._unreadable += 1
        return self._take(fact, _nothing_more) if self._unreadable <= MAX_UNREADABLE else []

    def fail(self, to: Destination, error: str, now: float) -> list[Effect]:
        """The transport could not carry a message of this call."""
        leg = self.leg
        name = leg.id if leg else ""
        fact = TransportFailed(at=now, leg=name, transport=to.transport, peer=to.peer, error=error)
        if leg is None or self._broken:
            return self._take(fact, _nothing_more)
        return self._take(fact, lambda: self._rise(leg.fail(error, self.now)))

    def media_seen(self, fact: MediaMeasured) -> list[Effect]:
        """The first packet came. Media is measured beside the loop: what arrives late is dated now."""
        if fact.at < self.now:
            fact = msgspec.structs.replace(fact, at=self.now)
        return self._take(fact, _nothing_more)

    def media_closed(self, fact: MediaMeasured) -> list[Effect]:
        self._taking = fact
        outputs = [Record(fact), *self.handle(MediaClosed(fact))]
        self._taking = None
        return self._keep(outputs)

    def note(self, fact: Fact) -> None:
        """A fact of this call that somebody else observed and keeps: it only counts in the timeline."""
        if self.state is not State.ENDED:
            self.timeline.append(fact)

    def resume(self, timeline: Timeline) -> None:
        """Take up an open call whose leg cannot be rebuilt, so that it can at least be ended."""
        self.timeline = timeline
        self.now = timeline[-1].at if timeline else self.record.started_at
        self.state = State.CONNECTING if self.record.connected_at is None else State.CONNECTED

    def restart(self, now: float) -> list[Effect]:
        """End a call that outlived its server: release the telephone, and say why."""
        last = self.now
        self.now = max(last, now)
        fact = ServerRestarted(at=self.now, last_seen_at=last)
        return self._keep([Record(fact), *self.handle(Restarted())])

    def fault(self, where: str, traceback: str, now: float) -> list[Effect]:
        """Our code raised while handling this call: keep the proof, and end this call only.

        A second fault cuts the leg off, so that what fails for ever cannot fail for ever again.
        """
        self.now = max(self.now, now)
        fact = FaultRaised(at=self.now, where=where, traceback=traceback[-MAX_TRACEBACK:])
        taken, self._taking = self._taking, None
        outputs: Outputs = [Record(fact)] if taken is None else [Record(taken), Record(fact)]
        if self.accepts(Faulted):
            return self._keep(outputs + self.handle(Faulted()))
        self._broken = True
        if self.state is State.ENDED and self.record.verdict is None:  # judging it is what failed
            self.timeline = [fact]
            return [*outputs, self._judge()]
        return self._keep(outputs)

    def handle_timeout(self, now: float) -> list[Effect]:
        self.now = max(self.now, now)
        return self._keep(self._expire())

    def _take(self, fact: Fact, act: Callable[[], Outputs]) -> list[Effect]:
        """Time moves to that of `fact`; then it is kept, and acted upon."""
        self._taking = fact
        self.now = max(self.now, fact.at)
        due = self.deadline is not None and self.deadline <= self.now
        outputs = self._expire() if due else []
        outputs.append(Record(fact))
        outputs += act()
        self._taking = None
        return self._keep(outputs)

    def _expire(self) -> Outputs:
        outputs: Outputs = []
        for clock in [clock for clock, at in self._clocks.items() if at <= self.now]:
            if self._clocks.pop(clock, None) is not None and self.accepts(clock):
                outputs += self.handle(clock())
        if self.leg and not self._broken:
            outputs += self._rise(self.leg.handle_timeout(self.now))
        return outputs

    def _next_deadline(self) -> float | None:
        times = list(self._clocks.values())
        if self.leg and not self._broken and (at := self.leg.deadline) is not None:
            times.append(at)
        return min(times) if times else None

    @property
    def done(self) -> bool:
        """Ended, and nothing on the wire can still belong to it."""
        return self.state is State.ENDED and (self.leg is None or self._broken or self.leg.done)

    # What the application asks to see

    @property
    def connection_state(self) -> CallConnectionStateModel:
        return STATE_ON_THE_WIRE[self.state]

    @property
    def participants(self) -> list[CallParticipant]:
        """Those in the call now: the telephone once it answered, and the application's identity (assumed)."""
        if self.record.connected_at is None or self.state in {State.CLOSING, State.ENDED}:
            return []
        return [
            CallParticipant(identifier=identifier, is_muted=False, is_on_hold=False)
            for identifier in (phone_number(self.record.target), communication_user(self.record.source_user))
        ]

    # Between the leg below and the world above

    def _rise(self, outputs: Outputs) -> Outputs:
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, LegRang | LegConnected | LegUnusable | LegEnded):
                risen += self.handle(output) if self.accepts(type(output)) else []
            else:
                risen.append(output)
        return risen

    def _keep(self, outputs: list[Effect]) -> list[Effect]:
        """Make a fact of every message sent, and remember all facts until the verdict."""
        kept: list[Effect] = []
        for output in outputs:
            if isinstance(output, Transmit):
                kept.append(Record(self._sent(output)))
            kept.append(output)
        if self.state is not State.ENDED:
            self.timeline += [effect.fact for effect in kept if isinstance(effect, Record)]
        elif self.record.verdict is None:
            self.timeline += [effect.fact for effect in kept if isinstance(effect, Record)]
            kept.append(self._judge())
        self.deadline = self._next_deadline()
        return kept

    def _sent(self, transmit: Transmit) -> SipSeen:
        return SipSeen(
            at=self.now,
            leg=self.leg.id if self.leg else "",
            direction="sent",
            transport=transmit.to.transport,
            peer=transmit.to.peer,
            message=transmit.data,
        )

    def _judge(self) -> Publish:
        self.record.ended_at = self.now
        self.record.verdict = verdict = judge(self.timeline)
        self.timeline = []  # what was kept is in the store
        return call_over(self.record, verdict)

    def _close_media(self) -> Outputs:
        """Its answer, the count, ends the call; it comes even where no media was ever opened."""
        self._clocks.clear()
        return [CloseMedia(leg_id(self.record))]

    # Actions

    def dial(self, placed: Placed) -> Outputs:
        routed, record = placed.routed, self.record
        if isinstance(routed, NotRouted):
            refused = RouteRefused(at=self.now, number=record.target, why=routed.why, detail=routed.detail)
            return [Record(refused), *self.handle(routed)]
        self.trunk = routed.trunk
        record.trunk = routed.trunk.name
        self.leg = PhoneLeg(
            id=leg_id(record),
            seed=record.seed,
            trunk=routed.trunk,
            local=record.local,
            media=record.media,
            target=record.target,
            caller=record.source,
            display_name=record.source_display_name,
            now=self.now,
        )
        self._clocks[SetupExpired] = self.now + self.setup_seconds
        taken = RouteTaken(
            at=self.now,
            leg=self.leg.id,
            number=record.target,
            trunk=routed.trunk.name,
            pattern=routed.route.pattern,
        )
        return [Record(taken), *self._rise(self.leg.dial(self.now))]

    def connect(self, _: LegConnected) -> Outputs:
        record = self.record
        record.connected_at = self.now
        self._clocks = {DurationExpired: self.now + self.max_seconds}
        self._sequence += 1
        return [call_connected(record), participants_updated(record, self.participants, self._sequence)]

    def release(self, _: HangUpAsked) -> Outputs:
        self._clocks = {ReleaseExpired: self.now + RELEASE_SECONDS}
        return self._hang_up_leg()

    def expire_setup(self, _: SetupExpired) -> Outputs:
        self._clocks[ReleaseExpired] = self.now + RELEASE_SECONDS
        fired = TimerFired(at=self.now, name="setup", after_seconds=self.setup_seconds)
        return [Record(fired), *self._hang_up_leg()]

    def expire_duration(self, _: DurationExpired) -> Outputs:
        fired = TimerFired(at=self.now, name="duration", after_seconds=self.max_seconds)
        self._clocks = {ReleaseExpired: self.now + RELEASE_SECONDS}
        return [Record(fired), *self._hang_up_leg()]

    def expire_release(self, _: ReleaseExpired) -> Outputs:
        """A fact too: what comes after it belongs to a call that the application knows to be over."""
        fired = TimerFired(at=self.now, name="release", after_seconds=RELEASE_SECONDS)
        return [Record(fired), *self._close_media()]

    def _hang_up_leg(self) -> Outputs:
        return self._rise(self.leg.hang_up(self.now)) if self.leg else []

    def release_after_restart(self, _: Restarted) -> Outputs:
        self._clocks.clear()
        return self._hang_up_leg()

    def close(self, _: object) -> Outputs:
        return self._close_media()

    def break_off(self, _: Faulted) -> Outputs:
        """Our code is not to be trusted with this call any more, but the telephone should not stay up."""
        try:
            released = self._hang_up_leg()
        except Exception:  # noqa: BLE001  # the fault that led here is on record; this one is its echo
            self._broken = True
            released = []
        return [*released, *self._close_media()]

    TABLE = {
        (State.NEW, Placed): (State.CONNECTING, dial),
        (State.CONNECTING, NotRouted): (State.ENDED, nothing),
        (State.CONNECTING, LegRang): (State.CONNECTING, nothing),
        (State.CONNECTING, LegConnected): (State.CONNECTED, connect),
        (State.CONNECTING, LegUnusable): (State.CLOSING, close),
        (State.CONNECTING, LegEnded): (State.CLOSING, close),
        (State.CONNECTING, HangUpAsked): (State.DISCONNECTING, release),
        (State.CONNECTING, SetupExpired): (State.DISCONNECTING, expire_setup),
        (State.CONNECTED, HangUpAsked): (State.DISCONNECTING, release),
        (State.CONNECTED, DurationExpired): (State.DISCONNECTING, expire_duration),
        (State.CONNECTED, LegEnded): (State.CLOSING, close),
        (State.DISCONNECTING, LegEnded): (State.CLOSING, close),
        (State.DISCONNECTING, ReleaseExpired): (State.CLOSING, expire_release),
        (State.CLOSING, MediaClosed): (State.ENDED, nothing),
        **dict.fromkeys(rows(list(State)[1:4], Restarted), (State.ENDED, release_after_restart)),
        **dict.fromkeys(rows(list(State)[1:4], Faulted), (State.CLOSING, break_off)),
    }


def _nothing_more() -> Outputs:
    """The fact itself is all."""
    return []
