"""Finished recordings in the folder of a server, as if calls had been recorded."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onhook.config.schema import DEVELOPMENT_RESOURCE_ID
from onhook.media.recordings.shelf import OpenChunk, Plan, Shelf
from onhook.media.recordings.wav import WavFile

PUBLIC_HOST = "rec.local.asm.skype.com"
"""A name that both SDKs of 1.6.0 take; only this machine resolves it to itself."""
SECOND = 16_000


def public_host_is_here(patch: pytest.MonkeyPatch) -> None:
    """In this process, as a line in /etc/hosts would have it in all."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *how: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == PUBLIC_HOST else host, *how, **more)

    patch.setattr(socket, "getaddrinfo", resolved)


def put_recording(directory: Path, document: str, *, resource_id: str = DEVELOPMENT_RESOURCE_ID) -> bytes:
    """A second of noise; the bytes of its file."""
    shelf = Shelf(directory)
    shelf.prepare()
    path = shelf.content(document, "wav")
    file = WavFile(path, 1)
    file.append(np.random.default_rng(1).integers(-9_000, 9_000, SECOND).astype(np.int16))
    file.close()
    plan = Plan(
        recording="r1",
        room="room",
        resource_id=resource_id,
        server_call_id="server-call",
        call_id="call",
        format="wav",
        mixed=True,
        storage="",
        began_at=1_700_000_000.0,
    )
    chunk = OpenChunk(plan=plan, document=document, index=0, began_at=plan.began_at)
    shelf.finish(chunk, SECOND, "SessionEnded")
    return path.read_bytes()
