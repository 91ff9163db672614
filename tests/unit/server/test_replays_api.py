"""/onhook/lab/replays: what is armed, what is refused, and how a replay is told."""

import json
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette

from far_end_caller import UDP, Caller
from onhook.calls.record import CallRecord
from onhook.effects import Destination
from onhook.endings.judge import judge
from onhook.facts import Timeline
from onhook.lab.replay.call import Part, ReplayCall
from onhook.server.discretion import fact_fields
from onhook.server.replays_api import MAX_BODY_BYTES, MAX_REPLAYS, ReplaysApi
from onhook.server.settings import ServerSettings
from timelines import START, Story
from unit.server.fake_switchboard import FakeArchive
from unit.server.signed_requests import Answered, put
from unit.server.test_own_api import record

BUSY, OPEN, UNREACHED, IN = "busy-call", "open-call", "unreached-call", "inbound-call"
NUMBER = "+14255550200"
ROOT = "/onhook/lab/replays"


class Players:
    """A carrier that plays nothing yet."""

    def __init__(self, *, full: bool = False) -> None:
        self.armed: list[Part] = []
        self.called: list[tuple[Part, Destination]] = []
        self.full = full

    def arm(self, part: Part) -> None:
        if self.full:
            raise ValueError("10000 calls are fixed already")
        self.armed.append(part)

    def disarm(self, part: Part) -> bool:
        known = part in self.armed
        self.armed = [each for each in self.armed if each is not part]
        return known

    def replay(self, part: Part, to: Destination) -> None:
        self.called.append((part, to))


class Rig:
    def __init__(self, players: Players | None = None, **settings: Any) -> None:
        busy = Story().routed().busy().facts
        caller = Story(inbound=True).arrived().up().bye("received").bye_ok("sent").facts
        self.kept: list[tuple[CallRecord, Timeline]] = [
            (record(BUSY, judge(busy)), busy),
            (record(OPEN), Story().routed().invite().facts),
            (record(UNREACHED, judge(Story().created().facts)), Story().created().facts),
            (record(IN, judge(caller)), caller),
        ]
        self.players = players or Players()
        self.archive = FakeArchive(*self.kept)
        self.off = False
        self.api = self.make(**settings)

    def make(self, *, off: bool = False, **settings: Any) -> Starlette:
        made = ReplaysApi(
            self.archive,
            None if off else self.players,
            ServerSettings(**settings),
            lambda: START - 1,
            lambda transport: Destination(transport, "127.0.0.1", 5060),
        )
        return Starlette(routes=made.routes())

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"host": "localhost:8443", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await put(self.api, method, path, given, data)

    async def begun(self, body: Any) -> Any:
        answered = await self.ask("POST", ROOT, body)
        assert answered.status == 201, answered.body
        return answered.json()


async def test_a_call_out_is_armed_for_its_number() -> None:
    rig = Rig()
    told = await rig.begun({"call": BUSY})
    (part,) = rig.players.armed
    assert part.number == NUMBER
    assert told["id"] == "r1"
    assert told["state"] == "waiting"
    assert told["call"] is None
    assert told["parts"] == [
        {
            "number": NUMBER,
            "direction": "outbound",
            "state": "waiting",
            "script": [
                "0.001 s after our INVITE: 100 INVITE",
                "0.202 s after our INVITE: 180 INVITE",
                "0.203 s after our INVITE: 486 INVITE",
            ],
        }
    ]


async def test_another_number_can_be_named() -> None:
    rig = Rig()
    await rig.begun({"call": BUSY, "number": "+14255550300"})
    await rig.begun({"call": IN, "number": "+14255550301"})
    assert rig.players.armed[0].number == "+14255550300"
    ((part, to),) = rig.players.called
    assert (part.number, part.script.dial_instead) == ("+14255550301", "+14255550301")
    assert to == Destination("udp", "127.0.0.1", 5060)


async def test_an_exported_call_is_replayed_too() -> None:
    rig = Rig()
    facts = [{"number": 1, **fact_fields(fact)} for fact in Story().routed().busy().facts]
    told = await rig.begun(msgspec.json.encode({"facts": facts}))
    assert told["parts"][0]["script"][-1].endswith("486 INVITE")


async def test_a_replay_is_compared_once_its_call_is_over() -> None:
    rig = Rig()
    await rig.begun({"call": BUSY})
    (part,) = rig.players.armed
    part.call = ReplayCall(
        part.script,
        name="x",
        address=("127.0.0.1", 1),
        open_media=lambda _: ("127.0.0.1", 2),
        secret=b"",
        now=0.0,
    )
    part.call.receive(Caller().invite(call_id="a1@192.0.2.1"), UDP, 0.0)
    rig.archive.kept.clear()
    assert (await rig.ask("GET", f"{ROOT}/r1")).json()["state"] == "playing"
    today = Story().routed().busy().facts
    rig.archive.kept["earlier"] = record("earlier", judge(today), started_at=START - 5), today
    assert (await rig.ask("GET", f"{ROOT}/r1")).json()["state"] == "playing"
    rig.archive.kept["today"] = record("today", judge(today)), today
    told = (await rig.ask("GET", f"{ROOT}/r1")).json()
    assert told["state"] == "over"
    assert told["call"] == "today"
    assert told["result"] == ["same ending: callee-busy (486/560486)", "same messages in both directions"]
    assert told["comparison"]["same_ending"] is True
    assert len(told["unplayed"]) == 0


async def test_a_replay_is_disarmed() -> None:
    rig = Rig()
    await rig.begun({"call": BUSY})
    assert (await rig.ask("DELETE", f"{ROOT}/r1")).status == 204
    assert rig.players.armed == []
    gone = await rig.ask("GET", f"{ROOT}/r1")
    assert gone.status == 404
    assert "r1" in gone.json()["error"]["message"]


async def test_the_oldest_are_forgotten() -> None:
    rig = Rig()
    for _ in range(MAX_REPLAYS + 1):
        await rig.begun({"call": BUSY})
    assert (await rig.ask("GET", f"{ROOT}/r1")).status == 404
    assert (await rig.ask("GET", f"{ROOT}/r2")).status == 200


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"call": "nobody"}, 404, "No call has the id"),
        ({"call": OPEN}, 409, "open"),
        ({"call": UNREACHED}, 409, "reached no far end"),
        ({"call": BUSY, "number": "911"}, 400, "is no number"),
        ({}, 400, "Give either"),
        ({"call": BUSY, "facts": [{}]}, 400, "Give either"),
        ({"facts": [{"kind": "x"}]}, 400, "fact 1"),
        ({"call": 5}, 400, "call: Expected a string"),
        ({"cal": BUSY}, 400, "cal: there is no such field"),
        (b"{", 400, "it is no JSON"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "16777216"),
    ],
)
async def test_what_cannot_be_replayed_says_why(body: Any, status: int, says: str) -> None:
    rig = Rig()
    answered = await rig.ask("POST", ROOT, body)
    assert answered.status == status
    assert says in answered.json()["error"]["message"]
    assert rig.players.armed == []


async def test_others_are_refused() -> None:
    rig = Rig()
    assert (await rig.ask("POST", ROOT, {"call": BUSY}, content_type="text/plain")).status == 415
    assert (await rig.ask("POST", ROOT, {"call": BUSY}, origin="https://evil.example")).status == 403
    assert (await rig.ask("POST", ROOT, {"call": BUSY}, host="onhook.example")).status == 403
    rig.players.full = True
    assert "10000" in (await rig.ask("POST", ROOT, {"call": BUSY})).json()["error"]["message"]
    rig.api = rig.make(off=True)
    assert "carrier.enabled" in (await rig.ask("POST", ROOT, {"call": BUSY})).json()["error"]["message"]
