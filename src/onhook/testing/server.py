"""A whole server in a thread of its own, on free ports: whoever tests may block as long as he likes."""

import asyncio
import contextlib
import os
import secrets
import socket
import threading
import tomllib
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from onhook.app import Running, running
from onhook.config import Config, load

T = TypeVar("T")

START_SECONDS = 60.0
STOP_SECONDS = 30.0
ASK_SECONDS = 30.0
MAX_STARTS = 5
"""Tries to start: a port that was free may be taken a moment later."""
FIRST_RTP_PORT, RTP_PORTS, RTP_PLACES = 10_000, 998, 9_000
"""Below the ports that systems give away; servers that run side by side begin at different ones."""
TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


class ServerFailed(Exception):
    """The server did not start, or does not answer; the text says why."""


class Server:
    """`folder` holds its certificates and its store; `settings` are section__name=value.

    What neither they nor `config_file` nor ONHOOK_ variables say is as tests want it: ports that are free,
    everything in `folder`, and waits that are skipped.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, object] | None = None, config_file: Path | None = None
    ) -> None:
        self.folder, self.config_file = folder, config_file
        self._settings = dict(settings or {})
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._running: Running | None = None

    @property
    def running(self) -> Running:
        """Raises ServerFailed before `start` and after `stop`."""
        if self._running is None:
            raise ServerFailed("the server is not started")
        return self._running

    def start(self) -> None:
        """Raises ServerFailed, and ConfigError for settings that are none."""
        for left in reversed(range(MAX_STARTS)):
            try:
                self._start(self._config())
            except OSError as error:
                if not left:
                    raise ServerFailed(f"the server cannot start: {error}") from error
            else:
                return

    def stop(self) -> None:
        """End it in order; harmless if it is not started."""
        if self._loop is None or self._thread is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_SECONDS)
        self._running = self._loop = self._thread = None

    def ask(self, question: Callable[[], T]) -> T:
        """What `question` returns, or raises, on the server's own loop."""

        async def answer() -> T:
            return question()

        return self.wait_for(answer())

    def wait_for(self, work: Coroutine[Any, Any, T], seconds: float = ASK_SECONDS) -> T:
        """Run `work` on the server's loop and return its result. Raises ServerFailed if it takes too long."""
        if self._loop is None:
            work.close()
            raise ServerFailed("the server is not started")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():
                raise  # its own
            future.cancel()
            raise ServerFailed(f"the server did not answer within {seconds:g} s") from None

    @property
    def connection_string(self) -> str:
        return self.environment["COMMUNICATION_SERVICES_CONNECTION_STRING"]

    @property
    def environment(self) -> dict[str, str]:
        """What makes programs of this machine find and trust this server; ONHOOK_URL is where it is."""
        return {**self.running.environment, "ONHOOK_URL": self.running.url}

    def _config(self) -> Config:
        return load(self.config_file, {**_defaults(self.folder, self.config_file), **_given(self._settings)})

    def _start(self, config: Config) -> None:
        started = threading.Event()
        failed: list[BaseException] = []
        loop = self._loop = asyncio.new_event_loop()
        stopping = self._stopping = asyncio.Event()

        async def serve() -> None:
            async with running(config) as server:
                self._running = server
                started.set()
                await stopping.wait()

        def run() -> None:
            with contextlib.closing(loop):
                try:
                    loop.run_until_complete(serve())
                except BaseException as error:  # noqa: BLE001  # told to the thread that waits for the start
                    failed.append(error)
                started.set()

        self._thread = threading.Thread(target=run, name="onhook", daemon=True)
        self._thread.start()
        if not started.wait(START_SECONDS):
            raise ServerFailed(f"the server did not start within {START_SECONDS:g} s")
        if failed:
            self._running = self._loop = self._thread = None
            raise failed[0]


def _given(settings: Mapping[str, object]) -> dict[str, str]:
    variables = {
        name: value for name, value in os.environ.items() if name.startswith("ONHOOK_") and "__" in name
    }
    return variables | {f"ONHOOK_{name.upper()}": _text(value) for name, value in settings.items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _defaults(folder: Path, config_file: Path | None) -> dict[str, str]:
    """Variables for what the file leaves open."""
    said = _said(config_file)
    first = FIRST_RTP_PORT + 2 * secrets.randbelow(RTP_PLACES // 2)
    wanted: dict[str, object] = {
        "server__port": 0,
        "server__data_directory": folder / "server",
        "sip__port": 0,
        "carrier__port": free_port(),
        "media__first_port": first,
        "media__last_port": first + RTP_PORTS,
        "store__path": folder / "onhook.db",
        "lab__skip_waits": True,
    }
    return _as_variables({name: value for name, value in wanted.items() if name not in said})


def _as_variables(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"ONHOOK_{name.upper()}": _text(value) for name, value in settings.items()}


def _said(config_file: Path | None) -> set[str]:
    """section__name of each setting in the file. What is wrong with it is told by `load`."""
    if config_file is None:
        return set()
    try:
        sections = tomllib.loads(config_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    found: set[str] = set()
    for section, table in sections.items():
        if isinstance(table, dict):
            found |= {f"{section}__{name}" for name in cast("dict[str, Any]", table)}
    return found


def free_port() -> int:
    """A port of loopback that is free now for TCP and UDP alike."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port
