"""The official SipRoutingClient, synchronous and asynchronous, on the live table of the whole server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.communication.phonenumbers.siprouting import SipRoutingClient, SipTrunk, SipTrunkRoute
from azure.communication.phonenumbers.siprouting.aio import SipRoutingClient as AsyncClient
from azure.core.exceptions import HttpResponseError

from onhook.calls.directory import Directory
from onhook.calls.routing import Chosen, choose_trunk
from running_server import ServerThread

pytestmark = pytest.mark.interop

EXAMPLE = "^+[1-9][0-9]{3,23}$"
"""The vendor's own example of a pattern, which Python's regular expressions refuse."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ServerThread]:
    server = ServerThread(tmp_path)
    yield server
    server.stop()


def client(running: ServerThread) -> SipRoutingClient:
    return SipRoutingClient.from_connection_string(running.connection_string(), **running.trust)


def directory(running: ServerThread) -> Directory:
    return running.server.switch.directory


def ports(routing: SipRoutingClient) -> dict[str, int]:
    return {str(each.fqdn): int(each.sip_signaling_port or 0) for each in routing.list_trunks()}


MADE: Any = SipTrunk
MADE_ROUTE: Any = SipTrunkRoute
"""Their constructors are not typed."""


def trunk(fqdn: str, port: int) -> SipTrunk:
    made: SipTrunk = MADE(fqdn=fqdn, sip_signaling_port=port)
    return made


def route(name: str, pattern: str, *trunks: str) -> SipTrunkRoute:
    made: SipTrunkRoute = MADE_ROUTE(
        name=name, number_pattern=pattern, description=f"about {name}", trunks=list(trunks)
    )
    return made


def refusal(raised: "pytest.ExceptionInfo[HttpResponseError]") -> tuple[int | None, str, str]:
    error: Any = raised.value.model
    return raised.value.status_code, error.error.code, error.error.inner_error.code


def test_what_the_file_configures_can_be_read(running: ServerThread) -> None:
    routing = client(running)
    assert ports(routing) == {"sbc": 5999}
    (only,) = routing.list_routes()
    assert (only.name, only.number_pattern, only.trunks) == ("everything", r"^(?:\+\d+)$", ["sbc"])


def test_trunks_are_set_one_by_one_and_deleted(running: ServerThread) -> None:
    routing = client(running)
    routing.set_trunk(trunk("a.example.com", 5061))
    routing.set_trunk(trunk("a.example.com", 5071))
    assert routing.get_trunk("a.example.com").sip_signaling_port == 5071
    made = directory(running).trunks["a.example.com"]
    assert (made.host, made.port, made.transport) == ("a.example.com", 5071, "udp")
    routing.delete_trunk("a.example.com")
    routing.delete_trunk("a.example.com")
    assert ports(routing) == {"sbc": 5999}
    with pytest.raises(KeyError):
        routing.get_trunk("a.example.com")


def test_a_configured_trunk_is_moved_and_keeps_the_rest(running: ServerThread) -> None:
    client(running).set_trunk(trunk("sbc", 5060))
    sbc = directory(running).trunks["sbc"]
    assert (sbc.host, sbc.port, sbc.password) == ("127.0.0.1", 5060, "secret")


def test_calls_are_placed_by_the_routes_just_set(running: ServerThread) -> None:
    routing = client(running)
    routing.set_trunk(trunk("a.example.com", 5061))
    routing.set_routes([route("germany", r"^\+49", "a.example.com"), route("rest", r"\+", "sbc")])
    live = directory(running)
    resource = live.resources[0]
    for number, expected in (("+4930901820", "germany"), ("+14255550123", "rest")):
        chosen = choose_trunk(live, resource, number, "+19995550100", {})
        assert isinstance(chosen, Chosen)
        assert chosen.route.name == expected
    described = [(r.name, r.description, r.number_pattern) for r in routing.list_routes()]
    assert described[0] == ("germany", "about germany", r"^\+49")


def test_what_is_read_can_be_sent_back(running: ServerThread) -> None:
    routing = client(running)
    routing.set_routes(list(routing.list_routes()))
    (only,) = directory(running).routes
    assert only.matches("+14255550123")
    assert not only.matches("x+14255550123")


def test_the_whole_list_of_trunks_is_set_after_its_routes(running: ServerThread) -> None:
    routing = client(running)
    with pytest.raises(HttpResponseError) as raised:
        routing.set_trunks([trunk("b.example.com", 1)])
    assert refusal(raised) == (422, "UnprocessableConfiguration", "MissingTrunk")
    assert ports(routing) == {"sbc": 5999}
    routing.set_routes([])
    routing.set_trunks([trunk("b.example.com", 1)])
    assert ports(routing) == {"b.example.com": 1}
    routing.set_trunks([])
    assert ports(routing) == {}
    assert list(routing.list_routes()) == []


def test_the_table_survives_a_restart(running: ServerThread) -> None:
    routing = client(running)
    routing.set_trunk(trunk("a.example.com", 5061))
    routing.set_routes([route("all", EXAMPLE, "a.example.com")])
    routing.delete_trunk("sbc")
    before = directory(running)
    running.stop()
    running.start()
    assert directory(running) == before
    assert ports(client(running)) == {"a.example.com": 5061}
    (only,) = client(running).list_routes()
    assert (only.number_pattern, only.trunks) == (EXAMPLE, ["a.example.com"])


REFUSED = [
    ([route("", EXAMPLE)], 422, "InvalidRouteName"),
    ([route("a", "")], 422, "InvalidRouteNumberPattern"),
    ([route("a", "(")], 422, "InvalidRouteNumberPattern"),
    ([route("a", EXAMPLE), route("a", EXAMPLE)], 400, "DuplicatedRoute"),
    ([route("a", EXAMPLE, "sbc", "sbc")], 400, "RouteWithDuplicatedTrunk"),
    ([route("a", EXAMPLE, "nowhere.example.com")], 422, "MissingTrunk"),
]


@pytest.mark.parametrize(
    ("routes", "status", "code"), REFUSED, ids=[f"{n}-{r[2]}" for n, r in enumerate(REFUSED)]
)
def test_refused_routes(running: ServerThread, routes: list[SipTrunkRoute], status: int, code: str) -> None:
    before = directory(running)
    with pytest.raises(HttpResponseError) as raised:
        client(running).set_routes(routes)
    assert refusal(raised) == (status, "UnprocessableConfiguration", code)
    assert directory(running) is before


@pytest.mark.parametrize(
    ("fqdn", "port", "code"),
    [
        ("-1", 8239, "InvalidTrunkFqdn"),
        ("a b", 5060, "InvalidTrunkFqdn"),
        ("a.example.com", 0, "InvalidTrunkSipSignalingPort"),
        ("a.example.com", 65536, "InvalidTrunkSipSignalingPort"),
    ],
)
def test_refused_trunks(running: ServerThread, fqdn: str, port: int, code: str) -> None:
    with pytest.raises(HttpResponseError) as raised:
        client(running).set_trunk(trunk(fqdn, port))
    assert refusal(raised) == (422, "UnprocessableConfiguration", code)


def test_the_file_may_have_the_last_word(tmp_path: Path) -> None:
    running = ServerThread(tmp_path)
    try:
        client(running).set_routes([])
    finally:
        running.stop()
    running = ServerThread(tmp_path, SERVER__SIP_ROUTING="file")
    try:
        assert [each.name for each in client(running).list_routes()] == ["everything"]
        with pytest.raises(HttpResponseError) as raised:
            client(running).set_routes([])
        assert raised.value.status_code == 403
        assert "server.sip_routing" in str(raised.value)
    finally:
        running.stop()


def test_the_asynchronous_client(running: ServerThread) -> None:
    async def everything() -> tuple[dict[str, int], list[str]]:
        connection = running.connection_string()
        async with AsyncClient.from_connection_string(connection, **running.trust) as routing:
            await routing.set_trunk(trunk("a.example.com", 5061))
            await routing.set_routes([route("all", EXAMPLE, "a.example.com")])
            await routing.delete_trunk("sbc")
            trunks = {
                str(each.fqdn): int(each.sip_signaling_port or 0) async for each in routing.list_trunks()
            }
            return trunks, [str(each.name) async for each in routing.list_routes()]

    assert asyncio.run(everything()) == ({"a.example.com": 5061}, ["all"])
