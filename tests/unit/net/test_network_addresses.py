"""The network beyond the contract: what we call ourselves, ports, names, transports put in its place."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from onhook.effects import Destination
from onhook.net import network as network_module
from onhook.net.network import Network, local_address_towards
from onhook.net.settings import NetworkSettings
from onhook.net.udp import UdpTransport

PATIENCE_SECONDS = 5.0
TRUNK = Destination("udp", "192.0.2.50", 5060)


class FakeTransport:
    """Keeps what it is given; fails to start as often as told."""

    def __init__(self, *, taken_times: int = 0, fault: Exception | None = None) -> None:
        self.taken_times, self.fault = taken_times, fault
        self.sent: list[tuple[bytes, Destination, str]] = []
        self.started_on: list[int] = []
        self.closed = 0
        self.bound: list[Destination] = []

    async def start(self, port: int) -> int:
        self.started_on.append(port)
        if self.taken_times:
            self.taken_times -= 1
            raise OSError(98, "Address already in use")
        self.bound = [Destination("tls", "127.0.0.1", port)]
        return port

    async def close(self) -> None:
        self.closed += 1
        self.bound = []

    def send(self, data: bytes, to: Destination, address: str) -> None:
        if self.fault:
            raise self.fault
        self.sent.append((data, to, address))


async def started(settings: NetworkSettings, **transports: FakeTransport) -> Network:
    network = Network(settings)
    for name, transport in transports.items():
        network.register(name, transport)
    await network.start()
    return network


async def test_an_advertised_host_stands_for_every_address() -> None:
    network = await started(NetworkSettings(port=0, advertised_host="sbc.example"))
    port = network.bound[0].port
    assert network.via_address(TRUNK) == ("sbc.example", port)
    assert network.via_address(TRUNK._replace(transport="tcp")) == ("sbc.example", port)
    await network.close()


async def test_a_trunk_may_know_us_by_an_address_of_its_own() -> None:
    advertised = {"192.0.2.50": "203.0.113.7", "localhost": "inner.example"}
    network = await started(NetworkSettings(port=0, advertised_host="sbc.example", advertised=advertised))
    assert network.via_address(TRUNK)[0] == "203.0.113.7"
    assert network.via_address(Destination("tcp", "localhost", 5060))[0] == "inner.example"
    assert network.via_address(Destination("udp", "127.0.0.1", 40_000))[0] == "inner.example"  # it called us
    assert network.via_address(Destination("udp", "192.0.2.51", 5060))[0] == "sbc.example"
    await network.close()


async def test_bound_to_every_interface_it_names_the_one_that_leads_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def towards(remote: str, *, version_6: bool = False) -> str:
        asked.append(remote)
        assert not version_6
        return {"192.0.2.50": "192.0.2.1", "127.0.0.1": "127.0.0.1", "": "10.0.0.9"}[remote]

    monkeypatch.setattr(network_module, "local_address_towards", towards)
    network = await started(NetworkSettings(host="0.0.0.0", port=0))
    port = network.bound[0].port
    for _ in range(3):
        assert network.via_address(TRUNK) == ("192.0.2.1", port)
        assert network.via_address(Destination("tcp", "localhost", 5060)) == ("127.0.0.1", port)
        assert network.via_address(Destination("udp", "not-asked-yet.example", 5060)) == ("10.0.0.9", port)
    assert asked == ["192.0.2.50", "127.0.0.1", ""]  # each once, then remembered
    await network.close()


async def test_interfaces_are_asked_anew_in_time_and_not_too_many_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def towards(remote: str, *, version_6: bool = False) -> str:
        asked.append(f"{remote} {version_6}")
        return "192.0.2.1"

    monkeypatch.setattr(network_module, "local_address_towards", towards)
    monkeypatch.setattr(network_module, "MAX_LOCAL_ADDRESSES", 2)
    monkeypatch.setattr(network_module, "LOCAL_ADDRESS_LIFETIME_SECONDS", 0.0)
    network = await started(NetworkSettings(host="0.0.0.0", port=0))
    for number in range(5):
        network.via_address(TRUNK._replace(host=f"192.0.2.{number}"))
        assert len(network._local) <= 2
    network.via_address(TRUNK._replace(host="192.0.2.4"))
    assert len(asked) == 6
    await network.close()


async def test_version_6_is_named_to_version_6() -> None:
    network = await started(NetworkSettings(port=0, ipv6_host="::1"))
    port = network.bound[0].port
    assert network.via_address(Destination("udp", "::1", 5060)) == ("::1", port)
    assert network.via_address(Destination("tcp", "127.0.0.1", 5060)) == ("127.0.0.1", port)
    assert len(network.bound) == 4
    await network.close()


def test_before_the_start_the_settings_are_named() -> None:
    assert Network(NetworkSettings(host="192.0.2.1", port=5070)).via_address(TRUNK) == ("192.0.2.1", 5070)


async def test_a_transport_unknown_is_named_by_another_ones_address() -> None:
    network = await started(NetworkSettings(port=0))
    assert network.via_address(TRUNK._replace(transport="tls")) == ("127.0.0.1", network.bound[0].port)
    await network.close()


def test_the_local_address_is_found_without_sending() -> None:
    assert local_address_towards("127.0.0.1") == "127.0.0.1"
    assert local_address_towards("::1", version_6=True) == "::1"
    own = local_address_towards("")
    assert socket.inet_aton(own)


def test_without_a_way_out_it_is_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_way(_self: object, _to: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("onhook.net.network.socket.socket.connect", no_way)
    assert local_address_towards("198.51.100.1") == "127.0.0.1"
    assert local_address_towards("2001:db8::1", version_6=True) == "::1"


async def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        network = Network(NetworkSettings(port=port))
        with pytest.raises(OSError, match=rf"cannot listen for SIP on 127\.0\.0\.1:{port}: .*in use"):
            await network.start()
        assert network.bound == []  # nor is UDP left open
    await network.start()
    assert {at.port for at in network.bound} == {port}
    await network.close()


async def test_with_any_port_it_looks_for_one_that_is_free_for_all() -> None:
    unlucky = FakeTransport(taken_times=3)
    network = await started(NetworkSettings(port=0), tls=unlucky)
    assert len(unlucky.started_on) == 4
    assert {at.port for at in network.bound} == {unlucky.started_on[-1]}
    assert unlucky.closed >= 3  # a port may have been taken for TCP before it was tried here
    await network.close()


async def test_it_does_not_look_for_ever() -> None:
    never = FakeTransport(taken_times=1000)
    with pytest.raises(OSError, match="cannot listen"):
        await started(NetworkSettings(port=0), tls=never)
    # a port may be taken for TCP already, before it is tried here
    assert 1 <= len(never.started_on) <= network_module.MAX_PORT_TRIES


def test_a_transport_in_the_settings_that_is_not_built_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sip\.transports: 'sctp' is not one of udp, tcp"):
        Network(NetworkSettings(transports=("udp", "sctp")))


async def until(condition: Callable[[], object], happened: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            happened.clear()
            await happened.wait()


async def test_a_registered_transport_is_used_like_the_others() -> None:
    tls = FakeTransport()
    network = await started(NetworkSettings(port=0), tls=tls)
    to = Destination("tls", "localhost", 5061)
    network.send(b"INVITE", to)
    assert tls.sent == [(b"INVITE", to, "127.0.0.1")]
    assert Destination("tls", "127.0.0.1", tls.started_on[0]) in network.bound
    await network.close()
    assert tls.closed == 1


async def test_a_transport_that_breaks_is_a_failure_and_no_exception() -> None:
    failures, happened = list[tuple[Destination, str]](), asyncio.Event()
    network = await started(NetworkSettings(port=0), tls=FakeTransport(fault=ZeroDivisionError("ours")))

    def fail(to: Destination, text: str) -> None:
        failures.append((to, text))
        happened.set()

    network.on_failure(fail)
    to = Destination("tls", "127.0.0.1", 5061)
    network.send(b"INVITE", to)
    await until(lambda: failures, happened)
    assert failures == [(to, "failed: 127.0.0.1:5061 over tls: ZeroDivisionError: ours")]
    await network.close()


async def test_messages_that_waited_for_a_name_leave_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def look_up(*_: Any, **__: Any) -> list[Any]:
        await asked.wait()
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.0.2.10", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    tls = FakeTransport()
    network = await started(NetworkSettings(port=0), tls=tls)
    to = Destination("tls", "trunk.example", 5061)
    for data in (b"1", b"2", b"3"):
        network.send(data, to)
    assert tls.sent == []
    asked.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(tls.sent) < 3:  # noqa: ASYNC110  # nobody is told when a name is found
            await asyncio.sleep(0)
    network.send(b"4", to)
    assert tls.sent == [(data, to, "192.0.2.10") for data in (b"1", b"2", b"3", b"4")]
    await network.close()


async def test_one_transport_alone() -> None:
    network = await started(NetworkSettings(port=0, transports=("udp",)))
    assert [at.transport for at in network.bound] == ["udp"]
    assert isinstance(network._transports["udp"], UdpTransport)
    await network.close()


async def test_without_handlers_what_comes_is_ignored() -> None:
    network = await started(NetworkSettings(port=0))
    network._hand_up(b"x", TRUNK)
    network._tell_now(TRUNK, "refused: nobody")
    await network.close()
    assert network.bound == []


async def test_the_address_of_a_name_is_asked_for_and_then_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = await started(NetworkSettings(port=0))
    assert network.address_of("192.0.2.7") == "192.0.2.7"
    assert network.address_of("localhost") == "127.0.0.1"
    loop = asyncio.get_running_loop()
    answers = iter(["192.0.2.8", "192.0.2.9"])

    async def look_up(
        host: str, *_: object, **__: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        assert host == "sbc.example"
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (next(answers), 0))]

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    assert network.address_of("sbc.example") == ""
    await asyncio.sleep(0.01)
    assert network.address_of("sbc.example") == "192.0.2.8"
    network._resolver._known.clear()  # too old
    assert (
        network.address_of("sbc.example") == "192.0.2.8"
    )  # the last that was known, while it is asked again
    await asyncio.sleep(0.01)
    assert network.address_of("sbc.example") == "192.0.2.9"
    await network.close()
