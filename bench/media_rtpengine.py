"""rtpengine (Debian) with legs to serve, in user space: it plays a file, or relays between two."""

import asyncio
import base64
import shutil
import socket
import subprocess
import wave
from pathlib import Path
from typing import Any

from media_far_end import ENGINE_HOST, HOST, SUITE
from media_plan import PLAYING, Plan
from media_subject import tone
from onhook.media.rtpengine.ng import NgClient
from processes import free_port, start

AT_A_TIME = 5
SINK_PORT = 9
"""Whoever is played to has nobody to talk to."""
START_TRIES = 100
NO_KEY = bytes(30)


def is_there() -> bool:
    return shutil.which("rtpengine", path="/usr/sbin:/usr/bin") is not None


class Daemon:
    """One process on one core, for one plan."""

    def __init__(self, folder: Path, core: int) -> None:
        settings = folder / "rtpengine.conf"
        settings.write_text("[rtpengine]\ntable = -1\n")
        self._port = free_port(socket.SOCK_DGRAM)
        program = shutil.which("rtpengine", path="/usr/sbin:/usr/bin")
        assert program, "rtpengine is missing: apt-get install rtpengine-daemon"
        self.process: subprocess.Popen[bytes] = start(
            [
                *(program, f"--config-file={settings}", "--foreground", "--log-stderr", "--log-level=4"),
                *(f"--interface={ENGINE_HOST}", f"--listen-ng={HOST}:{self._port}", "--num-threads=1"),
                *("--port-min=30000", "--port-max=39999"),
            ],
            core=core,
            log=folder / "rtpengine.log",
        )
        self._file = folder / "tone.wav"
        with wave.open(str(self._file), "wb") as written:
            written.setnchannels(1)
            written.setsampwidth(2)
            written.setframerate(8_000)
            for _ in range(2):
                written.writeframes(tone(8_000).tobytes())

    def open(self, plan: Plan) -> list[int]:
        """The ports of its legs."""
        return asyncio.run(self._open(plan))

    async def _open(self, plan: Plan) -> list[int]:
        client = NgClient(HOST, self._port)
        await client.open()
        try:
            await self._until_it_answers(client)
            ports = [0] * len(plan.ports)
            for at in range(0, len(plan.rooms), AT_A_TIME):
                rooms = plan.rooms[at : at + AT_A_TIME]
                made = await asyncio.gather(*(self._room(client, plan, room) for room in rooms))
                for room, numbers in zip(rooms, made, strict=True):
                    for leg, port in zip(room, numbers, strict=True):
                        ports[leg] = port
            return ports
        finally:
            client.close()

    async def _until_it_answers(self, client: NgClient) -> None:
        for _ in range(START_TRIES):
            try:
                await client.ask("ping")
            except RuntimeError:
                await asyncio.sleep(0.05)
            else:
                return
        raise TimeoutError("rtpengine does not answer")

    async def _room(self, client: NgClient, plan: Plan, room: list[int]) -> list[int]:
        """A call of two, or of one and nobody. The ports that its far ends send to."""
        names: dict[str, Any] = {"call-id": f"room {room[0]}", "from-tag": "one"}
        how: dict[str, Any] = {"ICE": "remove", "DTLS": "off", "replace": ["origin", "session-connection"]}
        offer = await client.ask("offer", {**names, **how, "sdp": self._sdp(plan, room[0])})
        other = room[1] if len(room) > 1 else None
        tags = {**names, "to-tag": "other"}
        answer = await client.ask("answer", {**tags, **how, "sdp": self._sdp(plan, other)})
        if plan.shape == PLAYING:
            await client.ask("block media", names)
            await client.ask("play media", {**names, "file": str(self._file), "repeat-times": 1000})
            return [_port(answer)]
        return [_port(answer), _port(offer)]

    def _sdp(self, plan: Plan, leg: int | None) -> str:
        profile = "RTP/SAVP" if plan.encrypted else "RTP/AVP"
        port = SINK_PORT if leg is None else plan.ports[leg]
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {HOST}",
            "s=-",
            f"c=IN IP4 {HOST}",
            "t=0 0",
            f"m=audio {port} {profile} 0",
            "a=rtpmap:0 PCMU/8000",
        ]
        if plan.encrypted:
            key = NO_KEY if leg is None else bytes.fromhex(plan.keys[leg][0])
            lines.append(f"a=crypto:1 {SUITE} inline:{base64.b64encode(key).decode()}")
        return "\r\n".join([*lines, "a=sendrecv", ""])


def _port(answered: Any) -> int:
    """Of the description in an answer of rtpengine."""
    sdp = str(answered["sdp"])
    (line,) = (each for each in sdp.splitlines() if each.startswith("m=audio "))
    return int(line.split()[1])
