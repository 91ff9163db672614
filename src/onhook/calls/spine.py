"""What holds a call together: time, facts, its legs' signals, and the telling of its end.

call.py says what a call does; here is what happens around every such step, in the same way each time.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from onhook.acs.models import (
    CallConnectionStateModel,
    CallParticipant,
)
from onhook.calls.directory import Trunk
from onhook.calls.events import call_over
from onhook.calls.features.feature import Feature
from onhook.calls.inputs import (
    AsideParted,
    LegLeft,
    LegParted,
    MainParted,
    NothingToCount,
    TargetAnswered,
)
from onhook.calls.leg import PhoneLeg
from onhook.calls.legs import Leg, Legs, Telephone
from onhook.calls.offering import user_leg_changed
from onhook.calls.record import CallRecord, Connection, first_connection, leg_id
from onhook.calls.roster import Roster
from onhook.calls.signals import (
    LegConnected,
    LegEnded,
    LegRang,
    LegSignal,
    LegUnusable,
    LegVerdict,
    Standing,
)
from onhook.calls.states import (
    MAX_TRACEBACK,
    MAX_UNREADABLE,
    STATE_ON_THE_WIRE,
    Clock,
    Faulted,
    MediaClosed,
    Restarted,
    State,
)
from onhook.calls.user_leg import UserLeg
from onhook.effects import (
    CloseMedia,
    Destination,
    Effect,
    Listen,
    Mix,
    Notify,
    OpenStream,
    PlayPrompt,
    Record,
    SendDigits,
    StartMedia,
    StartRecording,
    Transmit,
    TryNextTrunk,
    Voice,
)
from onhook.endings.judge import judge, judge_leg
from onhook.endings.quality import quality_of
from onhook.endings.verdict import Verdict
from onhook.facts import (
    ApiRequested,
    Fact,
    FaultRaised,
    MediaMeasured,
    ServerRestarted,
    SipSeen,
    SipUnreadable,
    Timeline,
    TransportFailed,
)
from onhook.machine import Machine, Outputs
from onhook.sip.messages import Malformed, Message
from onhook.sip.referral import ReferSignal

UP = frozenset({State.NEW, State.CONNECTING, State.CONNECTED})
"""States in which what an application asked for goes on."""
IN_ROOM = (PlayPrompt, SendDigits, Listen, OpenStream, StartRecording)
"""Effects that happen in the room of a call."""


class Spine(Machine[State]):
    def __init__(
        self,
        record: CallRecord,
        *,
        setup_seconds: float,
        max_seconds: float,
        ring_seconds: float = 30.0,
        end_after_silence_seconds: float = 0.0,
    ) -> None:
        self.state = State.NEW
        self.record, self.now = record, record.started_at
        self.setup_seconds, self.max_seconds = setup_seconds, max_seconds
        self.ring_seconds = ring_seconds
        self.end_after_silence_seconds = end_after_silence_seconds
        self.leg: PhoneLeg | None = None
        """The first telephone that we called."""
        self.trunk: Trunk | None = None
        self.legs = Legs()
        self.connections: list[Connection] = []
        self.timeline: Timeline = []
        self.deadline: float | None = None
        """When `handle_timeout` wants to be called next."""
        self._clocks: dict[Clock, float] = {}
        self._taking: Fact | None = None
        self._unreadable = 0
        self._broken = False  # the legs failed twice: their timers and messages are left alone
        self._speaking: Leg | None = None  # whose signal is being handled
        self._counting: set[str] = set()  # media that is being closed
        self._over: list[Connection] = []  # left in this turn
        self._judges_legs = False  # a verdict on one leg is to be told in this turn
        self._roster = Roster()
        self._seen_by_roster: object = None
        self._bridged = False  # redirected: two telephones speak without an application
        self._features: dict[type[Feature], Feature] = {}
        self._rooms: dict[str, tuple[Voice, ...]] = {}  # as media was last told
        self._was_in = False  # was the leg whose end is being handled a participant?
        self._room = False  # media knows the room of this call
        self._agreed: dict[str, StartMedia] = {}

    # What comes. Whatever is due by the time of an input happens before it: so the order in which a call
    # saw its timers and its inputs can be told from its facts alone, and a replay takes the same way.

    def _ask(self, asked: ApiRequested, wanted: object) -> list[Effect]:
        return self._take(asked, lambda: self.handle(wanted) if self.accepts(type(wanted)) else [])

    def receive(
        self, message: Message, data: bytes, source: Destination, now: float, *, candidates: int = 1
    ) -> list[Effect]:
        """A message of this call; or unreadable bytes that could be meant for as many as `candidates`."""
        leg = self._leg_of(message.call_id)
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
        fact = self._seen(name, data, source, now)
        if leg is None or self._broken:
            return self._take(fact, _nothing_more)
        return self._take(fact, lambda: self._rise(leg, leg.receive(message, source, self.now)))

    def _leg_of(self, sip_call_id: str) -> Telephone | None:
        telephones = self.legs.telephones
        return telephones[0] if len(telephones) == 1 else self.legs.of_session(sip_call_id)

    @staticmethod
    def _seen(leg: str, data: bytes, source: Destination, now: float) -> SipSeen:
        return SipSeen(
            at=now, leg=leg, direction="received", transport=source.transport, peer=source.peer, message=data
        )

    def _receive_unreadable(self, fact: SipUnreadable) -> list[Effect]:
        self._unreadable += 1
        return self._take(fact, _nothing_more) if self._unreadable <= MAX_UNREADABLE else []

    def fail(self, to: Destination, error: str, now: float) -> list[Effect]:
        """The transport could not carry a message of this call."""
        telephones = self.legs.telephones
        concerned = telephones if len(telephones) == 1 else self.legs.speaking_to(to)
        if not concerned or self._broken:
            name = concerned[0].id if concerned else ""
            fact = TransportFailed(at=now, leg=name, transport=to.transport, peer=to.peer, error=error)
            return self._take(fact, _nothing_more)
        effects: list[Effect] = []
        for leg in concerned:
            fact = TransportFailed(at=now, leg=leg.id, transport=to.transport, peer=to.peer, error=error)
            effects += self._take(fact, partial(self._fail_leg, leg, error))
        return effects

    def _fail_leg(self, leg: Telephone, error: str) -> Outputs:
        return self._rise(leg, leg.fail(error, self.now))

    def media_seen(self, fact: Fact) -> list[Effect]:
        """Media observed something. It does so beside the loop: what arrives late is dated now."""
        if fact.at < self.now:
            fact = msgspec.structs.replace(fact, at=self.now)
        return self._take(fact, partial(self._tell_features, fact))

    def _tell_features(self, fact: Fact) -> Outputs:
        outputs: Outputs = []
        for feature in list(self._features.values()):
            outputs += feature.take(fact)
        return outputs

    def media_closed(self, fact: MediaMeasured) -> list[Effect]:
        self._taking = fact
        self._counting.discard(fact.leg)
        last = self.state is State.CLOSING and not self._counting
        outputs = [Record(fact), *(self.handle(MediaClosed(fact)) if last else [])]
        self._taking = None
        return self._keep(outputs)

    def is_counting(self, leg: str) -> bool:
        """Is the media of `leg` being closed?"""
        return leg in self._counting

    def note(self, fact: Fact) -> None:
        """A fact of this call that somebody else observed and keeps: it only counts in the timeline."""
        if self.state is not State.ENDED:
            self.timeline.append(fact)

    def resume(self, timeline: Timeline) -> None:
        """Take up an open call whose legs cannot be rebuilt, so that it can at least be ended."""
        self.timeline = timeline
        self.now = timeline[-1].at if timeline else self.record.started_at
        self.state = State.CONNECTING if self.record.connected_at is None else State.CONNECTED
        if not self.connections and self.record.callback_uri:
            self.connections.append(first_connection(self.record))
        self.connections += [each for each in self.record.connections if each not in self.connections]

    def restart(self, now: float) -> list[Effect]:
        """End a call that outlived its server: release the telephones, and say why."""
        last = self.now
        self.now = max(last, now)
        fact = ServerRestarted(at=self.now, last_seen_at=last)
        return self._keep([Record(fact), *self.handle(Restarted())])

    def fault(self, where: str, traceback: str, now: float) -> list[Effect]:
        """Our code raised while handling this call: keep the proof, and end this call only.

        A second fault cuts the legs off, so that what fails for ever cannot fail for ever again.
        """
        self.now = max(self.now, now)
        fact = FaultRaised(at=self.now, where=where, traceback=traceback[-MAX_TRACEBACK:])
        taken, self._taking = self._taking, None
        outputs: Outputs = [Record(fact)] if taken is None else [Record(taken), Record(fact)]
        if self.accepts(Faulted):
            return self._keep(outputs + self.handle(Faulted()))
        self._broken = True
        if self.state is State.ENDED and self.record.ended_at is None:  # judging it is what failed
            self.timeline = [fact]
            return [*outputs, *self._finish()]
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
        if not self._broken:
            for leg in list(self.legs):
                outputs += self._rise(leg, leg.handle_timeout(self.now))
            for feature in list(self._features.values()):
                if (at := feature.deadline) is not None and at <= self.now:
                    outputs += feature.handle_timeout(self.now)
        return outputs

    def _next_deadline(self) -> float | None:
        times = list(self._clocks.values())
        if not self._broken:
            times += [at for leg in self.legs if (at := leg.deadline) is not None]
            times += [at for each in self._features.values() if (at := each.deadline) is not None]
        return min(times) if times else None

    @property
    def done(self) -> bool:
        """Ended, and nothing on the wire can still belong to it."""
        return self.state is State.ENDED and (self._broken or all(leg.done for leg in self.legs.telephones))

    # What the application asks to see

    @property
    def connection_state(self) -> CallConnectionStateModel:
        return STATE_ON_THE_WIRE[self.state]

    @property
    def participants(self) -> list[CallParticipant]:
        """Those in the call now; nobody before it is up and after it is over (assumed)."""
        if self.record.connected_at is None or self.state in {State.CLOSING, State.ENDED}:
            return []
        return self.legs.participants

    @property
    def open_connections(self) -> list[Connection]:
        """Those whose application is in the call; one that leaves in this turn is not any more."""
        return [each for each in self.connections if each.ended_at is None and each not in self._over]

    # Between the legs below and the world above

    def _rise(self, leg: Leg, outputs: Outputs) -> Outputs:
        """Effects pass, each message sent with its fact; signals of the leg go into the table."""
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, Transmit):
                risen += [Record(self._sent(leg, output)), output]
            elif isinstance(output, LegRang | LegConnected | LegUnusable | LegEnded):
                risen += self._signal(leg, output)
            elif isinstance(output, ReferSignal):
                risen += [told for each in self._features.values() for told in each.referred(leg, output)]
            else:
                risen.append(output)
        return risen

    def _signal(self, leg: Leg, signal: LegSignal) -> Outputs:
        wanted: object = signal
        told: Outputs = []
        if isinstance(signal, LegConnected):
            told = self._connect(leg)
            caller = self.legs.caller
            if self._bridged and leg is not caller and caller and not caller.answered:
                wanted = TargetAnswered()
        elif isinstance(signal, LegEnded | LegUnusable):
            if leg.standing is Standing.ENDED or not self.accepts(type(signal)):
                return []
            if self._seeks_another(leg):
                leg.seeks = True
                return [*self._close_one(leg), TryNextTrunk(leg.id)]
            return self._lose(leg, signal)
        self._speaking = leg
        return told + (self.handle(wanted) if self.accepts(type(wanted)) else [])

    def _seeks_another(self, leg: Leg) -> bool:
        """Did a trunk fail, before anybody answered, for which others may stand in?"""
        return (
            isinstance(leg, PhoneLeg)
            and leg.failed
            and bool(leg.others)
            and not leg.dismissed
            and leg.standing is Standing.TRYING
            and self.state in UP
        )

    def _lose(self, leg: Leg, signal: LegEnded | LegUnusable) -> Outputs:
        self._was_in = leg.standing is Standing.CONNECTED and not leg.aside
        leg.standing = Standing.ENDED
        told = self._left(leg)
        wanted = self._weigh(leg, signal)
        self._speaking = leg
        return told + (self.handle(wanted) if self.accepts(type(wanted)) else [])

    def _connect(self, leg: Leg) -> Outputs:
        leg.standing = Standing.CONNECTED
        return [output for each in list(self._features.values()) for output in each.joined(leg)]

    def _left(self, leg: Leg) -> Outputs:
        return [output for each in list(self._features.values()) for output in each.left(leg)]

    def _weigh(self, leg: Leg, signal: LegEnded | LegUnusable) -> object:
        """Does the call go on without `leg`? If not, are there telephones to release first?"""
        caller = self.legs.caller
        if self.state is State.CONNECTING:
            others = [other for other in self.legs.alive(but=leg) if other.id not in self.legs.own]
            goes_on = leg is not caller and any(other is not caller for other in others)
        elif self.state is State.CONNECTED:
            attended = len(self.legs.connected) > 1 and (self._bridged or bool(self.open_connections))
            apart = any(other.aside != leg.aside for other in self.legs.aside)
            if leg.aside and (attended or apart):
                return AsideParted()
            if not attended and apart:
                return MainParted()
            goes_on = attended
        else:
            goes_on = bool(self.legs.telephones_alive)
        if goes_on:
            return LegLeft()
        if self.legs.telephones_alive:
            return LegParted()
        return signal

    def _keep(self, outputs: list[Effect]) -> list[Effect]:
        """Remember all facts until the verdict; tell those who left, and at the end everybody."""
        outputs += self._end_features()
        self._agreed.update({each.leg: each for each in outputs if isinstance(each, StartMedia)})
        if self.state is not State.ENDED or self.record.ended_at is None:
            self.timeline += [effect.fact for effect in outputs if isinstance(effect, Record)]
        if self._judges_legs:
            outputs = [self._judged(each) if isinstance(each, LegVerdict) else each for each in outputs]
            self._judges_legs = False
        over, self._over = self._over, []
        outputs += [self._conclude(connection) for connection in over]
        if self.state is State.ENDED and self.record.ended_at is None:
            outputs += self._finish()
        outputs += self._remix(outputs)
        outputs += self._notify()
        self.deadline = self._next_deadline()
        return outputs

    def _end_features(self) -> Outputs:
        """What was under way in the call ends with it, and is told before the terminal events."""
        if self.state in UP or not self._features:
            return []
        ended, self._features = list(self._features.values()), {}
        return [output for each in ended for output in each.end()]

    def judged(self, leg: str, tell: Callable[[Verdict], Effect]) -> Outputs:
        """What is told of one leg, once every fact of this turn is known."""
        self._judges_legs = True
        return [LegVerdict(leg, tell)]

    def _judged(self, wanted: LegVerdict) -> Effect:
        return wanted.tell(judge_leg(self.timeline, wanted.leg))

    def _remix(self, outputs: Outputs) -> list[Effect]:
        """Tell media who is in which room, when that has changed; and that all close, once the call is over.

        A call without a telephone has a room too, once something is played or recorded in it.
        """
        main, up = self.record.id, self.state is State.CONNECTED
        rooms = self.legs.rooms(main) if up else {}
        up = up and (self._bridged or bool(self.open_connections))
        used = self._room or main in rooms or any(isinstance(output, IN_ROOM) for output in outputs)
        closed = [room for room in self._rooms if room not in rooms and room != main]
        if used and not up:
            closed.append(main)
        changed = [Mix(room, voices) for room, voices in rooms.items() if voices != self._rooms.get(room)]
        self._rooms, self._room = rooms, used and up
        return [*(Mix(room, ()) for room in closed), *changed]

    def _notify(self) -> list[Notify]:
        """What subscribers are told; looked for only when somebody came, went, or the call moved on."""
        if self.record.connected_at is None:
            return []
        seen = self.state, [leg.id for leg in self.legs.connected]
        if seen == self._seen_by_roster:
            return []
        self._seen_by_roster = seen
        return self._roster.changes(self.participants, over=self.state is State.ENDED)

    def _sent(self, leg: Leg, transmit: Transmit) -> SipSeen:
        return SipSeen(
            at=self.now,
            leg=leg.id,
            direction="sent",
            transport=transmit.to.transport,
            peer=transmit.to.peer,
            message=transmit.data,
        )

    def _conclude(self, connection: Connection) -> Effect:
        """The one terminal event of a connection."""
        several, first = len(self.connections) > 1, connection is self.connections[0]
        viewer = connection.id if several and not (first and self.state is State.ENDED) else ""
        connection.verdict = judge(self.timeline, connection=viewer)
        connection.ended_at = self.now
        if first:
            self.record.verdict = connection.verdict
        return call_over(self.record, connection, connection.verdict)

    def _finish(self) -> list[Effect]:
        told: list[Effect] = [self._conclude(connection) for connection in self.open_connections]
        if self.record.verdict is None or self._bridged:  # no application had it, or to its end
            self.record.verdict = judge(self.timeline)
        self.record.quality = quality_of(self.timeline)
        self.record.ended_at = self.now
        self.timeline = []  # what was kept is in the store
        return told

    def _close_media(self) -> Outputs:
        """The counts, its answers, end the call. A call taken up without legs asks for one too."""
        self._clocks.clear()
        ended = self._silence()
        open_media = [leg for leg in self.legs.telephones if leg.media is not None]
        reached = self.legs.telephones or self.record.legs
        names = [leg.id for leg in open_media] if reached else [leg_id(self.record)]
        for leg in open_media:
            leg.media = None
        self._counting.update(names)
        if self._counting:
            return [*ended, *(CloseMedia(name) for name in names)]
        return [*ended, *self.handle(NothingToCount())]

    def _silence(self) -> Outputs:
        """Who still rings without a telephone rings no more."""
        outputs: Outputs = []
        for leg in self.legs.users:
            if leg.rings:
                leg.stop("taken back by its caller")
                leg.end()
                outputs += user_leg_changed(leg, "ended", "cancelled", now=self.now)
        return outputs

    def _close_one(self, leg: Leg) -> Outputs:
        if isinstance(leg, UserLeg) or leg.media is None:
            return []
        leg.media = None
        self._counting.add(leg.id)
        return [CloseMedia(leg.id)]


def _nothing_more() -> Outputs:
    """The fact itself is all."""
    return []
