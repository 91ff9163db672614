"""The courier over real HTTP: what applications answer, refuse, break off, and take their time for."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import trustme
from aiohttp import web

from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.delivery.courier import MAX_ANSWER_BYTES, Courier
from onhook.delivery.schedule import Schedule
from onhook.facts import EventAttempted, Fact
from store_samples import event

PATIENCE_SECONDS = 10.0
ONE_TRY = Schedule(delays_seconds=(0.01,), give_up_seconds=0.0, timeout_seconds=5.0)
IMPATIENT = Schedule(delays_seconds=(0.01,), give_up_seconds=0.0, timeout_seconds=0.3)
RETRIES = Schedule(delays_seconds=(0.01,), give_up_seconds=60.0, timeout_seconds=5.0)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Notes:
    """A journal that can be waited for."""

    facts: list[EventAttempted] = field(default_factory=list[EventAttempted])
    settled: list[Settlement] = field(default_factory=list[Settlement])
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, call_id: str, fact: Fact) -> None:
        assert isinstance(fact, EventAttempted)
        self.facts.append(fact)

    def add_settlement(self, settled: Settlement) -> None:
        self.settled.append(settled)
        self.happened.set()

    async def until_settled(self, count: int) -> None:
        """Until `count` events are delivered or given up."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum(each.fate != "retry" for each in self.settled) < count:
                self.happened.clear()
                await self.happened.wait()


@dataclass
class Application:
    """Takes every POST with 200, unless `handler` says otherwise."""

    handler: Handler | None = None
    bodies: list[bytes] = field(default_factory=list[bytes])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    connections: set[object] = field(default_factory=set[object])

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.connections.add(request.transport)
        return await self.handler(request) if self.handler else web.Response()


class Site:
    """Where applications listen, and the courier that posts to them."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.couriers: list[Courier] = []
        self.runners: list[web.ServerRunner] = []

    async def listen(self, application: Application, tls: ssl.SSLContext | None = None) -> str:
        runner = web.ServerRunner(web.Server(application), shutdown_timeout=0.1)
        await runner.setup()
        self.runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port: int = runner.addresses[0][1]
        return f"http{'s' if tls else ''}://localhost:{port}/events"

    def courier(self, schedule: Schedule = ONE_TRY, trust: ssl.SSLContext | None = None) -> Courier:
        loop = asyncio.get_running_loop()
        made = Courier(self.notes, loop.time, schedule, trust=trust, user_agent="onhook/test")
        made.start()
        self.couriers.append(made)
        return made


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    yield made
    for courier in made.couriers:
        await courier.close()
    for runner in made.runners:
        await runner.cleanup()


def at(uri: str, event_id: str = "e1", call_id: str = "call-1", body: bytes = b'[{"id":"1"}]') -> OutboxEvent:
    now = asyncio.get_running_loop().time()
    return event(event_id, call_id, uri=uri, body=body, created_at=now, due=now)


async def one_try(site: Site, uri: str, schedule: Schedule = ONE_TRY) -> EventAttempted:
    """Post one event once; what is noted of it."""
    site.courier(schedule).deliver([at(uri)])
    await site.notes.until_settled(1)
    assert len(site.notes.facts) == 1
    return site.notes.facts[0]


async def test_an_event_arrives_as_it_was_stored(site: Site) -> None:
    application = Application()
    uri = await site.listen(application)
    site.courier().deliver([at(f"{uri}?key=a%20b&x=1")])
    await site.notes.until_settled(1)
    assert application.bodies == [b'[{"id":"1"}]']
    assert application.headers[0]["Content-Type"] == "application/json"
    assert application.headers[0]["User-Agent"] == "onhook/test"
    assert site.notes.settled[0].fate == "delivered"
    assert site.notes.facts[0].status == 200
    assert site.notes.facts[0].error == ""
    assert 0 < site.notes.facts[0].elapsed_ms < PATIENCE_SECONDS * 1000


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_takes_the_event(site: Site, status: int) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status)

    uri = await site.listen(Application(answer))
    assert (await one_try(site, uri)).status == status
    assert site.notes.settled[0].fate == "delivered"


@pytest.mark.parametrize("status", [304, 400, 401, 403, 404, 410, 413, 429, 500, 503])
async def test_other_answers_do_not(site: Site, status: int) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, reason="Not Today")

    attempt = await one_try(site, await site.listen(Application(answer)))
    assert (attempt.status, attempt.error) == (status, "Not Today")
    assert site.notes.settled[0].fate == "abandoned"


async def test_410_is_not_tried_again_however_much_time_there_is(site: Site) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=410)

    application = Application(answer)
    attempt = await one_try(site, await site.listen(application), RETRIES)
    assert attempt.status == 410
    assert len(application.bodies) == 1


async def test_a_redirect_is_not_followed(site: Site) -> None:
    elsewhere = Application()
    location = await site.listen(elsewhere)

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": location})

    attempt = await one_try(site, await site.listen(Application(answer)))
    assert attempt.status == 307
    assert elsewhere.bodies == []
    assert site.notes.settled[0].fate == "abandoned"


async def test_cookies_of_an_application_are_not_sent_back(site: Site) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(headers={"Set-Cookie": "who=me; Path=/"})

    application = Application(answer)
    uri = await site.listen(application)
    site.courier().deliver([at(uri, "a"), at(uri, "b")])
    await site.notes.until_settled(2)
    assert "Cookie" not in application.headers[1]


async def test_a_connection_is_used_again(site: Site) -> None:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="thank you")

    application = Application(answer)
    uri = await site.listen(application)
    site.courier().deliver([at(uri, f"{n}") for n in range(5)])
    await site.notes.until_settled(5)
    assert len(application.connections) == 1


async def test_an_application_that_takes_too_long_is_not_waited_for(site: Site) -> None:
    released = asyncio.Event()

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    attempt = await one_try(site, await site.listen(Application(answer)), IMPATIENT)
    assert (attempt.status, attempt.error) == (None, "no answer within 0.3 s")
    assert attempt.elapsed_ms >= 290
    released.set()


async def test_a_slow_application_holds_up_no_other(site: Site) -> None:
    released = asyncio.Event()

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    slow, quick = await site.listen(Application(answer)), await site.listen(Application())
    courier = site.courier()
    courier.deliver([at(slow, f"s{n}", f"slow-{n}") for n in range(50)])
    courier.deliver([at(quick, f"q{n}", f"quick-{n}") for n in range(50)])
    await site.notes.until_settled(50)
    assert {each.event_id[0] for each in site.notes.settled} == {"q"}
    released.set()
    await site.notes.until_settled(100)
    assert {each.fate for each in site.notes.settled} == {"delivered"}


@pytest.mark.parametrize("size", [10, MAX_ANSWER_BYTES * 3])
async def test_a_status_counts_whatever_becomes_of_the_body(site: Site, size: int) -> None:
    """The application said 200: the event is not posted again because its chatter broke off or is long."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": f"{size + 5}"})
        await response.prepare(request)
        await response.write(b"x" * size)
        assert request.transport is not None
        request.transport.close()
        return response

    application = Application(answer)
    attempt = await one_try(site, await site.listen(application), RETRIES)
    assert attempt.status == 200
    assert len(application.bodies) == 1


async def test_a_body_that_never_comes_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.delivery.courier.BODY_SECONDS", 0.05)
    released = asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5"})
        await response.prepare(request)
        await released.wait()
        return response

    attempt = await one_try(site, await site.listen(Application(answer)))
    assert attempt.status == 200
    released.set()


async def test_a_connection_that_is_closed_without_an_answer_is_a_failed_try(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    attempt = await one_try(site, await site.listen(Application(answer)))
    assert attempt.status is None
    assert "Disconnected" in attempt.error or "reset" in attempt.error


async def test_an_application_that_comes_back_gets_its_events_in_order(site: Site) -> None:
    attempts = 0

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal attempts
        attempts += 1
        return web.Response(status=503 if attempts <= 4 else 200)

    application = Application(answer)
    uri = await site.listen(application)
    site.courier(RETRIES).deliver([at(uri, name, body=name.encode()) for name in ("a", "b", "c")])
    await site.notes.until_settled(3)
    assert application.bodies == [b"a"] * 5 + [b"b", b"c"]
    assert [each.attempts for each in site.notes.settled if each.fate == "delivered"] == [5, 1, 1]


async def test_a_port_where_nobody_listens_is_a_failed_try(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can take it
        attempt = await one_try(site, f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert attempt.status is None
    assert "ClientConnectorError" in attempt.error


@pytest.mark.parametrize(
    "uri",
    [
        "http://",
        "nonsense",
        "ftp://localhost/x",
        "http://localhost:99999/",
        "http://[::1/",
        "http://é\udce9/",
    ],
)
async def test_an_address_that_is_none_is_a_failed_try(site: Site, uri: str) -> None:
    attempt = await one_try(site, uri)
    assert attempt.status is None
    assert attempt.error
    assert site.notes.settled[0].fate == "abandoned"


async def test_a_name_that_nobody_knows_is_a_failed_try(site: Site) -> None:
    attempt = await one_try(site, "http://nobody.invalid/")
    assert attempt.status is None
    assert attempt.error


async def test_a_peer_that_speaks_no_http_is_a_failed_try(site: Site) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        attempt = await one_try(site, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert attempt.status is None
    assert attempt.error


# TLS


def issued(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def test_a_certificate_that_is_trusted_is_taken(site: Site) -> None:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    application = Application()
    uri = await site.listen(application, issued(authority))
    site.courier(trust=trust).deliver([at(uri)])
    await site.notes.until_settled(1)
    assert site.notes.facts[0].status == 200
    assert len(application.bodies) == 1


@pytest.mark.parametrize("own_trust", [True, False])
async def test_a_certificate_that_is_not_trusted_gets_nothing(site: Site, *, own_trust: bool) -> None:
    application = Application()
    uri = await site.listen(application, issued(trustme.CA()))
    trust = ssl.create_default_context() if own_trust else None
    site.courier(trust=trust).deliver([at(uri)])
    await site.notes.until_settled(1)
    assert site.notes.facts[0].status is None
    assert "CERTIFICATE_VERIFY_FAILED" in site.notes.facts[0].error
    assert site.notes.settled[0].fate == "abandoned"
    assert application.bodies == []


async def test_a_certificate_for_another_name_gets_nothing(site: Site) -> None:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    application = Application()
    uri = await site.listen(application, issued(authority))
    site.courier(trust=trust).deliver([at(uri.replace("localhost", "127.0.0.1"))])
    await site.notes.until_settled(1)
    assert site.notes.facts[0].status is None
    assert application.bodies == []


async def test_a_courier_that_was_not_started_loses_nothing(site: Site) -> None:
    loop = asyncio.get_running_loop()
    courier = Courier(site.notes, loop.time, ONE_TRY)
    site.couriers.append(courier)
    courier.deliver([at("http://localhost:1/")])
    await site.notes.until_settled(1)
    assert "deliver was called before start" in site.notes.facts[0].error


async def test_closing_stops_what_is_under_way(site: Site) -> None:
    arrived = asyncio.Event()

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        return web.Response()

    uri = await site.listen(Application(answer))
    courier = site.courier()
    courier.deliver([at(uri)])
    async with asyncio.timeout(PATIENCE_SECONDS):
        await arrived.wait()
        await courier.close()
    assert site.notes.settled == []
    assert courier.waiting == 1
