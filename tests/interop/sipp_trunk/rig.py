"""A whole Onhook in this process, an application that calls through it, and the events that it gets."""

import asyncio
import contextlib
import json
import secrets
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import aiohttp
from aiohttp import web

from interop.sipp_trunk.sipp import Ended, Sipp, free_port, sipp
from onhook.app import Running, running
from onhook.config import load
from onhook.config.schema import DEVELOPMENT_KEY
from onhook.server.certificates import client_context
from unit.server.signed_requests import VERSION, signed

CALLER = "+14255550100"
"""A number that the development resource owns."""
CALLEE = "+14255550199"
FIRST_RTP_PORT, RTP_PORTS = 30_000, 1_598
"""Not the usual range, which other servers of this machine have, and drawn anew each time."""
WAIT_SECONDS = 20.0
AUTHORITY: Final = tempfile.TemporaryDirectory(prefix="onhook-authority-")
"""One certificate authority for all servers of a test run, made by the first."""
OVER = frozenset({"CreateCallFailed", "CallDisconnected"})
TALKED = ["CallConnected", "ParticipantsUpdated", "CallDisconnected"]
"""The events of a call that was answered."""
FAILED = ["CreateCallFailed"]
"""The events of one that was not."""
Event: TypeAlias = dict[str, Any]


class Listener:
    """The application's callback address. Events are kept by call, in the order in which they came."""

    def __init__(self) -> None:
        self.events: defaultdict[str, list[Event]] = defaultdict(list)
        self.uri = ""
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/events", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.uri = f"http://{host}:{port}/events"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        (event,) = json.loads(await request.read())  # ACS posts an array of one
        async with self._news:
            self.events[event["data"]["callConnectionId"]].append(event)
            self._news.notify_all()
        return web.Response()

    def types(self, call: str) -> list[str]:
        return [short_type(event) for event in self.events[call]]

    async def wait_for(self, call: str, *types: str, seconds: float = WAIT_SECONDS) -> Event:
        """The data of the first event of `call` that is one of `types`. Raises TimeoutError."""

        def found() -> Event | None:
            return next((event for event in self.events[call] if short_type(event) in types), None)

        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: found() is not None)
        event = found()
        assert event is not None
        data: Event = event["data"]
        return data


def short_type(event: Event) -> str:
    return str(event["type"]).rpartition(".")[2]


@dataclass(slots=True)
class Told:
    """What Onhook says of a call that is over, and what the application got."""

    why: dict[str, Any]
    facts: list[dict[str, Any]]
    events: list[str]
    result: dict[str, Any]
    """resultInformation of the terminal event."""

    @property
    def codes(self) -> tuple[int, int, str]:
        """The verdict's code and subcode, and its ending; the event must say the same codes."""
        why = self.why
        assert (self.result["code"], self.result["subCode"]) == (why["event_code"], why["subcode"])
        return why["code"], why["subcode"], why["ending"]

    @property
    def evidence(self) -> list[str]:
        """The facts that the evidence names by number, each in a word or two: "→ INVITE", "← 486"."""
        numbers: list[int] = [proof["fact"] for proof in self.why["evidence"]]
        assert numbers == sorted(set(numbers))
        return [in_short(self.facts[number - 1]) for number in numbers]

    @property
    def remarks(self) -> list[str]:
        return [remark["shows"] for remark in self.why["remarks"]]

    @property
    def timeline(self) -> list[str]:
        return [in_short(fact) for fact in self.facts]

    @property
    def media(self) -> dict[str, Any]:
        """The last count of RTP."""
        return next(fact for fact in reversed(self.facts) if fact["kind"] == "media")


def in_short(fact: dict[str, Any]) -> str:
    kind = fact["kind"]
    if kind == "sip":
        words = str(fact["message"]).split(maxsplit=2)
        return f"{'→' if fact['direction'] == 'sent' else '←'} {words[1 if words[0] == 'SIP/2.0' else 0]}"
    if kind == "transport-failed":
        return f"failed: {str(fact['error']).partition(':')[0]}"
    name = {"timer": "name", "api": "operation", "delivery": "event_type"}.get(kind)
    return f"{kind} {fact[name]}" if name else str(kind)


def _facts(call: dict[str, Any]) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = call["facts"]
    return facts


class Rig:
    """Places calls over HTTPS with signed requests, as an SDK would, and asks why they ended."""

    def __init__(self, server: Running, listener: Listener, http: aiohttp.ClientSession) -> None:
        self.server, self.listener, self._http = server, listener, http

    @property
    def sip_port(self) -> int:
        return self.server.network.bound[0].port

    async def call(self, number: str = CALLEE) -> str:
        """createCall; gives the callConnectionId."""
        body = {
            "targets": [{"kind": "phoneNumber", "phoneNumber": {"value": number}}],
            "sourceCallerIdNumber": {"value": CALLER},
            "callbackUri": self.listener.uri,
        }
        status, answer = await self._ask("POST", "/calling/callConnections", body)
        assert status == 201, answer
        call: str = answer["callConnectionId"]
        return call

    async def hang_up(self, call: str) -> int:
        """Leave the call; gives the HTTP status (204, or 404 if it is over)."""
        status, _ = await self._ask("DELETE", f"/calling/callConnections/{call}")
        return status

    async def connected(self, call: str) -> Event:
        return await self.listener.wait_for(call, "CallConnected")

    async def over(self, call: str, *, seconds: float = WAIT_SECONDS) -> Event:
        """The data of the terminal event."""
        return await self.listener.wait_for(call, *OVER, seconds=seconds)

    async def told(self, call: str) -> Told:
        """Everything about a call, once it is over; it is then no open call any more."""
        over = await self.over(call)
        _, why = await self._ask("GET", f"/onhook/calls/{call}/why?format=json")
        _, kept = await self._ask("GET", f"/onhook/calls/{call}?format=json")
        assert call not in self.server.switch.calls
        return Told(why, _facts(kept), self.listener.types(call), over["resultInformation"])

    async def until(self, call: str, fact: str, count: int = 1) -> None:
        """Wait until `count` facts of the call are `fact`, in the words of `in_short`."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                _, kept = await self._ask("GET", f"/onhook/calls/{call}?format=json")
                if [in_short(one) for one in _facts(kept)].count(fact) >= count:
                    return
                await asyncio.sleep(0.01)

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        raw = b"" if body is None else json.dumps(body).encode()
        target = path if path.startswith("/onhook/") else f"{path}?{VERSION}"
        host = f"localhost:{self.server.http.port}"
        headers = signed(method, target, raw, key=DEVELOPMENT_KEY, at=time.time(), host=host)
        if raw:
            headers["content-type"] = "application/json"
        url = f"{self.server.url}{target}"
        async with self._http.request(method, url, data=raw or None, headers=headers) as response:
            text = await response.read()
            return response.status, json.loads(text) if text else {}


@contextlib.asynccontextmanager
async def rig(
    folder: Path, trunk_port: int, transport: str = "udp", settings: Mapping[str, object] | None = None
) -> AsyncGenerator[Rig]:
    """A server whose only trunk is 127.0.0.1:`trunk_port`; `settings` by section__name."""
    first_rtp_port = FIRST_RTP_PORT + 2 * secrets.randbelow(500)
    given: dict[str, object] = {
        "server__port": 0,
        "server__data_directory": AUTHORITY.name,
        "sip__port": 0,
        "sip__max_calls_per_number": 100_000,  # one caller id for all
        "media__first_port": first_rtp_port,
        "media__last_port": first_rtp_port + RTP_PORTS,
        "store__path": folder / "onhook.db",
        "carrier__enabled": "false",
        "trunk__sipp__host": "127.0.0.1",
        "trunk__sipp__port": trunk_port,
        "trunk__sipp__transport": transport,
        "trunk__sipp__options_seconds": 0,  # SIPp takes a request of no call for a fault
        **(settings or {}),
    }
    config = load(None, {f"ONHOOK_{name.upper()}": str(value) for name, value in given.items()})
    listener = Listener()
    await listener.start()
    try:
        async with running(config) as server:
            assert server.certificates
            trust = aiohttp.TCPConnector(ssl=client_context(server.certificates), limit=0)
            async with aiohttp.ClientSession(connector=trust) as http:
                yield Rig(server, listener, http)
    finally:
        await listener.stop()


Act: TypeAlias = Callable[[Rig, str, Sipp], Awaitable[None]]
"""What the application does after createCall: (rig, callConnectionId, far end)."""


@dataclass(slots=True)
class Played:
    told: Told
    far_end: Ended


async def play(
    folder: Path,
    scenario: str,
    transport: str = "udp",
    act: Act | None = None,
    *,
    keys: dict[str, str] | None = None,
    options: tuple[str, ...] = (),
    settings: Mapping[str, object] | None = None,
) -> Played:
    """One call to SIPp playing `scenario`; SIPp must be content, and the call over, at the end."""
    port = free_port()
    async with (
        rig(folder, port, transport, settings) as made,
        sipp(
            scenario, folder / "sipp", port=port, transport=transport, keys=keys, options=options
        ) as far_end,
    ):
        call = await made.call()
        if act is not None:
            await act(made, call, far_end)
        await made.over(call)
        ended = await far_end.ended()
        ended.check()
        told = await made.told(call)
        assert made.server.switch.calls == {}
        return Played(told, ended)


async def hang_up_when_connected(made: Rig, call: str, _: Sipp) -> None:
    await made.connected(call)
    assert await made.hang_up(call) == 204


async def hang_up_when_ringing(made: Rig, call: str, _: Sipp) -> None:
    await made.until(call, "← 180")
    assert await made.hang_up(call) == 204
