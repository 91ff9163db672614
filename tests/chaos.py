"""Applications and telephones that act at random, and what every call owes whatever they do."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from onhook.acs.errors import ApiError
from onhook.lab.far_end import FarEnd
from onhook.lab.rehearsal import World
from onhook.lab.scenario import parse_scenario
from onhook.lab.virtual_network import Faults, VirtualNetwork
from onhook.sip.messages import Request
from onhook.sip.uri import phone_number
from onhook.switch import Limits
from stages import OTHER, OWN, stage

TURNS = 40
TERMINAL = {"CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected"}
USERS = [f"8:acs:{owner.id}_00000000-0000-0000-0000-000000000001" for owner in (OWN, OTHER)]
NUMBERS = ["+14255550200", "+14255550201", "+14255550202", "+14255550203"]
FAR = {
    "+14255550200": """carrier: 180 Ringing
carrier: wait 2 s
carrier: 200 OK
carrier: wait 20 s
carrier: bye""",
    "+14255550201": "carrier: 200 OK",
    "+14255550202": "carrier: 180 Ringing\ncarrier: wait 1 s\ncarrier: 486 Busy Here",
    "+14255550203": "carrier: silence",
}
CALLERS = [
    "carrier: wait 25 s\ncarrier: bye",
    "carrier: wait 3 s\ncarrier: cancel",
    "carrier: cancel on answer",
    "carrier: no ack",
    "carrier: cancel",
    "",
]


class Chaos:
    """`draw` decides; what an application is refused, it does not do."""

    FAR = FAR
    """What each telephone does when it is called."""

    def __init__(self, here: World, draw: random.Random) -> None:
        self.here, self.draw = here, draw

    @property
    def acts(self) -> tuple[Callable[[], None], ...]:
        return (
            self.call,
            self.call_in,
            self.answer,
            self.reject,
            self.redirect,
            self.connect,
            self.hang_up,
        )

    def act(self) -> None:
        with suppress(ApiError, IndexError, KeyError):
            self.draw.choice(self.acts)()

    def party(self) -> str:
        return self.draw.choice([*NUMBERS, *USERS])

    def call(self) -> None:
        parties = {self.party() for _ in range(self.draw.choice((1, 1, 2, 3)))}
        self.here.create_call("+14255550100", ",".join(sorted(parties)))

    def call_in(self) -> None:
        number = self.draw.choice([OWN.numbers[0], OTHER.numbers[0], "+14255559999"])
        bare = self.draw.choice(("", " no-sdp"))
        steps = self.draw.choice(CALLERS)
        self.here.call_in(parse_scenario(f"carrier: call from +14255550299 to {number}{bare}\n{steps}"))

    def context(self) -> str:
        told = self.draw.choice(self.here.subscribers.heard[-4:])
        self.here.subscribers.heard.append(told)  # what is decided on is the one told last
        return str(told.data["incomingCallContext"])

    def answer(self) -> None:
        self.here.answer(context=self.context())

    def reject(self) -> None:
        self.here.reject(self.draw.choice(("none", "busy", "forbidden")), context=self.context())

    def redirect(self) -> None:
        self.here.redirect(self.party(), context=self.context())

    def connect(self) -> None:
        self.here.connect(self.draw.choice(sorted(self.here.switch.calls)))

    def hang_up(self) -> None:
        known = [each.id for call in self.here.switch.calls.values() for each in call.open_connections]
        self.here.hang_up(self.draw.choice(sorted(known)), everyone=self.draw.random() < 0.3)


async def live(seed: int, *, crash: bool, kind: type[Chaos] = Chaos, turns: int = TURNS) -> World:
    draw = random.Random(seed)

    def choose(invite: Request) -> object:
        return parse_scenario(kind.FAR.get(phone_number(invite.uri), "carrier: 404"))

    far = FarEnd(choose)  # type: ignore[arg-type]  # scenarios
    lossy = seed % 3 == 2
    faults = Faults(loss=0.1, duplication=0.1, delay_seconds=0.02, jitter_seconds=0.05) if lossy else None
    limits = Limits(max_call_seconds=600.0)
    where = stage(limits=limits)
    here = World(where, far, network=VirtualNetwork(seed=seed, faults=faults, now=World.now))
    await here.open()
    chaos = kind(here, draw)
    for turn in range(turns):
        chaos.act()
        await asyncio.sleep(draw.choice((0.0, 0.1, 1.0, 4.0)))
        if crash and turn == turns // 2:
            here.crash()
            await asyncio.sleep(1)
            here.start()
    await asyncio.sleep(5 * 3600)  # whoever does not act any more is ended by the longest time of a call
    return here


def check(here: World) -> None:
    records = here.store.calls(1000)
    assert records
    told: Counter[str] = Counter()
    first: dict[str, str] = {}
    once = {event["id"]: event for event in here.inbox.events}
    for event in once.values():  # delivery is at least once: a crash may forget that one was taken
        name, connection = event["type"].rpartition(".")[2], event["data"]["callConnectionId"]
        assert not told[connection], f"{name} after the end of {connection}"
        told[connection] += name in TERMINAL
        first.setdefault(connection, name)
    expected: Counter[str] = Counter()
    for record in records:
        assert record.ended_at is not None, record.id
        assert record.verdict is not None
        assert record.verdict.ending != "server-fault", here.store.facts(record.id)[-1]
        if record.callback_uri:
            expected[record.id] += 1
        for connection in record.connections:
            expected[connection.id] += 1
            assert connection.verdict is not None
    assert told == expected
    assert set(first.values()) <= {"CallConnected", *TERMINAL}


def check_nothing_left(here: World) -> None:
    switch = here.switch
    for table in (switch.calls, switch._by_sip_id, switch._by_leg, switch._by_server_call, switch._counted):
        assert not table
    assert not switch._by_connection
    assert not switch._on_trunk.total()
    assert len(switch._deadlines) == 0
    assert not here.far_end.callers
