"""An SBC that we did not write: Kamailio and rtpengine (Debian) between telephones and Onhook.

Telephones register at it. Signalling and media of every call go through it, and it lets neither side see
the other's addresses in a session description.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtpengine_daemon import Rtpengine, rtpengine

CONFIGURATION = Path(__file__).parent / "kamailio.cfg"
SIP_PORT = 5060
START_SECONDS = STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
SHARED_MEGABYTES, PRIVATE_MEGABYTES = "32", "4"
_PROBE = (
    "OPTIONS sip:sbc@{host} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKprobe\r\nMax-Forwards: 1\r\n"
    "From: <sip:probe@{own}>;tag=1\r\nTo: <sip:sbc@{host}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


@dataclass(slots=True)
class Sbc:
    """`host` is its address for SIP (UDP, port 5060)."""

    host: str
    media: Rtpengine
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


@contextlib.asynccontextmanager
async def sbc(folder: Path, onhook: tuple[str, int], *, srtp: bool = False) -> AsyncGenerator[Sbc]:
    """Started and ready; `srtp`: telephones speak SRTP with it, Onhook does not."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with rtpengine(folder) as media:
        made = Sbc(media.host, media, folder / "kamailio.log")
        async with kamailio(folder, CONFIGURATION.name, made.host, _definitions(made, onhook, srtp=srtp)):
            yield made


@contextlib.asynccontextmanager
async def kamailio(
    folder: Path, configuration: str, host: str, definitions: Sequence[str]
) -> AsyncGenerator[None]:
    """Kamailio alone, by a configuration of this folder; each definition is NAME=value or NAME."""
    program = shutil.which("kamailio", path="/usr/sbin:/usr/bin")
    assert program, "kamailio is missing: apt-get install kamailio"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    log = folder / "kamailio.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(program, "-DD", "-E", "-f", str(CONFIGURATION.parent / configuration), "-Y", str(folder)),
            *("-m", SHARED_MEGABYTES, "-M", PRIVATE_MEGABYTES, "-w", str(folder)),
            *(part for each in definitions for part in ("-A", each)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # its children end with it
        )
    try:
        await _until_ready(process, host, log)
        yield
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """It ends its children first; whatever is left of them goes with their group."""
    with contextlib.suppress(ProcessLookupError, TimeoutError):
        process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _definitions(made: Sbc, onhook: tuple[str, int], *, srtp: bool) -> list[str]:
    host, port = onhook
    given = [
        f"OWN=udp:{made.host}:{SIP_PORT}",
        f'ONHOOK_HOST="{host}"',
        f"ONHOOK_PORT={port}",
        f'ONHOOK="sip:{host}:{port}"',
        f'NG="udp:{made.media.address}"',
    ]
    if srtp:
        given.append("WITH_SRTP")
    return given


async def _until_ready(process: asyncio.subprocess.Process, host: str, log: Path) -> None:
    """Until it answers a request, with whatever."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        asking.setblocking(False)  # noqa: FBT003  # its only argument
        own = "{}:{}".format(*asking.getsockname())
        request = _PROBE.format(host=host, own=own).encode()
        async with asyncio.timeout(START_SECONDS):
            while True:
                if process.returncode is not None:
                    raise RuntimeError(f"kamailio ended at once, see {log}")
                with contextlib.suppress(OSError, TimeoutError):
                    await loop.sock_sendto(asking, request, (host, SIP_PORT))
                    async with asyncio.timeout(POLL_SECONDS * 5):
                        if (await loop.sock_recv(asking, 2_000)).startswith(b"SIP/2.0 "):
                            return
                await asyncio.sleep(POLL_SECONDS)
