"""The floor of the switch: calls are fed, their effects performed, and woken on time.

One turn of the event loop is one unit: all facts, records and events that it brought forth are saved
together, and only then do messages and events leave (store/journal.py).
"""

import ipaddress
import logging
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from onhook.acs.cloud_events import call_source, cloud_event
from onhook.acs.errors import ApiError, call_not_found
from onhook.acs.grid_events import incoming_call, recording_file_status_updated
from onhook.acs.identifiers import from_raw_id
from onhook.acs.incoming_context import make_context
from onhook.acs.requests import Asked, Reply
from onhook.calls.call import Call, State, leg_id
from onhook.calls.directory import Directory, Resource, Trunk
from onhook.calls.inputs import Arrival
from onhook.calls.leg import PhoneLeg
from onhook.calls.legs import Telephone
from onhook.calls.life import life_event
from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord, Connection
from onhook.calls.signals import Standing
from onhook.effects import (
    Announce,
    CloseMedia,
    Destination,
    Effect,
    MediaEffect,
    Notify,
    Publish,
    Record,
    Transmit,
    TryNextTrunk,
)
from onhook.facts import ApiRequested, ClockSkipped, Fact, MediaMeasured, RecordingChanged, StreamChanged
from onhook.media.settings import PortsUsedUp
from onhook.sip.messages import Malformed, Request, Response, parse
from onhook.sip.stray import answer_malformed, answer_stray
from onhook.store.journal import Journal
from onhook.switch.asking import Sources, arrived_record
from onhook.switch.deadlines import Deadlines
from onhook.switch.door import Door, calling, dialled, owner_of
from onhook.switch.failing_over import next_trunk
from onhook.switch.recovery import RELEASING_SECONDS, rebuild, unreleased
from onhook.switch.trunks import Trunks
from onhook.switch.world import Announcer, Archive, Limits, Media, Network, Post, Witness, no_witness

MAX_SUSPECTS = 16
"""Calls that unreadable bytes without a Call-ID are noted on: those waiting for that trunk."""
PORTS_RETRY_SECONDS = 5
KEEP_ALIVE = b"\r\n\0"
"""Datagrams of these only keep NAT open (RFC 5626 section 3.5.1, and what phones send instead)."""
"""Retry-After of refusals; both SDKs repeat a createCall by it, with the same Repeatability-Request-ID."""
MAX_WHERE_CHARACTERS = 500
log = logging.getLogger(__name__)


class Floor:
    def __init__(
        self,
        *,
        directory: Directory,
        network: Network,
        media: Media,
        archive: Archive,
        journal: Journal,
        post: Post,
        sources: Sources,
        limits: Limits,
        announcer: Announcer | None = None,
        context_key: bytes | None = None,
        witness: Witness = no_witness,
    ) -> None:
        """`context_key` signs incoming call contexts; without one they are good for this run only."""
        self.directory, self.limits = directory, limits
        self._network, self._media, self._archive = network, media, archive
        self._journal, self._post, self._sources = journal, post, sources
        self.calls: dict[str, Call] = {}
        """The open ones, by callConnectionId."""
        self._by_sip_id: dict[str, Call] = {}  # and the ended, as long as messages of theirs may come
        self._by_leg: dict[str, Call] = {}
        self._by_server_call: dict[str, Call] = {}
        self._by_connection: dict[str, Call] = {}  # all connections but the first of each call
        self._recorded: dict[str, Call] = {}
        """By recordingId, from the start of a recording to the end of its call."""
        self._on_trunk: Counter[str] = Counter()
        self._from_number: Counter[str] = Counter()
        """Outbound calls by caller id."""
        self._counted: dict[str, tuple[str, str]] = {}
        """Trunk and caller id of each leg that counts in the two above."""
        self.door = Door(sources.seed, network.serves, network.certified)
        self.trunks = Trunks(sources, network)
        self.trunks.follow(directory.trunks)
        self._announcer, self._context_key, self._witness = announcer, context_key, witness
        self._deadlines = Deadlines[Call](sources.now, self._wake)
        self._replies: dict[str, Reply] = {}
        self._transmits: list[tuple[str, Transmit]] = []
        """By callConnectionId, until they are saved; the events too."""
        self._events: list[OutboxEvent] = []
        self._unsaved: dict[str, tuple[Call, str]] = {}
        """Calls whose creation is not saved yet, each with the Repeatability-Request-ID of its request."""
        network.on_receive(self._receive)
        network.on_failure(self._fail)
        media.on_fact(self._media_told)
        journal.on_failure(self._withdraw_unsaved)
        journal.on_noted(self._noted)

    def _open_media(self, leg: str) -> tuple[str, int]:
        try:
            return self._media.open(leg)
        except PortsUsedUp as error:
            raise ApiError(
                503, "MediaPortsUsedUp", str(error), retry_after_seconds=PORTS_RETRY_SECONDS
            ) from error

    def _withdraw_unsaved(self) -> None:
        """Nothing of these calls has left the machine, and nothing will."""
        withdrawn = dict(self._unsaved)
        self._unsaved.clear()
        requests = {request_id for _, request_id in withdrawn.values() if request_id}
        keys = {key for key in self._replies if key.rpartition(" ")[2] in requests}
        for key in keys:
            del self._replies[key]
        self._transmits = [(owner, transmit) for owner, transmit in self._transmits if owner not in withdrawn]
        self._events = [event for event in self._events if event.call_id not in withdrawn]
        self._journal.discard(withdrawn.keys(), keys)
        if self._announcer is not None:
            self._announcer.withdraw(withdrawn.keys())
        for call, _ in withdrawn.values():
            self._forget(call)

    def _forget(self, call: Call) -> None:
        self._deadlines.set(call, None)
        self.calls.pop(call.record.id, None)
        self._by_server_call.pop(call.record.server_call_id, None)
        for connection in call.record.connections:
            self._by_connection.pop(connection.id, None)
        for leg in call.legs.telephones:
            self._by_sip_id.pop(leg.sip_call_id, None)
            self._discount(leg.id)
            if self._by_leg.pop(leg.id, None) is not None:
                self._media.close(leg.id)

    def reroute(self, directory: Directory) -> None:
        """From now on calls are placed by `directory`; those that are open keep their trunks."""
        self.directory = directory
        self.trunks.follow(directory.trunks)
        self._look_up_trunks()

    def _look_up_trunks(self) -> None:
        """Ask for the addresses of trunks with names now, before their first call comes."""
        for trunk in self.directory.trunks.values():
            self._network.serves("", trunk.destination)

    # After a restart

    def recover(self) -> int:
        """End every call that the last run left open; send what was not delivered. How many calls.

        Calls that had just ended and whose far end had not confirmed it are taken up too, so that their
        BYE or CANCEL is repeated; nothing more is told of them.
        """
        self._look_up_trunks()
        self._post.deliver(self._archive.undelivered())
        for record in self._archive.ended_last(RELEASING_SECONDS):
            ended = unreleased(record, self._archive.facts, self.directory.trunks, self.limits)
            if ended is not None:
                for leg in ended.legs.telephones:
                    self._by_sip_id[leg.sip_call_id] = ended
                self._deadlines.set(ended, ended.deadline)
        found = self._archive.open_calls()
        for record in found:
            call = rebuild(record, self._archive.facts, self.directory.trunks, self.limits)
            self._enter(call)
            self._guard(call, partial(call.restart, self._sources.now()))
        return len(found)

    # What the world brings

    def _receive(self, data: bytes, source: Destination) -> None:
        message = parse(data)
        if isinstance(message, Malformed):
            self._receive_unreadable(message, data, source)
            return
        call = self._by_sip_id.get(message.call_id)
        if call is not None:
            if isinstance(message, Response) and message.status >= 200:
                self.trunks.take_response(call, message)
            self._guard(call, partial(call.receive, message, data, source, self._sources.now()))
        elif isinstance(message, Request):
            begins = message.method == "INVITE" and not message.to_tag
            arrive = self._arrive if begins else self._answer_stray
            arrive(message, data, source)
        else:
            self.trunks.receive(message)

    def _answer_stray(self, request: Request, _data: bytes, source: Destination) -> None:
        if request.method == "OPTIONS":
            self.trunks.hear_from(source, "it sent OPTIONS")
        self._send_now(answer_stray(request, source, self._sources.seed()))

    def _send_now(self, answer: Transmit | None) -> None:
        if answer is not None:
            self._network.send(answer.data, answer.to)

    def _arrive(self, invite: Request, data: bytes, source: Destination) -> None:
        """An INVITE of no call that we know: let it in, or turn it away without keeping anything."""
        now = self._sources.now()
        found = self.door.trunk_of(invite, source, self.directory, now)
        if not isinstance(found, Trunk):
            self._send_now(found)
            return
        self.trunks.hear(found.name, "it placed a call")
        if full := self._no_room(found):
            self._send_now(self.door.full(invite, source, found.name, full, now))
            return
        self._let_in(invite, data, source, found)

    def _no_room(self, trunk: Trunk) -> str:
        """The limit that another call would go beyond, in words; empty if there is room."""
        if self._journal.failure:
            return f"nothing can be saved: {self._journal.failure}"
        if len(self.calls) >= self.limits.max_calls:
            return f"{len(self.calls)} calls are open, the limit of sip.max_calls"
        if self._on_trunk[trunk.name] >= trunk.max_calls:
            return f"trunk {trunk.name} has {trunk.max_calls} calls, the limit of its max_calls"
        if not self.trunks.begin(trunk.name):
            return f"trunk {trunk.name} begins calls faster than its calls_per_second"
        return ""

    def _let_in(self, invite: Request, data: bytes, source: Destination, trunk: Trunk) -> None:
        number = dialled(invite)
        caller, name = calling(invite)
        owner = owner_of(self.directory, number)
        record = arrived_record(
            self._sources,
            resource=owner.name if owner else "",
            caller=caller,
            display_name=name,
            number=number,
            trunk=trunk.name,
        )
        record.local = self._network.via_address(source)
        unknown = "" if owner else f"no resource owns {number or 'what was dialled'}"
        call = self._new_call(record)
        self._enter(call)
        arrival = Arrival(trunk, unknown)
        self._guard(call, partial(call.arrive, invite, data, source, arrival, record.started_at))
        self._journal.add_record(record)

    def _new_call(self, record: CallRecord) -> Call:
        return Call(
            record,
            setup_seconds=self.limits.setup_seconds,
            max_seconds=self.limits.max_call_seconds,
            ring_seconds=self.limits.ring_seconds,
            end_after_silence_seconds=self.limits.end_after_silence_seconds,
        )

    def _receive_unreadable(self, message: Malformed, data: bytes, source: Destination) -> None:
        """With a Call-ID they belong to that call; without one they are noted on every call that waits."""
        if not data.strip(KEEP_ALIVE):
            return
        self._send_now(answer_malformed(message, source, self._sources.seed()))
        if message.call_id:
            known = self._by_sip_id.get(message.call_id)
            suspects = [] if known is None else [known]
        else:
            suspects = [call for call in self.calls.values() if _waits_for(call, source)]
        now, candidates = self._sources.now(), len(suspects)
        for call in suspects[:MAX_SUSPECTS]:
            self._guard(call, partial(call.receive, message, data, source, now, candidates=candidates))

    def _fail(self, to: Destination, error: str) -> None:
        self.trunks.fail(to, error)
        for call in [call for call in self.calls.values() if call.legs.speaking_to(to)]:
            self._guard(call, partial(call.fail, to, error, self._sources.now()))

    def _media_told(self, owner: str, fact: Fact) -> None:
        """`owner` is the leg that media tells of; or the room, which is a call."""
        call = self._by_leg.get(owner) or self.calls.get(owner)
        if call is not None:
            self._guard(call, partial(call.media_seen, fact))
        if isinstance(fact, RecordingChanged | StreamChanged):
            self._capture_told(owner, fact, call)

    def _capture_told(self, owner: str, fact: RecordingChanged | StreamChanged, call: Call | None) -> None:
        """Files take their time: a recording may be ready long after its call has ended."""
        record = call.record if call else self._archive.call(owner)
        if record is None:
            return
        if call is None:
            self._journal.add_facts(record.id, [fact])
        if not isinstance(fact, RecordingChanged) or not fact.chunks or self._announcer is None:
            return
        if self._announcer.has_subscribers(record.resource):
            event = recording_file_status_updated(
                fact, call_id=record.correlation_id, server_call_id=record.server_call_id
            )
            self._announcer.announce(
                record.resource, event.type, event.subject, msgspec.to_builtins(event.data), call_id=record.id
            )

    def _noted(self, call_id: str, fact: Fact) -> None:
        call = self.calls.get(call_id)
        if call is not None:
            call.note(fact)

    def call_of_sip(self, sip_call_id: str) -> CallRecord | None:
        """The call that a SIP dialog belongs to, open or just ended."""
        call = self._by_sip_id.get(sip_call_id)
        return call.record if call else None

    def fail_call(self, call_id: str, error: Exception) -> None:
        """End an open call as a fault of our own code does: the lab provokes one."""
        call = self.calls.get(call_id)
        if call is not None:
            self._perform(call, self._fault(call, error))

    # Performing effects

    def _guard(self, call: Call, act: Callable[[], list[Effect]]) -> None:
        """Run one input of a call; a fault of ours ends that call, with its proof, and no other."""
        try:
            effects = act()
        except Exception as error:  # noqa: BLE001  # _fault logs it and keeps it as a fact
            effects = self._fault(call, error)
        self._perform(call, effects)

    def _fault(self, call: Call, error: Exception) -> list[Effect]:
        log.error("call %s failed", call.record.id, exc_info=error)
        where = f"{type(error).__name__}: {error}"[:MAX_WHERE_CHARACTERS]
        return call.fault(where, "".join(traceback.format_exception(error)), self._sources.now())

    def _perform(self, call: Call, effects: list[Effect]) -> None:
        facts = [effect.fact for effect in effects if isinstance(effect, Record)]
        self._journal.add_facts(call.record.id, facts)
        self._witness(call.record, facts)
        consequences: list[Effect] = []
        for effect in effects:
            try:
                self._do(call, effect)
            except Exception as error:  # noqa: BLE001  # as in _guard
                consequences += self._fault(call, error)
        self._index(call)
        if consequences:
            self._perform(call, consequences)
        for effect in effects:  # last: what closing brings forth belongs after the rest
            if isinstance(effect, CloseMedia):
                self._by_leg.pop(effect.leg, None)
                self._guard(call, partial(self._close_media, call, effect.leg))
            elif isinstance(effect, TryNextTrunk):
                self._guard(call, partial(self._next_trunk, call, effect.leg))
                self._journal.add_record(call.record)

    def _do(self, call: Call, effect: Effect) -> None:
        if isinstance(effect, Transmit):
            if not self._transmits:
                self._journal.then(self._send_all)
            self._transmits.append((call.record.id, effect))
        elif isinstance(effect, Publish):
            self._publish(call.record, effect)
        elif isinstance(effect, Announce):
            self._announce(call.record, effect)
        elif isinstance(effect, Notify):
            self._notify(call.record, effect)
        elif isinstance(effect, MediaEffect):
            self._media.perform(effect)

    def _next_trunk(self, call: Call, failed: str) -> list[Effect]:
        return next_trunk(
            call,
            failed,
            has_room=self._has_room,
            resting=self.trunks.resting,
            open_media=self._open_media,
            via_address=self._network.via_address,
            now=self._sources.now(),
        )

    def _has_room(self, trunk: Trunk) -> bool:
        return self._on_trunk[trunk.name] < trunk.max_calls and self.trunks.begin(trunk.name)

    def trunks_told(self) -> list[dict[str, Any]]:
        """How the trunks are, with the calls on each, for /onhook/trunks."""
        return self.trunks.told(self._on_trunk)

    def _close_media(self, call: Call, leg: str) -> list[Effect]:
        try:
            counted = self._media.close(leg)
        except Exception as error:  # noqa: BLE001  # as in _guard; without a count the call would never end
            counted = MediaMeasured(at=self._sources.now(), leg=leg, sent=0, received=0)
            return [*self._fault(call, error), *call.media_closed(counted)]
        return call.media_closed(counted)

    def _send_all(self) -> None:
        transmits, self._transmits = self._transmits, []
        for _, transmit in transmits:
            self._network.send(transmit.data, transmit.to)

    def _publish(self, record: CallRecord, publish: Publish) -> None:
        at, event_id = self._sources.now(), self._sources.guid()
        body = cloud_event(
            event_id=event_id,
            event_type=publish.type,
            source=publish.source or call_source(publish.connection),
            data=publish.data,
            api_version=publish.api_version,
            at=at,
        )
        event = OutboxEvent(
            id=event_id,
            call_id=record.id,
            type=publish.type,
            uri=publish.callback_uri,
            body=body,
            created_at=at,
            due=at,
        )
        self._journal.add_record(record)
        self._journal.add_event(event)
        if not self._events:
            self._journal.then(self._post_all)
        self._events.append(event)

    def _announce(self, record: CallRecord, announce: Announce) -> None:
        owner = next((each for each in self.directory.resources if each.name == announce.resource), None)
        if self._announcer is None or owner is None:
            return
        context = make_context(
            self.context_key,
            record.id,
            announce.leg,
            owner.id,
            self._sources.now() + (announce.seconds or self.limits.ring_seconds),
        )
        event = incoming_call(
            to=from_raw_id(announce.to),
            from_=from_raw_id(announce.caller),
            server_call_id=record.server_call_id,
            incoming_call_context=context,
            correlation_id=record.correlation_id,
            caller_display_name=announce.display_name,
            sip_headers=dict(announce.sip_headers),
            voip_headers=dict(announce.voip_headers),
        )
        self._announcer.announce(
            owner.name, event.type, event.subject, msgspec.to_builtins(event.data), call_id=record.id
        )

    def _notify(self, record: CallRecord, notify: Notify) -> None:
        if self._announcer is None or not self._announcer.has_subscribers(record.resource):
            return
        event = life_event(record, notify, self._sources.now())
        self._announcer.announce(
            record.resource, event.type, event.subject, msgspec.to_builtins(event.data), call_id=record.id
        )

    @property
    def context_key(self) -> bytes:
        if self._context_key is None:
            self._context_key = (self._sources.seed() + self._sources.seed()).encode()
        return self._context_key

    def _post_all(self) -> None:
        events, self._events = self._events, []
        self._post.deliver(events)

    # Keeping track

    def _enter(self, call: Call) -> None:
        record = call.record
        self.calls[record.id] = self._by_server_call[record.server_call_id] = call
        for connection in record.connections:
            self._by_connection[connection.id] = call
        if record.seed:
            self._by_leg[leg_id(record)] = call

    def _index(self, call: Call) -> None:
        """Find the call by what the world calls it, wake it on time, forget it when nothing can come."""
        record = call.record
        if record.id in self.calls:
            for leg in call.legs.telephones:
                self._count(call, leg)
            if call.state is State.ENDED:
                self._end(call)
        done = call.done
        if done:
            for leg in call.legs.telephones:
                self._by_sip_id.pop(leg.sip_call_id, None)
        self._deadlines.set(call, None if done else call.deadline)

    def _count(self, call: Call, leg: Telephone) -> None:
        """A leg takes a place on its trunk, and of its caller id, from its INVITE to its end."""
        ended = leg.standing is Standing.ENDED or call.state is State.ENDED
        if leg.sip_call_id not in self._by_sip_id:
            self._by_sip_id[leg.sip_call_id] = call
            if not ended:
                trunk = leg.trunk.name if isinstance(leg, PhoneLeg) else call.record.trunk
                self._counted[leg.id] = trunk, leg.session.caller if isinstance(leg, PhoneLeg) else ""
                self._on_trunk[trunk] += 1
                self._from_number[self._counted[leg.id][1]] += 1
                if leg.media is not None:
                    self._by_leg[leg.id] = call
        elif ended:
            self._discount(leg.id)

    def _discount(self, leg: str) -> None:
        if leg in self._counted:
            trunk, number = self._counted.pop(leg)
            self._on_trunk[trunk] -= 1
            self._from_number[number] -= 1

    def _end(self, call: Call) -> None:
        record = call.record
        del self.calls[record.id]
        self._by_server_call.pop(record.server_call_id, None)
        for recording in [name for name, each in self._recorded.items() if each is call]:
            del self._recorded[recording]
        first = leg_id(record)
        if self._by_leg.get(first) is call:  # else another call has taken the leg over
            del self._by_leg[first]
        for connection in record.connections:
            self._by_connection.pop(connection.id, None)
        for leg in call.legs.telephones:
            self._by_leg.pop(leg.id, None)
            self._discount(leg.id)
        self._journal.add_record(record)

    def _wake(self, call: Call) -> None:
        self._guard(call, partial(call.handle_timeout, self._sources.now()))

    def _find(self, resource: Resource, call_connection_id: str) -> tuple[Call, Connection]:
        """An open connection of `resource`, and its call; raises the 404/8522 of ACS."""
        call = self.calls.get(call_connection_id) or self._by_connection.get(call_connection_id)
        for connection in call.open_connections if call else ():
            if call and connection.id == call_connection_id and connection.resource == resource.name:
                return call, connection
        raise call_not_found(call_connection_id)

    def _request_fact(
        self, asked: Asked, status: int, detail: str, *, leg: str = "", connection: str = ""
    ) -> ApiRequested:
        return ApiRequested(
            at=self._sources.now(),
            leg=leg,
            connection=connection,
            operation=asked.operation,
            status=status,
            request_id=asked.request_id,
            detail=detail,
        )

    # A clock that skips (lab/skipping.py)

    def now(self) -> float:
        """The clock of calls, Unix seconds."""
        return self._sources.now()

    def clock_skipped(self, seconds: float, why: str) -> None:
        """The clock has just moved on by `seconds`: each open call notes it, and those that are due wake."""
        fact = ClockSkipped(at=self._sources.now(), seconds=seconds, why=why)
        for call in self.calls.values():
            call.record.skipped_seconds += seconds
            self._journal.note(call.record.id, fact)
        self._deadlines.look_again()

    def close(self) -> None:
        self.trunks.close()
        self._deadlines.close()


def _waits_for(call: Call, source: Destination) -> bool:
    """Is an INVITE of this call still without a final response, at the trunk that `source` seems to be?"""
    if call.state is not State.CONNECTING or call.trunk is None:
        return False
    peer = call.trunk.destination
    if peer.transport != source.transport or peer.port not in {0, source.port}:
        return False
    return peer.host == source.host or not _is_address(peer.host)


def _is_address(host: str) -> bool:
    """False for a name, of which only the network knows the address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
