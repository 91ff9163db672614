"""The folder of recordings: what a crash leaves, what is kept, found, deleted, and cleaned."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from onhook.effects import StopRecording
from onhook.media.recordings import wav
from onhook.media.recordings.mp3 import Mp3File
from onhook.media.recordings.shelf import OpenChunk, Plan, Shelf
from onhook.media.recordings.wav import HEADER, WavFile, channels_in, narrow, repair
from unit.media.recordings.recording_rig import (
    ANNA,
    BEGIN,
    BELA,
    RESOURCE_ID,
    level_of,
    read_mp3,
    read_wav,
    recorder,
    tone,
)

ROOT = Path(__file__).parents[4]
RECORD_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from unit.media.recordings.recording_rig import Recorder, tone

async def main() -> None:
    recorder = Recorder(Path(sys.argv[1]), storage_folder=sys.argv[1] + "/..")
    await recorder.recordings.recover()
    recorder.start(format=sys.argv[2], mixed=sys.argv[2] == "mp3", storage=sys.argv[3])
    await recorder.until("active")
    recorder.room.play({"b": tone(1_000, 5), "a": tone(440, 5)})
    await recorder.until_written(4.5)
    print("recorded", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def record_and_kill(folder: Path, form: str, storage: str = "") -> None:
    """A process that records five seconds, and is killed while it does."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RECORD_UNTIL_KILLED, str(folder / "recordings"), form, storage,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert process.stdout
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"recorded\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()


@pytest.mark.parametrize("form", ["wav", "mp3"])
async def test_a_crash_leaves_a_file_that_plays_and_the_next_start_finishes_it(
    tmp_path: Path, form: str
) -> None:
    await record_and_kill(tmp_path, form)
    path = tmp_path / "recordings" / f"doc-0.{form}"
    crashed = read_wav(path)[:, 0] if form == "wav" else read_mp3(path)
    assert len(crashed) > 64_000
    async with recorder(tmp_path) as recording:
        closed = await recording.until("closed")
        told = recording.metadata()
        sound = read_wav(path) if form == "wav" else read_mp3(path)[:, None]
    assert closed.detail.startswith("the server stopped while it was recorded")
    assert (closed.why, closed.began_at, closed.mixed) == ("ServerStopped", BEGIN, form == "mp3")
    assert closed.duration_ms == pytest.approx(len(sound) / 16, abs=100)  # MP3: by its bytes
    assert [chunk.why for chunk in closed.chunks] == ["ServerStopped"]
    assert (told["resourceId"], told["endReason"]) == (RESOURCE_ID, "ServerStopped")
    assert level_of(sound[16_000:48_000, 0], 1_000) == pytest.approx(8_000, rel=0.06)
    if form == "wav":
        assert sound.shape[1] == 2
        assert level_of(sound[16_000:48_000, 1], 440) == pytest.approx(8_000, rel=0.01)
        assert told["participants"] == [
            {"participantId": ANNA, "channel": 1},
            {"participantId": BELA, "channel": 0},
        ]
    assert not list((tmp_path / "recordings").glob("*.open"))
    async with recorder(tmp_path) as again:
        assert not again.facts  # once is enough


async def test_a_recording_for_external_storage_gets_there_after_a_crash(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    await record_and_kill(tmp_path, "mp3", outside.as_uri())
    async with recorder(tmp_path, storage_folder=str(tmp_path)) as recording:
        closed = await recording.until("closed")
    (chunk,) = closed.chunks
    path = outside / "20231114/call/r1/doc-0.mp3"
    assert chunk.content == path.as_uri()
    assert len(read_mp3(path)) > 64_000
    assert not list((tmp_path / "recordings").iterdir())


async def test_the_chunks_of_one_recording_are_finished_together(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "recordings")
    shelf.prepare()
    for index in range(3):
        chunk = open_chunk(f"doc-{index}", index)
        file = WavFile(shelf.content(chunk.document, "wav"), 1)
        file.append(tone(440, 1 + index))
        file.abandon()
        shelf.note(chunk)
    async with recorder(tmp_path) as recording:
        closed = await recording.until("closed")
    assert recording.states() == ["closed"]
    assert closed.duration_ms == 6_000
    assert [(chunk.index, chunk.why) for chunk in closed.chunks] == [
        (0, "ChunkMaximumSizeExceeded"),
        (1, "ChunkMaximumSizeExceeded"),
        (2, "ServerStopped"),
    ]


def open_chunk(document: str, index: int = 0) -> OpenChunk:
    plan = Plan(
        recording="r1",
        room="room",
        resource_id=RESOURCE_ID,
        server_call_id="server-call",
        call_id="call",
        format="wav",
        mixed=True,
        storage="",
        began_at=BEGIN,
    )
    return OpenChunk(plan=plan, document=document, index=index, began_at=BEGIN + index)


async def test_marks_that_cannot_be_read_are_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "doc-7.open").write_text("{")
    (folder / "doc-7.wav").write_bytes(b"sound")
    async with recorder(tmp_path) as recording:
        assert not recording.facts
    assert sorted(path.name for path in folder.iterdir()) == ["doc-7.broken", "doc-7.wav"]


async def test_a_mark_whose_sound_is_gone_gives_an_empty_file(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "recordings")
    shelf.prepare()
    shelf.note(open_chunk("doc-0"))
    async with recorder(tmp_path) as recording:
        assert (await recording.until("closed")).duration_ms == 0
    assert read_wav(tmp_path / "recordings/doc-0.wav").shape == (0, 1)


async def test_finished_files_are_found_and_deleted(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        for number in range(3):
            recording.start(id=f"r{number}", format="mp3" if number else "wav")
            await recording.until("active", f"r{number}")
            recording.recordings.perform(StopRecording(f"r{number}"))
            await recording.until("closed", f"r{number}")
        shelf = recording.recordings.shelf
        found = shelf.find("doc-1")
        assert found is not None
        assert (found.document, found.resource_id, found.content_type) == ("doc-1", RESOURCE_ID, "audio/mpeg")
        assert found.content.read_bytes()
        assert found.told.call_id == "call"
        assert {each.document for each in shelf.listing(10)} == {"doc-0", "doc-1", "doc-2"}
        assert len(shelf.listing(2)) == 2
        assert shelf.delete("doc-1")
        assert not shelf.delete("doc-1")
        assert shelf.find("doc-1") is None


def test_what_is_past_its_time_is_deleted_and_the_rest_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number, name in enumerate(("old", "new", "under-way")):
        chunk = open_chunk(name, number)
        shelf.note(chunk)
        WavFile(shelf.content(name, "wav"), 1).close()
        if name != "under-way":
            shelf.finish(chunk, 0, "SessionEnded")
            shelf.settle(name)
    for remains in ("gone.wav", "cut.wav.new", "odd.broken"):
        (tmp_path / remains).touch()
    for path in tmp_path.iterdir():
        os.utime(path, (BEGIN, BEGIN) if not path.name.startswith("new") else (BEGIN + 10, BEGIN + 10))
    assert shelf.clean(BEGIN) == 0
    assert shelf.clean(BEGIN + 10) == 5
    left = ["new.json", "new.wav", "under-way.open", "under-way.wav"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left


@pytest.mark.parametrize("document", ["", "../doc-0", "doc/0", "DOC-0", "doc-0.json", "x" * 81, "doc-0\n"])
def test_what_is_no_document_is_not_looked_for(tmp_path: Path, document: str) -> None:
    (tmp_path / "doc-0.json").write_text("{}")
    assert Shelf(tmp_path).find(document) is None


@pytest.mark.parametrize("text", ["{}", "[", '{"resourceId": 3}'])
def test_metadata_that_cannot_be_read_are_no_recording(tmp_path: Path, text: str) -> None:
    (tmp_path / "doc-0.json").write_text(text)
    assert Shelf(tmp_path).find("doc-0") is None
    assert not Shelf(tmp_path).listing(10)


def test_metadata_without_content_are_no_recording(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    WavFile(shelf.content("doc-0", "wav"), 1).close()
    shelf.finish(open_chunk("doc-0"), 0, "SessionEnded")
    assert shelf.find("doc-0") is not None
    shelf.content("doc-0", "wav").unlink()
    assert shelf.find("doc-0") is None


# WAV files by themselves


def test_a_wav_file_is_whole_after_every_block(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = WavFile(path, 2)
    assert read_wav(path).shape == (0, 2)
    for blocks in range(1, 4):
        file.append(np.full((160, 2), blocks, np.int16))
        assert read_wav(path).shape == (160 * blocks, 2)
        assert file.size == path.stat().st_size
    file.close()
    file.abandon()  # again


@pytest.mark.parametrize("cut", [1, 2, 5, 641])
def test_a_wav_file_that_was_cut_off_is_repaired(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.wav"
    file = WavFile(path, 3)
    file.append(np.arange(960, dtype=np.int16).reshape(-1, 3))
    file.close()
    with path.open("r+b") as opened:
        opened.truncate(path.stat().st_size - cut)
    left = (1920 - cut) // 6
    assert repair(path, 1) == left
    assert np.array_equal(read_wav(path).ravel(), np.arange(left * 3))


@pytest.mark.parametrize("size", [0, 7, HEADER.size - 1])
def test_a_wav_file_without_its_header_is_made_an_empty_one(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"R" * size)
    assert channels_in(path) == 0
    assert repair(path, 5) == 0
    assert read_wav(path).shape == (0, 5)


def test_channels_are_taken_out_of_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav, "NARROWED_FRAMES", 100)
    path = tmp_path / "a.wav"
    sound = np.arange(5 * 1_234, dtype=np.int16).reshape(-1, 5)
    file = WavFile(path, 5)
    file.append(sound)
    file.close()
    narrow(path, 2)
    assert np.array_equal(read_wav(path), sound[:, :2])
    narrow(path, 4)  # it has no more than 2
    assert np.array_equal(read_wav(path), sound[:, :2])
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]


def test_an_mp3_file_takes_little_time_and_much_sound(tmp_path: Path) -> None:
    began = time.process_time()
    file = Mp3File(tmp_path / "a.mp3")
    for _ in range(40):
        file.append(tone(440, 0.5))
        file.append(tone(440, 0))
    assert file.size > 100_000
    file.close()
    assert file.size == 0
    assert len(read_mp3(tmp_path / "a.mp3")) == 320_000
    assert time.process_time() - began < 5
