"""An application at its desk: the official SDK decides calls that come in to a whole Onhook.

Event Grid tells it of calls at /incoming, and callbacks come to /events, both over real HTTP.
"""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web
from azure.communication.callautomation import CallRejectReason, PhoneNumberIdentifier
from azure.communication.callautomation.aio import CallAutomationClient

from interop.baresip.phone import Kit, Phone, baresip
from interop.sipp_trunk.sipp import free_port
from interop.whole_server import whole_server
from onhook.app import Running
from onhook.server.certificates import client_context

NUMBER = "+14255550100"
"""A number that the development resource owns."""
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
FIRST_RTP_PORT, RTP_PORTS = 23_000, 998
"""Above the ports for SIP and those of the telephone, and below the ports that systems give away."""
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.02
Json: TypeAlias = dict[str, Any]
Decide: TypeAlias = Callable[[CallAutomationClient, str, str], Awaitable[object]]
"""(SDK, incomingCallContext, callback address)."""


async def answer(client: CallAutomationClient, context: str, callback: str) -> None:
    await client.answer_call(context, callback)


async def ignore(client: CallAutomationClient, context: str, callback: str) -> None:
    """Let it ring."""


def reject(reason: CallRejectReason) -> Decide:
    async def decide(client: CallAutomationClient, context: str, callback: str) -> None:
        await client.reject_call(context, call_reject_reason=reason)

    return decide


def redirect(number: str) -> Decide:
    async def decide(client: CallAutomationClient, context: str, callback: str) -> None:
        await client.redirect_call(context, PhoneNumberIdentifier(number))

    return decide


def requests(facts: list[Json], method: str) -> list[str]:
    """Those that came, whole."""
    received = [fact["message"] for fact in facts if fact.get("direction") == "received"]
    return [message for message in received if message.startswith(f"{method} ")]


@dataclass(slots=True)
class Told:
    """What Onhook says of a call that is over."""

    why: Json
    facts: list[Json]

    @property
    def codes(self) -> tuple[int, int, str]:
        return self.why["code"], self.why["subcode"], self.why["ending"]

    @property
    def shows(self) -> str:
        """The evidence in one text; each line names a fact that there is."""
        assert self.why["evidence"]
        assert all(1 <= proof["fact"] <= len(self.facts) for proof in self.why["evidence"])
        return "; ".join(proof["shows"] for proof in self.why["evidence"])

    @property
    def remarks(self) -> list[str]:
        return [remark["shows"] for remark in self.why["remarks"]]

    @property
    def kinds(self) -> set[str]:
        return {fact["kind"] for fact in self.facts}

    @property
    def heard(self) -> Json:
        """The last count of RTP."""
        return next(fact for fact in reversed(self.facts) if fact["kind"] == "media")

    def answers(self, sdp: str) -> int:
        """How many session descriptions of ours have that line."""
        sent = [fact["message"] for fact in self.facts if fact.get("direction") == "sent"]
        return sum(message.startswith("SIP/2.0 200 ") and f"{sdp}\r\n" in message for message in sent)

    @property
    def transports(self) -> set[str]:
        """Of the SIP messages with the caller: the first message of a call is theirs."""
        leg = self.facts[0]["leg"]
        return {fact["transport"] for fact in self.facts if fact["kind"] == "sip" and fact["leg"] == leg}


class Desk:
    """`server` is the whole Onhook, `decide` what the application does with each call."""

    def __init__(self, server: Running, client: CallAutomationClient, decide: Decide) -> None:
        self.server, self.client, self._decide = server, client, decide
        self.address = ""
        self.prompt = b""
        """What /prompt.wav gives."""
        self.incoming: list[Json] = []
        """Data of each IncomingCall."""
        self.grid: list[str] = []
        """Types of all that Event Grid told, without their prefix, in order."""
        self.events: list[Json] = []
        """Callbacks, in order."""
        self._news = asyncio.Condition()
        self._http: aiohttp.ClientSession | None = None

    def decides(self, decide: Decide) -> None:
        """From now on the application does this with each call."""
        self._decide = decide

    # The application

    @contextlib.asynccontextmanager
    async def open(self, *, subscribed: bool) -> AsyncGenerator["Desk"]:
        """Listen, and subscribe at Event Grid if it shall."""
        application = web.Application()
        application.router.add_post("/incoming", self._hear)
        application.router.add_post("/events", self._take)
        application.router.add_get("/prompt.wav", self._give_prompt)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.address = f"http://{host}:{port}"
            assert self.server.certificates
            trust = aiohttp.TCPConnector(ssl=client_context(self.server.certificates))
            async with aiohttp.ClientSession(self.server.url, connector=trust) as self._http:
                if subscribed:
                    await self._subscribe(self._http)
                yield self
        finally:
            await runner.cleanup()

    async def _subscribe(self, http: aiohttp.ClientSession) -> None:
        body = {"name": "desk", "endpoint": f"{self.address}/incoming"}
        async with http.post("/onhook/events", json=body) as answered:
            assert (await answered.json())["state"] == "Succeeded"

    async def _hear(self, request: web.Request) -> web.Response:
        for event in await request.json():
            if event["eventType"] == VALIDATION:
                return web.json_response({"validationResponse": event["data"]["validationCode"]})
            kind = event["eventType"].rpartition(".")[2]
            async with self._news:
                self.grid.append(kind)
                if kind == "IncomingCall":
                    self.incoming.append(event["data"])
                self._news.notify_all()
            if kind == "IncomingCall":
                context = event["data"]["incomingCallContext"]
                await self._decide(self.client, context, f"{self.address}/events")
        return web.Response()

    async def _give_prompt(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.prompt, content_type="audio/wav")

    async def _take(self, request: web.Request) -> web.Response:
        (event,) = await request.json()
        async with self._news:
            self.events.append(event)
            self._news.notify_all()
        return web.Response()

    @property
    def types(self) -> list[str]:
        """Types of the callbacks so far, without their prefix."""
        return [event["type"].rpartition(".")[2] for event in self.events]

    async def heard(self, kind: str) -> None:
        """Until Event Grid has told that."""
        async with asyncio.timeout(WAIT_SECONDS), self._news:
            await self._news.wait_for(lambda: kind in self.grid)

    async def event(self, kind: str, number: int = 1) -> Json:
        """Data of the first callback of that type, or of a later one."""

        def found() -> list[Json]:
            return [event for event in self.events if event["type"].rpartition(".")[2] == kind]

        async with asyncio.timeout(WAIT_SECONDS), self._news:
            await self._news.wait_for(lambda: len(found()) >= number)
        data: Json = found()[number - 1]["data"]
        return data

    # What Onhook knows

    @property
    def sip_port(self) -> int:
        return self.server.network.bound[0].port

    async def call_id(self) -> str:
        """Of the only call."""
        (call,) = (await self._ask("/onhook/calls"))["calls"]
        return str(call["id"])

    async def hears_caller(self) -> None:
        """Until RTP of the caller has been counted."""
        await self.until(lambda facts: any(fact["kind"] == "media" and fact["received"] for fact in facts))

    async def gets(self, method: str, count: int = 1) -> None:
        """Until so many requests of the caller have come."""
        await self.until(lambda facts: len(requests(facts, method)) >= count)

    async def until(self, condition: Callable[[list[Json]], bool]) -> None:
        """Until the facts of the only call are so. Raises TimeoutError."""
        call = await self.call_id()
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition((await self._ask(f"/onhook/calls/{call}"))["facts"]):  # noqa: ASYNC110  # facts are asked for over HTTP
                await asyncio.sleep(POLL_SECONDS)

    async def told(self) -> Told:
        """Everything about the only call, once it is over."""
        async with asyncio.timeout(WAIT_SECONDS):
            while self.server.switch.calls:  # noqa: ASYNC110  # its far end is another process
                await asyncio.sleep(POLL_SECONDS)
        await self.server.switch.written()
        call = await self.call_id()
        kept = await self._ask(f"/onhook/calls/{call}")
        return Told(await self._ask(f"/onhook/calls/{call}/why"), kept["facts"])

    async def health(self) -> Json:
        return await self._ask("/onhook/health")

    async def _ask(self, path: str) -> Json:
        assert self._http
        async with self._http.get(path, params={"format": "json"}) as response:
            assert response.status == 200, await response.text()
            found: Json = json.loads(await response.text())
            return found


@contextlib.asynccontextmanager
async def desk(
    folder: Path, decide: Decide, *, subscribed: bool = True, **settings: object
) -> AsyncGenerator[Desk]:
    """A server, and one application that decides its calls; `settings` as those of whole_server."""
    first_rtp_port = FIRST_RTP_PORT + 2 * secrets.randbelow(3_000)
    given = {
        "carrier__port": free_port(),
        "media__first_port": first_rtp_port,
        "media__last_port": first_rtp_port + RTP_PORTS,
        **settings,
    }
    async with whole_server(folder, **given) as server:
        environment = server.environment
        client = CallAutomationClient.from_connection_string(
            environment["COMMUNICATION_SERVICES_CONNECTION_STRING"],
            connection_verify=environment["SSL_CERT_FILE"],
        )
        async with client, Desk(server, client, decide).open(subscribed=subscribed) as opened:
            yield opened


@contextlib.asynccontextmanager
async def dialling(
    folder: Path,
    decide: Decide,
    transport: str,
    *,
    number: str = NUMBER,
    codecs: str = "PCMU,PCMA",
    subscribed: bool = True,
    **settings: object,
) -> AsyncGenerator[tuple[Desk, Phone]]:
    """A telephone that has dialled `number` of a server whose application decides so."""
    phone_folder = folder / "phone"
    async with (
        desk(folder, decide, subscribed=subscribed, **settings) as opened,
        baresip(phone_folder, Kit(codecs=codecs)) as phone,
    ):
        phone.dial(number, port=opened.sip_port, transport=transport)
        yield opened, phone
