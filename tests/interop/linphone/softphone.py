"""linphone (Debian `linphone-cli`: linphonec) as a telephone: it plays and records files, and presses keys.

It has no audio device. It registers nowhere unless told to, and takes commands on its standard input.
Written against version 5.1.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import wave
from collections.abc import AsyncGenerator
from pathlib import Path

from interop.sipp_trunk.sipp import free_port

NUMBER = "+14255550188"
"""Who calls."""
WAIT_SECONDS = 20.0
QUIT_SECONDS = 5.0
POLL_SECONDS = 0.02
PROMPT = "linphonec> "
SAYS, SAYS_SECONDS = "says.wav", 60
CODECS = {"PCMU": 8000, "PCMA": 8000, "opus": 48_000, "G722": 8000, "speex": 16_000}
CONFIG = """\
[sip]
guess_hostname=0
contact=sip:{number}@127.0.0.1
use_info=0
use_rfc2833=1
register_only_when_network_is_up=0
media_encryption={encryption}
media_encryption_mandatory={mandatory}
[net]
firewall_policy=0
[rtp]
bind_address=127.0.0.1
audio_rtp_port={rtp_port}
[sound]
echocancellation=0
[video]
enabled=0
"""
REGISTERED = """\
[sip]
sip_port={port}
default_proxy=0
[proxy_0]
reg_proxy=<sip:{registrar}>
reg_identity=sip:{number}@{registrar}
reg_expires=600
reg_sendregister=1
publish=0
"""
CODEC = """\
[audio_codec_{place}]
mime={codec}
rate={rate}
channels={channels}
enabled={enabled}
"""


class Linphone:
    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process, self._folder = process, folder

    # What a person does with it

    async def call(self, number: str, *, host: str, port: int) -> None:
        await self._say(f"call sip:{number}@{host}:{port}")

    async def answer(self) -> None:
        await self._say("answer")

    async def give_up(self) -> None:
        await self._say("terminate")

    async def press(self, keys: str, pause_seconds: float = 0.3) -> None:
        """One key after the other, as RFC 4733 events."""
        for key in keys:
            await self._say(key)
            await asyncio.sleep(pause_seconds)

    # What it tells of itself

    @property
    def heard(self) -> Path:
        return self._folder / "heard.wav"

    @property
    def printed(self) -> str:
        return (self._folder / "printed.log").read_text(errors="replace")

    async def talks(self) -> None:
        await self.until("connected")

    async def registered(self) -> None:
        """It says so only if it is asked. Raises TimeoutError."""
        async with asyncio.timeout(WAIT_SECONDS):
            while "registered: yes" not in self.printed:
                await self._say("proxy list")
                await asyncio.sleep(10 * POLL_SECONDS)

    async def rings(self) -> None:
        await self.until("is contacting you")

    async def closed(self) -> None:
        await self.until("ended")

    async def until(self, words: str) -> None:
        """Until it has printed that. Raises TimeoutError with all that it printed."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while words not in self.printed:  # noqa: ASYNC110  # another process's file has no event
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"linphone did not say {words!r}:\n{self.printed}") from None

    async def _say(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n".encode())
        await self._process.stdin.drain()

    async def set_up(self, *, answers: bool, has_port: bool) -> None:
        await self.until(PROMPT)
        files = ("soundcard use files", f"record {self.heard}", f"play {self._folder / SAYS}")
        for command in ("ipv6 disable", *files):
            await self._say(command)
        if not has_port:  # whoever is registered has it in its configuration, and loses it by this
            await self._say(f"ports sip {free_port()}")
        if answers:
            await self._say("autoanswer enable")

    async def quit(self) -> None:
        """End the program in its own way: it then writes the last of its recording."""
        with contextlib.suppress(ConnectionError):
            await self._say("quit")
        async with asyncio.timeout(QUIT_SECONDS):
            await self._process.wait()


def _configure(folder: Path, number: str, codecs: tuple[str, ...], *, srtp: bool, registrar: str) -> None:
    (folder / ".local/share/linphone").mkdir(
        parents=True, exist_ok=True
    )  # for its database: it takes no calls without
    text = CONFIG.format(
        rtp_port=free_port() // 2 * 2,
        number=number,
        encryption="srtp" if srtp else "none",
        mandatory=int(srtp),
    )
    if registrar:
        text += REGISTERED.format(number=number, registrar=registrar, port=free_port())
    for place, (codec, rate) in enumerate(CODECS.items()):
        enabled, channels = int(codec in codecs), 2 if codec == "opus" else 1
        text += CODEC.format(place=place, codec=codec, rate=rate, channels=channels, enabled=enabled)
    (folder / "linphonerc").write_text(text)
    with wave.open(str(folder / SAYS), "wb") as says:  # silence; without a file it sends nothing at all
        says.setnchannels(1)
        says.setsampwidth(2)
        says.setframerate(8000)
        says.writeframes(bytes(16_000 * SAYS_SECONDS))


@contextlib.asynccontextmanager
async def linphone(
    folder: Path,
    *,
    number: str = NUMBER,
    codecs: tuple[str, ...] = ("PCMU", "PCMA"),
    answers: bool = False,
    srtp: bool = False,
    registrar: str = "",
) -> AsyncGenerator[Linphone]:
    """Start one; with `answers` it takes every call at once. It is killed if the block ends first.

    `registrar` is the host of the SIP server that it is known to; it still calls the host that `call` names.
    """
    program = shutil.which("linphonec")
    assert program, "linphonec is missing: apt-get install linphone-cli"
    _configure(folder, number, codecs, srtp=srtp, registrar=registrar)
    with (folder / "printed.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(program, "-c", str(folder / "linphonerc")),
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        phone = Linphone(process, folder)
        await phone.set_up(answers=answers, has_port=bool(registrar))
        yield phone
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
