"""What media tells of recordings and streams, while a call is open and long after it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from onhook.facts import Fact, RecordedChunk, RecordingChanged, StreamChanged
from onhook.lab.rehearsal import World
from onhook.lab.virtual_time import run
from stages import world

CHUNK = RecordedChunk(
    document="doc-0",
    index=0,
    why="SessionEnded",
    bytes=32_044,
    content="https://localhost/v1/objects/doc-0/content/audio",
    metadata="https://localhost/v1/objects/doc-0/content/acsmetadata",
    deletion="https://localhost/v1/objects/doc-0",
)
READY = "Microsoft.Communication.RecordingFileStatusUpdated"


def closed(**more: Any) -> RecordingChanged:
    given: dict[str, Any] = {
        "at": 1_700_000_001.0,
        "recording": "r1",
        "state": "closed",
        "chunks": (CHUNK,),
        "began_at": 1_700_000_000.0,
        "duration_ms": 1_000,
        "why": "CallEnded",
        "format": "wav",
    }
    return RecordingChanged(**(given | more))


def played(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(main())


async def talking() -> tuple[World, str]:
    here = await world()
    call = here.create_call()
    await asyncio.sleep(3)
    return here, call


def kept(here: World, call: str) -> list[Fact]:
    """Their times are left out: an open call dates what comes late itself."""
    found = [fact for fact in here.store.facts(call) if isinstance(fact, RecordingChanged | StreamChanged)]
    return [undated(fact) for fact in found]


def undated(fact: Fact) -> Fact:
    return msgspec.structs.replace(fact, at=0.0)


def ready(here: World) -> list[Any]:
    return [told for told in here.subscribers.followed if told.type == READY]


@pytest.mark.parametrize("ended", [False, True])
def test_files_that_are_ready_are_told_once_and_kept(ended: bool) -> None:  # noqa: FBT001  # a case
    async def main() -> None:
        here, call = await talking()
        record = here.switch.calls[call].record
        if ended:
            here.hang_up(call)
            await asyncio.sleep(5)
            assert call not in here.switch.calls
        here.switch._media_told(call, closed())
        await asyncio.sleep(1)
        (told,) = ready(here)
        assert told.resource == "dev"
        assert told.subject == (
            f"/recording/call/{record.correlation_id}/serverCallId/{record.server_call_id}/recordingId/r1"
        )
        assert told.data == {
            "recordingStorageInfo": {
                "recordingChunks": [
                    {
                        "documentId": "doc-0",
                        "index": 0,
                        "endReason": "SessionEnded",
                        "contentLocation": CHUNK.content,
                        "metadataLocation": CHUNK.metadata,
                        "deleteLocation": CHUNK.deletion,
                    }
                ]
            },
            "recordingStartTime": "2023-11-14T22:13:20.0000000Z",
            "recordingDurationMs": 1_000,
            "recordingContentType": "Audio",
            "recordingChannelType": "Mixed",
            "recordingFormatType": "Wav",
            "sessionEndReason": "CallEnded",
        }
        assert kept(here, call) == [undated(closed())]

    played(main)


def test_one_that_failed_is_told_if_it_has_files() -> None:
    async def main() -> None:
        here, call = await talking()
        here.switch._media_told(call, closed(state="failed", recording="r2", chunks=()))
        here.switch._media_told(call, RecordingChanged(at=1.0, recording="r1", state="inactive"))
        await asyncio.sleep(1)
        assert not ready(here)
        here.switch._media_told(call, closed(state="failed", detail="the disk is full", mixed=False))
        await asyncio.sleep(1)
        (told,) = ready(here)
        assert told.data["recordingChannelType"] == "Unmixed"
        assert [getattr(fact, "state", "") for fact in kept(here, call)] == ["failed", "inactive", "failed"]

    played(main)


def test_a_stream_that_closes_after_its_call_is_kept() -> None:
    async def main() -> None:
        here, call = await talking()
        here.hang_up(call)
        await asyncio.sleep(5)
        last = StreamChanged(at=1_700_000_002.0, stream="s1", state="closed", sent=50)
        here.switch._media_told(call, last)
        await asyncio.sleep(1)
        assert kept(here, call) == [undated(last)]
        assert not ready(here)

    played(main)


def test_a_call_that_nobody_knows_is_told_of_nothing() -> None:
    async def main() -> None:
        here = await world()
        here.switch._media_told("no-such-call", closed())
        await asyncio.sleep(1)
        assert not here.subscribers.followed

    played(main)


def test_without_subscribers_it_is_kept_and_not_told() -> None:
    async def main() -> None:
        here, call = await talking()
        here.subscribers.deaf = True
        here.switch._media_told(call, closed())
        await asyncio.sleep(1)
        assert kept(here, call) == [undated(closed())]
        assert not ready(here)

    played(main)
