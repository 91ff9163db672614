"""A whole Onhook on free ports, with its built-in carrier, and programs that run against it."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import NamedTuple

from onhook.app import Running, running
from onhook.config import load
from onhook.testing.server import free_port

__all__ = ["Ran", "free_port", "run", "whole_server"]
FIRST_RTP_PORT, RTP_PORTS = 10_000, 998
"""Below the ports that systems give away, and those of other servers; drawn anew each time."""


@contextlib.asynccontextmanager
async def whole_server(folder: Path, **settings: object) -> AsyncGenerator[Running]:
    """`settings` as section__name=value, over those of a server without configuration."""
    first_rtp_port = FIRST_RTP_PORT + 2 * secrets.randbelow(4_500)
    given: dict[str, object] = {
        "server__port": 0,
        "server__data_directory": folder / "authority",
        "sip__port": 0,
        "carrier__port": free_port(),
        "media__first_port": first_rtp_port,
        "media__last_port": first_rtp_port + RTP_PORTS,
        "store__path": folder / "onhook.db",
        **settings,
    }
    config = load(None, {f"ONHOOK_{name.upper()}": str(value) for name, value in given.items()})
    async with running(config) as server:
        yield server


class Ran(NamedTuple):
    status: int
    said: str
    """Standard output and error, as they came."""


async def run(
    *command: str | Path, environment: Mapping[str, str], folder: Path | None = None, max_seconds: float = 100
) -> Ran:
    """Run a program to its end; one that takes longer than `max_seconds` is killed, and fails the test."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=folder,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), max_seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ran(process.returncode, said.decode(errors="replace"))
