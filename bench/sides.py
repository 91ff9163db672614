"""The programs of a run: Onhook, SIPp as the far end, and Sippy B2BUA as the peer to compare with."""

import contextlib
import importlib.util
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path

from onhook.config.schema import DEVELOPMENT_KEY, DEVELOPMENT_NUMBERS, DEVELOPMENT_RESOURCE_ID
from onhook.server.certificates import CertificatePaths, client_context
from processes import Cores, free_port, free_sip_port, start, stop

START_SECONDS = 60.0
POLL_SECONDS = 0.002
CONFIG = """
[server]
port = {https}
data_directory = "{folder}/tls"
[sip]
port = {sip}
max_calls_per_number = 100000  # one caller id for all
[store]
path = "{folder}/onhook.db"
[carrier]
enabled = false
[delivery]
token_reuse_seconds = {token_reuse_seconds}
[resource.bench]
id = "{resource}"
access_keys = ["{key}"]
numbers = {numbers}
[trunk.sipp]
host = "127.0.0.1"
port = {far_end}
max_calls = 100000
"""
SUBSCRIPTION = """
[subscription.bench]
endpoint = "http://127.0.0.1:{port}/incoming"
event_types = ["IncomingCall"]
"""
CALLS_IN = Path(__file__).with_name("calls_in.xml")


class StartFailed(Exception):
    """A program of the run did not start; the text has its last words."""


def sipp_path() -> str:
    found = shutil.which("sipp")
    if found is None:
        raise StartFailed("SIPp is missing: sudo apt-get install sip-tester")
    return found


@contextlib.contextmanager
def sipp_far_end(folder: Path, cores: Cores) -> Generator[int]:
    """SIPp's own scenario `uas`: 180, 200, awaits ACK and BYE, answers 200. Its port."""
    port = free_port(socket.SOCK_DGRAM)
    command = [
        *(sipp_path(), "-sn", "uas", "-i", "127.0.0.1", "-p", str(port)),
        *("-mp", str(free_port(socket.SOCK_DGRAM)), "-nostdin", "-timeout", "1800s"),
    ]
    process = start(command, core=cores.rest, log=folder / "sipp-uas.log")
    try:
        _wait_for_udp(port, process, folder / "sipp-uas.log")
        yield port
    finally:
        process.kill()  # it waits for open calls otherwise
        process.wait()


def _wait_for_udp(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until somebody has the port."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        time.sleep(POLL_SECONDS)
    raise StartFailed(f"{process.args!r} did not start: {_last_words(log)}")


class Onhook:
    """A server with its own ports and files."""

    def __init__(
        self, folder: Path, cores: Cores, far_end: int, *, token_reuse_seconds: int = 0, grid_port: int = 0
    ) -> None:
        """`token_reuse_seconds` as in [delivery]; 0, the default there too, signs a token for each event.

        IncomingCall is posted to `grid_port`, if there is one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._cores = folder, cores
        self.port, self.sip_port = free_port(socket.SOCK_STREAM), free_sip_port()
        self.config, self.notes = folder / "onhook.toml", folder / "stored.json"
        self.store = folder / "onhook.db"
        self.log = folder / "onhook.log"
        text = CONFIG.format(
            https=self.port,
            sip=self.sip_port,
            folder=folder,
            resource=DEVELOPMENT_RESOURCE_ID,
            key=DEVELOPMENT_KEY,
            numbers=json.dumps(list(DEVELOPMENT_NUMBERS)),
            far_end=far_end,
            token_reuse_seconds=token_reuse_seconds,
        )
        self.config.write_text(text + (SUBSCRIPTION.format(port=grid_port) if grid_port else ""))
        self.start_up_seconds = 0.0

    @property
    def as_shipped(self) -> list[str]:
        return [sys.executable, "-m", "onhook", "run", "--config", str(self.config)]

    @property
    def observed(self) -> list[str]:
        script = Path(__file__).with_name("observed_server.py")
        return [sys.executable, str(script), str(self.config), str(self.notes)]

    @contextlib.contextmanager
    def running(self, command: list[str]) -> "Generator[subprocess.Popen[bytes]]":
        """From the start of the process until /onhook/health answers is `start_up_seconds`."""
        began = time.monotonic()
        process = start(command, core=self._cores.measured, log=self.log)
        try:
            self._wait_until_healthy(process, began + START_SECONDS)
            self.start_up_seconds = time.monotonic() - began
            yield process
        finally:
            stop(process)

    def _wait_until_healthy(self, process: "subprocess.Popen[bytes]", until: float) -> None:
        address = f"https://localhost:{self.port}/onhook/health"
        blind = ssl.create_default_context()
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE  # its CA may not exist yet
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError, urllib.error.URLError):
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    pass
                with urllib.request.urlopen(address, timeout=5, context=blind) as answer:
                    if answer.status == 200:
                        return
            time.sleep(POLL_SECONDS)
        raise StartFailed(f"Onhook did not start: {_last_words(self.log)}")

    def is_listened_to(self) -> bool:
        """Whether the endpoint of its subscription has been validated."""
        with urllib.request.urlopen(
            f"https://localhost:{self.port}/onhook/events/bench", timeout=5, context=self.trust
        ) as answer:
            return bool(json.load(answer)["state"] == "Succeeded")

    @property
    def trust(self) -> ssl.SSLContext:
        return client_context(CertificatePaths(self.folder / "tls"))


def sippy_is_installed() -> bool:
    return importlib.util.find_spec("sippy") is not None


@contextlib.contextmanager
def sippy(folder: Path, cores: Cores, far_end: int) -> "Generator[tuple[int, subprocess.Popen[bytes]]]":
    """Sippy's own b2bua_simple: two SIP legs a call, no media, no authentication, no accounting, no log."""
    port = free_port(socket.SOCK_DGRAM)
    log = folder / "sippy.log"
    command = [
        *(sys.executable, "-m", "sippy.b2bua_simple", "-f"),
        *("-l", "127.0.0.1", "-p", str(port), "-n", f"127.0.0.1:{far_end}"),
    ]
    process = start(command, core=cores.measured, log=log, env={"SIPLOG_BEND": "none"})
    try:
        _wait_for_udp(port, process, log)
        yield port, process
    finally:
        stop(process)


def sipp_caller(
    folder: Path,
    cores: Cores,
    to_port: int,
    *,
    calls: int,
    rate: int,
    at_a_time: int = 20_000,
    number: str = "4930123456",
    scenario: Path | None = None,
) -> int:
    """SIPp's own scenario `uac`, or one of ours, places `calls`; how many of them failed."""
    log = folder / "sipp-uac.log"
    command = [
        *(sipp_path(), *(("-sf", str(scenario)) if scenario else ("-sn", "uac")), "-s", number),
        *("-i", "127.0.0.1"),
        *("-p", str(free_port(socket.SOCK_DGRAM)), "-mp", str(free_port(socket.SOCK_DGRAM))),
        *("-m", str(calls), "-r", str(rate), "-l", str(at_a_time), "-nostdin", "-timeout", "600s"),
        *("-trace_stat", "-stf", str(folder / "sipp-uac.csv"), "-fd", "1"),
        f"127.0.0.1:{to_port}",
    ]
    process = start(command, core=cores.rest, log=log)
    try:
        process.wait(calls / min(rate, 50) + START_SECONDS)
    finally:
        stop(process)
    names, *rows = [line.split(";") for line in (folder / "sipp-uac.csv").read_text().splitlines()]
    last = dict(zip(names, rows[-1], strict=False))
    return calls - int(last["SuccessfulCall(C)"])


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else "it said nothing"
