"""Finished recordings in the folder of a server, as if calls had been recorded."""

from pathlib import Path

import numpy as np

from onhook.config.schema import DEVELOPMENT_RESOURCE_ID
from onhook.media.recordings.shelf import OpenChunk, Plan, Shelf
from onhook.media.recordings.wav import WavFile

PUBLIC_HOST = "rec.local.asm.skype.com"
"""A name that both SDKs of 1.6.0 take; only this machine resolves it to itself."""
SECOND = 16_000


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
