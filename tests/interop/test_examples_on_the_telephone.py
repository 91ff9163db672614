"""The examples that take calls, with everything real: SIPp dials, Onhook tells them, they decide."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from interop.whole_server import Ran, free_port, run, whole_server
from onhook.app import Running
from onhook.server.certificates import client_context

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
NUMBER = "+14255550100"
WAIT_SECONDS = 20.0
PROVISIONAL = '<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'


class Office:
    """A server, and one application at its Event Grid."""

    def __init__(self, server: Running, lines: asyncio.StreamReader, folder: Path) -> None:
        self.server, self._lines, self._folder = server, lines, folder

    async def says(self, words: str) -> str:
        """The application's next line, which has these words in it."""
        line = (await asyncio.wait_for(self._lines.readline(), WAIT_SECONDS)).decode()
        assert words in line, line
        return line

    async def dial(self, scenario: str, name: str = "phone", *, talk_ms: int = 200) -> Ran:
        """SIPp calls our number from the address of the only trunk; its outcome."""
        sipp = shutil.which("sipp")
        assert sipp, "SIPp is missing: apt-get install sip-tester"
        text = (HERE / "sipp" / f"uac_{scenario}.xml").read_text()
        mark = '  <recv response="1'
        text = text.replace(text[text.index(mark) : text.index("\n", text.index(mark))], PROVISIONAL, 1)
        text = text.replace('pause milliseconds="200"', f'pause milliseconds="{talk_ms}"')
        file = self._folder / f"{name}.xml"
        file.write_text(text)
        return await run(
            *(sipp, "-sf", file, "-s", NUMBER, "-t", "u1", "-m", "1", "-nostdin"),
            *("-i", "127.0.0.1", "-p", str(free_port()), "-mp", str(free_port())),
            *("-timeout", "30s", "-timeout_error", f"127.0.0.1:{self.server.network.bound[0].port}"),
            environment={},
            folder=self._folder,
        )

    async def why(self) -> list[dict[str, Any]]:
        """Why each call ended, the oldest first."""
        trust = client_context(self.server.certificates) if self.server.certificates else None
        connector = aiohttp.TCPConnector(ssl=trust) if trust else None
        async with aiohttp.ClientSession(self.server.url, connector=connector) as http:
            async with http.get("/onhook/calls", headers={"accept": "application/json"}) as answer:
                calls = json.loads(await answer.text())["calls"]
            told = []
            for call in reversed(calls):
                path = f"/onhook/calls/{call['id']}/why?format=json"
                async with http.get(path) as answer:
                    told.append(json.loads(await answer.text()))
        return told


@contextlib.asynccontextmanager
async def office(folder: Path, example: str, *options: str, **settings: object) -> AsyncGenerator[Office]:
    """Server first, as the application needs its address; then its endpoint is validated."""
    port = free_port()
    async with whole_server(folder, **settings) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLES / example), "--port", str(port), *options),
            env={**os.environ, **server.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            await listening(port, process)
            await subscribe(server, f"http://127.0.0.1:{port}/incoming")
            assert process.stdout
            yield Office(server, process.stdout, folder)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the example ended at once")


async def subscribe(server: Running, endpoint: str) -> None:
    assert server.certificates
    connector = aiohttp.TCPConnector(ssl=client_context(server.certificates))
    async with aiohttp.ClientSession(server.url, connector=connector) as http:
        body = {"name": "example", "endpoint": endpoint}
        async with http.post("/onhook/events", json=body) as answer:
            assert (await answer.json())["state"] == "Succeeded"


@pytest.fixture
async def answering(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path, "answer_and_hang_up.py", "--talk-seconds", "0.5") as made:
        yield made


@pytest.fixture
async def one_line(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path, "reject_when_busy.py") as made:
        yield made


async def test_a_phone_is_answered_and_hung_up_on(answering: Office) -> None:
    ran = await answering.dial("released")
    assert ran.status == 0, ran.said
    await answering.says("answered, from 4:+14255550101")
    await answering.says("CallDisconnected 200/7000")
    (why,) = await answering.why()
    assert (why["ending"], why["subcode"]) == ("hung-up-by-app", 7000)


async def test_the_second_phone_hears_the_busy_tone(one_line: Office) -> None:
    talking = asyncio.create_task(one_line.dial("answer", "first", talk_ms=3000))
    await one_line.says("answered 4:+14255550101")
    second = await one_line.dial("busy", "second")
    assert second.status == 0, second.said
    await one_line.says("busy for 4:+14255550101")
    first = await talking
    assert first.status == 0, first.said
    await one_line.says("the line is free")
