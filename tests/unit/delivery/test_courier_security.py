"""Whom the courier says it is, and where it never goes; over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.delivery.courier import Courier
from onhook.delivery.refused_networks import RefusedNetworks
from onhook.delivery.schedule import Schedule
from onhook.facts import EventAttempted, Fact
from store_samples import event

PATIENCE_SECONDS = 10.0
RETRIES = Schedule(delays_seconds=(0.01,), give_up_seconds=60.0, timeout_seconds=5.0)
ONE_TRY = Schedule(delays_seconds=(0.01,), give_up_seconds=0.0, timeout_seconds=5.0)


class Application:
    """Answers 503 to the first POSTs, 200 to the rest; keeps their Authorization and target."""

    def __init__(self) -> None:
        self.refusals = 0
        self.authorizations: list[str | None] = []
        self.targets: list[str] = []
        self.facts: list[EventAttempted] = []
        self.done = asyncio.Event()
        self.port = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.authorizations.append(request.headers.get("Authorization"))
        self.targets.append(request.raw_path)
        self.refusals -= 1
        return web.Response(status=503 if self.refusals >= 0 else 200)

    def note(self, call_id: str, fact: Fact) -> None:
        assert isinstance(fact, EventAttempted)
        self.facts.append(fact)

    def add_settlement(self, settled: Settlement) -> None:
        if settled.fate != "retry":
            self.done.set()


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    made = Application()
    runner = web.ServerRunner(web.Server(made), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


async def deliver(
    application: Application,
    *,
    host: str = "localhost",
    query: str = "",
    schedule: Schedule = RETRIES,
    authorize: Callable[[OutboxEvent], str] | None = None,
    refused: RefusedNetworks | None = None,
) -> None:
    now = asyncio.get_running_loop().time
    courier = Courier(application, now, schedule, authorize=authorize, refused=refused)
    courier.start()
    told = event("e1", uri=f"http://{host}:{application.port}/events{query}", created_at=now(), due=now())
    courier.deliver([told])
    async with asyncio.timeout(PATIENCE_SECONDS):
        await application.done.wait()
    await courier.close()


async def test_each_post_is_authorized_anew(application: Application) -> None:
    application.refusals = 2
    given = iter(["Bearer one", "Bearer two", "Bearer three"])
    asked: list[str] = []

    def authorize(told: OutboxEvent) -> str:
        asked.append(told.id)
        return next(given)

    await deliver(application, authorize=authorize)
    assert application.authorizations == ["Bearer one", "Bearer two", "Bearer three"]
    assert asked == ["e1"] * 3


@pytest.mark.parametrize("authorize", [None, lambda _: ""], ids=["nobody", "nothing"])
async def test_without_authorization_there_is_no_header(
    application: Application, authorize: Callable[[OutboxEvent], str] | None
) -> None:
    await deliver(application, authorize=authorize)
    assert application.authorizations == [None]


async def test_when_no_token_can_be_made_the_try_failed_and_is_repeated(application: Application) -> None:
    given = iter([KeyError("no key"), None])

    def authorize(_: OutboxEvent) -> str:
        fault = next(given)
        if fault:
            raise fault
        return "Bearer late"

    await deliver(application, authorize=authorize)
    assert [fact.status for fact in application.facts] == [None, 200]
    assert "no key" in application.facts[0].error
    assert application.authorizations == ["Bearer late"]


@pytest.mark.parametrize(
    "query",
    ["?code=a%2Fb+c", "?x=%7B%C3%A9%7d", "?sig=a%2bb%3D%3d&q=~'()*!", "?a;b,c|d", "?%", "/more%2Fpath?x"],
)
async def test_the_query_of_the_address_goes_out_as_it_was_given(
    application: Application, query: str
) -> None:
    await deliver(application, query=query)
    assert application.targets == [f"/events{query}"]


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_a_refused_address_is_connected_to(application: Application, host: str) -> None:
    refused = RefusedNetworks(["127.0.0.0/8", "::1/128"])
    await deliver(application, host=host, schedule=ONE_TRY, refused=refused)
    (fact,) = application.facts
    assert fact.status is None
    assert application.targets == []
    if host in {"localhost", "127.0.0.1"}:
        assert "delivery.refused_networks" in fact.error


async def test_loopback_is_open_unless_refused(application: Application) -> None:
    await deliver(application, refused=RefusedNetworks())
    assert [fact.status for fact in application.facts] == [200]
