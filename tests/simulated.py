"""One simulated day of a server: a seed decides the calls, their far ends, the faults and the application."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from onhook.calls.directory import Trunk
from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord
from onhook.delivery.courier import Courier
from onhook.delivery.schedule import Schedule
from onhook.facts import Fact, SipSeen
from onhook.lab.cards import CARDS
from onhook.lab.far_end import FarEnd
from onhook.lab.far_end_call import FarCall
from onhook.lab.rehearsal import Inbox, World
from onhook.lab.scenario import parse_scenario
from onhook.lab.scenario_steps import IgnoreCancel, Respond, Scenario
from onhook.lab.virtual_network import Faults, VirtualNetwork
from onhook.lab.virtual_time import run
from onhook.sip.messages import Request
from onhook.switch import Limits
from stages import stage, world

TERMINAL = {"CreateCallFailed", "CallDisconnected"}
SCENARIOS = tuple(parse_scenario(card.text) for card in CARDS) + tuple(
    parse_scenario(text)
    for text in (
        "carrier: wait 2 s\ncarrier: 180 Ringing\ncarrier: wait 2 s\ncarrier: 200 OK\n",
        (
            "carrier: 183 Session Progress sdp\ncarrier: wait 3 s\ncarrier: 200 OK\ncarrier: wait 9 s\n"
            "carrier: bye\n"
        ),
        "carrier: 180 Ringing\ncarrier: 200 OK fork=3\ncarrier: wait 20 s\ncarrier: bye\n",
        "carrier: ignore ack\ncarrier: 486 Busy Here\n",
        "carrier: 180 Ringing\ncarrier: 200 OK\ncarrier: wait 1 s\ncarrier: silence\n",
        "carrier: 180 Ringing\ncarrier: garbage\ncarrier: wait 1 s\ncarrier: 200 OK\n",
    )
)
SCHEDULE = Schedule(give_up_seconds=24 * 3600.0)
LIMITS = Limits(setup_seconds=40.0, max_call_seconds=300.0)
QUIET_SECONDS = 7200.0
"""After the last thing that happens: longer than any timer of a call, and than many retries."""


class Application(Inbox):
    """Takes events from a real courier; refuses some, and answers late."""

    def __init__(self, seed: int, refusing: float) -> None:
        super().__init__()
        self.host: World | None = None
        self.refusing = refusing
        self.refused = 0
        self._draw = random.Random(seed).random
        self._courier: _Posting | None = None

    def deliver(self, events: Iterable[OutboxEvent]) -> None:
        assert self.host is not None
        if self._courier is None or self._courier.journal is not self.host.journal:
            self.stop()
            self._courier = _Posting(self, self.host)
        self._courier.deliver(events)

    def stop(self) -> None:
        """As the process that posts dies with its server."""
        if self._courier is not None:
            self._courier.die()

    def answer(self, event: OutboxEvent) -> int:
        if self._draw() < self.refusing:
            self.refused += 1
            return 503
        self.events += msgspec.json.decode(event.body, type=list[dict[str, Any]])
        return 200

    def delay(self) -> float:
        return self._draw() * 0.3


class _Posting(Courier):
    def __init__(self, application: Application, host: World) -> None:
        super().__init__(host.journal, host.now, SCHEDULE, posts_at_a_time=20)
        self.journal, self._application = host.journal, application

    async def _post(self, event: OutboxEvent) -> tuple[int | None, str]:
        await asyncio.sleep(self._application.delay())
        return self._application.answer(event), ""

    def die(self) -> None:
        self._closed = True
        for task in self._tasks:
            task.cancel()


@dataclass(frozen=True)
class Weather:
    """What the seed has in store."""

    seed: int
    calls: int = 30
    crashes: int = 0
    transport: str = "udp"
    faults: Faults = field(default_factory=Faults)
    refusing: float = 0.0
    hang_ups: float = 0.5
    """Share of calls that the application ends at some time."""


@dataclass
class Day:
    """What came of it."""

    weather: Weather
    records: list[CallRecord]
    facts: dict[str, list[Fact]]
    events: list[dict[str, Any]]
    left: dict[str, int]
    """What is still in tables when all is over, by table: should be nothing."""

    def told(self, call_id: str) -> list[str]:
        """Types of the events of a call, in the order in which they first came."""
        seen: dict[str, str] = {}
        for event in self.events:
            if event["data"]["callConnectionId"] == call_id:
                seen.setdefault(event["id"], event["type"].rpartition(".")[2])
        return list(seen.values())

    @property
    def endings(self) -> Counter[str]:
        return Counter(record.verdict.ending if record.verdict else "none" for record in self.records)


def live(weather: Weather) -> Day:
    return run(_live(weather))


async def _live(weather: Weather) -> Day:
    draw = random.Random(weather.seed)
    plan: dict[str, Scenario] = {}

    def choose(invite: Request) -> Scenario:
        return plan.setdefault(invite.call_id, draw.choice(SCENARIOS))

    application = Application(weather.seed, weather.refusing)
    network = VirtualNetwork(seed=weather.seed, faults=weather.faults, now=World.now)
    on = stage(Trunk("carrier", "192.0.2.2", 5060, weather.transport), limits=LIMITS)
    peers = FarEnd(choose)
    here = await world(peers, on, network=network)
    here.crash()
    application.host, here.inbox = here, application
    here.start()
    crashes = sorted(draw.uniform(0, 60) for _ in range(weather.crashes))
    await asyncio.gather(
        *(
            _one_call(here, weather, draw.uniform(0, 60), random.Random(draw.random()))
            for _ in range(weather.calls)
        ),
        *(_crash(here, application, at) for at in crashes),
    )
    await asyncio.sleep(QUIET_SECONDS)
    left = _left(here, peers)
    here.switch.close()
    application.stop()
    await network.close()
    records = sorted(here.store.calls(10_000), key=lambda record: record.id)
    return Day(weather, records, {r.id: here.store.facts(r.id) for r in records}, application.events, left)


async def _one_call(here: World, weather: Weather, at: float, draw: random.Random) -> None:
    await asyncio.sleep(at)
    call_id = here.create_call(target=f"+1425555{draw.randrange(10_000):04d}")
    if draw.random() < weather.hang_ups:
        await asyncio.sleep(draw.choice((0.0, 0.01, draw.uniform(0, 5), draw.uniform(0, 60))))
        here.hang_up(call_id, everyone=draw.random() < 0.5)
        if draw.random() < 0.2:
            here.hang_up(call_id)


async def _crash(here: World, application: Application, at: float) -> None:
    await asyncio.sleep(at)
    here.crash()
    application.stop()
    here.start()


def _left(here: World, peers: FarEnd) -> dict[str, int]:
    switch, network = here.switch, here.network
    courier = application._courier if isinstance(application := here.inbox, Application) else None
    return {
        "open calls": len(switch.calls),
        "calls by SIP id": len(switch._by_sip_id),
        "calls by leg": len(switch._by_leg),
        "calls on the trunk": switch._on_trunk["carrier"],
        "deadlines": len(switch._deadlines),
        "replies": len(switch._replies),
        "messages to send": len(switch._transmits),
        "events to post": len(switch._events),
        "media legs": here.switch._media.legs,  # type: ignore[attr-defined]  # SilentMedia counts them
        "open in the store": len(here.store.open_calls()),
        "undelivered": len(here.store.undelivered()),
        "abandoned": len(here.store.abandoned()),
        "calls at the far end": len(_off_the_hook(here, peers)),
        "talking at the far end": len(peers.talking),
        "messages under way": len(network._in_flight),
        "lanes": len(courier._lanes) if courier else 0,
    }


def _off_the_hook(here: World, peers: FarEnd) -> list[FarCall]:
    """Calls that the far end still keeps, and that we could have ended.

    Not those that obey no CANCEL and never answer; nor those of which nothing ever reached us: without a
    provisional response there must be no CANCEL (RFC 3261 section 9.1).
    """
    heard = b"".join(
        fact.message
        for record in here.store.calls(10_000)
        for fact in here.store.facts(record.id)
        if isinstance(fact, SipSeen) and fact.direction == "received"
    )
    return [
        call
        for call in peers.calls.values()
        if call.key[0].encode() in heard and not _rings_for_ever(call.scenario)
    ]


def _rings_for_ever(scenario: Scenario) -> bool:
    """A far end that obeys no CANCEL and never answers: nothing that we could say would end its ringing."""
    deaf = any(isinstance(step, IgnoreCancel) for step in scenario.steps)
    return deaf and not any(isinstance(step, Respond) and step.status >= 200 for step in scenario.steps)
