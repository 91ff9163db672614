"""What every media engine must do. The silent one is trusted because it passes this too.

The engine with an rtpengine before it is asked all that an engine of another process can do; what it cannot
is named where it is asked, with the reason.
"""

import asyncio
import os
import socket
import struct
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import pytest

from onhook.effects import StartMedia
from onhook.facts import Fact, MediaMeasured
from onhook.lab.virtual_time import VirtualTimeLoop
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.engine.uring import UringWire
from onhook.media.engine.wires import LibcWire, SocketWire, Wire
from onhook.media.rtpengine.engine import RtpengineEngine
from onhook.media.rtpengine.fleet import Fleet
from onhook.media.rtpengine.settings import FleetSettings
from onhook.media.settings import MediaSettings, PortsUsedUp
from onhook.media.silent_media import SilentMedia
from rtpengine_daemon import FIRST_PORT, LAST_PORT, Rtpengine, rtpengine

SSRC = bytes((1, 2, 3, 4))
PATIENCE_SECONDS = 5.0
# Below the ports that systems give out by themselves, and apart from other test processes.
FIRST = 10_001 + os.getpid() % 60 * 160
SETTINGS = MediaSettings(first_port=FIRST, last_port=FIRST + 20, quarantine_seconds=0.3)
"""Ten even ports."""


WIRES: dict[str, Callable[[], Wire]] = {"uring": UringWire, "libc": LibcWire, "sockets": SocketWire}


@dataclass
class World:
    media: EmbeddedEngine | RtpengineEngine | SilentMedia
    now: Callable[[], float]
    far_end: socket.socket
    """Where the legs send to."""
    host: str = "127.0.0.1"
    ports: range = range(FIRST + 1, FIRST + 21, 2)
    """What a description of ours may name."""
    measured: list[MediaMeasured] = field(default_factory=list[MediaMeasured])
    happened: asyncio.Event = field(default_factory=asyncio.Event)
    spoken: dict[str, int] = field(default_factory=dict[str, int])
    """Packets that the far end sent to each leg."""

    def __post_init__(self) -> None:
        self.media.on_fact(self.take)

    def take(self, _leg: str, fact: Fact) -> None:
        assert isinstance(fact, MediaMeasured)
        self.measured.append(fact)
        self.happened.set()

    def start(self, leg: str, *, codec: str = "PCMU", sending: bool = True, port: int | None = None) -> None:
        there = self.far_end.getsockname()[1] if port is None else port
        payload_type = 8 if codec == "PCMA" else 0
        self.media.start(StartMedia(leg, "127.0.0.1", there, payload_type, codec, sending))

    async def hear(self, leg: str, packets: int) -> None:
        """The far end talks to `leg`: not before it could have learnt of the port by SIP."""
        if isinstance(self.media, SilentMedia):
            self.media.hear(leg, packets)
            return
        if isinstance(self.media, RtpengineEngine):
            await self.media.settled()
        for _ in range(packets):
            number = self.spoken[leg] = self.spoken.get(leg, 0) + 1
            header = struct.pack("!BBHI", 0x80, 0, number, number * 160) + SSRC
            self.far_end.sendto(header + b"\xff" * 160, self.media.open(leg))

    async def until_measured(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.measured) < count:
                self.happened.clear()
                await self.happened.wait()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rtpengine]:
    with rtpengine(tmp_path_factory.mktemp("rtpengine")) as started:
        yield started


@asynccontextmanager
async def silent_world(far_end: socket.socket) -> AsyncGenerator[World]:
    loop = asyncio.get_running_loop()
    now = lambda: 1e9 + loop.time()  # noqa: E731  # a clock
    yield World(SilentMedia(SETTINGS, now=now, far_end_talks=False), now, far_end)


@asynccontextmanager
async def rtp_world(far_end: socket.socket, wire: Callable[[], Wire]) -> AsyncGenerator[World]:
    media = EmbeddedEngine(SETTINGS, now=time.time, wires=[wire])
    try:
        yield World(media, time.time, far_end)
    finally:
        media.stop()


@asynccontextmanager
async def rtpengine_world(far_end: socket.socket, there: Rtpengine) -> AsyncGenerator[World]:
    fleet = Fleet(FleetSettings((there.ng,), ready=12))
    media = RtpengineEngine(EmbeddedEngine(SETTINGS, now=time.time), fleet, time.time)
    await media.start_fleet()
    try:
        yield World(media, time.time, far_end, there.host, range(FIRST_PORT, LAST_PORT, 2))
    finally:
        media.stop()


Contract: TypeAlias = Callable[[World], Coroutine[None, None, None]]
INSIDE = ("silent", *WIRES)
"""Engines of this process."""
ALL = (*INSIDE, pytest.param("rtpengine", marks=pytest.mark.interop))


def every_media(contract: Contract) -> Callable[[str, pytest.FixtureRequest], None]:
    """Run the test with each engine."""
    return _with_engines(ALL, contract)


def inside(reason: str) -> Callable[[Contract], Callable[[str, pytest.FixtureRequest], None]]:
    """Run the test with the engines of this process; `reason` says why rtpengine cannot do it."""
    assert reason
    return partial(_with_engines, INSIDE)


def _with_engines(
    engines: Sequence[object], contract: Contract
) -> Callable[[str, pytest.FixtureRequest], None]:
    @pytest.mark.parametrize("engine", engines)
    def test(engine: str, request: pytest.FixtureRequest) -> None:
        there: Rtpengine | None = request.getfixturevalue("daemon") if engine == "rtpengine" else None

        async def play() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
                far_end.bind(("127.0.0.1", 0))
                async with _world(engine, far_end, there) as world:
                    await contract(world)

        loop = VirtualTimeLoop if engine == "silent" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(play())

    return test


def _world(
    engine: str, far_end: socket.socket, there: Rtpengine | None
) -> AbstractAsyncContextManager[World]:
    if engine == "silent":
        return silent_world(far_end)
    return rtpengine_world(far_end, there) if there else rtp_world(far_end, WIRES[engine])


@every_media
async def test_each_leg_gets_an_even_port_of_its_own(world: World) -> None:
    places = [world.media.open(f"leg-{number}") for number in range(5)]
    assert {host for host, _ in places} == {world.host}
    ports = [port for _, port in places]
    assert len(set(ports)) == 5
    assert all(port in world.ports for port in ports)
    assert world.media.legs == 5


@every_media
async def test_opening_again_gives_the_same(world: World) -> None:
    assert world.media.open("a") == world.media.open("a")
    assert world.media.legs == 1


@every_media
async def test_when_the_ports_are_used_up_opening_says_so(world: World) -> None:
    for number in range(10):
        world.media.open(f"leg-{number}")
    with pytest.raises(PortsUsedUp, match=rf"{FIRST}\.\.{FIRST + 20} .*10 in use, 0 resting.*last_port"):
        world.media.open("one too many")
    assert world.media.legs == 10


@inside("which of its ports come next, and how long they rest, is rtpengine's own affair")
async def test_a_closed_port_rests_and_is_used_again(world: World) -> None:
    ports = {world.media.open(f"leg-{number}")[1] for number in range(10)}
    for number in range(10):
        world.media.close(f"leg-{number}")
    with pytest.raises(PortsUsedUp, match="0 in use, 10 resting"):
        world.media.open("too soon")
    await asyncio.sleep(0.31)
    assert world.media.open("later")[1] in ports


@every_media
async def test_an_unknown_leg_has_counted_nothing(world: World) -> None:
    before = world.now()
    measured = world.media.close("nobody")
    assert measured == MediaMeasured(at=measured.at, leg="nobody", sent=0, received=0)
    assert before <= measured.at <= world.now()


@every_media
async def test_a_leg_that_never_started_has_sent_nothing(world: World) -> None:
    world.media.open("a")
    await asyncio.sleep(0.05)
    measured = world.media.close("a")
    assert (measured.sent, measured.received, measured.codec, measured.remote) == (0, 0, "", "")
    assert world.media.legs == 0


@every_media
async def test_silence_is_sent_every_20_ms(world: World) -> None:
    world.media.open("a")
    world.start("a")
    await asyncio.sleep(0.5)
    measured = world.media.close("a")
    assert 5 <= measured.sent <= 27  # 25, less what a busy machine may cost
    assert measured.codec == "PCMU"
    assert measured.remote == f"127.0.0.1:{world.far_end.getsockname()[1]}"


@every_media
async def test_a_held_leg_sends_nothing_and_still_counts(world: World) -> None:
    world.media.open("a")
    world.start("a", sending=False)
    await world.hear("a", 3)
    await asyncio.sleep(0.1)
    measured = world.media.close("a")
    assert (measured.sent, measured.received) == (0, 3)


@every_media
async def test_holding_stops_and_resuming_goes_on(world: World) -> None:
    world.media.open("a")
    world.start("a")
    await asyncio.sleep(0.1)
    world.start("a", sending=False)
    await asyncio.sleep(0.5)
    world.start("a")
    await asyncio.sleep(0.1)
    assert 1 <= world.media.close("a").sent <= 14  # not the 35 of 0.7 s


@every_media
async def test_a_codec_it_cannot_speak_is_counted_only(world: World) -> None:
    world.media.open("a")
    world.start("a", codec="G729")
    await world.hear("a", 2)
    await asyncio.sleep(0.1)
    measured = world.media.close("a")
    assert (measured.sent, measured.received, measured.codec) == (0, 2, "G729")


@every_media
async def test_port_zero_is_nowhere_to_send_to(world: World) -> None:
    world.media.open("a")
    world.start("a", port=0)
    await asyncio.sleep(0.1)
    assert world.media.close("a").sent == 0


@every_media
async def test_the_first_packet_is_told_once(world: World) -> None:
    before = world.now()
    world.media.open("a")
    world.start("a")
    await world.hear("a", 1)
    await world.until_measured(1)
    await world.hear("a", 1)
    await asyncio.sleep(0.1)
    (told,) = world.measured
    assert told.leg == "a"
    assert told.received == 1
    assert told.first_received_at is not None
    assert before <= told.first_received_at <= told.at <= world.now()
    assert told.codec == "PCMU"


@every_media
async def test_each_leg_is_told_of_its_own(world: World) -> None:
    for leg in "abc":
        world.media.open(leg)
    await world.hear("c", 1)
    await world.hear("a", 1)
    await world.until_measured(2)
    assert {told.leg for told in world.measured} == {"a", "c"}
    assert world.media.close("b").received == 0


@inside("packets that rtpengine has not handed on yet are not there")
async def test_closing_has_the_counts_at_once(world: World) -> None:
    world.media.open("a")
    world.start("a")
    await world.hear("a", 5)  # no tick comes in between
    measured = world.media.close("a")
    assert measured.received == 5
    assert measured.first_received_at is not None
    assert measured.last_received_at is not None
    assert measured.first_received_at <= measured.last_received_at <= measured.at


@every_media
async def test_a_port_used_again_begins_at_zero(world: World) -> None:
    for number in range(10):
        world.media.open(f"leg-{number}")
    await world.hear("leg-0", 2)
    for number in range(10):
        world.media.close(f"leg-{number}")
    await asyncio.sleep(0.31)
    for number in range(10):
        world.media.open(f"again-{number}")
    await asyncio.sleep(0.05)
    assert [world.media.close(f"again-{number}").received for number in range(10)] == [0] * 10


@every_media
async def test_starting_a_closed_leg_does_nothing(world: World) -> None:
    world.media.open("a")
    world.media.close("a")
    world.start("a")
    assert world.media.legs == 0
    assert world.media.close("a").sent == 0


@every_media
async def test_after_stop_no_leg_is_left(world: World) -> None:
    world.media.open("a")
    world.media.stop()
    assert world.media.legs == 0
