"""SIPp (Debian `sip-tester`) as the far end: one process, one scenario, its own record of what crossed.

A run is good when SIPp itself says so: exit status 0, and nothing in its error log, where it writes every
message that its scenario did not expect.
"""

import asyncio
import contextlib
import re
import secrets
import socket
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path

from interop.sipp_trunk.scenario import expand

PROGRAM = "/usr/bin/sipp"
SCENARIOS = Path(__file__).parent
ERRORS, MESSAGES = "errors.log", "messages.log"
START_SECONDS = 10.0
POLL_SECONDS = 0.01
FIRST_PORT, LAST_PORT = 15_000, 19_998
"""Below the ports that Linux gives to outgoing connections, and below our RTP ports."""
_LISTENING = {"udp": "07", "tcp": "0A"}  # states in /proc/net, include/net/tcp_states.h
_MESSAGE = re.compile(r"\A(?:UDP|TCP) message (sent|received) [^\n]*:\n\n")
_OVERLOAD = re.compile(r"\AThe following events occurred:\n(?:[^\n]*Overload warning: [^\n]*\n*)+\Z")
"""A log that holds nothing else: SIPp's watchdog says that it did not get to run, no fault of anybody."""
_RULE = re.compile(r"^-{40,} [^\n]*\n", re.MULTILINE)


def free_port() -> int:
    """A port that neither UDP nor TCP uses on loopback."""
    for _ in range(200):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            contextlib.suppress(OSError),
        ):
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port was found on 127.0.0.1")


@dataclass(slots=True)
class Ended:
    """How a SIPp process ended."""

    status: int
    errors: str
    """What its scenario did not expect; empty if all went as written."""
    received: list[str]
    """Every SIP message that came from us, whole, in order; only if messages were traced."""
    sent: list[str]

    def check(self) -> None:
        assert (self.status, self.errors) == (0, "")

    def requests(self, method: str) -> list[str]:
        return [message for message in self.received if message.startswith(f"{method} ")]


class Sipp:
    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process, self._folder = process, folder

    async def ended(self, seconds: float = 40.0) -> Ended:
        """Wait until it has played all its calls. Raises TimeoutError if it has not."""
        async with asyncio.timeout(seconds):
            await self._process.wait()
        assert self._process.returncode is not None
        received, sent = self._messages()
        return Ended(self._process.returncode, _OVERLOAD.sub("", self._read(ERRORS)), received, sent)

    def kill(self) -> None:
        """End it at once, as a crash of the far end would: its sockets close, and nobody says goodbye."""
        if self._process.returncode is None:
            self._process.kill()

    def signal(self, number: int) -> None:
        """SIGSTOP makes it deaf: its sockets stay open, and nobody reads them."""
        self._process.send_signal(number)

    async def until_received(self, method: str) -> None:
        """Wait until it has a request of `method`. Raises TimeoutError."""
        async with asyncio.timeout(START_SECONDS):
            while not any(message.startswith(f"{method} ") for message in self._messages()[0]):  # noqa: ASYNC110  # another process's file has no event
                await asyncio.sleep(POLL_SECONDS)

    def _read(self, name: str) -> str:
        path = self._folder / name
        return path.read_bytes().decode(errors="replace").replace("\r\n", "\n") if path.exists() else ""

    def _messages(self) -> tuple[list[str], list[str]]:
        received: list[str] = []
        sent: list[str] = []
        for part in _RULE.split(self._read(MESSAGES)):
            if found := _MESSAGE.search(part):
                (sent if found[1] == "sent" else received).append(part[found.end() :].strip("\n"))
        return received, sent


def _command(
    scenario: str,
    folder: Path,
    *,
    port: int,
    transport: str,
    calls: int,
    keys: Mapping[str, str],
    remote: str,
) -> list[str]:
    """The command line, with the scenario written out in `folder`."""
    if not Path(PROGRAM).exists():
        raise FileNotFoundError(f"{PROGRAM} is missing: install the Debian package sip-tester")
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / scenario
    own = {"own_port": str(port), "own_transport": transport.upper()}  # SIPp itself fills in no regexp
    own["again"] = '<recv request="INVITE" crlf="true"/>' if transport == "udp" else ""
    script.write_text(expand((SCENARIOS / scenario).read_text(), {**own, **keys}))
    return [
        *(PROGRAM, *([remote] if remote else []), "-sf", str(script)),
        *("-i", "127.0.0.1", "-p", str(port), "-t", "t1" if transport == "tcp" else "u1"),
        *("-m", str(calls), "-nostdin", "-skip_rlimit", "-timer_resol", "5"),
        *("-trace_err", "-error_file", str(folder / ERRORS)),
    ]


@contextlib.asynccontextmanager
async def sipp(
    scenario: str,
    folder: Path,
    *,
    port: int,
    transport: str = "udp",
    calls: int = 1,
    keys: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
    remote: str = "",
    traced: bool = True,
) -> AsyncGenerator[Sipp]:
    """Start SIPp with `scenario` on `port`, ready to be called; it is killed if the block ends before it.

    `keys` fill the [words] of the scenario, before SIPp reads it. With `remote` ("host:port") SIPp calls
    instead of being called. `traced` keeps every message for `Ended`.
    """
    command = _command(
        scenario, folder, port=port, transport=transport, calls=calls, keys=keys or {}, remote=remote
    )
    command += ["-trace_msg", "-message_file", str(folder / MESSAGES)] if traced else []
    process = await asyncio.create_subprocess_exec(
        *command,
        *options,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    started = Sipp(process, folder)
    try:
        if not remote:
            await _until_listening(process, transport, port, folder)
        yield started
    finally:
        started.kill()
        await process.wait()


async def _until_listening(
    process: asyncio.subprocess.Process, transport: str, port: int, folder: Path
) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not _is_listening(transport, port):
            if process.returncode is not None:
                log = folder / ERRORS
                text = log.read_text() if log.exists() else "no error log"
                raise RuntimeError(f"SIPp ended at once with {process.returncode}: {text}")
            await asyncio.sleep(POLL_SECONDS)


def _is_listening(transport: str, port: int) -> bool:
    wanted = f":{port:04X}"
    for line in Path(f"/proc/net/{transport}").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(wanted) and fields[3] == _LISTENING[transport]:
            return True
    return False
