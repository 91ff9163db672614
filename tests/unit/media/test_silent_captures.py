"""Recordings and streams of the silent engine: states, counts and durations."""

import asyncio
from typing import Any

import pytest

from onhook.effects import (
    ChangeRecording,
    CloseStream,
    Mix,
    OpenStream,
    StartRecording,
    StopRecording,
    UpdateStream,
    Voice,
)
from onhook.facts import RecordedChunk, RecordingChanged, StreamChanged
from onhook.media.silent_prompts import Failing
from silent import EPOCH, Silent, silently

URL = "wss://app.example/audio?key=secret"


def stream(name: str = "s", *, room: str = "room", kind: Any = "audio", mixed: bool = True) -> OpenStream:
    return OpenStream(name, room, kind, URL, "connection", "correlation", "shop", mixed=mixed)


def recording(name: str = "r", *, room: str = "room", **how: Any) -> StartRecording:
    return StartRecording(name, room, "shop", "server call", "call", **how)


def streams(here: Silent) -> list[tuple[float, str, str, int]]:
    return [(at, fact.stream, fact.state, fact.sent) for at, fact in here.facts(StreamChanged)]


def recordings(here: Silent) -> list[tuple[float, str, str, int]]:
    return [(at, fact.recording, fact.state, fact.duration_ms) for at, fact in here.facts(RecordingChanged)]


@silently()
async def test_a_stream_opens_counts_and_closes(here: Silent) -> None:
    here.media.perform(Mix("room", (Voice("a"), Voice("b"))))
    here.media.perform(stream())
    assert here.told == []
    await asyncio.sleep(2)
    here.media.perform(UpdateStream("s", (("a", "4:+1425"),)))
    here.media.perform(CloseStream("s"))
    here.media.perform(CloseStream("s"))
    await asyncio.sleep(1)
    assert streams(here) == [(0, "s", "opened", 0), (2, "s", "closed", 100)]
    assert {fact.url for _, fact in here.facts(StreamChanged)} == {"wss://app.example/audio"}
    assert {owner for _, owner, _ in here.told} == {"room"}


@silently()
async def test_unmixed_audio_is_a_message_for_each_that_can_be_heard(here: Silent) -> None:
    here.media.perform(Mix("room", (Voice("a"), Voice("b"), Voice("c", muted=True), Voice("d", held=True))))
    here.media.perform(stream(mixed=False))
    await asyncio.sleep(1)
    here.media.perform(Mix("room", (Voice("a"),)))
    await asyncio.sleep(1)
    here.media.perform(CloseStream("s"))
    await asyncio.sleep(1)
    assert streams(here)[-1] == (2, "s", "closed", 150)


@silently()
async def test_a_transcription_sends_no_audio(here: Silent) -> None:
    here.media.perform(stream(kind="transcription"))
    await asyncio.sleep(2)
    here.media.perform(CloseStream("s"))
    await asyncio.sleep(1)
    assert streams(here) == [(0, "s", "opened", 0), (2, "s", "closed", 0)]


@silently()
async def test_a_stream_can_be_refused(here: Silent) -> None:
    here.media.captures.stream_faults[URL] = Failing(detail="403 Forbidden", http_status=403)
    here.media.perform(stream())
    await asyncio.sleep(1)
    at, failed = here.only(StreamChanged)
    assert (at, failed.state, failed.detail, failed.http_status) == (0, "failed", "403 Forbidden", 403)
    assert here.media.captures.streams == []


@silently()
async def test_a_lost_stream_sends_nothing_until_it_is_open_again(here: Silent) -> None:
    here.media.perform(stream())
    await asyncio.sleep(1)
    here.media.captures.lose_stream("s")
    await asyncio.sleep(3)
    here.media.captures.reopen_stream("s")
    await asyncio.sleep(1)
    here.media.captures.fail_stream("s", Failing(detail="the peer is gone"))
    await asyncio.sleep(1)
    assert streams(here) == [(0, "s", "opened", 0), (1, "s", "lost", 50), (4, "s", "reopened", 50),
                             (5, "s", "failed", 100)]  # fmt: skip
    assert here.facts(StreamChanged)[-1][1].detail == "the peer is gone"


@pytest.mark.parametrize(("format_", "bytes_"), [("wav", 2 * 32_000), ("mp3", 2 * 6_000)])
def test_a_recording_has_length_and_size(format_: str, bytes_: int) -> None:
    @silently()
    async def scenario(here: Silent) -> None:
        await asyncio.sleep(5)
        here.media.perform(recording(format=format_))
        await asyncio.sleep(2)
        here.media.perform(StopRecording("r", "SessionEnded"))
        here.media.perform(StopRecording("r"))
        await asyncio.sleep(1)
        assert recordings(here) == [(5, "r", "active", 0), (7, "r", "closed", 2000)]
        closed = here.facts(RecordingChanged)[-1][1]
        assert closed.began_at == EPOCH + 5
        assert closed.chunks == (RecordedChunk(document="r-0", index=0, why="SessionEnded", bytes=bytes_),)

    scenario()


@silently()
async def test_an_unmixed_recording_has_a_channel_for_each(here: Silent) -> None:
    here.media.perform(Mix("room", (Voice("a"), Voice("b"))))
    here.media.perform(recording(format="wav", mixed=False))
    await asyncio.sleep(1)
    here.media.perform(StopRecording("r"))
    await asyncio.sleep(1)
    assert here.facts(RecordingChanged)[-1][1].chunks[0].bytes == 64_000


@silently()
async def test_a_pause_is_not_recorded(here: Silent) -> None:
    here.media.perform(recording(paused=True))
    await asyncio.sleep(1)
    here.media.perform(ChangeRecording("r", (), paused=False))
    await asyncio.sleep(2)
    here.media.perform(ChangeRecording("r", (("a", "4:+1"),), paused=False))
    here.media.perform(ChangeRecording("r", (), paused=True))
    await asyncio.sleep(4)
    here.media.perform(StopRecording("r"))
    here.media.perform(ChangeRecording("r", (), paused=False))
    await asyncio.sleep(1)
    assert recordings(here) == [(0, "r", "inactive", 0), (1, "r", "active", 0), (3, "r", "inactive", 2000),
                                (7, "r", "closed", 2000)]  # fmt: skip


@silently()
async def test_a_recording_can_fail_from_the_start_or_later(here: Silent) -> None:
    here.media.captures.recording_fault = Failing(detail="the disk is full")
    here.media.perform(recording("one"))
    here.media.perform(recording("two"))
    await asyncio.sleep(1)
    here.media.captures.fail_recording("two", "the folder is gone")
    await asyncio.sleep(1)
    told = [(fact.recording, fact.state, fact.detail) for _, fact in here.facts(RecordingChanged)]
    assert told == [
        ("one", "failed", "the disk is full"),
        ("two", "active", ""),
        ("two", "failed", "the folder is gone"),
    ]
    assert here.media.captures.recordings == []


@silently()
async def test_both_end_with_their_room_and_only_with_theirs(here: Silent) -> None:
    here.media.perform(Mix("room", (Voice("a"),)))
    for room in ("room", "other"):
        here.media.perform(stream(f"s-{room}", room=room))
        here.media.perform(recording(f"r-{room}", room=room))
    await asyncio.sleep(1)
    here.media.perform(Mix("room", ()))
    await asyncio.sleep(1)
    assert streams(here)[2:] == [(1, "s-room", "closed", 50)]
    assert recordings(here)[2:] == [(1, "r-room", "closed", 1000)]
    assert [effect.id for effect in here.media.captures.streams] == ["s-other"]
    assert [effect.id for effect in here.media.captures.recordings] == ["r-other"]
