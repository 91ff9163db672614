"""Event Grid against real HTTP endpoints: those that behave, and each way not to."""

import asyncio
import contextlib
import dataclasses
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from aiohttp import web

from onhook.calls.grid import SubscriptionRecord
from onhook.delivery.grid.event_grid import EventGrid
from onhook.delivery.grid.posting import MAX_ANSWER_BYTES, Poster
from onhook.delivery.grid.retries import Patience
from onhook.delivery.grid.surroundings import Sources
from onhook.delivery.grid.wire import Outgoing
from onhook.delivery.refused_networks import METADATA_NETWORKS, RefusedNetworks
from onhook.endings.hearing import unheard_call
from onhook.facts import GridAttempted, GridUnheard
from onhook.store.journal import Journal
from onhook.store.sqlite import SqliteStore
from unit.delivery.grid.endpoints import (
    Endpoint,
    answering,
    certificate,
    hang_up,
    never,
    raw_server,
    serving,
    trusting,
)
from unit.delivery.grid.grid_rig import CALL, an_event, subscription

QUICK = Patience(
    delays_seconds=(0.0,),
    least_seconds=(),
    answer_seconds=10.0,
    validation_pause_seconds=0.0,
    validation_url_seconds=60.0,
    dead_letter_delay_seconds=0.0,
)
"""Of the schedule only the order is left: its times are tested on virtual time."""
IMPATIENT = dataclasses.replace(QUICK, answer_seconds=0.5)


class Wired:
    """Event Grid as a server has it, on the SQLite store and on real sockets."""

    def __init__(
        self, path: Path, trust: ssl.SSLContext | None, patience: Patience, refused: Sequence[str]
    ) -> None:
        self.store = SqliteStore(path / "calls.db")
        self.journal = Journal(self.store)
        self.grid = EventGrid(
            self.store,
            self.journal,
            Sources(time.time, lambda: str(uuid.uuid4()), lambda: 0.0),
            resources=["dev"],
            dead_letters=path / "dead-letters",
            trust=trust,
            refused=RefusedNetworks(refused),
            patience=patience,
        )

    async def asked(self, url: str, **changes: Any) -> SubscriptionRecord:
        self.grid.subscribe(subscription(endpoint=url, **changes))
        return await self.grid.settled("calls")

    async def settled(self) -> list[GridAttempted]:
        """The attempts of the one delivery there is, once it is done with."""
        async with asyncio.timeout(20):
            while any(each.open for each in self.store.open_grid_deliveries()) or not self._kept():
                await self.journal.written()
                await asyncio.sleep(0.01)
        return [fact for fact in self.store.facts(CALL) if isinstance(fact, GridAttempted)]

    def _kept(self) -> bool:
        return bool(self.store.grid_deliveries(subscription="calls", limit=1))


@contextlib.asynccontextmanager
async def wired(
    path: Path,
    *,
    trust: ssl.SSLContext | None = None,
    patience: Patience = QUICK,
    refused: Sequence[str] = METADATA_NETWORKS,
) -> AsyncIterator[Wired]:
    parts = Wired(path, trust, patience, refused)
    parts.grid.start("https://localhost:8443")
    try:
        yield parts
    finally:
        await parts.grid.close()
        parts.journal.flush()
        parts.store.close()


class TestHandshakes:
    @pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
    async def test_an_endpoint_that_agrees_gets_its_event(self, schema: str, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            record = await parts.asked(endpoint.url + "?code=a%20b%2Fc+d", schema=schema)
            assert record.state == "Succeeded"
            event_id = parts.grid.publish("dev", an_event(), CALL)
            await endpoint.until(1)
            asked, got = endpoint.got
            assert asked.method == ("OPTIONS" if schema == "cloudevents" else "POST")
            assert asked.target == got.target == "/events?code=a%20b%2Fc+d"
            event = got.body if schema == "cloudevents" else got.body[0]
            assert event["id"] == event_id
            assert event["data"]["incomingCallContext"] == "context"
            if schema == "cloudevents":
                assert asked.headers["webhook-request-origin"] == got.headers["origin"]
                assert got.headers["content-type"].startswith("application/cloudevents+json")

    async def test_one_that_never_validates(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            endpoint.handshake = answering(200, "hello")
            record = await parts.asked(endpoint.url)
            assert record.state == "AwaitingManualAction"
            parts.grid.publish("dev", an_event(), CALL)
            await parts.journal.written()
            (fact,) = parts.store.facts(CALL)
            assert isinstance(fact, GridUnheard)
            assert [proof.shows for proof in unheard_call([fact])] == [
                (
                    "IncomingCall was not heard: subscription calls (AwaitingManualAction): the endpoint "
                    'answered 200 with no validationResponse: answer 200 with {"validationResponse": code} '
                    "within 30 s, or open the validation URL"
                )
            ]
            assert endpoint.events == []

    async def test_one_that_opens_the_url_itself(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            endpoint.handshake = answering(200)
            await parts.asked(endpoint.url)
            (asked,) = endpoint.got
            url = urlsplit(asked.body[0]["data"]["validationUrl"])
            assert url.path == "/onhook/events/calls/validate"
            parts.grid.open_validation_url("calls", url.query.removeprefix("token="))
            parts.grid.publish("dev", an_event(), CALL)
            await endpoint.until(1)

    async def test_202(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            endpoint.handshake = answering(202)
            record = await parts.asked(endpoint.url)
            assert (record.state, len(endpoint.got)) == ("Failed", 3)
            assert "202" in record.why

    async def test_500_twice_then_the_code(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:

            async def handshake(request: web.Request) -> web.StreamResponse:
                if len(endpoint.got) < 3:
                    return web.Response(status=500)
                (event,) = await request.json()
                return web.json_response({"validationResponse": event["data"]["validationCode"]})

            endpoint.handshake = handshake
            record = await parts.asked(endpoint.url)
            assert record.state == "Succeeded"
            assert [each.status for each in record.tries] == [500, 500, 200]

    async def test_a_slow_one(self, tmp_path: Path) -> None:
        async with wired(tmp_path, patience=IMPATIENT) as parts, serving() as endpoint:
            endpoint.handshake = never
            record = await parts.asked(endpoint.url)
            assert (record.state, record.why) == ("Failed", "no answer within 0.5 s")
            assert {each.outcome for each in record.tries} == {"TimedOut"}

    async def test_one_that_closes_the_socket(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            endpoint.handshake = hang_up
            record = await parts.asked(endpoint.url)
            assert record.state == "Failed"
            assert "closed the connection without an answer" in record.why

    async def test_one_that_redirects(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint, serving() as elsewhere:
            endpoint.handshake = answering(307, Location=elsewhere.url)
            record = await parts.asked(endpoint.url)
            assert record.state == "Failed"
            assert elsewhere.url in record.why
            assert elsewhere.got == []
            assert len(endpoint.got) == 1

    async def test_nobody_there(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts:
            async with serving() as endpoint:
                url = endpoint.url
            record = await parts.asked(url)
            assert (record.state, record.why) == (
                "Failed",
                "it refused the connection: nothing listens there",
            )

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_a_network_where_no_event_may_go(self, host: str, tmp_path: Path) -> None:
        async with wired(tmp_path, refused=["127.0.0.0/8", "::1/128"]) as parts, serving() as endpoint:
            record = await parts.asked(endpoint.url.replace("127.0.0.1", host))
            assert record.state == "Failed"
            assert "where nothing may go (delivery.refused_networks)" in record.why
            assert [each.outcome for each in record.tries] == ["SocketError"]
            assert endpoint.got == []

    async def test_a_name_that_nobody_knows(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts:
            record = await parts.asked("https://nobody.invalid/events")
            assert record.state == "Failed"
            assert record.tries[-1].outcome in {"ResolutionError", "TimedOut"}
            if record.tries[-1].outcome == "ResolutionError":
                assert record.why == "its name nobody.invalid cannot be resolved"


class TestCertificates:
    async def test_one_of_an_authority_that_is_trusted(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        async with (
            wired(tmp_path, trust=trusting(authority)) as parts,
            serving(certificate(authority)) as endpoint,
        ):
            assert (await parts.asked(endpoint.url)).state == "Succeeded"
            parts.grid.publish("dev", an_event(), CALL)
            await endpoint.until(1)

    async def test_one_of_an_authority_that_nobody_knows(self, tmp_path: Path) -> None:
        async with (
            wired(tmp_path, trust=trusting(trustme.CA())) as parts,
            serving(certificate(trustme.CA())) as endpoint,
        ):
            record = await parts.asked(endpoint.url)
            assert record.state == "Failed"
            assert record.why.startswith("its certificate is not trusted: ")
            assert len(record.tries) == 1
            assert endpoint.got == []

    async def test_one_for_another_name(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        async with (
            wired(tmp_path, trust=trusting(authority)) as parts,
            serving(certificate(authority, "other.example")) as endpoint,
        ):
            record = await parts.asked(endpoint.url)
            assert record.state == "Failed"
            assert "certificate is not trusted" in record.why
            assert "127.0.0.1" in record.why

    async def test_https_where_http_is_spoken(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            record = await parts.asked(endpoint.url.replace("http://", "https://"))
            assert record.state == "Failed"
            assert record.tries[-1].outcome == "SocketError"


class TestDeliveries:
    async def deliver(self, parts: Wired, endpoint: Endpoint, *answers: object) -> list[GridAttempted]:
        await parts.asked(endpoint.url, max_attempts=4)
        endpoint.answers = list(answers)  # type: ignore[arg-type]  # statuses and handlers
        parts.grid.publish("dev", an_event(), CALL)
        return await parts.settled()

    async def test_500_twice(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            facts = await self.deliver(parts, endpoint, 500, 500)
            assert [(each.status, each.fate) for each in facts] == [
                (500, "retry"),
                (500, "retry"),
                (200, "delivered"),
            ]
            assert [each.headers["aeg-delivery-count"] for each in endpoint.events] == ["0", "1", "2"]

    @pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
    async def test_what_counts_as_taken(self, status: int, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            facts = await self.deliver(parts, endpoint, status)
            assert [(each.status, each.fate) for each in facts] == [(status, "delivered")]

    @pytest.mark.parametrize("status", [400, 401, 403, 413])
    async def test_what_is_refused_for_good(self, status: int, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            facts = await self.deliver(parts, endpoint, status)
            assert [(each.status, each.fate) for each in facts] == [(status, "dropped")]
            assert len(endpoint.events) == 1

    async def test_a_slow_answer(self, tmp_path: Path) -> None:
        async with wired(tmp_path, patience=IMPATIENT) as parts, serving() as endpoint:
            facts = await self.deliver(parts, endpoint, never)
            assert (facts[0].status, facts[0].error) == (None, "no answer within 0.5 s")
            assert facts[-1].fate == "delivered"

    async def test_a_closed_socket(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            facts = await self.deliver(parts, endpoint, hang_up, hang_up)
            assert [each.status for each in facts][-1] == 200
            assert "closed the connection" in facts[0].error

    async def test_a_redirect_is_not_followed(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint, serving() as elsewhere:
            facts = await self.deliver(parts, endpoint, answering(302, Location=elsewhere.url))
            assert [each.status for each in facts] == [302, 200]
            assert elsewhere.url in facts[0].error
            assert elsewhere.got == []

    async def test_a_dead_letter(self, tmp_path: Path) -> None:
        async with wired(tmp_path) as parts, serving() as endpoint:
            await parts.asked(endpoint.url, max_attempts=2, dead_letter_file="d.jsonl")
            endpoint.answers = [500, 404]
            parts.grid.publish("dev", an_event(), CALL)
            facts = await parts.settled()
            assert [each.fate for each in facts] == ["retry", "dead-lettering"]
            letter = (tmp_path / "dead-letters/d.jsonl").read_text()
            assert '"lastDeliveryOutcome":"NotFound"' in letter

    async def test_hundreds_at_once(self, tmp_path: Path) -> None:
        async with wired(tmp_path, patience=Patience(answer_seconds=20)) as parts, serving() as endpoint:
            await parts.asked(endpoint.url)
            sent = {parts.grid.publish("dev", an_event(), CALL) for _ in range(300)}
            await endpoint.until(300)
            assert {each.body[0]["id"] for each in endpoint.events} == sent
            facts = await parts.settled()
            assert {each.fate for each in facts} == {"delivered"}

    async def test_after_a_restart_what_waited_is_delivered(self, tmp_path: Path) -> None:
        slow_schedule = Patience(delays_seconds=(0.2,), jitter=0.0)
        async with serving() as endpoint:
            endpoint.answers = [500]
            async with wired(tmp_path, patience=slow_schedule) as parts:
                await parts.asked(endpoint.url)
                event_id = parts.grid.publish("dev", an_event(), CALL)
                await endpoint.until(1)
            async with wired(tmp_path, patience=slow_schedule) as parts:
                await endpoint.until(2)
                facts = await parts.settled()
            assert facts[-1].fate == "delivered"
            assert endpoint.events[1].body[0]["id"] == event_id
            assert [each.kind for each in endpoint.got].count("SubscriptionValidation") == 1


class TestPoster:
    async def send(self, url: str, *, wants_body: bool = True) -> tuple[object, ...]:
        poster = Poster(user_agent="onhook/test")
        poster.start()
        try:
            request = Outgoing("POST", url, {"Content-Type": "application/json"}, b"[]", wants_body)
            answer = await poster.send(request, 5)
            return answer.status, answer.error, answer.outcome, len(answer.body)
        finally:
            await poster.close()

    async def test_a_long_answer_is_cut(self) -> None:
        async with serving() as endpoint:
            endpoint.handshake = answering(200, "x" * 200_000)
            assert await self.send(endpoint.url) == (200, "", "", MAX_ANSWER_BYTES)

    async def test_a_body_that_never_ends_counts_for_nothing(self) -> None:
        async def endless(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(status=204 if request.query else 200)
            response.headers["Content-Length"] = "100"
            await response.prepare(request)
            await never(request)
            return response

        async with serving() as endpoint:
            endpoint.handshake = endless
            assert (await self.send(endpoint.url, wants_body=False))[0] == 200

    @pytest.mark.parametrize(
        "answer", [b"", b"hello\r\n\r\n", b"HTTP/1.1 2000 Yes\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"]
    )
    async def test_what_is_no_http_is_a_socket_error(self, answer: bytes) -> None:
        async with raw_server(answer) as url:
            status, error, outcome, _ = await self.send(url)
            assert (status, outcome) == (None, "SocketError")
            assert error

    @pytest.mark.parametrize("url", ["http://", "nonsense", "http://[::1", "http://a\x00b/"])
    async def test_no_address_breaks_it(self, url: str) -> None:
        status, error, _, _ = await self.send(url)
        assert status is None
        assert error

    async def test_before_start_it_fails_softly(self) -> None:
        answer = await Poster().send(Outgoing("POST", "http://localhost/", {}), 1)
        assert answer.status is None
        assert "before start" in answer.error
