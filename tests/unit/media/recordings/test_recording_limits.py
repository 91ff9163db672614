"""Recordings that become too long, too large, too many or too slow, and disks that are full or gone."""

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onhook.effects import StopRecording
from onhook.media.recordings import recordings as part
from onhook.media.recordings.recording import (
    Begin,
    BeginPaused,
    Broken,
    Ended,
    Heard,
    Named,
    PauseIt,
    Recording,
    ResumeIt,
    Stop,
)
from onhook.media.recordings.settings import RecordingSettings
from onhook.media.recordings.shelf import Plan, Shelf
from onhook.media.recordings.wav import WavFile
from unit.media.recordings.recording_rig import (
    BEGIN,
    NAMES,
    Room,
    level_of,
    read_wav,
    recorder,
    tone,
)

SECOND_HOURS = 1 / 3600


async def test_a_long_recording_goes_on_in_the_next_chunk(tmp_path: Path) -> None:
    async with recorder(tmp_path, chunk_hours=2 * SECOND_HOURS) as recording:
        recording.start()
        await recording.until("active")
        for number, hertz in enumerate((440, 1_000, 2_000)):
            recording.room.play({"a": tone(hertz, 2)})
            await recording.until_written(2 * number + 1.5)
        recording.room.play({"a": tone(3_000, 1)})
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        told = [recording.metadata(f"doc-{n}") for n in range(len(closed.chunks))]
        sounds = [read_wav(recording.folder / f"doc-{n}.wav")[:, 0] for n in range(len(closed.chunks))]
    assert [chunk.index for chunk in closed.chunks] == list(range(len(closed.chunks)))
    assert [chunk.why for chunk in closed.chunks[:-1]] == ["ChunkMaximumSizeExceeded"] * (len(told) - 1)
    assert closed.chunks[-1].why == "SessionEnded"
    assert closed.duration_ms == 7_000 == sum(each["chunkDuration"] for each in told)
    assert all(each["chunkDuration"] >= 2_000 for each in told[:-1])
    whole = np.concatenate(sounds)
    for number, hertz in enumerate((440, 1_000, 2_000)):
        part_of_it = whole[number * 32_000 : (number + 1) * 32_000]
        assert level_of(part_of_it, hertz) == pytest.approx(8_000, rel=0.01)
    assert [each["chunkIndex"] for each in told] == list(range(len(told)))
    assert told[1]["chunkStartTime"] > told[0]["chunkStartTime"]


@pytest.mark.parametrize(
    ("limit", "setting"),
    [
        ({"max_hours": 2 * SECOND_HOURS}, "recording.max_hours"),
        ({"max_megabytes": 0}, "recording.max_megabytes"),
    ],
)
async def test_one_that_reaches_its_limit_fails_and_keeps_what_it_has(
    tmp_path: Path, limit: dict[str, Any], setting: str
) -> None:
    async with recorder(tmp_path, **limit) as recording:
        recording.start()
        await recording.until("active")
        recording.room.play({"a": tone(440, 3)})
        failed = await recording.until("failed")
        assert not recording.room.taps
        sound = read_wav(recording.folder / "doc-0.wav")[:, 0]
        assert recording.metadata()["endReason"] == "LimitReached"
        recording.recordings.perform(StopRecording("r1"))  # the core does not know yet
    assert setting in failed.detail
    assert failed.why == "LimitReached"
    assert [chunk.document for chunk in failed.chunks] == ["doc-0"]
    assert failed.duration_ms == len(sound) / 16 > 0
    assert level_of(sound[:16_000], 440) > 2_000
    assert recording.states() == ["active", "failed"]


async def test_too_many_at_a_time(tmp_path: Path) -> None:
    async with recorder(tmp_path, max_recordings=1) as recording:
        recording.start()
        recording.start(id="r2")
        failed = await recording.until("failed", "r2")
        assert failed.detail == "1 recordings are under way, the limit of recording.max_recordings"
        assert len(recording.room.taps) == 1


async def test_an_unmixed_recording_is_no_mp3(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start(format="mp3", mixed=False)
        failed = await recording.until("failed")
        assert failed.detail == "an unmixed recording is wav, mp3 was asked for"
        assert not recording.room.taps


@pytest.mark.parametrize("form", ["wav", "mp3"])
async def test_a_disk_that_takes_nothing(tmp_path: Path, form: str) -> None:
    """/dev/full answers every write as a full disk does."""
    async with recorder(tmp_path) as recording:
        (recording.folder / f"doc-0.{form}").symlink_to("/dev/full")
        recording.start(format=form)
        if form == "mp3":  # its first bytes come with the first sound
            recording.room.play({"a": tone(440, 2)})
        failed = await recording.until("failed")
        assert not recording.room.taps
    assert "No space left on device" in failed.detail
    assert failed.why == "StorageFailed"


async def test_a_disk_that_fills_up_leaves_what_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorder(tmp_path) as recording:
        recording.start()
        await recording.until("active")
        write, room = os.write, [50_001]

        def scarce(descriptor: int, data: Any) -> int:
            if len(data) < 2_000:
                return write(descriptor, data)
            if not room[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken = write(descriptor, data[: room[0]])
            room[0] -= taken
            return taken

        monkeypatch.setattr(os, "write", scarce)
        recording.room.play({"a": tone(440, 4)})
        failed = await recording.until("failed")
        sound = read_wav(recording.folder / "doc-0.wav")[:, 0]
    assert "No space left on device" in failed.detail
    assert len(failed.chunks) == 1
    assert level_of(sound[:16_000], 440) == pytest.approx(8_000, rel=0.01)
    assert len(sound) == 25_000  # the odd byte is no sample


async def test_recordings_end_before_the_disk_is_full(tmp_path: Path) -> None:
    async with recorder(tmp_path, keep_free_megabytes=2**60) as recording:
        recording.start()
        failed = await recording.until("failed")
    assert "recording.keep_free_megabytes" in failed.detail
    assert failed.why == "StorageFull"


async def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.folder.rmdir()
        recording.start()
        failed = await recording.until("failed")
    assert "cannot be looked at" in failed.detail or "cannot be written" in failed.detail
    assert not failed.chunks


async def test_a_slow_disk_loses_sound_and_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, seen = threading.Event(), threading.Event()
    append = WavFile.append

    def slowly(self: WavFile, samples: Any) -> None:
        seen.set()
        assert stuck.wait(20)
        append(self, samples)

    async with recorder(tmp_path, queue_seconds=1.0) as recording:
        recording.start()
        await recording.until("active")
        monkeypatch.setattr(WavFile, "append", slowly)
        recording.room.play({"a": tone(440, 1)})
        assert await asyncio.to_thread(seen.wait, 20)
        recording.room.play({"a": tone(1_000, 1)})  # fills the queue
        recording.room.play({"a": tone(2_000, 2)})  # is dropped, at once
        stuck.set()
        await recording.until_written(1.5)
        recording.room.play({"a": tone(3_000, 1)})
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        sound = read_wav(recording.folder / "doc-0.wav")[:, 0]
    assert "s are silent in it: the disk was too slow for them" in closed.detail
    assert float(closed.detail.split(" ", 1)[0]) == pytest.approx(2.0, abs=1.0)
    assert closed.duration_ms == pytest.approx(5_000, abs=100)
    assert level_of(sound[-15_000:-1_000], 3_000) == pytest.approx(8_000, rel=0.05)
    assert level_of(sound, 440) > 1_000


async def test_a_fault_of_ours_ends_one_recording_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorder(tmp_path) as recording:
        recording.start()
        recording.start(id="r2")
        await recording.until("active")
        await recording.until("active", "r2")
        hear = Recording.handle

        def broken(self: Recording, received: object) -> list[Any]:
            if isinstance(received, Heard) and received.frames and self.plan.recording == "r1":
                raise ZeroDivisionError("no such number")
            return hear(self, received)

        monkeypatch.setattr(Recording, "handle", broken)
        recording.room.play({"a": tone(440, 1)})
        failed = await recording.until("failed")
        recording.recordings.perform(StopRecording("r2"))
        closed = await recording.until("closed", "r2")
    assert failed.detail == "Onhook failed: ZeroDivisionError: no such number"
    assert closed.duration_ms == 1_000


async def test_files_that_cannot_be_finished_are_left_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with recorder(tmp_path) as recording:
        recording.start()
        await recording.until("active")
        recording.room.play({"a": tone(440, 1)})
        monkeypatch.setattr(Shelf, "finish", full)
        recording.recordings.perform(StopRecording("r1"))
        failed = await recording.until("failed")
    assert "its files could not be finished" in failed.detail
    monkeypatch.undo()
    async with recorder(tmp_path) as again:
        closed = await again.until("closed")
    assert closed.duration_ms == 1_000


async def test_a_server_that_stops_finishes_its_recordings(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start()
        await recording.until("active")
        recording.room.play({"a": tone(440, 1)})
    assert recording.states() == ["active", "closed"]
    assert recording.facts[-1].why == "ServerStopped"
    assert not list(recording.folder.glob("*.open"))


async def test_a_writer_that_hangs_does_not_keep_the_server_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, seen = threading.Event(), threading.Event()

    def hangs(*_: Any) -> None:
        seen.set()
        stuck.wait(30)

    monkeypatch.setattr(part, "CLOSING_SECONDS", 0.2)
    try:
        async with recorder(tmp_path) as recording:
            recording.start()
            await recording.until("active")
            monkeypatch.setattr(WavFile, "append", hangs)
            recording.room.play({"a": tone(440, 1)})
            assert await asyncio.to_thread(seen.wait, 20)
        assert recording.states() == ["active"]
        assert list(recording.folder.glob("*.open"))
    finally:
        stuck.set()


def alone(folder: Path, *, mixed: bool = True) -> Recording:
    """The machine by itself."""
    plan = Plan(
        recording="r",
        room="room",
        resource_id="",
        server_call_id="s",
        call_id="c",
        format="wav",
        mixed=mixed,
        storage="",
        began_at=BEGIN,
    )
    settings, draw = RecordingSettings(), (f"doc-{n}" for n in range(9)).__next__
    return Recording(plan, NAMES, (), shelf=Shelf(folder), settings=settings, draw=draw)


@pytest.mark.parametrize("paused", [False, True])
def test_every_row_of_a_recording(tmp_path: Path, paused: bool) -> None:  # noqa: FBT001  # a case
    """The machine by itself: what is asked twice changes nothing, a fault ends it in every state."""
    recording = alone(tmp_path)
    begun = recording.handle(BeginPaused(BEGIN) if paused else Begin(BEGIN))
    assert [told.state for told in begun] == ["inactive" if paused else "active"]
    same = PauseIt(BEGIN) if paused else ResumeIt(BEGIN)
    assert recording.handle(same) == []
    assert recording.handle(Named((*NAMES, ("c", "8:acs:x")))) == []
    assert recording.handle(Heard((), BEGIN + 1)) == []
    (ended,) = recording.handle(Broken(BEGIN + 1, "no reason", "Why"))
    assert isinstance(ended, Ended)
    assert (ended.state, ended.detail, ended.why) == ("failed", "no reason", "Why")
    assert [closed.samples for closed in ended.chunks] == [0 if paused else 16_000]
    assert len(ended.chunks[0].chunk.participants) == 3


def test_a_fault_while_it_is_closed_ends_it_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = alone(tmp_path)
    recording.handle(Begin(BEGIN))

    def broken(_self: WavFile) -> None:
        raise OSError(errno.EIO, "bad disk")

    monkeypatch.setattr(WavFile, "close", broken)
    with pytest.raises(OSError, match="bad disk"):
        recording.handle(Stop(BEGIN + 1, "SessionEnded"))
    (ended,) = recording.handle(Broken(BEGIN + 1, "bad disk", "StorageFailed"))
    assert (ended.state, len(ended.chunks)) == ("failed", 1)
    assert len(read_wav(tmp_path / "doc-0.wav")) == 16_000


def test_a_room_with_a_rate_that_changes(tmp_path: Path) -> None:
    """An engine may begin to mix at another rate when somebody with a better codec comes."""
    narrow, wide = Room(8_000), Room(16_000)
    frames: list[Any] = []
    narrow.tap("room", frames.append)
    narrow.play({"a": tone(1_000, 1, 8_000)})
    wide._frames = narrow._frames
    wide.tap("room", frames.append)
    wide.play({"a": tone(1_000, 1)})
    recording = alone(tmp_path, mixed=False)
    recording.handle(Begin(BEGIN))
    recording.handle(Heard(tuple(frames), BEGIN + 2))
    recording.handle(Stop(BEGIN + 2, "SessionEnded"))
    sound = read_wav(tmp_path / "doc-0.wav")[:, 0]
    assert len(sound) == 32_000
    assert level_of(sound[:16_000], 1_000) == pytest.approx(8_000, rel=0.02)
    assert level_of(sound[16_000:], 1_000) == pytest.approx(8_000, rel=0.02)
