"""What every media engine must do. The silent one is trusted because it passes this too."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest

from onhook.effects import StartMedia
from onhook.facts import Fact, MediaMeasured
from onhook.lab.virtual_time import VirtualTimeLoop
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.engine.uring import UringWire
from onhook.media.engine.wires import LibcWire, SocketWire, Wire
from onhook.media.settings import MediaSettings, PortsUsedUp
from onhook.media.silent_media import SilentMedia

SSRC = bytes((1, 2, 3, 4))
PATIENCE_SECONDS = 5.0
# Below the ports that systems give out by themselves, and apart from other test processes.
FIRST = 10_001 + os.getpid() % 60 * 160
SETTINGS = MediaSettings(first_port=FIRST, last_port=FIRST + 20, quarantine_seconds=0.3)
"""Ten even ports."""


WIRES: dict[str, Callable[[], Wire]] = {"uring": UringWire, "libc": LibcWire, "sockets": SocketWire}


@dataclass
class World:
    media: EmbeddedEngine | SilentMedia
    now: Callable[[], float]
    far_end: socket.socket
    """Where the legs send to."""
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

    def hear(self, leg: str, packets: int) -> None:
        """The far end talks to `leg`."""
        if isinstance(self.media, SilentMedia):
            self.media.hear(leg, packets)
            return
        for _ in range(packets):
            number = self.spoken[leg] = self.spoken.get(leg, 0) + 1
            header = struct.pack("!BBHI", 0x80, 0, number, number * 160) + SSRC
            self.far_end.sendto(header + b"\xff" * 160, self.media.open(leg))

    async def until_measured(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.measured) < count:
                self.happened.clear()
                await self.happened.wait()


@contextmanager
def silent_world() -> Iterator[World]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.bind(("127.0.0.1", 0))
        now = lambda: 1e9 + loop.time()  # noqa: E731  # a clock
        yield World(SilentMedia(SETTINGS, now=now, far_end_talks=False), now, far_end)


@contextmanager
def rtp_world(wire: Callable[[], Wire]) -> Iterator[World]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.bind(("127.0.0.1", 0))
        media = EmbeddedEngine(SETTINGS, now=time.time, wires=[wire])
        try:
            yield World(media, time.time, far_end)
        finally:
            media.stop()


Contract: TypeAlias = Callable[[World], Coroutine[None, None, None]]


def every_media(contract: Contract) -> Callable[[str], None]:
    """Run the test with each engine."""

    @pytest.mark.parametrize("engine", ["silent", *WIRES])
    def test(engine: str) -> None:
        async def play() -> None:
            with silent_world() if engine == "silent" else rtp_world(WIRES[engine]) as world:
                await contract(world)

        loop = VirtualTimeLoop if engine == "silent" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(play())

    return test


@every_media
async def test_each_leg_gets_an_even_port_of_its_own(world: World) -> None:
    places = [world.media.open(f"leg-{number}") for number in range(5)]
    assert {host for host, _ in places} == {"127.0.0.1"}
    ports = [port for _, port in places]
    assert len(set(ports)) == 5
    assert all(port % 2 == 0 and port > FIRST and port <= FIRST + 20 for port in ports)
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


@every_media
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
    world.hear("a", 3)
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
    world.hear("a", 2)
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
    world.hear("a", 1)
    await world.until_measured(1)
    world.hear("a", 1)
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
    world.hear("c", 1)
    world.hear("a", 1)
    await world.until_measured(2)
    assert {told.leg for told in world.measured} == {"a", "c"}
    assert world.media.close("b").received == 0


@every_media
async def test_closing_has_the_counts_at_once(world: World) -> None:
    world.media.open("a")
    world.start("a")
    world.hear("a", 5)  # no tick comes in between
    measured = world.media.close("a")
    assert measured.received == 5
    assert measured.first_received_at is not None
    assert measured.last_received_at is not None
    assert measured.first_received_at <= measured.last_received_at <= measured.at


@every_media
async def test_a_port_used_again_begins_at_zero(world: World) -> None:
    for number in range(10):
        world.media.open(f"leg-{number}")
    world.hear("leg-0", 2)
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
