"""RFC 3263 against a DNS server of our own on loopback: where a domain is served, and for how long."""

import asyncio
import random
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from certificate_files import tls_settings
from dns_server import DnsServer, Zone, dns_server
from onhook.effects import Destination
from onhook.net.answers import Unresolved
from onhook.net.domains import Domains
from onhook.net.locating import Locator, Target, Targets, in_order, usual_port
from onhook.net.network import Network
from onhook.net.resolver import Answer, Resolver
from onhook.net.settings import NetworkSettings
from onhook.net.tls import TlsTransport

PATIENCE_SECONDS = 5.0
ZONE: Zone = {
    ("sbc.example", "NAPTR"): [
        '20 0 "s" "SIP+D2U" "" _sip._udp.sbc.example.',
        '10 0 "s" "SIP+D2T" "" _special.tcp.example.',
        '5 0 "a" "SIPS+D2T" "" plain.example.',
    ],
    ("_sip._udp.sbc.example", "SRV"): ["10 60 5060 a.example.", "20 0 5062 b.example."],
    ("_special.tcp.example", "SRV"): ["1 0 5070 b.example."],
    ("_sips._tcp.sbc.example", "SRV"): ["1 0 5071 a.example.", "2 0 5072 nowhere.example."],
    ("sbc.example", "A"): ["192.0.2.9"],
    ("a.example", "A"): ["192.0.2.1"],
    ("b.example", "A"): ["192.0.2.2"],
    ("b.example", "AAAA"): ["2001:db8::2"],
    ("plain.example", "A"): ["192.0.2.3"],
    ("six.example", "AAAA"): ["2001:db8::6"],
    ("none.example", "A"): ["192.0.2.4"],
    ("_sip._udp.none.example", "SRV"): ["0 0 0 ."],
    ("dead.example", "A"): ["192.0.2.5"],
    ("_sip._udp.dead.example", "SRV"): ["0 0 5060 nowhere.example."],
}


def settings_for(server: DnsServer, **others: object) -> NetworkSettings:
    return NetworkSettings(dns_servers=(server.address,), **others)  # type: ignore[arg-type]  # as given


async def located(locator: Locator, key: str) -> Targets | Unresolved:
    told: asyncio.Future[Targets | Unresolved] = asyncio.get_running_loop().create_future()
    locator.ask(key, told.set_result)
    return await asyncio.wait_for(told, PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("key", "targets"),
    [
        ("udp sbc.example", (Target("192.0.2.1", 5060, 10, 60), Target("192.0.2.2", 5062, 20, 0))),
        ("tcp sbc.example", (Target("192.0.2.2", 5070, 1, 0),)),
        ("tls sbc.example", (Target("192.0.2.1", 5071, 1, 0),)),  # the host without an address is left out
        ("udp plain.example", (Target("192.0.2.3", 5060),)),
        ("tls plain.example", (Target("192.0.2.3", 5061),)),
        ("udp 192.0.2.77", (Target("192.0.2.77", 5060),)),
        ("tcp localhost", (Target("127.0.0.1", 5060),)),
    ],
)
async def test_servers_are_found_as_rfc_3263_says(key: str, targets: Targets) -> None:
    async with dns_server(ZONE) as server:
        assert await located(Locator(settings_for(server)), key) == targets


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("udp nowhere.example", "name-unknown: nowhere.example has no address (A record)"),
        ("udp six.example", "name-unknown: six.example has no address (A record)"),
        ("udp none.example", "name-unknown: none.example offers no SIP over udp (SRV)"),
        ("udp dead.example", "name-unknown: nowhere.example has no address (A record)"),
        (
            "udp a..example",
            "name-unknown: DNS cannot be asked about SRV of _sip._udp.a..example: A DNS label is empty.",
        ),
    ],
)
async def test_what_dns_does_not_have_is_said(key: str, why: str) -> None:
    async with dns_server(ZONE) as server:
        assert await located(Locator(settings_for(server)), key) == Unresolved(why)


async def test_addresses_of_the_families_that_we_are_bound_to() -> None:
    async with dns_server(ZONE) as server:
        both = Locator(settings_for(server, ipv6_host="::1"))
        assert await located(both, "udp six.example") == (Target("2001:db8::6", 5060),)
        assert await located(both, "tcp sbc.example") == (Target("192.0.2.2", 5070, 1, 0),)
        only = Locator(settings_for(server, host="", ipv6_host="::1"))
        assert await located(only, "tcp sbc.example") == (Target("2001:db8::2", 5070, 1, 0),)


async def test_a_server_that_fails_or_is_silent_is_told_of() -> None:
    async with dns_server(ZONE) as server:
        server.rcode = 2
        why = await located(Locator(settings_for(server, lookup_timeout_seconds=0.4)), "udp sbc.example")
        assert isinstance(why, Unresolved)
        assert why.why.startswith("name-unknown: DNS cannot be asked about SRV of _sip._udp.sbc.example: no ")
        server.rcode, server.mute = 0, True
        why = await located(Locator(settings_for(server, lookup_timeout_seconds=0.2)), "udp sbc.example")
        assert why == Unresolved(
            "name-unknown: DNS cannot be asked about SRV of _sip._udp.sbc.example: no answer in time"
        )


async def test_answers_are_good_for_their_ttl_and_bad_ones_for_that_of_the_zone() -> None:
    async with dns_server(ZONE, ttl=60, negative_ttl=20) as server:
        locator = Locator(settings_for(server))
        assert (await locator.question("tls sbc.example"))[1] == 20  # the host without an address may get one
        assert (await locator.question("udp sbc.example"))[1] == 60
        assert (await locator.question("udp nowhere.example"))[1] == 20
        server.ttl, server.negative_ttl = 0, 100_000
        assert (await locator.question("udp sbc.example"))[1] == 1
        assert (await locator.question("udp nowhere.example"))[1] == 300
        server.ttl = 1_000_000
        assert (await locator.question("tcp sbc.example"))[1] == 3_600


async def test_what_is_known_is_not_asked_again() -> None:
    async with dns_server(ZONE) as server:
        locator = Locator(settings_for(server))
        first = await located(locator, "udp sbc.example")
        asked = server.asked.total()
        assert await located(locator, "udp sbc.example") is first
        assert server.asked.total() == asked
        assert server.asked["_sip._udp.sbc.example", "SRV"] == 1


async def test_hosts_with_a_port_are_asked_of_the_named_servers_too() -> None:
    async with dns_server(ZONE) as server:
        told: list[Answer] = []
        resolver = Resolver(settings_for(server))
        resolver.ask("b.example", told.append)
        resolver.ask("nowhere.example", told.append)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(told) < 2:  # noqa: ASYNC110  # two answers, told one by one
                await asyncio.sleep(0.001)
        assert set(told) == {
            "192.0.2.2",
            Unresolved("name-unknown: nowhere.example has no address (A record)"),
        }


# The draw


def test_equals_are_drawn_by_weight() -> None:
    targets = (Target("a", 1, 1, 75), Target("b", 1, 1, 25), Target("c", 1, 2, 100), Target("d", 1, 1, 0))
    drawn = random.Random(7)
    orders = [in_order(targets, drawn.random) for _ in range(4_000)]
    assert all(order[-1].address == "c" and len(order) == 4 for order in orders)
    first = Counter(order[0].address for order in orders)
    assert 0.70 < first["a"] / 4_000 < 0.80
    assert 0.20 < first["b"] / 4_000 < 0.30
    assert first["d"] == 0
    assert [target.address for target in in_order(targets, lambda: 0.0)] == ["d", "b", "a", "c"]


def test_usual_ports() -> None:
    ports = {name: usual_port(name) for name in ("udp", "tcp", "tls", "ws", "wss")}
    assert ports == {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}


def test_a_call_stays_with_its_server_and_others_rest() -> None:
    now, draws = [0.0], iter([0.9, 0.9, 0.0, 0.0] * 4)
    domains = Domains(lambda: next(draws), lambda: now[0], 30.0)
    to = Destination("udp", "sbc.example", 0)
    targets = (Target("192.0.2.1", 5060, 1, 50), Target("192.0.2.2", 5060, 1, 50))
    one, other = (Destination("udp", target.address, 5060) for target in targets)
    invite, ack = b"INVITE x\r\nCall-ID: 1\r\n\r\n", b"ACK x\r\ni: 1\r\n\r\n"
    assert domains.choose(to, invite, targets) == domains.choose(to, ack, targets) == other
    assert domains.choose(to, b"INVITE x\r\nCall-ID: 2\r\n\r\n", targets) == one
    domains.rest(other)
    assert domains.choose(to, ack, targets) == one
    assert domains.asked_as(one) == domains.asked_as(other) == (to,)
    now[0] = 31.0
    assert domains.choose(to, ack, targets) == other
    domains.rest(one)
    domains.rest(other)
    assert domains.choose(to, ack, targets) == other  # better than nobody
    changed = (Target("192.0.2.3", 5060),)
    assert domains.choose(to, ack, changed) == Destination("udp", "192.0.2.3", 5060)


# The whole network

OPTIONS = b"OPTIONS sip:x SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"


class Ear:
    def __init__(self, network: Network) -> None:
        self.received: list[bytes] = []
        self.failures: list[tuple[Destination, str]] = []
        self.happened = asyncio.Event()
        network.on_receive(lambda data, _: self._keep(self.received, data))
        network.on_failure(lambda to, why: self._keep(self.failures, (to, why)))

    def _keep(self, where: list[Any], what: object) -> None:
        where.append(what)
        self.happened.set()

    async def something(self) -> None:
        await asyncio.wait_for(self.happened.wait(), PATIENCE_SECONDS)
        self.happened.clear()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_server_that_refuses_is_passed_over_without_a_word(transport: str, tmp_path: Path) -> None:
    tls = tls_settings(tmp_path, "sbc.example")
    far_end = Network(NetworkSettings(port=0, tls_port=0, tls=tls, transports=("udp", "tcp", "tls")))
    await far_end.start()
    heard = Ear(far_end)
    port = next(place.port for place in far_end.bound if place.transport == transport)
    name = {"tcp": "_sip._tcp", "tls": "_sips._tcp"}[transport]
    zone: Zone = {
        (f"{name}.sbc.example", "SRV"): [f"1 0 {free_port()} a.example.", f"2 0 {port} a.example."],
        ("a.example", "A"): ["127.0.0.1"],
        ("sbc.example", "A"): ["192.0.2.9"],
    }
    async with dns_server(zone) as server:
        settings = settings_for(server, port=0, tls_port=0, tls=tls, transports=("udp", "tcp", "tls"))
        ours = Network(settings, draw=lambda: 0.0)
        await ours.start()
        ear, to = Ear(ours), Destination(transport, "sbc.example", 0)
        ours.send(OPTIONS, to)
        await heard.something()
        assert heard.received == [OPTIONS]
        assert ear.failures == []
        assert ours.serves("127.0.0.1", to)
        assert not ours.serves("192.0.2.9", to)
        await far_end.close()
        ours.send(OPTIONS.replace(b"1", b"2", 1), to._replace(host="sbc.example"))
        while to not in [where for where, _ in ear.failures]:
            await ear.something()
        await ours.close()
    assert isinstance(ours._transports["tls"], TlsTransport)


async def test_a_domain_that_dns_does_not_know_fails_under_its_own_name() -> None:
    async with dns_server(ZONE) as server:
        ours = Network(settings_for(server, port=0))
        await ours.start()
        ear, to = Ear(ours), Destination("udp", "nowhere.example", 0)
        assert to.peer == "nowhere.example"
        assert not ours.serves("192.0.2.1", to)
        ours.send(OPTIONS, to)
        await ear.something()
        assert ear.failures == [(to, "name-unknown: nowhere.example has no address (A record)")]
        assert ours.via_address(to)[0] == "127.0.0.1"
        await ours.close()
