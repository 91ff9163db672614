"""/onhook/lab/transparency: what is measured, what is refused, and that tables are kept and learnt."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette

from onhook.acs.models import CallConnectionProperties, CreateCallRequest
from onhook.acs.requests import Asked
from onhook.calls.directory import Directory, Resource, Trunk, VoiceRoute
from onhook.facts import Cause, Timeline
from onhook.lab.scenario_steps import Scenario
from onhook.lab.transparency import Row, Table, causes
from onhook.server.settings import ServerSettings
from onhook.server.sip_routing_api import LiveRouting
from onhook.server.transparency_api import DOCUMENT, UNHEARD, TransparencyApi
from onhook.store.kept import MemoryKept
from timelines import Story
from unit.server.fake_switchboard import FakeArchive, FakeSwitchboard
from unit.server.signed_requests import Answered, put

ROOT = "/onhook/lab/transparency"
NUMBER, OWN = "+14255550177", "+14255550100"
DIRECTORY = Directory(
    (Resource("dev", "id", ("a2V5",), (OWN,)),),
    {name: Trunk(name, "192.0.2.9") for name in ("sbc", "other")},
    (VoiceRoute("all", r"\+1425.*", ("sbc",)), VoiceRoute("rest", r"\+4.*", ("other",))),
)
TABLE = Table(
    trunk="sbc", number=NUMBER, measured_at=1.0, rows=(Row(sent=Cause(486), seen=Cause(480), delay_ms=1.0),)
)


class Switch(FakeSwitchboard):
    """Places calls that are over at once; each is refused by 404."""

    def __init__(self, far_side: "FarSide") -> None:
        super().__init__()
        self.far_side = far_side

    def create_call(
        self, resource: Resource, request: CreateCallRequest, asked: Asked
    ) -> CallConnectionProperties:
        if self.far_side.reached:
            self.far_side.willed = False
        made = super().create_call(resource, request, asked)
        self.calls.clear()
        return made


class FarSide:
    address = ("127.0.0.1", 5080)

    def __init__(self) -> None:
        self.willed, self.reached = False, True

    def will(self, _number: str, _scenario: Scenario | str, _count: int = 1) -> None:
        self.willed = True

    def unwill(self, _number: str) -> bool:
        left, self.willed = self.willed, False
        return left


class Archive(FakeArchive):
    def facts(self, _call: str, /) -> Timeline:
        return Story().routed().invite().response(404, "Not Found").facts


class Rig:
    def __init__(self, documents: MemoryKept | None = None, *, carrier: bool = True) -> None:
        self.far_side = FarSide()
        self.switch = Switch(self.far_side)
        self.documents = documents or MemoryKept()
        self.routing = LiveRouting(DIRECTORY, self.documents)
        self.api = TransparencyApi(
            self.routing,
            self.switch,
            Archive(),
            self.documents,
            self.far_side if carrier else None,
            settings=ServerSettings(),
            now=lambda: 1_800_000_000.0,
            url=lambda: "https://localhost:8443",
        )
        self.app = Starlette(routes=self.api.routes())

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        data = b"" if body is None else json.dumps(body).encode()
        given = {"host": "localhost:8443", "content-type": "application/json", **headers}
        return await put(self.app, method, path, given, data)

    async def measured(self) -> Any:
        assert (await self.ask("POST", ROOT, {"trunk": "sbc", "number": NUMBER})).status == 202
        async with asyncio.timeout(10):
            while (told := (await self.ask("GET", f"{ROOT}/sbc")).json())["state"] == "measuring":  # noqa: ASYNC110  # asked over HTTP
                await asyncio.sleep(0)
        return told


async def test_a_trunk_is_measured_kept_and_learnt() -> None:
    rig = Rig()
    told = await rig.measured()
    assert told["state"] == "measured"
    assert told["done"] == told["of"] == len(causes())
    assert len(told["table"]["rows"]) == len(causes())
    first = rig.switch.requests[0]
    assert first.source_caller_id_number is not None
    assert first.source_caller_id_number.value == OWN
    assert first.callback_uri == f"https://localhost:8443{UNHEARD}"
    assert rig.routing.directory.trunks["sbc"].rewrites
    assert rig.routing.directory.trunks["other"].rewrites == ()
    again = Rig(rig.documents)
    assert again.routing.directory.trunks["sbc"].rewrites == rig.routing.directory.trunks["sbc"].rewrites
    assert (await again.ask("GET", f"{ROOT}/sbc")).json()["table"] == told["table"]


async def test_a_table_outlives_a_change_of_routes() -> None:
    documents = MemoryKept()
    documents.save_document(DOCUMENT, msgspec.json.encode({"sbc": TABLE}))
    rig = Rig(documents)
    heard: list[Directory] = []
    rig.routing.follow(heard.append)
    rig.routing.learn({"sbc": TABLE.rewrites})
    assert heard[-1].trunks["sbc"].rewrites == TABLE.rewrites


async def test_calls_that_do_not_come_back_are_told() -> None:
    rig = Rig()
    rig.far_side.reached = False
    told = await rig.measured()
    assert told["state"] == "failed"
    assert "did not come to the built-in carrier at 127.0.0.1:5080; 404 Not Found came instead" in told["why"]
    assert told["table"] is None


async def test_tables_that_cannot_be_read_are_measured_again(caplog: pytest.LogCaptureFixture) -> None:
    documents = MemoryKept()
    documents.save_document(DOCUMENT, b"{")
    rig = Rig(documents)
    assert "measure again" in caplog.text
    assert (await rig.ask("GET", f"{ROOT}/sbc")).status == 404


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"trunk": "nobody", "number": NUMBER}, 404, "there is sbc, other"),
        ({"trunk": "sbc", "number": "+4912345678"}, 409, "take trunk 'other'"),
        ({"trunk": "sbc", "number": "+3312345678"}, 409, "take no trunk"),
        ({"trunk": "sbc", "number": "911"}, 409, "no E.164"),
        ({"trunk": "sbc"}, 400, "number"),
    ],
)
async def test_what_cannot_be_measured_says_why(body: Any, status: int, says: str) -> None:
    answered = await Rig().ask("POST", ROOT, body)
    assert answered.status == status
    assert says in answered.json()["error"]["message"]


async def test_others_are_refused() -> None:
    body = {"trunk": "sbc", "number": NUMBER}
    assert "carrier.enabled" in (await Rig(carrier=False).ask("POST", ROOT, body)).json()["error"]["message"]
    rig = Rig()
    assert (await rig.ask("POST", ROOT, body, origin="https://evil.example")).status == 403
    assert (await rig.ask("POST", ROOT, body, host="elsewhere.example")).status == 403
    assert (await rig.ask("POST", ROOT, body)).status == 202
    assert (await rig.ask("POST", ROOT, body)).status == 409
    assert (await rig.ask("POST", UNHEARD, [])).status == 200
