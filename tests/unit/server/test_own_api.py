"""Onhook's own pages: calls, facts, explanations; who may read them."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from starlette.applications import Starlette

from onhook.calls.record import CallRecord
from onhook.endings.judge import judge
from onhook.endings.verdict import Verdict
from onhook.facts import Timeline
from onhook.server.app import make_app
from onhook.server.settings import ServerSettings
from timelines import START, Story
from unit.server.fake_switchboard import DIRECTORY, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import Answered, put

BUSY = "busy-call"
OPEN = "open-call"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def record(call: str, verdict: Verdict | None = None, **changes: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "id": call,
        "server_call_id": "server",
        "correlation_id": "correlation",
        "resource": "dev",
        "direction": "outbound",
        "source": "+14255550100",
        "target": "+14255550486",
        "callback_uri": "https://app.example/events?code=secret",
        "api_version": "2026-03-12",
        "trunk": "carrier",
        "started_at": START,
        "ended_at": START + 1 if verdict else None,
        "verdict": verdict,
    }
    return CallRecord(**{**fields, **changes})


def archive() -> FakeArchive:
    busy: Timeline = Story().busy().facts
    ringing: Timeline = Story().invite().trying().ringing().facts
    return FakeArchive((record(BUSY, judge(busy)), busy), (record(OPEN), ringing))


def app_of(kept: FakeArchive | None = None, *, ready: bool = True, **settings: Any) -> Starlette:
    return make_app(
        DIRECTORY, FakeSwitchboard(), kept or archive(), ServerSettings(**settings), ready=lambda: ready
    )


async def get(
    path: str,
    *,
    app: Starlette | None = None,
    accept: str = "*/*",
    host: str = "localhost:8443",
    client: str = "127.0.0.1",
) -> Answered:
    return await put(app or app_of(), "GET", path, {"host": host, "accept": accept}, client=client)


class TestForms:
    async def test_health(self) -> None:
        answer = await get("/onhook/health")
        assert answer.status == 200
        assert answer.json()["ready"] is True
        assert answer.json()["version"]

    async def test_health_before_and_after_service(self) -> None:
        answer = await get("/onhook/health", app=app_of(ready=False))
        assert (answer.status, answer.json()["ready"]) == (503, False)

    async def test_health_tells_how_parts_are(self) -> None:
        app = make_app(DIRECTORY, FakeSwitchboard(), archive(), health=lambda: {"media": [{"up": True}]})
        answer = await get("/onhook/health", app=app)
        assert answer.json()["media"] == [{"up": True}]

    async def test_calls_newest_first(self) -> None:
        calls = (await get("/onhook/calls")).json()["calls"]
        assert [call["id"] for call in calls] == [OPEN, BUSY]
        assert calls[0]["verdict"] is None
        assert (calls[1]["verdict"]["code"], calls[1]["verdict"]["subcode"]) == (486, 560486)

    async def test_calls_for_a_browser(self) -> None:
        answer = await get("/onhook/calls", accept=BROWSER)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = answer.body.decode()
        assert "486/560486" in page
        assert f'href="/onhook/calls/{OPEN}"' in page
        assert 'href="/endings"' in page
        assert b'href="/endings/callee-busy"' in (await get(f"/onhook/calls/{BUSY}", accept=BROWSER)).body

    async def test_no_calls_yet(self) -> None:
        app = app_of(FakeArchive())
        assert (await get("/onhook/calls", app=app)).json() == {"calls": []}
        assert b"No calls yet" in (await get("/onhook/calls", app=app, accept="text/html")).body

    async def test_one_call_with_its_facts(self) -> None:
        told = (await get(f"/onhook/calls/{BUSY}")).json()
        assert told["call"]["id"] == BUSY
        assert [fact["number"] for fact in told["facts"]] == list(range(1, len(told["facts"]) + 1))
        assert told["facts"][0]["kind"] == "sip"
        assert told["facts"][0]["message"].startswith("INVITE sip:+14255550200@")

    async def test_bytes_that_are_no_text_are_escaped(self) -> None:
        garbage: Timeline = Story().invite().garbage(b"\xff\x00sip").facts
        app = app_of(FakeArchive((record(OPEN), garbage)))
        facts = (await get(f"/onhook/calls/{OPEN}", app=app)).json()["facts"]
        assert facts[-1]["data"] == "\\xff\x00sip"
        assert facts[-1]["kind"] == "sip-unreadable"

    async def test_the_query_of_a_callback_address_is_not_shown(self) -> None:
        for path in ("/onhook/calls", f"/onhook/calls/{BUSY}"):
            for accept in ("*/*", "text/html"):
                body = (await get(path, accept=accept)).body
                assert b"secret" not in body
        assert b"https://app.example/events?\xe2\x80\xa6" in (await get("/onhook/calls")).body

    async def test_one_call_for_a_browser(self) -> None:
        page = (await get(f"/onhook/calls/{BUSY}", accept=BROWSER)).body.decode()
        assert "<svg" in page
        assert "486/560486" in page

    async def test_why_as_text_json_and_markdown(self) -> None:
        text = await get(f"/onhook/calls/{BUSY}/why")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        assert text.body.startswith(b"486/560486")
        assert b"Evidence" in text.body
        for told in (
            await get(f"/onhook/calls/{BUSY}/why", accept="application/json"),
            await get(f"/onhook/calls/{BUSY}/why?format=json", accept="text/html"),
        ):
            why = told.json()
            assert (why["code"], why["subcode"], why["ending"]) == (486, 560486, "callee-busy")
            assert {"name", "meaning", "category", "advice", "source", "confidence"} <= set(why)
            assert why["evidence"]
            assert (why["call"], why["open"]) == (BUSY, False)
            assert why["tips"] == []
        markdown = await get(f"/onhook/calls/{BUSY}/why?format=markdown")
        assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
        assert markdown.body.startswith(b"# 486/560486")

    async def test_why_of_an_open_call(self) -> None:
        assert b"The call is open" in (await get(f"/onhook/calls/{OPEN}/why")).body
        assert b"180" in (await get(f"/onhook/calls/{OPEN}/why")).body, "the ladder so far"
        assert b"The call is open" in (await get(f"/onhook/calls/{OPEN}/why?format=markdown")).body
        told = (await get(f"/onhook/calls/{OPEN}/why?format=json")).json()
        assert told == {
            "call": OPEN,
            "open": True,
            "audio": [],
            "failed_operations": [],
            "failed_operations_left_out": 0,
            "tips": [],
        }

    async def test_ladders(self) -> None:
        text = await get(f"/onhook/calls/{BUSY}/ladder")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        assert "486 Busy Here" in text.body.decode()
        for path in ("ladder.svg", "ladder?format=svg"):
            svg = await get(f"/onhook/calls/{BUSY}/{path}")
            assert svg.headers["content-type"] == "image/svg+xml"
            assert ET.fromstring(svg.body).tag.endswith("svg")

    async def test_what_a_peer_wrote_cannot_become_markup(self) -> None:
        story = Story().invite().response(486, "<script>alert(1)</script>").ack()
        evil = record("<b>&", judge(story.facts), source="<i>", target='"><script>')
        app = app_of(FakeArchive((evil, story.facts)))
        for path in ("/onhook/calls", "/onhook/calls/<b>&"):
            answer = await get(path, app=app, accept="text/html")
            assert answer.status == 200
            assert b"<script" not in answer.body
            assert b"<i>" not in answer.body

    async def test_a_tip_that_the_call_shows_stands_with_its_evidence(self) -> None:
        story = Story().invite().wait(0.1).response(603, "Decline").ack()
        app = app_of(FakeArchive((record(BUSY, judge(story.facts)), story.facts)))
        told = (await get(f"/onhook/calls/{BUSY}/why?format=json", app=app)).json()["tips"]
        assert [(one["tip"], one["evidence"][0]["fact"]) for one in told] == [("F1", 2)]
        text = (await get(f"/onhook/calls/{BUSY}/why", app=app)).body.decode()
        assert "Tips of the troubleshooting pages\n  F1 Stopped as spam or fraud: " in text
        markdown = (await get(f"/onhook/calls/{BUSY}/why?format=markdown", app=app)).body.decode()
        assert "## Tips of the troubleshooting pages\n\n- **F1** Stopped as spam or fraud: " in markdown


class TestRefusals:
    @pytest.mark.parametrize("page", ["", "/why", "/ladder", "/ladder.svg"])
    async def test_a_call_that_is_not_there(self, page: str) -> None:
        answer = await get(f"/onhook/calls/gone{page}")
        assert (answer.status, answer.error["code"]) == (404, "8522")

    @pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1e3", "²", "9" * 50])
    async def test_limits(self, limit: str) -> None:
        answer = await get(f"/onhook/calls?limit={limit}")
        assert (answer.status, answer.error["target"]) == (400, "limit")

    async def test_a_limit(self) -> None:
        assert len((await get("/onhook/calls?limit=1")).json()["calls"]) == 1

    @pytest.mark.parametrize(
        ("path", "forms"),
        [("/onhook/calls", "json, html"), (f"/onhook/calls/{BUSY}/why", "text, json, markdown")],
    )
    async def test_a_form_that_the_page_does_not_have(self, path: str, forms: str) -> None:
        answer = await get(f"{path}?format=pdf")
        assert answer.status == 400
        assert forms in answer.error["message"]

    async def test_an_unknown_page(self) -> None:
        answer = await get("/onhook/nothing")
        assert (answer.status, answer.error["code"]) == (404, "NotFound")

    async def test_nothing_is_written_here(self) -> None:
        answer = await put(app_of(), "DELETE", f"/onhook/calls/{BUSY}", {"host": "localhost"})
        assert answer.status in {404, 405}


class TestWhoMayRead:
    PAGES = ("/onhook/calls", "/onhook/health", f"/onhook/calls/{BUSY}", f"/onhook/calls/{BUSY}/why")

    @pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1"])
    @pytest.mark.parametrize("host", ["localhost", "localhost:8443", "127.0.0.1:8443", "[::1]:8443"])
    async def test_callers_on_this_machine(self, client: str, host: str) -> None:
        assert (await get("/onhook/calls", client=client, host=host)).status == 200

    @pytest.mark.parametrize("path", PAGES)
    async def test_callers_elsewhere_are_refused(self, path: str) -> None:
        answer = await get(path, client="192.0.2.7")
        assert answer.status == 403
        assert "192.0.2.7" in answer.error["message"]
        assert "server.own_api" in answer.error["message"]

    @pytest.mark.parametrize("path", PAGES)
    async def test_a_foreign_name_that_points_here_is_refused(self, path: str) -> None:
        assert (await get(path, host="evil.example:8443")).status == 403

    async def test_a_configured_name_is_ours(self) -> None:
        app = app_of(hostnames=("sbc.example",))
        assert (await get("/onhook/calls", app=app, host="sbc.example:8443")).status == 200

    async def test_the_setting_opens_it(self) -> None:
        app = app_of(own_api="always")
        answer = await get("/onhook/calls", app=app, client="192.0.2.7", host="sbc.example")
        assert answer.status == 200
