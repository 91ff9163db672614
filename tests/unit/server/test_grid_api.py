"""/onhook/events over HTTP: subscribing, showing, deleting, sending again, and who may."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from onhook.calls.grid import bare
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.event_grid import EventGrid
from onhook.delivery.grid.retries import Patience
from onhook.delivery.grid.surroundings import Sources
from onhook.server.grid_api import GridApi, kept_subscriptions
from onhook.server.own_requests import MAX_BODY_BYTES
from onhook.server.settings import ServerSettings
from onhook.store.batch import Batch, StoreFailed
from onhook.store.journal import Journal
from onhook.store.memory import MemoryStore
from unit.delivery.grid.grid_rig import ENDPOINT, FakePost, an_event
from unit.server.signed_requests import Answered, put

QUICK = Patience(delays_seconds=(0.0,), least_seconds=(), validation_pause_seconds=0.0)
ROOT = "/onhook/events"
WANTED = {"name": "calls", "endpoint": ENDPOINT}


class SickStore(MemoryStore):
    sick = False

    def save(self, batch: Batch) -> None:
        if self.sick:
            raise StoreFailed("disk full")
        super().save(batch)


class Site:
    """The pages, and what is behind them."""

    def __init__(self, **settings: Any) -> None:
        self.store = SickStore()
        self.journal = Journal(self.store)
        self.post = FakePost()
        self.grid = EventGrid(
            self.store,
            self.journal,
            Sources(time.time, lambda: str(uuid.uuid4()), lambda: 0.0),
            resources=["dev"],
            dead_letters=Path("never-written"),
            patience=QUICK,
            post=self.post,
        )
        self.app = Starlette(routes=GridApi(self.grid, ServerSettings(**settings)).routes())

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        client: str = "127.0.0.1",
        **headers: str,
    ) -> Answered:
        named = {"host": "localhost:8443", "content-type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return await put(self.app, method, path, named, raw, client=client)

    async def subscribed(self, **changes: Any) -> "Site":
        answer = await self.ask("POST", ROOT, WANTED | changes)
        assert answer.status == 201, answer.body
        return self

    async def delivered(self, events: int) -> None:
        async with asyncio.timeout(10):
            while len(self.post.deliveries) < events or self.store.open_grid_deliveries():
                await self.journal.written()
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def site(**settings: Any) -> AsyncIterator[Site]:
    opened = Site(**settings)
    opened.grid.start("https://localhost:8443")
    try:
        yield opened
    finally:
        opened.store.sick = False
        await opened.grid.close()
        opened.journal.flush()


class TestSubscribing:
    async def test_it_answers_when_the_endpoint_is_validated(self) -> None:
        async with site() as pages:
            answer = await pages.ask("POST", ROOT, WANTED | {"event_types": ["IncomingCall"]})
            told = answer.json()
            assert answer.status == 201
            assert (told["name"], told["state"], told["origin"]) == ("calls", "Succeeded", "api")
            assert told["resource"] == "dev"
            assert told["event_types"] == ["Microsoft.Communication.IncomingCall"]
            assert [made["status"] for made in told["handshake"]] == [200]
            assert told["last_attempt"] == told["handshake"][0]
            assert [each.name for each in pages.store.subscriptions()] == ["calls"]

    async def test_it_answers_when_the_endpoint_is_not(self) -> None:
        async with site() as pages:
            pages.post.handshake = lambda _request: Answer(404, "Not Found")
            told = (await pages.ask("POST", ROOT, WANTED)).json()
            assert told["state"] == "Failed"
            assert "404 Not Found" in told["why"]

    async def test_keys_of_the_endpoint_are_not_shown(self) -> None:
        async with site() as pages:
            await pages.subscribed()
            for path in (ROOT, f"{ROOT}/calls"):
                answer = await pages.ask("GET", path)
                assert bare(ENDPOINT).encode() in answer.body
                assert b"a%20b" not in answer.body

    async def test_every_field_can_be_given(self) -> None:
        async with site() as pages:
            fields = {
                "resource": "dev",
                "schema": "cloudevents",
                "subject_begins_with": "/caller",
                "subject_ends_with": "00",
                "subject_case_sensitive": True,
                "max_attempts": 2,
                "ttl_minutes": 1,
                "dead_letter_file": "d.jsonl",
            }
            told = (await pages.ask("POST", ROOT, WANTED | fields)).json()
            assert {name: told[name] for name in fields} == fields

    async def test_validating_again(self) -> None:
        async with site() as pages:
            pages.post.handshake = lambda _request: Answer(403)
            await pages.subscribed()
            pages.post.handshake = FakePost().handshake
            answer = await pages.ask("POST", f"{ROOT}/calls/validate")
            assert (answer.status, answer.json()["state"]) == (200, "Succeeded")

    @pytest.mark.parametrize(
        ("body", "target", "why"),
        [
            (b"", None, "it is no JSON"),
            (b"{", None, "it is no JSON"),
            (b"\xff", None, "it is no JSON"),
            (b'{"name":' + b"[" * 50_000, None, "it is no JSON"),
            (b"[]", None, "Expected an object"),
            ({}, None, "missing required field `name`"),
            ({"name": "a"}, None, "missing required field `endpoint`"),
            (WANTED | {"name": 7}, "name", "Expected a string, got a whole number"),
            (WANTED | {"schema": "custom"}, "schema", "Invalid enum value 'custom'"),
            (WANTED | {"event_types": ["a", 1]}, "event_types[1]", "Expected a string"),
            (WANTED | {"max_attempts": "2"}, "max_attempts", "Expected a whole number, got a string"),
            (WANTED | {"max_attempts": 31}, "max_attempts", "31 is not 1 to 30"),
            (WANTED | {"url": "x"}, "url", "there is no such field; there are name, endpoint"),
            (WANTED | {"endpoint": "http://a.example/"}, "endpoint", "The field Endpoint is invalid"),
            (WANTED | {"resource": "shop"}, "resource", "'shop' is none of them"),
        ],
    )
    async def test_what_is_wrong_is_told(self, body: Any, target: str | None, why: str) -> None:
        async with site() as pages:
            answer = await pages.ask("POST", ROOT, body)
            assert answer.status == 400
            assert answer.error.get("target") == target
            assert why in answer.error["message"]
            assert pages.grid.subscriptions() == []

    async def test_a_long_body_is_cut_off(self) -> None:
        async with site() as pages:
            answer = await pages.ask("POST", ROOT, b" " * (MAX_BODY_BYTES + 1))
            assert (answer.status, answer.error["code"]) == (413, "RequestEntityTooLarge")

    async def test_while_the_store_fails_nobody_is_told_that_all_is_well(self) -> None:
        async with site() as pages:
            pages.store.sick = True
            answer = await pages.ask("POST", ROOT, WANTED)
            assert answer.status == 503
            assert answer.headers["retry-after"] == "2"
            assert "disk full" in answer.error["message"]


class TestShowing:
    async def test_none_yet(self) -> None:
        async with site() as pages:
            assert (await pages.ask("GET", ROOT)).json() == {"subscriptions": []}

    async def test_all_by_name(self) -> None:
        async with site() as pages:
            await pages.subscribed(name="b")
            await pages.subscribed(name="a")
            told = (await pages.ask("GET", ROOT)).json()["subscriptions"]
            assert [(each["name"], each["state"]) for each in told] == [
                ("a", "Succeeded"),
                ("b", "Succeeded"),
            ]
            assert json.loads(json.dumps(kept_subscriptions(pages.store))) == told

    async def test_one_with_its_deliveries_and_their_attempts(self) -> None:
        async with site() as pages:
            await pages.subscribed()
            pages.post.answers = [Answer(500, "Broken")]
            first = pages.grid.publish("dev", an_event(), "call-1")
            await pages.delivered(2)
            second = pages.grid.publish("dev", an_event())
            await pages.delivered(3)
            told = (await pages.ask("GET", f"{ROOT}/calls")).json()
            assert [each["event_id"] for each in told["deliveries"]] == [second, first]
            older = told["deliveries"][1]
            assert (older["fate"], older["call"], older["due"]) == ("delivered", "call-1", None)
            assert [made["status"] for made in older["attempts"]] == [500, 200]
            assert older["attempts"][0]["error"] == "Broken"
            assert told["deliveries"][0]["call"] is None
            assert "validation_url" not in told
            one = (await pages.ask("GET", f"{ROOT}/calls?limit=1")).json()
            assert len(one["deliveries"]) == 1

    @pytest.mark.parametrize("limit", ["0", "1001", "x", "²", ""])
    async def test_a_wrong_limit(self, limit: str) -> None:
        async with site() as pages:
            await pages.subscribed()
            answer = await pages.ask("GET", f"{ROOT}/calls?limit={limit}")
            assert (answer.status, answer.error["target"]) == (400, "limit")

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "", None),
            ("DELETE", "", None),
            ("POST", "/validate", None),
            ("POST", "/redeliver", {"event_id": "x"}),
            ("GET", "/validate?token=x", None),
        ],
    )
    async def test_one_that_is_not_there(self, method: str, path: str, body: Any) -> None:
        async with site() as pages:
            answer = await pages.ask(method, f"{ROOT}/nobody{path}", body)
            assert (answer.status, answer.error["code"]) == (404, "NotFound")
            assert "nobody" in answer.error["message"]


class TestChanging:
    async def test_deleting(self) -> None:
        async with site() as pages:
            await pages.subscribed()
            answer = await pages.ask("DELETE", f"{ROOT}/calls")
            assert (answer.status, answer.body) == (204, b"")
            assert pages.store.subscriptions() == []

    async def test_sending_an_event_again(self) -> None:
        async with site() as pages:
            await pages.subscribed()
            event_id = pages.grid.publish("dev", an_event())
            await pages.delivered(1)
            answer = await pages.ask("POST", f"{ROOT}/calls/redeliver", {"event_id": event_id})
            assert (answer.status, answer.json()["fate"]) == (202, "waiting")
            await pages.delivered(2)
            ids = {each.json()[0]["id"] for each in pages.post.deliveries}
            assert ids == {event_id}

    async def test_an_event_that_was_never_kept(self) -> None:
        async with site() as pages:
            await pages.subscribed()
            answer = await pages.ask("POST", f"{ROOT}/calls/redeliver", {"event_id": "no"})
            assert (answer.status, answer.error["target"]) == (404, "event_id")

    async def test_the_validation_url(self) -> None:
        async with site() as pages:
            pages.post.handshake = lambda _request: Answer(200)
            await pages.subscribed()
            told = (await pages.ask("GET", f"{ROOT}/calls")).json()
            path = told["validation_url"].removeprefix("https://localhost:8443")
            answer = await pages.ask("GET", path, client="203.0.113.9", host="calls.example")
            assert (answer.status, answer.body) == (200, b"Subscription calls is validated.\n")
            assert pages.store.subscriptions()[0].state == "Succeeded"

    @pytest.mark.parametrize("query", ["", "?token=", "?token=wrong"])
    async def test_a_wrong_validation_url(self, query: str) -> None:
        async with site() as pages:
            pages.post.handshake = lambda _request: Answer(200)
            await pages.subscribed()
            answer = await pages.ask("GET", f"{ROOT}/calls/validate{query}")
            assert answer.status == 404
            assert pages.grid.subscription("calls").state == "AwaitingManualAction"


ALL = [
    ("GET", ROOT),
    ("POST", ROOT),
    ("GET", f"{ROOT}/calls"),
    ("DELETE", f"{ROOT}/calls"),
    ("POST", f"{ROOT}/calls/validate"),
    ("POST", f"{ROOT}/calls/redeliver"),
]
each_page = pytest.mark.parametrize(("method", "path"), ALL)


class TestWhoMay:
    @each_page
    async def test_other_machines_may_not(self, method: str, path: str) -> None:
        async with site() as pages:
            answer = await pages.ask(method, path, WANTED, client="203.0.113.9")
            assert (answer.status, answer.error["code"]) == (403, "Forbidden")

    @each_page
    async def test_names_of_others_may_not(self, method: str, path: str) -> None:
        async with site() as pages:
            assert (await pages.ask(method, path, WANTED, host="evil.example")).status == 403

    @each_page
    async def test_pages_of_other_sites_may_not(self, method: str, path: str) -> None:
        async with site() as pages:
            answer = await pages.ask(method, path, WANTED, origin="https://evil.example")
            assert (answer.status, answer.error["target"]) == (403, "Origin")
            assert (await pages.ask(method, path, WANTED, origin="null")).status == 403

    async def test_pages_of_ours_may(self) -> None:
        async with site() as pages:
            answer = await pages.ask("POST", ROOT, WANTED, origin="https://localhost:8443")
            assert answer.status == 201

    async def test_only_json_is_taken(self) -> None:
        async with site() as pages:
            answer = await pages.ask("POST", ROOT, WANTED, content_type="text/plain")
            assert (answer.status, answer.error["target"]) == (415, "Content-Type")

    async def test_the_setting_opens_it(self) -> None:
        async with site(own_api="always") as pages:
            answer = await pages.ask("POST", ROOT, WANTED, client="203.0.113.9", host="calls.example")
            assert answer.status == 201
