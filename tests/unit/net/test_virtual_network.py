"""The virtual network beyond the contract: faults, peers with timers, and what it says of the unknown."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import pytest

from onhook.effects import CloseMedia, Destination, Effect, Transmit
from onhook.lab.virtual_network import Faults, Reply, VirtualNetwork
from onhook.lab.virtual_time import run
from onhook.net.failures import failure

T = TypeVar("T")
CARRIER = Destination("udp", "carrier", 5060)
CARRIER_TCP = Destination("tcp", "carrier", 5060)


class Log:
    """What one network handed up, with the time."""

    def __init__(self, network: VirtualNetwork) -> None:
        self.received: list[tuple[float, bytes]] = []
        self.sources: list[Destination] = []
        self.failures: list[tuple[Destination, str]] = []
        network.on_receive(self._take)
        network.on_failure(lambda to, text: self.failures.append((to, text)))

    def _take(self, data: bytes, source: Destination) -> None:
        self.received.append((round(asyncio.get_running_loop().time(), 6), data))
        self.sources.append(source)


class Phone:
    """Rings when called, and answers `after_seconds` later."""

    def __init__(self, after_seconds: float) -> None:
        self.after_seconds = after_seconds
        self.deadline: float | None = None
        self.heard: list[tuple[bytes, Destination, float]] = []

    def receive(self, data: bytes, source: Destination, now: float) -> list[Effect]:
        self.heard.append((data, source, now))
        if data != b"INVITE":
            self.deadline = None
            return []
        self.deadline = now + self.after_seconds
        return [Transmit(b"180", source), CloseMedia("an effect that is not for a network")]

    def handle_timeout(self, now: float) -> list[Effect]:
        assert self.deadline is not None
        assert now >= self.deadline
        self.deadline = None
        return [Transmit(b"200", self.heard[-1][1])]


def keep(heard: list[bytes]) -> Reply:
    """A far end that listens and says nothing."""

    def listen(data: bytes) -> list[bytes]:
        heard.append(data)
        return []

    return listen


async def started(**settings: object) -> tuple[VirtualNetwork, Log]:
    network = VirtualNetwork(**settings)  # type: ignore[arg-type]  # each test names its own few
    await network.start()
    return network, Log(network)


def play(scenario: Coroutine[None, None, T]) -> T:
    return run(scenario)


def test_a_peer_with_a_mind_answers_now_and_later() -> None:
    async def scenario() -> None:
        network, log = await started()
        phone = Phone(after_seconds=3)
        network.add(CARRIER, phone)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(10)
        assert log.received == [(0, b"180"), (3, b"200")]
        assert log.sources == [CARRIER, CARRIER]
        assert phone.heard == [(b"INVITE", Destination("udp", "192.0.2.1", 5070), 0)]

    play(scenario())


def test_a_deadline_taken_back_does_not_fire() -> None:
    async def scenario() -> None:
        network, log = await started()
        network.add(CARRIER, Phone(after_seconds=3))
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(1)
        network.send(b"CANCEL", CARRIER)
        await asyncio.sleep(10)
        assert log.received == [(0, b"180")]

    play(scenario())


def test_a_deadline_moved_fires_once_at_its_new_time() -> None:
    async def scenario() -> None:
        network, log = await started()
        network.add(CARRIER, Phone(after_seconds=3))
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(2)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(10)
        assert log.received == [(0, b"180"), (2, b"180"), (5, b"200")]

    play(scenario())


def test_a_deadline_set_from_outside_is_seen_when_told() -> None:
    async def scenario() -> None:
        network, log = await started()
        phone = Phone(after_seconds=3)
        network.add(CARRIER, phone)
        phone.heard.append((b"", Destination("udp", "192.0.2.1", 5070), 0))
        phone.deadline = 7
        network.wake(CARRIER)
        await asyncio.sleep(10)
        assert log.received == [(7, b"200")]

    play(scenario())


@pytest.mark.parametrize("deadline", [None, float("inf")])
def test_a_peer_without_a_deadline_is_left_alone(deadline: float | None) -> None:
    async def scenario() -> None:
        network, log = await started()
        phone = Phone(after_seconds=3)
        network.add(CARRIER, phone)
        phone.deadline = deadline
        network.wake(CARRIER)
        await asyncio.sleep(10)
        assert log.received == []

    play(scenario())


def test_peers_are_given_the_clock_of_the_settings() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        network, log = await started(now=lambda: 1.7e9 + loop.time())
        phone = Phone(after_seconds=3)
        network.add(CARRIER, phone)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(10)
        assert phone.heard[0][2] == 1.7e9
        assert log.received == [(0, b"180"), (3, b"200")]

    play(scenario())


def test_peers_can_talk_to_one_another() -> None:
    async def scenario() -> None:
        network, log = await started()
        other = Destination("udp", "other", 5060)
        phone = Phone(after_seconds=1)

        class Forwarder(Phone):
            def receive(self, data: bytes, source: Destination, now: float) -> list[Effect]:
                self.heard.append((data, source, now))
                return [Transmit(data, other)] if source != other else []

        forwarder = Forwarder(after_seconds=0)
        network.add(CARRIER, forwarder)
        network.add(other, phone)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(5)
        assert [(data, source) for data, source, _ in phone.heard] == [(b"INVITE", CARRIER)]
        assert [data for data, *_ in forwarder.heard] == [b"INVITE", b"180", b"200"]
        assert log.received == []

    play(scenario())


def test_what_a_peer_sends_to_nobody_is_lost_and_counted() -> None:
    async def scenario() -> None:
        network, log = await started()
        phone = Phone(after_seconds=1)
        network.add(CARRIER, phone)
        phone.heard.append((b"", Destination("udp", "nobody", 1), 0))
        phone.deadline = 1
        network.wake(CARRIER)
        await asyncio.sleep(5)
        assert (network.lost, log.received, log.failures) == (1, [], [])

    play(scenario())


def test_injected_messages_arrive_as_from_their_source() -> None:
    async def scenario() -> None:
        network, log = await started(faults=Faults(delay_seconds=0.25))
        network.inject(b"BYE", CARRIER)
        await asyncio.sleep(1)
        assert log.received == [(0.25, b"BYE")]
        assert log.sources == [CARRIER]

    play(scenario())


def test_delay_counts_each_way() -> None:
    async def scenario() -> None:
        network, log = await started(faults=Faults(delay_seconds=0.1))
        network.add(CARRIER, lambda data: [data])
        network.send(b"OPTIONS", CARRIER)
        await asyncio.sleep(1)
        assert log.received == [(0.2, b"OPTIONS")]

    play(scenario())


def test_loss_takes_its_share_of_datagrams_and_none_of_a_stream() -> None:
    async def scenario(to: Destination) -> int:
        network, log = await started(seed=3, faults=Faults(loss=0.3))
        heard: list[bytes] = []
        network.add(to, keep(heard))
        for number in range(1000):
            network.send(b"%d" % number, to)
        await asyncio.sleep(1)
        assert len(heard) + network.lost == 1000
        assert log.failures == []
        return network.lost

    assert 250 < play(scenario(CARRIER)) < 350
    assert play(scenario(CARRIER_TCP)) == 0


@pytest.mark.parametrize("to", [CARRIER, CARRIER_TCP])
@pytest.mark.parametrize("delay_seconds", [0.0, 0.1])
def test_a_burst_keeps_its_order_without_reordering(to: Destination, delay_seconds: float) -> None:
    async def scenario() -> None:
        network, log = await started(faults=Faults(delay_seconds=delay_seconds))
        network.add(to, lambda data: [data])
        for number in range(100):
            network.send(b"%d" % number, to)
        await asyncio.sleep(1)
        assert log.received == [(2 * delay_seconds, b"%d" % number) for number in range(100)]

    play(scenario())


def test_a_handler_that_fails_takes_only_its_own_message_with_it() -> None:
    async def scenario() -> None:
        faults = list[object]()
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: faults.append(context["exception"])
        )
        network, log = await started()
        network.add(CARRIER, Phone(after_seconds=0))

        def fail(_data: bytes, _source: Destination) -> None:
            raise ZeroDivisionError

        network.on_receive(fail)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(1)
        network.on_receive(log._take)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(1)
        assert [type(fault) for fault in faults] == [ZeroDivisionError] * 2
        assert log.received == [(1, b"180"), (1, b"200")]

    play(scenario())


def test_two_who_answer_each_other_for_ever_do_not_hold_up_the_loop() -> None:
    async def scenario() -> None:
        network, _ = await started()
        phone = Destination("udp", "phone", 5060)
        heard: list[bytes] = []

        class Echo(Phone):
            def receive(self, data: bytes, source: Destination, now: float) -> list[Effect]:
                heard.append(data)
                return [Transmit(data, CARRIER if source == phone else phone)]

        network.add(CARRIER, Echo(0))
        network.add(phone, Echo(0))
        network.send(b"ping", CARRIER)
        for _ in range(20):
            await asyncio.sleep(0)
        await network.close()
        assert 1 < len(heard) <= 20

    play(scenario())


def test_duplication_repeats_datagrams() -> None:
    async def scenario() -> None:
        network, _ = await started(faults=Faults(duplication=1.0))
        heard: list[bytes] = []
        network.add(CARRIER, keep(heard))
        network.send(b"a", CARRIER)
        await asyncio.sleep(1)
        assert heard == [b"a", b"a"]

    play(scenario())


def test_reordering_lets_later_datagrams_overtake_but_never_in_a_stream() -> None:
    async def scenario(to: Destination) -> list[int]:
        network, _ = await started(
            seed=1,
            faults=Faults(reordering=0.3, reordering_seconds=0.2, delay_seconds=0.01, jitter_seconds=0.5),
        )
        heard: list[bytes] = []
        network.add(to, keep(heard))
        for number in range(100):
            network.send(b"%d" % number, to)
            await asyncio.sleep(0.01)
        await asyncio.sleep(2)
        numbers = [int(data) for data in heard]
        assert sorted(numbers) == list(range(100))
        return numbers

    assert play(scenario(CARRIER)) != list(range(100))
    assert play(scenario(CARRIER_TCP)) == list(range(100))


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_decides_everything(seed: int) -> None:
    async def scenario(chosen: int) -> list[tuple[float, bytes]]:
        faults = Faults(loss=0.2, duplication=0.2, reordering=0.2, delay_seconds=0.01, jitter_seconds=0.1)
        network, log = await started(seed=chosen, faults=faults)
        network.add(CARRIER, lambda data: [data])
        for number in range(50):
            network.send(b"%d" % number, CARRIER)
        await asyncio.sleep(5)
        return log.received

    first = play(scenario(seed))
    assert first == play(scenario(seed))
    assert first != play(scenario(seed + 1))


def test_faults_can_change_while_it_runs() -> None:
    async def scenario() -> None:
        network, log = await started(faults=Faults(loss=1.0))
        network.add(CARRIER, lambda data: [data])
        network.send(b"lost", CARRIER)
        await asyncio.sleep(1)
        network.faults = Faults()
        network.send(b"carried", CARRIER)
        await asyncio.sleep(1)
        assert log.received == [(1, b"carried")]

    play(scenario())


def test_a_silent_place_takes_all_and_says_nothing() -> None:
    async def scenario() -> None:
        network, log = await started()
        network.silence(CARRIER)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(100)
        assert (log.received, log.failures, network.lost) == ([], [], 0)

    play(scenario())


@pytest.mark.parametrize(
    ("to", "word"),
    [
        (Destination("udp", "198.51.100.9", 5060), "refused"),
        (Destination("tcp", "2001:db8::9", 5060), "refused"),
        (Destination("udp", "localhost", 5060), "refused"),
        (Destination("tcp", "carrier", 5061), "refused"),  # the name is known, the port is not
        (Destination("udp", "nowhere.example", 5060), "name-unknown"),
        (Destination("tls", "carrier", 5060), "unsupported"),
    ],
)
def test_strangers(to: Destination, word: str) -> None:
    async def scenario() -> None:
        network, log = await started()
        network.silence(CARRIER)
        network.send(b"INVITE", to)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [(at, text.partition(":")[0]) for at, text in log.failures] == [(to, word)]

    play(scenario())


def test_a_place_taken_away_fails_as_it_was_told_until_it_is_back() -> None:
    async def scenario() -> None:
        network, log = await started()
        network.add(CARRIER, Phone(after_seconds=3))
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(1)
        network.remove(CARRIER, failure("unreachable", "the cable is out"))
        network.send(b"CANCEL", CARRIER)
        await asyncio.sleep(10)
        assert log.received == [(0, b"180")]  # and its timer is gone with it
        assert log.failures == [(CARRIER, "unreachable: the cable is out")]
        network.add(CARRIER, lambda data: [data])
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(1)
        assert len(log.failures) == 1
        assert log.received[-1] == (11, b"INVITE")

    play(scenario())


def test_a_message_under_way_to_a_place_that_goes_is_lost() -> None:
    async def scenario() -> None:
        network, log = await started(faults=Faults(delay_seconds=1))
        network.silence(CARRIER)
        network.send(b"INVITE", CARRIER)
        network.remove(CARRIER)
        await asyncio.sleep(2)
        assert (network.lost, log.failures) == (1, [])

    play(scenario())


def test_closing_drops_what_is_under_way_and_stops_timers() -> None:
    async def scenario() -> None:
        network, log = await started(faults=Faults(delay_seconds=1))
        phone = Phone(after_seconds=3)
        network.add(CARRIER, phone)
        network.send(b"INVITE", CARRIER)
        await asyncio.sleep(1.5)
        await network.close()
        await asyncio.sleep(10)
        assert len(phone.heard) == 1
        assert log.received == []
        assert phone.deadline == 4

    play(scenario())


def test_too_much_under_way_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.lab.virtual_network.MAX_IN_FLIGHT", 10)

    async def scenario() -> None:
        network, _ = await started(faults=Faults(delay_seconds=1))
        network.silence(CARRIER)
        for _ in range(15):
            network.send(b"x", CARRIER)
        assert network.lost == 5
        await asyncio.sleep(2)
        network.send(b"x", CARRIER)
        assert network.lost == 5

    play(scenario())


def test_it_says_where_it_is() -> None:
    async def scenario() -> None:
        network, _ = await started(host="192.0.2.77", port=6000, transports=("udp",))
        assert network.bound == [Destination("udp", "192.0.2.77", 6000)]
        assert network.via_address(CARRIER) == ("192.0.2.77", 6000)

    play(scenario())
