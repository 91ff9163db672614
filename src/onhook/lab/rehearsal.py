"""A scenario played through the whole switch on virtual time and a virtual network.

Everything between the API and the wire is the real thing; only the sockets, the clock and randomness are
replaced, so that the same scenario gives the same facts, byte for byte. Ending pages are proved with it.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import msgspec

from onhook.acs.errors import ApiError
from onhook.acs.identifiers import normalise
from onhook.acs.models import (
    AnswerCallRequest,
    CallLocator,
    CallRejectReason,
    ConnectRequest,
    CreateCallRequest,
    PhoneNumberIdentifierModel,
    StartCallRecordingRequest,
)
from onhook.acs.requests import Asked
from onhook.acs.wire import Model
from onhook.calls.call import State
from onhook.calls.directory import Directory, Resource
from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.effects import Destination
from onhook.facts import Fact, GridUnheard, Timeline
from onhook.lab.app_lines import VERBS, Setting, media_options, named, request_of
from onhook.lab.app_steps import AppAsk, AppAwait, ServerFail, ServerLose
from onhook.lab.far_caller import FarCaller
from onhook.lab.far_end import FarEnd
from onhook.lab.far_end_call import FarCall
from onhook.lab.scenario_steps import (
    CALLER_STEPS,
    CARRIER_STEPS,
    OF_EITHER,
    AppAnswer,
    AppCall,
    AppConnect,
    AppHangUp,
    AppRedirect,
    AppReject,
    AppTerminate,
    AppWait,
    NoSubscription,
    OtherHangUp,
    PhoneStep,
    RefuseConnection,
    Scenario,
    ServerCrash,
    ServerRestart,
    ServerSet,
    Step,
)
from onhook.lab.virtual_network import VirtualNetwork
from onhook.lab.virtual_sounds import VirtualSounds, fail, lose
from onhook.lab.virtual_time import run
from onhook.media.silent_media import SilentMedia
from onhook.sip.uri import phone_number
from onhook.store.journal import Journal
from onhook.store.memory import MemoryStore
from onhook.switch import Limits, Sources, Switch

EPOCH = 1_795_000_000.0
"""Unix time at which every rehearsal begins."""
CALLER, CALLEE = "+14255550100", "+14255550200"
LONGEST_SECONDS = 26 * 3600.0
CONTEXT_KEY = b"a key of rehearsals, open to all"
SECRET = "5e" * 32
"""Of calls: keys of SRTP are made of it, and the same at each rehearsal."""
CALLBACK = "https://app.example/events"


@dataclass(frozen=True, slots=True)
class Stage:
    """What is configured while a scenario plays."""

    directory: Directory
    limits: Limits = field(default_factory=Limits)

    @property
    def resource(self) -> Resource:
        """The one that places the call."""
        return self.directory.resources[0]


@dataclass(slots=True)
class Rehearsal:
    """What came of it."""

    record: CallRecord
    timeline: Timeline
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """CloudEvents in the order in which the application got them."""
    refused: list[ApiError] = field(default_factory=list[ApiError])
    """What the application asked in vain, in order."""


class Inbox:
    """An application that takes every event at once."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.uris: list[str] = []
        """Where each was posted to."""
        self.settle: Callable[[Settlement], None] = lambda _: None

    def deliver(self, events: Iterable[OutboxEvent]) -> None:
        for event in events:
            self.events += msgspec.json.decode(event.body, type=list[dict[str, Any]])
            self.uris.append(event.uri)
            self.settle(Settlement(event.id, "delivered", attempts=1))


def _hear_nothing(_what: object, _where: object) -> None:
    """What a dead server makes of the network."""


class Announced(NamedTuple):
    """An event for the subscribers of a resource."""

    resource: str
    type: str
    subject: str
    data: dict[str, Any]


class Subscribers:
    """Event Grid with one subscription that takes everything; or, while `deaf`, with none."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.heard: list[Announced] = []
        """Calls that ring."""
        self.followed: list[Announced] = []
        """What became of calls."""
        self.deaf = False
        self.note: Callable[[str, Fact], None] = _hear_nothing
        self._now = now

    def announce(
        self,
        resource_name: str,
        event_type: str,
        subject: str,
        data: Mapping[str, Any],
        *,
        call_id: str,
    ) -> None:
        if not self.deaf:
            told = self.heard if event_type.endswith(".IncomingCall") else self.followed
            told.append(Announced(resource_name, event_type, subject, dict(data)))
            return
        event_id = f"unheard-{call_id}"
        fact = GridUnheard(at=self._now(), event_id=event_id, event_type=event_type, resource=resource_name)
        self.note(call_id, fact)

    def has_subscribers(self, resource_name: str) -> bool:  # noqa: ARG002  # one for every resource
        return not self.deaf

    def withdraw(self, call_ids: Collection[str]) -> None:
        """Saving never fails here, so no call is withdrawn."""


class World:
    """The server on virtual time, with one far end behind every trunk."""

    def __init__(self, stage: Stage, far_end: FarEnd, *, network: VirtualNetwork | None = None) -> None:
        """To be made within a running VirtualTimeLoop."""
        self.stage, self.far_end = stage, far_end
        sounds = VirtualSounds(lambda: self.media)
        far_end.on_sound, far_end.on_media = sounds.perform, sounds.follow
        self.network = network or VirtualNetwork(now=self.now, transports=("udp", "tcp", "tls"))
        self.store, self.inbox = MemoryStore(), Inbox()
        self.subscribers = Subscribers(self.now)
        self._numbers = count(1)
        self.start()

    @staticmethod
    def now() -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def start(self) -> None:
        """Start a server on what the store holds; also after `crash`."""
        self.journal = Journal(self.store)
        self.media = SilentMedia(now=self.now)
        self.inbox.settle = self.journal.add_settlement
        self.subscribers.note = self.journal.note
        self.switch = Switch(
            directory=self.stage.directory,
            network=self.network,
            media=self.media,
            archive=self.store,
            journal=self.journal,
            post=self.inbox,
            sources=Sources(
                now=self.now,
                guid=self._guid,
                seed=self._seed,
                secret=lambda: SECRET,
                draw=self._draw,
            ),
            limits=self.stage.limits,
            announcer=self.subscribers,
            context_key=CONTEXT_KEY,
        )
        self.switch.recover()

    def crash(self) -> None:
        """What was not saved is lost, and nothing is said to anybody."""
        self.switch.close()
        self.media.stop()
        self.journal.lose()
        self.network.on_receive(_hear_nothing)
        self.network.on_failure(_hear_nothing)

    async def open(self) -> None:
        await self.network.start()
        for trunk in self.stage.directory.trunks.values():
            if trunk.host[0].isdigit():  # a trunk with a name is one that nobody can find
                self.network.add(trunk.destination, self.far_end)

    def ask(self, operation: str) -> Asked:
        return Asked(api_version="2026-03-12", request_id=self._guid(), operation=operation)

    def create_call(
        self, source: str | None = CALLER, target: str = CALLEE, options: tuple[str, ...] = ()
    ) -> str:
        """Place a call by the API; its callConnectionId. `options` as app_lines.media_options reads them."""
        media = media_options(options)
        request = CreateCallRequest(
            targets=[named(party) for party in target.split(",")],
            source_caller_id_number=PhoneNumberIdentifierModel(value=source) if source else None,
            callback_uri=CALLBACK,
            media_streaming_options=media.streaming,
            transcription_options=media.transcription,
            call_intelligence_options=media.intelligence,
        )
        made = self.switch.create_call(self.stage.resource, request, self.ask("createCall"))
        assert made.call_connection_id is not None
        return made.call_connection_id

    def call_in(self, scenario: Scenario) -> FarCaller:
        """Let the far end call as the scenario says (`carrier: call …`)."""
        trunk = next(iter(self.stage.directory.trunks.values())).destination
        ours = Destination(trunk.transport, *self.network.via_address(trunk))
        caller, sent = self.far_end.call(scenario, ours, self.now())
        for transmit in sent:
            self.network.inject(transmit.data, trunk)
        self.network.wake(trunk)
        return caller

    def open_gate(self) -> None:
        """What the application waited for is there: so the far end's steps below it may be played."""
        trunk = next(iter(self.stage.directory.trunks.values())).destination
        for transmit in self.far_end.open_gate(self.now()):
            self.network.inject(transmit.data, trunk)
        self.network.wake(trunk)

    # What an application does that hears of a call

    def answer(
        self, *, context: str = "", callback_uri: str = CALLBACK, options: tuple[str, ...] = ()
    ) -> str:
        """Answer the call that was announced last, or the one of `context`; the callConnectionId."""
        resource, context = self._incoming(context)
        media = media_options(options)
        request = AnswerCallRequest(
            incoming_call_context=context,
            callback_uri=callback_uri,
            media_streaming_options=media.streaming,
            transcription_options=media.transcription,
            call_intelligence_options=media.intelligence,
        )
        made = self.switch.answer_call(resource, request, self.ask("answerCall"))
        assert made.call_connection_id is not None
        return made.call_connection_id

    def reject(self, reason: str = "none", *, context: str = "") -> None:
        resource, context = self._incoming(context)
        self.switch.reject_call(resource, context, CallRejectReason(reason), self.ask("rejectCall"))

    def redirect(self, target: str, *, context: str = "") -> None:
        resource, context = self._incoming(context)
        party = normalise(named(target), "$.target")
        self.switch.redirect_call(resource, context, party, self.ask("redirectCall"))

    def connect(self, call_id: str, *, callback_uri: str = CALLBACK) -> str:
        """Connect another application to a call; the callConnectionId."""
        call = self.switch.calls[call_id]
        locator = CallLocator(server_call_id=call.record.server_call_id)
        request = ConnectRequest(call_locator=locator, callback_uri=callback_uri)
        made = self.switch.connect_call(
            self.stage.resource, call.record.server_call_id, request, self.ask("connect")
        )
        assert made.call_connection_id is not None
        return made.call_connection_id

    def _incoming(self, context: str) -> tuple[Resource, str]:
        """The resource that was told last, and the context that it was given."""
        told = self.subscribers.heard[-1]
        known = {resource.name: resource for resource in self.stage.directory.resources}
        return known[told.resource], context or told.data["incomingCallContext"]

    def hang_up(self, call_id: str, *, everyone: bool = False) -> None:
        """A call that is over already is left alone, as by an application that comes too late."""
        try:
            operation = "terminate" if everyone else "hangUp"
            resource = self.owner(call_id)
            self.switch.hang_up(resource, call_id, self.ask(operation), everyone=everyone)
        except ApiError:
            return

    def operate(self, call_id: str, operation: str, request: Model | None = None) -> Model | None:
        """An operation on an open call, named as in acs/operations.py. Raises ApiError."""
        return self.switch.operate(self.owner(call_id), call_id, request, self.ask(operation))

    def owner(self, connection_id: str) -> Resource:
        """The resource whose application has this connection."""
        record = self.store.call(connection_id)
        names = {each.id: each.resource for each in record.connections} if record else {}
        name = names.get(connection_id, record.resource if record else "")
        resources = self.stage.directory.resources
        return next((each for each in resources if each.name == name), self.stage.resource)

    def _guid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012x}"

    def _draw(self, count: int) -> int:
        return zlib.crc32(self._guid().encode()) % count

    def _seed(self) -> str:
        return f"{next(self._numbers):08x}" * 4


def rehearse(scenario: Scenario, stage: Stage) -> Rehearsal:
    """Play `scenario` from createCall until nothing more can come, hours if need be, in no time."""
    return run(_play(scenario, stage))


def _no_connection(scenario: Scenario) -> str:
    """Why no trunk can be reached in this scenario; empty if all can."""
    for step in scenario.steps:
        if isinstance(step, RefuseConnection):
            return "refused: connection refused"
        if isinstance(step, ServerFail) and step.what == "trunk":
            return f"{step.fault}: {step.detail}"
    return ""


async def _play(scenario: Scenario, stage: Stage) -> Rehearsal:
    trunks = list(stage.directory.trunks.values())
    address = (trunks[0].host, trunks[0].port) if trunks else ("192.0.2.2", 5060)
    far_end = FarEnd(lambda invite: scenario.of_number(phone_number(invite.uri)), address=address)
    far_end.gates_opened = 0
    world = World(stage, far_end)
    await world.open()
    if why := _no_connection(scenario):
        for trunk in trunks:
            world.network.remove(trunk.destination, why)
    player = _Player(scenario, world)
    call_id = await player.begin()
    await player.act()
    while (record := world.store.call(call_id)) is None or record.ended_at is None:
        await asyncio.sleep(1)
        if asyncio.get_running_loop().time() > LONGEST_SECONDS:
            raise TimeoutError(f"the call {call_id} did not end within {LONGEST_SECONDS / 3600:g} h")
    await asyncio.sleep(120)  # late messages and absorbing timers
    world.switch.close()
    await world.network.close()
    return Rehearsal(record, world.store.facts(call_id), world.inbox.events, player.refused)


class _Player:
    """The steps of the application and the server, each once the carrier's steps above it are played."""

    def __init__(self, scenario: Scenario, world: World) -> None:
        self.scenario, self.world = scenario, world
        self.call_id = ""
        self._others: list[str] = []
        """Connections that came into the call after its first."""
        self._caller: FarCaller | None = None
        self._party = CALLEE
        """Who is meant where a step names nobody."""
        self._recording = ""
        """The recordingId of the recording that was started last."""
        self._awaited: Counter[str] = Counter()
        self.refused: list[ApiError] = []
        world.subscribers.deaf = NoSubscription() in scenario.steps

    async def begin(self) -> str:
        """The call's id, once there is a call."""
        world, steps = self.world, self.scenario.steps
        if self.scenario.calls_in is None:
            placed = next((step for step in steps if isinstance(step, AppCall)), AppCall(CALLER, CALLEE))
            self._party = placed.target.partition(",")[0]
            self.call_id = world.create_call(placed.source, placed.target, placed.options)
            return self.call_id
        self._party = self.scenario.calls_in.source or "4:anonymous"
        self._caller = world.call_in(self.scenario)
        while not world.store.calls(1):  # noqa: ASYNC110  # virtual time: to look again costs nothing
            await asyncio.sleep(0.01)
        self.call_id = world.store.calls(1)[0].id
        return self.call_id

    async def act(self) -> None:
        called = calling = 0
        for step in self.scenario.steps:
            if isinstance(step, self._of_caller):
                calling += 1
            elif isinstance(step, CARRIER_STEPS):
                called += 1
            elif not isinstance(step, ServerSet | AppCall | NoSubscription | PhoneStep):
                await self._carrier_played(called)
                await self._caller_played(calling)
                await self._perform(step)

    @property
    def _of_caller(self) -> tuple[type, ...]:
        return () if self._caller is None else (*CALLER_STEPS, *OF_EITHER)

    async def _caller_played(self, steps: int) -> None:
        caller = self._caller
        while caller and caller.played < steps and not caller.over:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)

    async def _perform(self, step: Step) -> None:
        world, call_id = self.world, self.call_id
        match step:
            case AppWait():
                await asyncio.sleep(step.seconds)
            case AppHangUp() | AppTerminate():
                world.hang_up(call_id, everyone=isinstance(step, AppTerminate))
            case OtherHangUp():
                world.hang_up(self._others[-1])
            case ServerCrash():
                world.crash()
            case ServerRestart():
                world.start()
            case ServerFail():
                fail(world.media, step)  # of a trunk: it failed before the call began
            case ServerLose():
                lose(world.media, step)
            case AppAwait():
                await self._event(step.event)
            case AppAsk():
                await self._connected()
                self._decide(step)
            case _:
                self._decide(step)

    async def _connected(self) -> None:
        while (call := self.world.switch.calls.get(self.call_id)) and call.state is State.CONNECTING:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)

    async def _event(self, name: str) -> None:
        """Until one more event of this type came than steps before waited for, or the call is over."""
        self._awaited[name] += 1
        while self._heard(name) < self._awaited[name] and self.call_id in self.world.switch.calls:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
        self.world.open_gate()

    def _heard(self, name: str) -> int:
        return sum(event["type"].rpartition(".")[2] == name for event in self.world.inbox.events)

    async def _carrier_played(self, steps: int) -> None:
        """Wait until the far end's call has played `steps` steps, or is over."""
        far_end = self.world.far_end

        def mine() -> list[FarCall]:
            return [
                call for call in (*far_end.calls.values(), *far_end.ended) if call.scenario is self.scenario
            ]

        while steps and not any(call.played >= steps or call.over for call in mine()):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)

    def _decide(self, step: Step) -> None:
        """A request that comes too late is refused, as the application of a real call would find."""
        world = self.world
        try:
            match step:
                case AppAnswer():
                    self._others.append(world.answer(options=step.options))
                case AppAsk():
                    self._ask(step)
                case AppReject():
                    world.reject(step.reason)
                case AppRedirect():
                    world.redirect(step.target)
                case AppConnect():
                    self._others.append(world.connect(self.call_id))
                case _:
                    pass
        except ApiError as error:
            self.refused.append(error)

    def _ask(self, step: AppAsk) -> None:
        """An operation of the call that is open."""
        world, call = self.world, self.world.switch.calls.get(self.call_id)
        server_call_id = call.record.server_call_id if call else ""
        request = request_of(step, Setting(self._party, CALLER, server_call_id))
        operation = VERBS[step.verb].operation
        resource = world.owner(self.call_id)
        if isinstance(request, StartCallRecordingRequest):
            reply = world.switch.start_recording(resource, request, world.ask(operation))
            self._recording = getattr(reply, "recording_id", None) or ""
        elif operation.endswith("Recording"):
            world.switch.change_recording(resource, self._recording, world.ask(operation))
        else:
            world.operate(self.call_id, operation, request)
