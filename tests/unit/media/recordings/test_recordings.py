"""What is in the files of a recording: levels, channels, pauses, times, and what is told of them."""

from pathlib import Path

import numpy as np
import pytest

from onhook.effects import ChangeRecording, StopRecording
from onhook.facts import RecordedChunk
from unit.media.recordings.recording_rig import (
    ANNA,
    BEGIN,
    BELA,
    NAMES,
    RESOURCE_ID,
    Recorder,
    Room,
    level_of,
    read_mp3,
    read_wav,
    recorder,
    tone,
)

LATE = "4:+14255550109"
MP3_SCALE = 0.95
"""LAME makes its sound that much softer, so that it does not clip."""


async def test_mixed_wav_holds_what_was_heard_and_played(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start()
        await recording.until("active")
        recording.room.play({"a": tone(440, 2), "b": tone(1_000, 2)}, prompt=tone(2_000, 2, level=4_000))
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        sound = read_wav(recording.folder / "doc-0.wav")
    assert sound.shape == (32_000, 1)
    for hertz, level in ((440, 8_000), (1_000, 8_000), (2_000, 4_000)):
        assert level_of(sound[:, 0], hertz) == pytest.approx(level, rel=0.01)
    assert closed.duration_ms == 2_000
    assert closed.began_at == BEGIN
    assert (closed.why, closed.format, closed.mixed, closed.detail) == ("SessionEnded", "wav", True, "")
    base = "https://localhost/v1/objects/doc-0"
    assert closed.chunks == (
        RecordedChunk(
            document="doc-0",
            index=0,
            why="SessionEnded",
            bytes=32_000 * 2 + 44,
            content=f"{base}/content/audio",
            metadata=f"{base}/content/acsmetadata",
            deletion=base,
        ),
    )
    assert recording.states() == ["active", "closed"]


async def test_the_metadata_file_is_that_of_acs(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start(mixed=False, channels=((BELA, 0),))
        await recording.until("active")
        recording.room.play({"a": tone(440, 1), "b": tone(1_000, 1)})
        recording.recordings.perform(StopRecording("r1"))
        await recording.until("closed")
        assert recording.metadata() == {
            "resourceId": RESOURCE_ID,
            "callId": "call",
            "chunkDocumentId": "doc-0",
            "chunkIndex": 0,
            "chunkStartTime": "2023-11-14T22:13:20.0000000Z",
            "chunkDuration": 1000,
            "pauseResumeIntervals": [],
            "recordingInfo": {
                "contentType": "audio",
                "channelType": "unmixed",
                "format": "wav",
                "audioConfiguration": {"sampleRate": 16_000, "bitRate": 512_000, "channels": 2},
            },
            "participants": [{"participantId": ANNA, "channel": 1}, {"participantId": BELA, "channel": 0}],
            "endReason": "SessionEnded",
        }
    assert sorted(path.name for path in recording.folder.iterdir()) == ["doc-0.json", "doc-0.wav"]
    assert {path.stat().st_mode & 0o777 for path in recording.folder.iterdir()} == {0o600}


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
async def test_unmixed_wav_has_a_channel_for_each_participant(tmp_path: Path, rate: int) -> None:
    async with recorder(tmp_path, Room(rate)) as recording:
        recording.start(mixed=False)
        await recording.until("active")
        prompt = tone(2_000, 3, rate)
        recording.room.play({"b": tone(1_000, 3, rate)}, prompt=prompt)  # the first to be heard
        recording.room.play({"a": tone(440, 3, rate), "b": tone(1_000, 3, rate)})
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        sound = read_wav(recording.folder / "doc-0.wav")
    assert closed.duration_ms == 6_000
    assert sound.shape == (96_000, 2)
    early, late = sound[8_000:40_000], sound[56_000:88_000]
    assert level_of(early[:, 0], 1_000) == pytest.approx(8_000, rel=0.01)
    assert level_of(late[:, 0], 1_000) == pytest.approx(8_000, rel=0.01)
    assert not early[:, 1].any()
    assert level_of(late[:, 1], 440) == pytest.approx(8_000, rel=0.01)
    for channel, own in ((0, 1_000), (1, 440)):
        foreign = {440, 1_000, 2_000} - {own}
        assert all(level_of(late[:, channel], hertz) < 8 for hertz in foreign)


async def test_channel_affinity_holds_for_those_who_come_late_or_never(tmp_path: Path) -> None:
    affinity = ((LATE, 0), ("4:+14255550108", 1), (ANNA, 4))
    async with recorder(tmp_path) as recording:
        recording.start(mixed=False, channels=affinity)
        await recording.until("active")
        recording.room.play({"b": tone(1_000, 1), "a": tone(440, 1)})
        recording.recordings.perform(ChangeRecording("r1", (*NAMES, ("c", LATE)), paused=False))
        recording.room.play({"c": tone(2_000, 1)})
        recording.recordings.perform(StopRecording("r1"))
        await recording.until("closed")
        sound = read_wav(recording.folder / "doc-0.wav")
        channels = {each["participantId"]: each["channel"] for each in recording.metadata()["participants"]}
    assert channels == {ANNA: 4, BELA: 2, LATE: 0}
    assert sound.shape == (32_000, 5)
    assert level_of(sound[:16_000, 4], 440) == pytest.approx(8_000, rel=0.01)
    assert level_of(sound[:16_000, 2], 1_000) == pytest.approx(8_000, rel=0.01)
    assert level_of(sound[16_000:, 0], 2_000) == pytest.approx(8_000, rel=0.01)
    assert not sound[:, [1, 3]].any()


async def test_a_sixth_participant_has_no_channel_and_is_named(tmp_path: Path) -> None:
    names = tuple((f"leg{n}", f"4:+1425555010{n}") for n in range(7))
    async with recorder(tmp_path) as recording:
        recording.start(mixed=False, names=names)
        await recording.until("active")
        for leg, _ in names[:6]:
            recording.room.play({leg: tone(1_000, 0.2)})
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        told = recording.metadata()["participants"]
        sound = read_wav(recording.folder / "doc-0.wav")
    assert closed.detail == "all five channels were taken, so these are not in it: 4:+14255550105"
    assert [each.get("channel") for each in told] == [0, 1, 2, 3, 4, None, None]
    assert [bool(sound[n * 3_200 : (n + 1) * 3_200].any()) for n in range(6)] == [True] * 5 + [False]


async def test_who_only_makes_the_noise_of_an_idle_line_takes_no_channel(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-40, 40, 16_000).astype(np.int16)
    async with recorder(tmp_path) as recording:
        recording.start(mixed=False)
        await recording.until("active")
        recording.room.play({"a": noise, "b": tone(1_000, 1)})
        recording.recordings.perform(StopRecording("r1"))
        await recording.until("closed")
        assert read_wav(recording.folder / "doc-0.wav").shape == (16_000, 1)
        told = recording.metadata()["participants"]
    assert told == [{"participantId": ANNA}, {"participantId": BELA, "channel": 0}]


async def pause(recording: Recorder, *, paused: bool) -> None:
    states = len(recording.states())
    recording.recordings.perform(ChangeRecording("r1", NAMES, paused=paused))
    await recording.until("inactive" if paused else "active")
    assert len(recording.states()) <= states + 1


@pytest.mark.parametrize("form", ["wav", "mp3"])
async def test_a_pause_leaves_no_gap_and_is_in_the_metadata(tmp_path: Path, form: str) -> None:
    async with recorder(tmp_path) as recording:
        recording.start(format=form)
        await recording.until("active")
        recording.room.play({"a": tone(440, 2)})
        await pause(recording, paused=True)
        recording.room.play({"a": tone(1_000, 5)})
        recording.recordings.perform(ChangeRecording("r1", NAMES, paused=True))  # again
        recording.recordings.perform(ChangeRecording("r1", NAMES, paused=False))
        recording.recordings.perform(ChangeRecording("r1", NAMES, paused=False))  # again
        recording.room.play({"a": tone(2_000, 2)})
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        path = recording.folder / f"doc-0.{form}"
        sound = read_wav(path)[:, 0] if form == "wav" else read_mp3(path)
        told = recording.metadata()
    assert recording.states() == ["active", "inactive", "active", "closed"]
    assert len(sound) == 64_000
    level = 8_000 * (MP3_SCALE if form == "mp3" else 1)
    assert level_of(sound[2_000:30_000], 440) == pytest.approx(level, rel=0.02)
    assert level_of(sound[34_000:62_000], 2_000) == pytest.approx(level, rel=0.02)
    assert level_of(sound, 1_000) < 40
    assert closed.duration_ms == 4_000
    assert told["chunkDuration"] == 4_000
    assert told["pauseResumeIntervals"] == [{"startTime": "2023-11-14T22:13:22.0000000Z", "duration": 5_000}]


async def test_a_recording_that_begins_paused(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start(paused=True)
        await recording.until("inactive")
        recording.room.play({"a": tone(1_000, 1)})
        recording.recordings.perform(ChangeRecording("r1", NAMES, paused=False))
        recording.room.play({"a": tone(440, 1)})
        recording.recordings.perform(StopRecording("r1"))
        await recording.until("closed")
        sound = read_wav(recording.folder / "doc-0.wav")[:, 0]
    assert recording.states() == ["inactive", "active", "closed"]
    assert len(sound) == 16_000
    assert level_of(sound, 1_000) < 10


@pytest.mark.parametrize("form", ["wav", "mp3"])
async def test_one_that_is_stopped_while_paused_ends_with_the_pause(tmp_path: Path, form: str) -> None:
    async with recorder(tmp_path) as recording:
        recording.start(paused=True, format=form)
        await recording.until("inactive")
        recording.room.play({"a": tone(1_000, 3)})
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        assert closed.duration_ms == 0
        assert recording.metadata()["pauseResumeIntervals"][0]["duration"] == 3_000
        path = recording.folder / f"doc-0.{form}"  # it can be opened all the same
        assert len(read_wav(path) if form == "wav" else read_mp3(path)) <= 320


async def test_mp3_sounds_as_what_was_heard(tmp_path: Path) -> None:
    async with recorder(tmp_path, Room(8_000)) as recording:
        recording.start(format="mp3")
        await recording.until("active")
        recording.room.play({"a": tone(440, 4, 8_000)})
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        sound = read_mp3(recording.folder / "doc-0.mp3")
        info = recording.metadata()["recordingInfo"]
    assert len(sound) == 64_000
    assert level_of(sound[8_000:56_000], 440) == pytest.approx(MP3_SCALE * 8_000, rel=0.02)
    assert closed.chunks[0].bytes == pytest.approx(4 * 48_000 / 8, rel=0.05)
    assert (info["format"], info["audioConfiguration"]["bitRate"]) == ("mp3", 48_000)


async def test_what_is_missing_is_silence_in_its_place(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start()
        await recording.until("active")
        recording.room.pass_time(1.0)  # a room without legs has no frames
        recording.room.play({"a": tone(440, 1)})
        recording.room.pass_time(25.0)
        recording.room.play({"a": tone(1_000, 1)})
        recording.room.pass_time(2.0)
        recording.recordings.perform(StopRecording("r1"))
        closed = await recording.until("closed")
        sound = read_wav(recording.folder / "doc-0.wav")[:, 0]
    assert closed.duration_ms == 30_000
    assert not sound[:16_000].any()
    assert level_of(sound[16_000:32_000], 440) == pytest.approx(8_000, rel=0.01)
    assert not sound[32_000 : 27 * 16_000].any()
    assert level_of(sound[27 * 16_000 : 28 * 16_000], 1_000) == pytest.approx(8_000, rel=0.01)
    assert not sound[28 * 16_000 :].any()


async def test_frames_that_come_a_little_late_leave_no_gap(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start()
        await recording.until("active")
        for _ in range(10):
            recording.room.play({"a": tone(500, 0.1)})
            recording.room.pass_time(0.004)
        recording.recordings.perform(StopRecording("r1"))
        await recording.until("closed")
        sound = read_wav(recording.folder / "doc-0.wav")[:, 0]
    assert len(sound) == 16_000
    assert np.abs(np.diff(sound.astype(int))).max() < 1_700  # a seam would jump


async def test_a_room_of_nobody_is_recorded_as_silence(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start(names=())
        await recording.until("active")
        recording.room.silence(1.5)
        recording.recordings.perform(StopRecording("r1", why="CallEnded"))
        closed = await recording.until("closed")
        assert (closed.duration_ms, closed.why) == (1_500, "CallEnded")
        assert not read_wav(recording.folder / "doc-0.wav").any()
        assert recording.metadata()["participants"] == []


async def test_a_room_that_closes_ends_its_recordings_and_no_others(tmp_path: Path) -> None:
    async with recorder(tmp_path) as recording:
        recording.start()
        recording.start(id="r2")
        recording.start()  # the same again
        await recording.until("active")
        await recording.until("active", "r2")
        recording.recordings.leave("elsewhere")
        assert len(recording.room.taps) == 2
        recording.recordings.leave("room")
        assert not recording.room.taps
        recording.recordings.perform(StopRecording("r1"))  # the core asks as well
        assert (await recording.until("closed")).why == "CallEnded"
        assert (await recording.until("closed", "r2")).why == "CallEnded"
        recording.recordings.perform(StopRecording("r1"))
        recording.recordings.perform(ChangeRecording("r1", NAMES, paused=True))
    assert recording.states() == ["active", "closed"]
    assert recording.recordings.under_way == 0
