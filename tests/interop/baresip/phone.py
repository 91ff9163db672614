"""baresip (Debian `baresip-core`) as a telephone that calls or is called: its events, what it printed.

It has no audio device: it sends a tone of 400 Hz, and what it hears is lost, or recorded in files. It takes
its commands over TCP (its module ctrl_tcp: JSON in netstrings). Written against version 1.0.0.
"""

import asyncio
import contextlib
import json
import re
import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from interop.sipp_trunk.sipp import free_port

NUMBER = "+14255550123"
"""Who calls."""
MODULES = Path("/usr/lib/baresip/modules")
WAIT_SECONDS = 20.0
QUIT_SECONDS = 5.0
POLL_SECONDS = 0.02
# baresip numbers no RTP port itself, it tries those of the range; SIP ports are drawn by the system.
CONFIG = """\
poll_method epoll
net_interface 127.0.0.1
audio_source ausine,400
ausrc_srate 48000
ausrc_channels 2
statmode_default off
audio_player aubridge,telephone
audio_alert aubridge,bell
rtp_ports 22000-22998
module_path {modules}
{modules_of_kit}
module aubridge.so
module ausine.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {folder}
{listening}
"""
COLOURS = re.compile(r"\x1b\[[\d;]*m")
Event: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kit:
    """What a telephone has. `registrar` is the host of the SIP server that it is known to and calls by."""

    number: str = NUMBER
    codecs: str = "PCMU,PCMA"
    registrar: str = ""
    answers: bool = False
    """It takes every call at once."""
    srtp: bool = False
    """It insists on SRTP, with keys in its session description."""
    records: bool = False
    """What it hears is kept in files, see `Phone.heard`."""
    port: int = 0
    """Where it takes calls; 0: the system draws one."""

    @property
    def modules(self) -> str:
        codecs = self.codecs.lower()
        names = ["g711", *(each for each in ("g722", "opus") if each in codecs)]
        names += ["srtp"] * self.srtp + ["sndfile"] * self.records
        return "\n".join(f"module {name}.so" for name in names)

    @property
    def account(self) -> str:
        where = self.registrar or "127.0.0.1"
        parameters = [f"regint={600 if self.registrar else 0}", f"audio_codecs={self.codecs}"]
        parameters += ["answermode=auto"] * self.answers + ["mediaenc=srtp-mand"] * self.srtp
        return f"<sip:{self.number}@{where}>;{';'.join(parameters)}\n"


def _words(log: Path) -> str:
    return COLOURS.sub("", log.read_text(errors="replace"))


class Phone:
    def __init__(
        self,
        process: asyncio.subprocess.Process,
        log: Path,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process, self._log = process, log
        self._reader, self._writer = reader, writer
        self._events: list[Event] = []
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    # What a person does with it

    def dial(self, number: str, *, port: int, transport: str, host: str = "127.0.0.1") -> None:
        """Call `number` at the SIP server on `host`:`port`."""
        self._command("dial", f"sip:{number}@{host}:{port};transport={transport}")

    async def press(self, keys: str, pause_seconds: float = 0.3) -> None:
        """One key after the other, as RFC 4733 events; the pause is from one to the next."""
        for key in keys:
            self._command("sndcode", key)
            await asyncio.sleep(pause_seconds)

    def mute(self) -> None:
        """It says silence from now on; again: the tone."""
        self._command("mute")

    async def call(self, number: str, *, host: str, port: int) -> None:
        self.dial(number, host=host, port=port, transport="udp")

    async def give_up(self) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Also gives up a call that is not answered yet."""
        self._command("hangup")

    def hold(self) -> None:
        self._command("hold")

    def resume(self) -> None:
        self._command("resume")

    # What it tells of itself

    async def registered(self) -> None:
        """It may be so before anybody listens to its events, so what it prints counts."""
        async with asyncio.timeout(WAIT_SECONDS):
            while "binding]" not in self.printed:  # noqa: ASYNC110  # another process's file has no event
                await asyncio.sleep(POLL_SECONDS)

    async def rings(self) -> None:
        await self._event("CALL_RINGING")

    async def talks(self) -> None:
        await self._event("CALL_ESTABLISHED")

    async def hears(self) -> None:
        """The first RTP packet has come."""
        await self._event("CALL_RTPESTAB")

    async def closed(self) -> str:
        """Why its call is over, in its own words: status and phrase, if it was refused."""
        return str((await self._event("CALL_CLOSED"))["param"])

    async def quit(self) -> str:
        """End the program; gives all that it printed, without colours."""
        with contextlib.suppress(ConnectionError):  # the control connection may go first
            self._command("quit")
        async with asyncio.timeout(QUIT_SECONDS):
            await self._process.wait()
        assert self._process.returncode == 0, self.printed
        return self.printed

    @property
    def heard(self) -> Path:
        """The file of what it heard, once its call is over."""
        (found,) = self._log.parent.glob("dump-*-dec.wav")
        return found

    @property
    def printed(self) -> str:
        return _words(self._log)

    # Its control connection

    def _command(self, name: str, parameters: str = "") -> None:
        text = json.dumps({"command": name, "params": parameters}).encode()
        self._writer.write(b"%d:%s," % (len(text), text))

    async def _event(self, kind: str) -> Event:
        """The first event of that type. Raises TimeoutError with what it printed."""

        def found() -> Event | None:
            return next((event for event in self._events if event["type"] == kind), None)

        try:
            async with asyncio.timeout(WAIT_SECONDS), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            types = [event["type"] for event in self._events]
            raise TimeoutError(f"no {kind}, but {types}\n{self.printed}") from None
        event = found()
        assert event is not None
        return event

    async def _read(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # it has quit
            while True:
                length = int((await self._reader.readuntil(b":"))[:-1])
                message = json.loads((await self._reader.readexactly(length + 1))[:-1])
                if message.get("response"):
                    assert message["ok"], message
                    continue
                async with self._news:
                    self._events.append(message)
                    self._news.notify_all()

    async def end(self) -> None:
        """At the end of a test, whatever became of it."""
        self._writer.close()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


def _configure(folder: Path, control_port: int, kit: Kit) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIG.format(
        modules=MODULES,
        control_port=control_port,
        folder=folder,
        modules_of_kit=kit.modules,
        listening=f"sip_listen 127.0.0.1:{kit.port}" if kit.port else "",
    )
    (folder / "config").write_text(config)
    (folder / "accounts").write_text(kit.account)
    (folder / "contacts").write_text("")  # or it writes a long one of its own


@contextlib.asynccontextmanager
async def baresip(folder: Path, kit: Kit | None = None) -> AsyncGenerator[Phone]:
    """Start a telephone with a configuration of its own in `folder`; it is killed if the block ends first."""
    program = shutil.which("baresip")
    assert program, "baresip is missing: apt-get install baresip-core"
    control_port, log = free_port(), folder / "printed.log"
    _configure(folder, control_port, kit or Kit())
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(program, "-4", "-f", str(folder)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        phone = Phone(process, log, *await _connect(process, control_port))
    except BaseException as error:
        if process.returncode is None:
            process.kill()
        await process.wait()
        error.add_note(_words(log))
        raise
    try:
        yield phone
    finally:
        await phone.end()


async def _connect(
    process: asyncio.subprocess.Process, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(WAIT_SECONDS):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(POLL_SECONDS)
    raise RuntimeError(f"baresip ended at once with {process.returncode}")
