"""A scenario played through the whole switch on virtual time and a virtual network.

Everything between the API and the wire is the real thing; only the sockets, the clock and randomness are
replaced, so that the same scenario gives the same facts, byte for byte. Ending pages are proved with it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec

from onhook.acs.errors import ApiError
from onhook.acs.models import CommunicationIdentifierModel, CreateCallRequest, PhoneNumberIdentifierModel
from onhook.acs.requests import Asked
from onhook.calls.directory import Directory, Resource
from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.facts import Timeline
from onhook.lab.far_end import FarEnd
from onhook.lab.scenario_steps import (
    CARRIER_STEPS,
    AppCall,
    AppHangUp,
    AppTerminate,
    AppWait,
    RefuseConnection,
    Scenario,
    ServerCrash,
    ServerRestart,
    ServerSet,
)
from onhook.lab.virtual_network import VirtualNetwork
from onhook.lab.virtual_time import run
from onhook.media.silent_media import SilentMedia
from onhook.store.journal import Journal
from onhook.store.memory import MemoryStore
from onhook.switch import Limits, Sources, Switch

EPOCH = 1_795_000_000.0
"""Unix time at which every rehearsal begins."""
CALLER, CALLEE = "+14255550100", "+14255550200"
LONGEST_SECONDS = 26 * 3600.0
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


class Inbox:
    """An application that takes every event at once."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.settle: Callable[[Settlement], None] = lambda _: None

    def deliver(self, events: Iterable[OutboxEvent]) -> None:
        for event in events:
            self.events += msgspec.json.decode(event.body, type=list[dict[str, Any]])
            self.settle(Settlement(event.id, "delivered", attempts=1))


class World:
    """The server on virtual time, with one far end behind every trunk."""

    def __init__(self, stage: Stage, far_end: FarEnd, *, network: VirtualNetwork | None = None) -> None:
        """To be made within a running VirtualTimeLoop."""
        self.stage, self.far_end = stage, far_end
        self.network = network or VirtualNetwork(now=self.now)
        self.store, self.inbox = MemoryStore(), Inbox()
        self._numbers = count(1)
        self.start()

    @staticmethod
    def now() -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def start(self) -> None:
        """Start a server on what the store holds; also after `crash`."""
        self.journal = Journal(self.store)
        self.inbox.settle = self.journal.add_settlement
        self.switch = Switch(
            directory=self.stage.directory,
            network=self.network,
            media=SilentMedia(now=self.now),
            archive=self.store,
            journal=self.journal,
            post=self.inbox,
            sources=Sources(now=self.now, guid=self._guid, seed=self._seed),
            limits=self.stage.limits,
        )
        self.switch.recover()

    def crash(self) -> None:
        """What was not saved is lost, and nothing is said to anybody."""
        self.switch.close()
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

    def create_call(self, source: str | None = CALLER, target: str = CALLEE) -> str:
        """Place a call by the API; its callConnectionId."""
        request = CreateCallRequest(
            targets=[CommunicationIdentifierModel(phone_number=PhoneNumberIdentifierModel(value=target))],
            source_caller_id_number=PhoneNumberIdentifierModel(value=source) if source else None,
            callback_uri=CALLBACK,
        )
        made = self.switch.create_call(self.stage.resource, request, self.ask("createCall"))
        assert made.call_connection_id is not None
        return made.call_connection_id

    def hang_up(self, call_id: str, *, everyone: bool = False) -> None:
        """A call that is over already is left alone, as by an application that comes too late."""
        try:
            operation = "terminate" if everyone else "hangUp"
            self.switch.hang_up(self.stage.resource, call_id, self.ask(operation), everyone=everyone)
        except ApiError:
            return

    def _guid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012x}"

    def _seed(self) -> str:
        return f"{next(self._numbers):08x}" * 4


def _hear_nothing(_what: object, _where: object) -> None:
    """What a dead server makes of the network."""


def rehearse(scenario: Scenario, stage: Stage) -> Rehearsal:
    """Play `scenario` from createCall until nothing more can come, hours if need be, in no time."""
    return run(_play(scenario, stage))


async def _play(scenario: Scenario, stage: Stage) -> Rehearsal:
    trunks = list(stage.directory.trunks.values())
    address = (trunks[0].host, trunks[0].port) if trunks else ("192.0.2.2", 5060)
    far_end = FarEnd(lambda _: scenario, address=address)
    world = World(stage, far_end)
    await world.open()
    if any(isinstance(step, RefuseConnection) for step in scenario.steps):
        for trunk in trunks:
            world.network.remove(trunk.destination, "refused: connection refused")
    placed = next((step for step in scenario.steps if isinstance(step, AppCall)), AppCall(CALLER, CALLEE))
    call_id = world.create_call(placed.source, placed.target)
    await _act(scenario, world, call_id)
    while (record := world.store.call(call_id)) is None or record.ended_at is None:
        await asyncio.sleep(1)
        if asyncio.get_running_loop().time() > LONGEST_SECONDS:
            raise TimeoutError(f"the call {call_id} did not end within {LONGEST_SECONDS / 3600:g} h")
    await asyncio.sleep(120)  # late messages and absorbing timers
    world.switch.close()
    await world.network.close()
    return Rehearsal(record, world.store.facts(call_id), world.inbox.events)


async def _act(scenario: Scenario, world: World, call_id: str) -> None:
    """The steps of the application and the server, each once the carrier's steps above it are played."""
    played = 0
    for step in scenario.steps:
        if isinstance(step, CARRIER_STEPS):
            played += 1
            continue
        if isinstance(step, ServerSet | AppCall):
            continue
        await _carrier_played(world.far_end, played)
        match step:
            case AppWait():
                await asyncio.sleep(step.seconds)
            case AppHangUp() | AppTerminate():
                world.hang_up(call_id, everyone=isinstance(step, AppTerminate))
            case ServerCrash():
                world.crash()
            case ServerRestart():
                world.start()
            case _:
                pass


async def _carrier_played(far_end: FarEnd, steps: int) -> None:
    """Wait until the far end's call has played `steps` steps, or is over."""
    while steps and not any(call.played >= steps or call.over for call in _calls(far_end)):  # noqa: ASYNC110  # virtual time: looking costs nothing
        await asyncio.sleep(0.01)  # virtual time: to look again costs nothing


def _calls(far_end: FarEnd) -> list[Any]:
    return [*far_end.calls.values(), *far_end.ended]
