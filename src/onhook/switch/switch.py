"""Runs calls: feeds them inputs, performs their effects, wakes them on time.

One turn of the event loop is one unit: all facts, records and events that it brought forth are saved
together, and only then do messages and events leave (store/journal.py).
"""

import ipaddress
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from onhook.acs.cloud_events import call_source, cloud_event
from onhook.acs.errors import ApiError, call_not_found
from onhook.acs.models import CallConnectionProperties, CallParticipant, CreateCallRequest
from onhook.acs.requests import Asked, Reply
from onhook.calls.call import Call, State, leg_id
from onhook.calls.directory import Directory, Resource
from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord
from onhook.calls.routing import Chosen, choose_trunk
from onhook.effects import CloseMedia, Destination, Effect, Publish, Record, StartMedia, Transmit
from onhook.facts import ApiRequested, Fact, MediaMeasured, Timeline
from onhook.media.settings import PortsUsedUp
from onhook.sip.messages import Malformed, Request, parse
from onhook.sip.stray import answer_malformed, answer_stray
from onhook.store.batch import KeptReply, StoreFailed
from onhook.store.journal import Journal
from onhook.switch.asking import Sources, new_record, one_phone, properties
from onhook.switch.deadlines import Deadlines
from onhook.switch.recovery import RELEASING_SECONDS, rebuild, unreleased

MAX_SUSPECTS = 16
"""Calls that unreadable bytes without a Call-ID are noted on: those waiting for that trunk."""
STORE_RETRY_SECONDS = 2
PORTS_RETRY_SECONDS = 5
KEEP_ALIVE = b"\r\n\0"
"""Datagrams of these only keep NAT open (RFC 5626 section 3.5.1, and what phones send instead)."""
"""Retry-After of refusals; both SDKs repeat a createCall by it, with the same Repeatability-Request-ID."""
MAX_WHERE_CHARACTERS = 500
log = logging.getLogger(__name__)


class Network(Protocol):
    def send(self, data: bytes, to: Destination) -> None: ...
    def on_receive(self, handler: Callable[[bytes, Destination], None]) -> None: ...
    def on_failure(self, handler: Callable[[Destination, str], None]) -> None: ...
    def via_address(self, to: Destination) -> tuple[str, int]: ...


class Media(Protocol):
    def open(self, leg: str) -> tuple[str, int]: ...
    def start(self, effect: StartMedia) -> None: ...
    def close(self, leg: str) -> MediaMeasured: ...
    def on_measured(self, handler: Callable[[MediaMeasured], None]) -> None: ...


class Archive(Protocol):
    def open_calls(self) -> list[CallRecord]: ...
    def ended_last(self, seconds: float) -> list[CallRecord]: ...
    def undelivered(self) -> list[OutboxEvent]: ...
    def facts(self, call_id: str) -> Timeline: ...
    def reply(self, key: str) -> bytes | None: ...


class Post(Protocol):
    def deliver(self, events: Iterable[OutboxEvent]) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    setup_seconds: float = 115.0
    """Ringing included (documented: PSTN call set-up, service limits)."""
    max_call_seconds: float = 24 * 3600.0
    max_calls: int = 10_000


class Switch:
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
    ) -> None:
        self.directory, self.limits = directory, limits
        self._network, self._media, self._archive = network, media, archive
        self._journal, self._post, self._sources = journal, post, sources
        self.calls: dict[str, Call] = {}
        """The open ones, by callConnectionId."""
        self._by_sip_id: dict[str, Call] = {}  # and the ended, as long as messages of theirs may come
        self._by_leg: dict[str, Call] = {}
        self._on_trunk: Counter[str] = Counter()
        self._deadlines = Deadlines[Call](sources.now, self._wake)
        self._replies: dict[str, Reply] = {}
        self._transmits: list[tuple[str, Transmit]] = []
        """By callConnectionId, until they are saved; the events too."""
        self._events: list[OutboxEvent] = []
        self._unsaved: dict[str, tuple[Call, str]] = {}
        """Calls whose creation is not saved yet, each with the Repeatability-Request-ID of its request."""
        network.on_receive(self._receive)
        network.on_failure(self._fail)
        media.on_measured(self._measured)
        journal.on_failure(self._withdraw_unsaved)
        journal.on_noted(self._noted)

    # What the application asks (server.Switchboard)

    def create_call(
        self, resource: Resource, request: CreateCallRequest, asked: Asked
    ) -> CallConnectionProperties:
        """Place a call to one telephone; the outcome follows as an event. Raises ApiError.

        While the store fails, or no RTP port is left, nothing is begun: 503 with Retry-After, and no call
        that could have an ending. These two are not ACS behaviour but this machine's own limits.
        """
        if self._journal.failure:
            raise _store_failed(self._journal.failure)
        target = one_phone(request)
        if len(self.calls) >= self.limits.max_calls:
            raise ApiError(
                429, "8530", f"{self.limits.max_calls} calls are open, the limit", retry_after_seconds=5
            )
        record = new_record(resource, request, asked, target, self._sources)
        routed = choose_trunk(self.directory, resource, target, record.source, self._on_trunk)
        if isinstance(routed, Chosen):
            record.local = self._network.via_address(routed.trunk.destination)
            record.media = self._open_media(record)
        call = Call(record, setup_seconds=self.limits.setup_seconds, max_seconds=self.limits.max_call_seconds)
        self._enter(call)
        if not self._unsaved:
            self._journal.then(self._unsaved.clear)
        self._unsaved[record.id] = call, asked.repeatability_id
        created = self._request_fact(asked, 201, f"to {target} from {record.source or 'nobody'}")
        self._guard(call, partial(call.place, routed, created))
        self._journal.add_record(record)
        return properties(call)

    def _open_media(self, record: CallRecord) -> tuple[str, int]:
        try:
            return self._media.open(leg_id(record))
        except PortsUsedUp as error:
            raise ApiError(
                503, "MediaPortsUsedUp", str(error), retry_after_seconds=PORTS_RETRY_SECONDS
            ) from error

    def get_call(self, resource: Resource, call_connection_id: str) -> CallConnectionProperties:
        return properties(self._find(resource, call_connection_id))

    def hang_up(self, resource: Resource, call_connection_id: str, asked: Asked, *, everyone: bool) -> None:
        """With one telephone in the call, leaving it and ending it for all come to the same (assumed)."""
        call = self._find(resource, call_connection_id)
        fact = self._request_fact(asked, 204, "for everyone" if everyone else "")
        self._guard(call, partial(call.hang_up, fact))

    def get_participants(self, resource: Resource, call_connection_id: str) -> list[CallParticipant]:
        return self._find(resource, call_connection_id).participants

    def get_participant(self, resource: Resource, call_connection_id: str, raw_id: str) -> CallParticipant:
        for participant in self.get_participants(resource, call_connection_id):
            if participant.identifier and participant.identifier.raw_id == raw_id:
                return participant
        raise ApiError(
            404, "8522", f"Participant not found: {raw_id!r} is not in the call", target="participantRawId"
        )

    def recall(self, key: str) -> Reply | None:
        """The first answer to a repeated request, from this run or from the store."""
        if (known := self._replies.get(key)) is not None:
            return known
        try:
            kept = self._archive.reply(key)
        except StoreFailed as error:
            raise _store_failed(str(error)) from error
        return msgspec.msgpack.decode(kept, type=Reply) if kept else None

    def remember(self, key: str, reply: Reply) -> None:
        self._replies[key] = reply  # until it is in the store
        self._journal.add_reply(KeptReply(key, self._sources.now(), msgspec.msgpack.encode(reply)))
        self._journal.then(partial(self._stored, key))

    def _stored(self, key: str) -> None:
        self._replies.pop(key, None)

    async def written(self) -> None:
        """Return when all is saved; ApiError 503 if it could not be.

        A call whose creation could not be saved is withdrawn: its application is told that it failed, so
        the telephone must not ring later after all. A hang-up is not: it is carried out when the store
        works again, and asking for it once more does no harm.
        """
        try:
            await self._journal.written()
        except StoreFailed as error:
            raise _store_failed(str(error)) from error

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
        for call, _ in withdrawn.values():
            self._forget(call)

    def _forget(self, call: Call) -> None:
        record, leg = call.record, call.leg
        self._deadlines.set(call, None)
        still_open = self.calls.pop(record.id, None) is not None
        if leg is None:
            return
        if self._by_sip_id.pop(leg.sip_call_id, None) is not None and still_open:
            self._on_trunk[record.trunk] -= 1
        if self._by_leg.pop(leg.id, None) is not None:
            self._media.close(leg.id)

    def reroute(self, directory: Directory) -> None:
        """From now on calls are placed by `directory`; those that are open keep their trunks."""
        self.directory = directory

    # After a restart

    def recover(self) -> int:
        """End every call that the last run left open; send what was not delivered. How many calls.

        Calls that had just ended and whose far end had not confirmed it are taken up too, so that their
        BYE or CANCEL is repeated; nothing more is told of them.
        """
        self._post.deliver(self._archive.undelivered())
        for record in self._archive.ended_last(RELEASING_SECONDS):
            ended = unreleased(record, self._archive.facts, self.directory.trunks, self.limits)
            if ended is not None and ended.leg is not None:
                self._by_sip_id[ended.leg.sip_call_id] = ended
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
            self._guard(call, partial(call.receive, message, data, source, self._sources.now()))
        elif isinstance(message, Request):
            answer = answer_stray(message, source, self._sources.seed())
            if answer is not None:
                self._network.send(answer.data, answer.to)

    def _receive_unreadable(self, message: Malformed, data: bytes, source: Destination) -> None:
        """With a Call-ID they belong to that call; without one they are noted on every call that waits."""
        if not data.strip(KEEP_ALIVE):
            return
        answer = answer_malformed(message, source, self._sources.seed())
        if answer is not None:
            self._network.send(answer.data, answer.to)
        if message.call_id:
            known = self._by_sip_id.get(message.call_id)
            suspects = [] if known is None else [known]
        else:
            suspects = [call for call in self.calls.values() if _waits_for(call, source)]
        now, candidates = self._sources.now(), len(suspects)
        for call in suspects[:MAX_SUSPECTS]:
            self._guard(call, partial(call.receive, message, data, source, now, candidates=candidates))

    def _fail(self, to: Destination, error: str) -> None:
        for call in [call for call in self.calls.values() if _speaks_to(call, to)]:
            self._guard(call, partial(call.fail, to, error, self._sources.now()))

    def _measured(self, fact: MediaMeasured) -> None:
        call = self._by_leg.get(fact.leg)
        if call is not None:
            self._guard(call, partial(call.media_seen, fact))

    def _noted(self, call_id: str, fact: Fact) -> None:
        call = self.calls.get(call_id)
        if call is not None:
            call.note(fact)

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

    def _do(self, call: Call, effect: Effect) -> None:
        if isinstance(effect, Transmit):
            if not self._transmits:
                self._journal.then(self._send_all)
            self._transmits.append((call.record.id, effect))
        elif isinstance(effect, Publish):
            self._publish(call.record, effect)
        elif isinstance(effect, StartMedia):
            self._media.start(effect)

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
            source=call_source(record.id),
            data=publish.data,
            api_version=record.api_version,
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

    def _post_all(self) -> None:
        events, self._events = self._events, []
        self._post.deliver(events)

    # Keeping track

    def _enter(self, call: Call) -> None:
        record = call.record
        self.calls[record.id] = call
        if record.seed:
            self._by_leg[leg_id(record)] = call

    def _index(self, call: Call) -> None:
        """Find the call by what the world calls it, wake it on time, forget it when nothing can come."""
        record, leg = call.record, call.leg
        if leg is not None and record.id in self.calls and leg.sip_call_id not in self._by_sip_id:
            self._by_sip_id[leg.sip_call_id] = call
            self._on_trunk[record.trunk] += 1
        if call.state is State.ENDED and self.calls.pop(record.id, None) is not None:
            self._by_leg.pop(leg_id(record), None)
            if leg is not None:
                self._on_trunk[record.trunk] -= 1
        done = call.done
        if done and leg is not None:
            self._by_sip_id.pop(leg.sip_call_id, None)
        self._deadlines.set(call, None if done else call.deadline)

    def _wake(self, call: Call) -> None:
        self._guard(call, partial(call.handle_timeout, self._sources.now()))

    def _find(self, resource: Resource, call_connection_id: str) -> Call:
        """An open call of `resource`; raises the 404/8522 of ACS."""
        call = self.calls.get(call_connection_id)
        if call is None or call.record.resource != resource.name:
            raise call_not_found(call_connection_id)
        return call

    def _request_fact(self, asked: Asked, status: int, detail: str) -> ApiRequested:
        return ApiRequested(
            at=self._sources.now(),
            operation=asked.operation,
            status=status,
            request_id=asked.request_id,
            detail=detail,
        )

    def close(self) -> None:
        self._deadlines.close()


def _waits_for(call: Call, source: Destination) -> bool:
    """Is an INVITE of this call still without a final response, at the trunk that `source` seems to be?"""
    if call.state is not State.CONNECTING or call.trunk is None:
        return False
    peer = call.trunk.destination
    if peer.transport != source.transport or peer.port != source.port:
        return False
    return peer.host == source.host or not _is_address(peer.host)


def _speaks_to(call: Call, to: Destination) -> bool:
    leg = call.leg
    if leg is None:
        return False
    dialog = leg.session.dialog
    return leg.session.peer == to or (dialog is not None and dialog.next_hop == to)


def _is_address(host: str) -> bool:
    """False for a name, of which only the network knows the address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _store_failed(why: str) -> ApiError:
    return ApiError(
        503,
        "StoreFailed",
        f"Nothing was done: {why}. Requests are taken again when the store works.",
        target="store",
        retry_after_seconds=STORE_RETRY_SECONDS,
    )
