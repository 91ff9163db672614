"""examples/answer_and_hang_up.py and reject_when_busy.py, as programs of their own, told of calls by hand.

The switchboard is a fake; SDK, server and programs are real.
"""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from interop.whole_server import free_port, run
from onhook.acs.models import CallRejectReason
from onhook.server.app import make_app
from onhook.server.certificates import CertificatePaths, prepare
from onhook.server.serving import TlsFiles, serve
from unit.server.fake_switchboard import DIRECTORY, FakeArchive, FakeSwitchboard
from unit.server.signed_requests import KEY

pytestmark = pytest.mark.interop

EXAMPLES = Path(__file__).parents[2] / "examples"
WAIT_SECONDS = 20.0
CALLER = "4:+14255550123"


class Server(NamedTuple):
    switchboard: FakeSwitchboard
    environment: dict[str, str]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    switchboard = FakeSwitchboard()
    paths: CertificatePaths = prepare(tmp_path, [], datetime.now(UTC))
    app = make_app(DIRECTORY, switchboard, FakeArchive())
    http = await serve(app, "127.0.0.1", 0, TlsFiles(paths.certificate, paths.key))
    yield Server(
        switchboard,
        {
            "SSL_CERT_FILE": str(paths.bundle),
            "COMMUNICATION_SERVICES_CONNECTION_STRING": (
                f"endpoint=https://localhost:{http.port}/;accesskey={KEY}"
            ),
        },
    )
    await http.stop()


class Example:
    """A program that runs, and what it says."""

    def __init__(
        self, process: asyncio.subprocess.Process, http: aiohttp.ClientSession, address: str
    ) -> None:
        self.process, self.http, self.address = process, http, address

    async def says(self, pattern: str) -> str:
        """The next line; fails if it is another one."""
        assert self.process.stdout
        line = (await asyncio.wait_for(self.process.stdout.readline(), WAIT_SECONDS)).decode().strip()
        assert re.search(pattern, line), line
        return line

    async def grid(self, event_type: str, data: object) -> Any:
        event = {"eventType": event_type, "data": data}
        async with self.http.post("/incoming", json=[event]) as answer:
            assert answer.status == 200
            return await answer.json() if answer.content_type == "application/json" else None

    async def rings(self, context: str) -> None:
        data = {"incomingCallContext": context, "from": {"rawId": CALLER}}
        await self.grid("Microsoft.Communication.IncomingCall", data)

    async def hears(self, kind: str, call: str, **data: object) -> None:
        result = {"code": 200, "subCode": 7000, "message": "over"}
        event = {
            "type": f"Microsoft.Communication.{kind}",
            "data": {"callConnectionId": call, "resultInformation": result, **data},
        }
        async with self.http.post("/events", json=[event]) as answer:
            assert answer.status == 200


@contextlib.asynccontextmanager
async def started(name: str, server: Server, *options: str) -> AsyncGenerator[Example]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / name), "--port", str(port), *options),
        env={**os.environ, **server.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(address) as http:
            await reachable(process, port)
            yield Example(process, http, address)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def reachable(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
    assert process.stdout
    raise AssertionError((await process.stdout.read()).decode())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - the fake switchboard tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["answer_and_hang_up.py", "reject_when_busy.py"])
async def test_the_handshake_of_event_grid(server: Server, name: str) -> None:
    async with started(name, server) as example:
        answer = await example.grid(
            "Microsoft.EventGrid.SubscriptionValidationEvent", {"validationCode": "abc"}
        )
    assert answer == {"validationResponse": "abc"}


@pytest.mark.parametrize("name", ["answer_and_hang_up.py", "reject_when_busy.py"])
async def test_without_a_connection_string_it_says_what_to_do(name: str) -> None:
    environment = {"COMMUNICATION_SERVICES_CONNECTION_STRING": ""}
    ran = await run(sys.executable, EXAMPLES / name, environment=environment)
    assert ran.status == 2
    assert 'eval "$(onhook env)"' in ran.said


async def test_it_answers_talks_and_hangs_up(server: Server) -> None:
    switchboard = server.switchboard
    async with started("answer_and_hang_up.py", server, "--talk-seconds", "0.1") as example:
        await example.rings(switchboard.ring("one"))
        await example.says(rf"one-answered answered, from {re.escape(CALLER)}")
        assert switchboard.waiting == {"one": "answered"}
        (answer,) = switchboard.answers
        assert answer.callback_uri == f"{example.address}/events"
        await example.hears("CallConnected", "one-answered")
        await until(lambda: switchboard.ended)
        assert switchboard.ended == [("one-answered", True)]
        await example.hears("CallDisconnected", "one-answered")
        await example.says("one-answered CallDisconnected 200/7000 over")


async def test_a_call_that_is_gone_is_no_reason_to_fall_over(server: Server) -> None:
    switchboard = server.switchboard
    async with started("answer_and_hang_up.py", server, "--talk-seconds", "0") as example:
        context = switchboard.ring("one")
        switchboard.waiting.clear()
        await example.rings(context)
        await example.says("could not answer .* ended already")
        await example.hears("CallConnected", "gone")
        await example.says("gone is over already")
        await example.rings(switchboard.ring("two"))
        await example.says("two-answered answered")


async def test_the_second_caller_hears_the_busy_tone(server: Server) -> None:
    switchboard = server.switchboard
    async with started("reject_when_busy.py", server) as example:
        await example.rings(switchboard.ring("one"))
        await example.says("answered")
        await example.rings(switchboard.ring("two"))
        await example.says("busy for")
        assert switchboard.rejected == [("two", CallRejectReason.BUSY)]
        line = switchboard.answers[0].operation_context
        await example.hears("CallDisconnected", "one-answered", operationContext=line)
        await example.says("the line is free")
        await example.rings(switchboard.ring("three"))
        await example.says("answered")
    assert switchboard.waiting == {"one": "answered", "two": "rejected", "three": "answered"}


async def test_an_event_that_comes_twice_frees_one_line_only(server: Server) -> None:
    switchboard = server.switchboard
    async with started("reject_when_busy.py", server) as example:
        await example.rings(switchboard.ring("one"))
        await example.says("answered")
        first = switchboard.answers[0].operation_context
        await example.hears("CallDisconnected", "one-answered", operationContext=first)
        await example.says("the line is free")
        await example.rings(switchboard.ring("two"))
        await example.says("answered")
        await example.hears("CallDisconnected", "one-answered", operationContext=first)
        await example.says("the line is free")
        await example.rings(switchboard.ring("three"))
        await example.says("busy for")


async def test_a_caller_who_gave_up_takes_no_line(server: Server) -> None:
    switchboard = server.switchboard
    async with started("reject_when_busy.py", server) as example:
        context = switchboard.ring("one")
        switchboard.waiting.clear()
        await example.rings(context)
        await example.says("too late for .* ended already")
        await example.rings(switchboard.ring("two"))
        await example.says("answered")
