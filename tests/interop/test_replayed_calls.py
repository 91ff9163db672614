"""Recorded calls, replayed against an application of the official SDK on a whole server."""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.communication.callautomation import CallRejectReason, PhoneNumberIdentifier

from interop.baresip.desk import NUMBER, POLL_SECONDS, WAIT_SECONDS, Desk, answer, desk, ignore, reject
from interop.whole_server import run
from onhook.effects import Destination
from onhook.server.certificates import client_context

pytestmark = pytest.mark.interop
OTHER = "+14255550177"
BUSY = '180 Ringing | X-Gateway: "kept: as it was", twice\ncarrier: wait 300 ms\ncarrier: 486 So Busy'
REASON = 'Reason: Q.850;cause=17;text="User busy"'


async def ask(opened: Desk, method: str, path: str, body: object = None) -> Any:
    assert opened.server.certificates
    trust = aiohttp.TCPConnector(ssl=client_context(opened.server.certificates))
    async with (
        aiohttp.ClientSession(opened.server.url, connector=trust) as http,
        http.request(method, path, json=body, params={"format": "json"}) as answered,
    ):
        assert answered.status < 300, await answered.text()
        return json.loads(await answered.text() or "null")


async def ended(opened: Desk) -> str:
    """The id of the newest call, once no call is open."""
    async with asyncio.timeout(WAIT_SECONDS):
        while opened.server.switch.calls:  # noqa: ASYNC110  # as in desk.py
            await asyncio.sleep(POLL_SECONDS)
    await opened.server.switch.written()
    return str((await ask(opened, "GET", "/onhook/calls"))["calls"][0]["id"])


async def call_out(opened: Desk, number: str = OTHER) -> str:
    await opened.client.create_call(
        PhoneNumberIdentifier(number),
        f"{opened.address}/events",
        source_caller_id_number=PhoneNumberIdentifier(NUMBER),
    )
    return await ended(opened)


async def over(opened: Desk, replay: str) -> Any:
    async with asyncio.timeout(WAIT_SECONDS):
        while (told := await ask(opened, "GET", f"/onhook/lab/replays/{replay}"))["state"] != "over":  # noqa: ASYNC110  # asked over HTTP
            await asyncio.sleep(POLL_SECONDS)
    return told


async def messages(opened: Desk, call: str) -> list[tuple[float, str]]:
    """What came from the far end, with the seconds since our INVITE."""
    facts = (await ask(opened, "GET", f"/onhook/calls/{call}"))["facts"]
    seen = [fact for fact in facts if fact["kind"] == "sip"]
    return [(fact["at"] - seen[0]["at"], fact["message"]) for fact in seen if fact["direction"] == "received"]


OUT = {
    "busy": (f"carrier: {BUSY} | {REASON}", "callee-busy"),
    "hung up": ("carrier: 180\ncarrier: 200\ncarrier: wait 300 ms\ncarrier: bye", "hung-up-by-phone"),
    "authenticated": ("carrier: 401 challenge\ncarrier: 603 Decline", "callee-declined"),
    "garbled": ("carrier: garbage\ncarrier: 100\ncarrier: 404 Not Found", "number-not-found"),
}


@pytest.mark.parametrize("name", OUT)
async def test_calls_out_meet_the_same_far_end_again(name: str, tmp_path: Path) -> None:
    scenario, ending = OUT[name]
    login = {"trunk__carrier__username": "onhook", "trunk__carrier__password": "development-only"}
    async with desk(
        tmp_path, answer, subscribed=False, **(login if name == "authenticated" else {})
    ) as opened:
        carrier = opened.server.carrier
        assert carrier is not None
        carrier.will(OTHER, scenario)
        first = await call_out(opened)
        armed = await ask(opened, "POST", "/onhook/lab/replays", {"call": first})
        assert armed["state"] == "waiting"
        second = await call_out(opened)
        told = await over(opened, armed["id"])
        assert told["call"] == second != first
        assert told["departures"] == told["unplayed"] == []
        assert told["comparison"]["same_ending"], told
        assert told["comparison"]["differs"] is None, told
        assert told["comparison"]["now"]["ending"] == ending
        then, now = await messages(opened, first), await messages(opened, second)
        assert [kept(message) for _, message in then] == [kept(message) for _, message in now]
        for (was, _), (is_now, _) in zip(then, now, strict=True):
            assert abs(was - is_now) < 0.15


def kept(message: str) -> list[str]:
    """The lines that belong to no dialog."""
    own = ("Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:", "Content-Length:", "m=", "o=")
    lines = [line for line in message.split("\r\n") if not line.startswith(own)]
    return lines if message.startswith("SIP/2.0") else ["", *lines[1:]]


async def test_a_call_that_came_in_comes_in_again_and_is_told_apart(tmp_path: Path) -> None:
    async with desk(tmp_path, answer) as opened:
        carrier = opened.server.carrier
        assert carrier is not None
        here = Destination("udp", "127.0.0.1", opened.sip_port)
        carrier.call(
            f"carrier: call from {OTHER} to {NUMBER}\ncarrier: wait 500 ms\ncarrier: digits 12\n"
            "carrier: wait 300 ms\ncarrier: bye",
            here,
        )
        await opened.event("CallDisconnected")
        first = await ended(opened)
        armed = await ask(opened, "POST", "/onhook/lab/replays", {"call": first})
        told = await over(opened, armed["id"])
        assert told["comparison"]["same_ending"], told
        assert told["comparison"]["differs"] is None, told
        facts = (await ask(opened, "GET", f"/onhook/calls/{told['call']}"))["facts"]
        assert [fact["digit"] for fact in facts if fact["kind"] == "digit"] == ["1", "2"]

        opened.decides(reject(CallRejectReason.BUSY))
        armed = await ask(opened, "POST", "/onhook/lab/replays", {"call": first})
        told = await over(opened, armed["id"])
        assert not told["comparison"]["same_ending"]
        assert told["comparison"]["differs"]["recorded"] == "200 INVITE"
        assert told["comparison"]["differs"]["now"] == "486 INVITE"
        assert told["result"][1] == "first differs at message 4 from us: recorded 200 INVITE, now 486 INVITE"


async def test_the_command_replays_a_kept_call_and_an_exported_one(tmp_path: Path) -> None:
    async with desk(tmp_path, ignore, subscribed=False) as opened:
        carrier = opened.server.carrier
        assert carrier is not None
        carrier.will(OTHER, "carrier: 180\ncarrier: 486 Busy Here")
        first = await call_out(opened)
        exported = tmp_path / "call.json"
        exported.write_text(json.dumps(await ask(opened, "GET", f"/onhook/calls/{first}")))
        environment = {
            "ONHOOK_SERVER__PORT": str(opened.server.http.port),
            "ONHOOK_SERVER__DATA_DIRECTORY": str(tmp_path / "authority"),
            "ONHOOK_STORE__PATH": str(tmp_path / "onhook.db"),
        }
        for what in ("last", str(exported)):
            command = run(
                *(sys.executable, "-m", "onhook", "replay", what, "--number", "+14255550188"),
                environment=environment,
                folder=tmp_path,
            )
            running = asyncio.create_task(command)
            await armed_at(opened, running)
            await call_out(opened, "+14255550188")
            ran = await running
            assert ran.status == 0, ran.said
            assert "after our INVITE: 486 INVITE" in ran.said
            assert "same ending: callee-busy (486/560486)" in ran.said


async def armed_at(opened: Desk, running: "asyncio.Task[Any]") -> None:
    """Until a replay waits at the carrier."""
    carrier = opened.server.carrier
    assert carrier is not None
    async with asyncio.timeout(WAIT_SECONDS):
        while not carrier.armed and not running.done():  # noqa: ASYNC110  # another process arms it
            await asyncio.sleep(POLL_SECONDS)
    assert not running.done(), running.result()
