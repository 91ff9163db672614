"""What every network must do. The virtual one is trusted because it passes this too."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
import uvloop

from onhook.effects import Destination
from onhook.lab.virtual_network import VirtualNetwork
from onhook.lab.virtual_time import VirtualTimeLoop
from onhook.net.network import Network
from onhook.net.settings import NetworkSettings

Seen = tuple[bytes, Destination]
QUESTION = b"OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\nContent-Length: 4\r\n\r\n\xff\x00\r\n"
ANSWER = b"SIP/2.0 200 OK\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n"
PATIENCE_SECONDS = 5.0


@dataclass
class World:
    """A network under test, a far end that answers everything, and what both saw."""

    network: Network | VirtualNetwork
    far_end: Destination
    nobody: Destination
    heard_by_far_end: list[Seen] = field(default_factory=list[Seen])
    received: list[Seen] = field(default_factory=list[Seen])
    failures: list[tuple[Destination, str]] = field(default_factory=list[tuple[Destination, str]])

    happened: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.network.on_receive(self.take)
        self.network.on_failure(self.take_failure)

    def take(self, data: bytes, source: Destination) -> None:
        self.received.append((data, source))
        self.happened.set()

    def take_failure(self, to: Destination, text: str) -> None:
        self.failures.append((to, text))
        self.happened.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what must come; the time is for when it never does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self.happened.clear()
                await self.happened.wait()


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "virtual": VirtualTimeLoop,
    "real": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@asynccontextmanager
async def virtual_world(transport: str) -> AsyncIterator[World]:
    network = VirtualNetwork()
    await network.start()
    place = Destination(transport, "198.51.100.7", 5060)
    made = World(network, place, Destination(transport, "198.51.100.8", 5060))
    ours = next(at for at in network.bound if at.transport == transport)

    def answer(data: bytes) -> list[bytes]:
        made.heard_by_far_end.append((data, ours))
        return [ANSWER]

    network.add(place, answer)
    yield made
    await network.close()


@asynccontextmanager
async def real_world(transport: str) -> AsyncIterator[World]:
    network, far_end = (Network(NetworkSettings(port=0, lookup_timeout_seconds=2)) for _ in range(2))
    await network.start()
    await far_end.start()
    with closed_port(transport) as nobody:
        place = next(at for at in far_end.bound if at.transport == transport)
        made = World(network, place, nobody)

        def answer(data: bytes, source: Destination) -> None:
            made.heard_by_far_end.append((data, source))
            far_end.send(ANSWER, source)

        far_end.on_receive(answer)
        yield made
    await network.close()
    await far_end.close()


@contextmanager
def closed_port(transport: str) -> Iterator[Destination]:
    """A port that refuses, and that nobody else can be given meanwhile."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if transport == "udp":
            taken.connect(("127.0.0.1", 9))  # takes datagrams of that one peer only
        yield Destination(transport, "127.0.0.1", taken.getsockname()[1])


Contract: TypeAlias = Callable[[World], Coroutine[None, None, None]]


def every_network(contract: Contract) -> Callable[[str, str], None]:
    """Run the test with each transport, virtual and real, on each kind of loop."""

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    @pytest.mark.parametrize("loop", LOOPS)
    def test(loop: str, transport: str) -> None:
        async def play() -> None:
            made = virtual_world(transport) if loop == "virtual" else real_world(transport)
            async with made as world:
                await contract(world)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(play())

    return test


@every_network
async def test_a_message_arrives_whole_and_its_answer_comes_back(world: World) -> None:
    world.network.send(QUESTION, world.far_end)
    await world.until(lambda: world.received)
    ((heard, source),) = world.heard_by_far_end
    assert heard == QUESTION
    assert source.transport == world.far_end.transport
    assert world.received == [(ANSWER, world.far_end)]
    assert world.failures == []


@every_network
async def test_the_source_is_a_destination_that_can_be_answered(world: World) -> None:
    world.network.send(QUESTION, world.far_end)
    await world.until(lambda: world.received)
    _, source = world.received[0]
    assert isinstance(source, Destination)
    world.network.send(QUESTION, source)
    await world.until(lambda: len(world.received) == 2)
    assert [data for data, _ in world.heard_by_far_end] == [QUESTION, QUESTION]


@every_network
async def test_messages_of_a_burst_arrive_in_order_on_a_clean_path(world: World) -> None:
    sent = [QUESTION.replace(b"Call-ID: a", b"Call-ID: %d" % number) for number in range(200)]
    for message in sent:
        world.network.send(message, world.far_end)
    await world.until(lambda: len(world.received) == 200)
    assert [data for data, _ in world.heard_by_far_end] == sent


@every_network
async def test_a_large_message_arrives(world: World) -> None:
    body = b"x" * 40_000
    head = b"MESSAGE sip:x SIP/2.0\r\nContent-Length: %d\r\n\r\n" % len(body)
    world.network.send(head + body, world.far_end)
    await world.until(lambda: world.received)
    assert [data for data, _ in world.heard_by_far_end] == [head + body]


@every_network
async def test_sending_never_calls_a_handler_before_it_returns(world: World) -> None:
    world.network.send(QUESTION, world.far_end)
    world.network.send(QUESTION, world.nobody)
    world.network.send(QUESTION, Destination("carrier-pigeon", "127.0.0.1", 1))
    assert (world.received, world.failures) == ([], [])
    await world.until(lambda: world.received and len(world.failures) >= 2)


@every_network
async def test_where_nobody_listens_the_send_is_refused(world: World) -> None:
    world.network.send(QUESTION, world.nobody)
    await world.until(lambda: world.failures)
    to, text = world.failures[0]
    assert to == world.nobody
    assert text.startswith("refused: ")
    assert world.nobody.peer in text


@every_network
async def test_a_refusal_does_not_disturb_others(world: World) -> None:
    for _ in range(5):
        world.network.send(QUESTION, world.nobody)
        world.network.send(QUESTION, world.far_end)
    await world.until(lambda: len(world.received) == 5 and world.failures)
    assert {to for to, _ in world.failures} == {world.nobody}


@every_network
async def test_a_refused_place_can_be_tried_again(world: World) -> None:
    world.network.send(QUESTION, world.nobody)
    await world.until(lambda: world.failures)
    before = len(world.failures)
    world.network.send(QUESTION, world.nobody)
    await world.until(lambda: len(world.failures) > before)


@every_network
async def test_a_name_that_nobody_knows(world: World) -> None:
    to = Destination(world.far_end.transport, "no-such-trunk.invalid", 5060)
    world.network.send(QUESTION, to)
    await world.until(lambda: world.failures)
    assert world.failures[0][0] == to
    assert world.failures[0][1].startswith("name-unknown: ")


@every_network
async def test_a_transport_that_is_not_built(world: World) -> None:
    to = Destination("tls", "127.0.0.1", 5061)
    world.network.send(QUESTION, to)
    await world.until(lambda: world.failures)
    assert world.failures == [(to, world.failures[0][1])]
    assert world.failures[0][1].startswith("unsupported: ")
    assert "tls" in world.failures[0][1]


@every_network
async def test_via_names_where_we_listen(world: World) -> None:
    listening = {(at.host, at.port) for at in world.network.bound if at.transport == world.far_end.transport}
    assert listening == {world.network.via_address(world.far_end)}


@every_network
async def test_bound_names_each_transport_once_with_one_port(world: World) -> None:
    bound = world.network.bound
    assert sorted(at.transport for at in bound) == ["tcp", "udp"]
    assert len({at.port for at in bound}) == 1
    assert all(at.port for at in bound)


@every_network
async def test_the_last_handler_is_the_one_that_is_told(world: World) -> None:
    later: list[Seen] = []
    heard = asyncio.Event()

    def hear(data: bytes, source: Destination) -> None:
        later.append((data, source))
        heard.set()

    world.network.on_receive(hear)
    world.network.send(QUESTION, world.far_end)
    await asyncio.wait_for(heard.wait(), PATIENCE_SECONDS)
    assert [data for data, _ in later] == [ANSWER]
    assert world.received == []


@every_network
async def test_after_closing_nothing_is_bound_and_sending_fails_softly(world: World) -> None:
    await world.network.close()
    assert world.network.bound == []
    world.network.send(QUESTION, world.far_end)
    await world.until(lambda: world.failures)
    assert world.failures[0][1].startswith("failed: ")
    assert world.received == []


@every_network
async def test_it_can_be_started_again(world: World) -> None:
    await world.network.close()
    await world.network.start()
    world.network.send(QUESTION, world.far_end)
    await world.until(lambda: world.received)
    assert world.received == [(ANSWER, world.far_end)]
