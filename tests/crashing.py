"""A server in a process of its own that can be killed, its carrier and its application in this one."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from onhook.config.schema import DEVELOPMENT_KEY
from onhook.store.sqlite import SqliteStore
from unit.server.signed_requests import VERSION, http_date, signed

TERMINAL = {"CreateCallFailed", "CallDisconnected"}
READY = "Onhook takes calls at "
PATIENCE_SECONDS = 60.0
Event = dict[str, Any]


async def until(condition: Callable[[], object], *, every_seconds: float = 0.05) -> None:
    """Until `condition()` holds, of what happens elsewhere; TimeoutError if it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  # nothing tells us when it happens elsewhere
            await asyncio.sleep(every_seconds)


class Application:
    """The callback address. While `refusing`, events are answered 503, and not kept."""

    def __init__(self) -> None:
        self.arrived: defaultdict[str, list[Event]] = defaultdict(list)
        self.refused = 0
        self.refusing = False
        self.uri = ""
        self._news = asyncio.Condition()
        self._runner = web.ServerRunner(web.Server(self._take), shutdown_timeout=0.1)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.uri = f"http://127.0.0.1:{self._runner.addresses[0][1]}/events"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.BaseRequest) -> web.Response:
        (event,) = json.loads(await request.read())
        async with self._news:
            if self.refusing:
                self.refused += 1
                return web.Response(status=503)
            self.arrived[event["data"]["callConnectionId"]].append(event)
            self._news.notify_all()
        return web.Response()

    def types(self, call_id: str) -> list[str]:
        """Events in the order in which each first came: at least once means that some come again."""
        first: dict[str, str] = {}
        for event in self.arrived[call_id]:
            first.setdefault(event["id"], str(event["type"]).rpartition(".")[2])
        return list(first.values())

    def count(self, event_type: str) -> int:
        """Calls that this type of event came for."""
        return sum(event_type in self.types(call_id) for call_id in self.arrived)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Until `condition()` holds, looked at after every event."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(condition)

    async def until_over(self, call_ids: list[str]) -> None:
        await self.until(lambda: all(TERMINAL & set(self.types(call_id)) for call_id in call_ids))


class Server:
    """`onhook run` on a directory of its own. SIP keeps its port over restarts, as in real life."""

    def __init__(self, folder: Path, trunk: tuple[str, int], transport: str = "udp") -> None:
        self.store = folder / "onhook.db"
        first_rtp_port = 24_000 + 2 * secrets.randbelow(1000)  # below the ports that systems hand out
        settings: dict[str, object] = {
            "server__port": 0,
            "server__https": "false",
            "server__data_directory": folder / "server",
            "sip__port": _free_port(),
            "sip__setup_timeout_seconds": 100,
            "sip__max_calls_per_number": 100_000,  # one caller id for all
            "media__first_port": first_rtp_port,
            "media__last_port": first_rtp_port + 1_998,
            "store__path": self.store,
            "carrier__enabled": "false",
            "trunk__far__host": trunk[0],
            "trunk__far__port": trunk[1],
            "trunk__far__transport": transport,
            "trunk__far__no_response_seconds": 32,
            "delivery__delays_seconds": "0.2, 0.5",
        }
        mine = {f"ONHOOK_{name.upper()}": str(value) for name, value in settings.items()}
        others = {name: value for name, value in os.environ.items() if not name.startswith("ONHOOK_")}
        self._env = {**others, **mine, "PYTHONUNBUFFERED": "1"}
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self.log = folder / "log.txt"
        self.url = ""

    async def start(self) -> float:
        """Start it, and wait until it takes calls; how many seconds that took."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "onhook",
                "run",
                cwd=self._folder,
                env=self._env,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self._process.stdout.readline()).decode():
                if line.startswith(READY):
                    self.url = line.removeprefix(READY).strip()
                    return time.monotonic() - began
        raise AssertionError(f"the server ended: {self.log.read_text()}")

    async def kill(self) -> None:
        """Kill -9: no chance to say goodbye to anybody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        assert await self._process.wait() == -signal.SIGKILL

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 15)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def kept(self) -> SqliteStore:
        """The store, read beside the server."""
        return SqliteStore(self.store, read_only=True)


class Client:
    """Signed requests, each with a Repeatability-Request-ID, as the SDKs send them."""

    def __init__(self, server: Server, application: Application) -> None:
        self._server, self._application = server, application
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))

    async def close(self) -> None:
        await self._http.close()

    async def create(self, number: str, request_id: str = "") -> str:
        """createCall; its callConnectionId. Raises aiohttp.ClientError if the server is gone."""
        body = json.dumps(
            {
                "targets": [{"kind": "phoneNumber", "phoneNumber": {"value": number}}],
                "sourceCallerIdNumber": {"value": "+14255550100"},
                "callbackUri": self._application.uri,
            }
        ).encode()
        repeatable = {
            "repeatability-request-id": request_id or str(uuid.uuid4()),
            "repeatability-first-sent": http_date(time.time()),
        }
        status, answer = await self._ask("POST", "/calling/callConnections", body, repeatable)
        assert status == 201, answer
        call_id: str = answer["callConnectionId"]
        return call_id

    async def hang_up(self, call_id: str) -> int:
        return (await self._ask("DELETE", f"/calling/callConnections/{call_id}"))[0]

    async def _ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        target, host = f"{path}?{VERSION}", self._server.url.removeprefix("http://")
        every = signed(method, target, body, key=DEVELOPMENT_KEY, at=time.time(), host=host)
        every |= {"content-type": "application/json", **(headers or {})}
        url = f"{self._server.url}{target}"
        async with self._http.request(method, url, data=body or None, headers=every) as response:
            text = await response.read()
            return response.status, json.loads(text) if text else {}


def _free_port() -> int:
    """A port that is free for UDP and TCP now."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
