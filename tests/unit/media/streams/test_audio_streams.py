"""Audio to an application and back: messages, levels, speakers, digits, and what is taken back."""

import base64
from collections import Counter
from typing import Any

import numpy as np
import pytest

from onhook.effects import CloseStream, UpdateStream
from onhook.facts import DigitHeard
from onhook.media.parts import Samples
from onhook.media.streams.speakers import MOST_SPEAKERS, Speakers
from unit.media.recordings.recording_rig import level_of, tone
from unit.media.streams.stream_rig import ANNA, BEGIN, BELA, NAMES, Room, application, scene


def audio(samples: Samples) -> str:
    return base64.b64encode(samples.astype("<i2").tobytes()).decode()


@pytest.mark.parametrize("heard_at", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("rate", [16_000, 24_000])
async def test_mixed_audio_is_all_voices_in_frames_of_20_ms(heard_at: int, rate: int) -> None:
    async with application() as app, scene(Room(heard_at)) as streams:
        streams.open(f"{app.url}?key=a%2Fb", rate=rate)
        opened = await streams.until("opened")
        streams.room.play({"a": tone(440, 1, heard_at), "b": tone(1_000, 1, heard_at)})
        await app.until_messages(51)
        streams.streams.perform(CloseStream("s1"))
        closed = await streams.until("closed")
        await app.until(lambda: app.close_codes)
    first, *frames = app.messages
    assert first == {
        "kind": "AudioMetadata",
        "audioMetadata": {
            "subscriptionId": "s1",
            "encoding": "PCM",
            "sampleRate": rate,
            "channels": 1,
            "length": rate // 50 * 2,
        },
    }
    assert len(frames) == 50
    assert {frozenset(told) for told in frames} == {frozenset({"kind", "audioData"})}
    assert [told["audioData"]["timestamp"] for told in frames[:3]] == [
        "2023-11-14T22:13:20.000Z",
        "2023-11-14T22:13:20.020Z",
        "2023-11-14T22:13:20.040Z",
    ]
    assert all(set(told["audioData"]) == {"timestamp", "data", "silent"} for told in frames)
    assert not any(told["audioData"]["silent"] for told in frames)
    sound = app.sound()
    assert len(sound) == rate
    for hertz in (440, 1_000):
        assert level_of(sound[rate // 4 : -rate // 4], hertz, rate) == pytest.approx(8_000, rel=0.02)
    assert (opened.url, opened.sent) == (app.url, 0)
    assert app.queries == ["key=a%2Fb"]
    assert (closed.sent, closed.received, closed.dropped) == (50, 0, 0)
    assert app.close_codes == [1000]
    assert not streams.room.taps


async def test_loud_voices_together_stay_within_16_bits() -> None:
    loud = np.full(320, 30_000, np.int16)
    async with application() as app, scene() as streams:
        streams.open(app.url)
        await streams.until("opened")
        streams.room.play({"a": loud, "b": loud})
        await app.until_messages(2)
    assert set(app.sound().tolist()) == {32_767}


async def test_an_empty_room_is_silence_and_marked_so() -> None:
    async with application() as app, scene(Room(8_000)) as streams:
        streams.open(app.url)
        await streams.until("opened")
        streams.room.play({"a": tone(440, 0.1, 8_000)})
        streams.room.play({}, seconds=0.2)
        streams.room.play({"a": np.full(160, 20, np.int16)})
        await app.until_messages(1 + 5 + 10 + 1)
    flags = [told["audioData"]["silent"] for told in app.of("AudioData")]
    assert flags[:5] == [False] * 5
    assert all(flags[7:])  # the filter's own end is sound yet
    sound = app.sound()
    assert not sound[8 * 320 : 15 * 320].any()
    assert np.abs(sound[5 * 320 : 6 * 320]).max() > 100
    assert 0 < np.abs(sound[-320:]).max() <= 100


async def test_unmixed_audio_is_each_participant_by_itself() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, mixed=False)
        await streams.until("opened")
        streams.room.play({"stranger": tone(3_000, 0.1)})  # no name is known for it
        streams.room.play({"a": tone(440, 0.5)})
        streams.room.play({"a": tone(440, 0.5), "b": tone(1_000, 0.5)})
        streams.room.play({"b": tone(1_000, 0.5)})
        await app.until_messages(1 + 25 + 50 + 50)
    assert {told["audioData"]["participantRawID"] for told in app.of("AudioData")} == {ANNA, BELA}
    first, second = app.sound(ANNA), app.sound(BELA)
    assert (len(first), len(second)) == (24_000, 16_000)  # each from its first sound on, without a gap
    assert level_of(first[:16_000], 440) == pytest.approx(8_000, rel=0.01)
    assert not first[16_000:].any()
    assert level_of(second, 1_000) == pytest.approx(8_000, rel=0.01)
    silent = [told for told in app.of("AudioData") if told["audioData"]["silent"]]
    assert {told["audioData"]["participantRawID"] for told in silent} == {ANNA}
    assert len(silent) == 25


async def test_who_comes_is_heard_and_who_goes_is_not() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, mixed=False, names=NAMES[:1])
        await streams.until("opened")
        streams.room.play({"a": tone(440, 0.1), "b": tone(1_000, 0.1)})
        await app.until_messages(6)
        streams.streams.perform(UpdateStream("s1", NAMES[1:]))
        streams.room.play({"a": tone(440, 0.1), "b": tone(1_000, 0.1)})
        await app.until_messages(11)
    who = [told["audioData"]["participantRawID"] for told in app.of("AudioData")]
    assert who == [ANNA] * 5 + [BELA] * 5


def frames_of(levels: dict[str, int]) -> Any:
    """A frame in which each leg has this level."""
    room, kept = Room(), list[Any]()
    room.tap("room", kept.append)
    room.play({leg: np.full(320, level, np.int16) for leg, level in levels.items()})
    return kept[0]


def test_of_many_speakers_the_four_that_dominate_are_sent() -> None:
    legs = [f"leg{n}" for n in range(7)]
    speakers = Speakers([(leg, leg.upper()) for leg in legs])
    quiet = dict.fromkeys(legs, 50)
    for _ in range(100):
        said = speakers.of(frames_of(quiet | {"leg1": 9_000, "leg3": 8_000, "leg5": 7_000, "leg6": 6_000}))
    assert len(said) == MOST_SPEAKERS
    assert {each.participant for each in said} == {"LEG1", "LEG3", "LEG5", "LEG6"}
    said = speakers.of(frames_of(quiet | {"leg0": 9_000}))  # a cough changes nothing
    assert "LEG0" not in {each.participant for each in said}
    for _ in range(200):
        said = speakers.of(frames_of(quiet | {"leg0": 9_000}))
    assert "LEG0" in {each.participant for each in said}
    speakers.name([(leg, leg.upper()) for leg in legs[:2]])
    assert {each.participant for each in speakers.of(frames_of(quiet))} == {"LEG0", "LEG1"}


@pytest.mark.parametrize(
    ("level", "silent"), [(0, True), (100, True), (-100, True), (101, False), (-101, False)]
)
async def test_what_is_silent(level: int, silent: bool) -> None:  # noqa: FBT001  # a case
    async with application() as app, scene() as streams:
        streams.open(app.url)
        await streams.until("opened")
        streams.room.play({"a": np.full(320, level, np.int16)})
        (_, told) = await app.until_messages(2)
    assert told["audioData"]["silent"] is silent


async def test_streams_of_different_rates_share_a_tick() -> None:
    async with application() as app, scene(Room(8_000)) as streams:
        for name, rate in (("s1", 16_000), ("s2", 24_000), ("s3", 16_000)):
            streams.open(app.url, id=name, rate=rate, mixed=name != "s3")
            await streams.until("opened", stream=name)
        streams.room.play({"a": tone(440, 0.5, 8_000)})
        messages = await app.until_messages(3 + 3 * 25)
    lengths = Counter(len(each["audioData"]["data"]) for each in messages if each["kind"] == "AudioData")
    assert lengths == {856: 50, 1280: 25}  # base64 of 640 and 960 bytes
    assert len(app.sound(ANNA)) == 8_000


async def test_digits_of_the_room_are_sent_when_they_are_wanted() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, digits=True)
        streams.open(app.url, id="s2")
        await streams.until("opened")
        await streams.until("opened", stream="s2")
        for digit, leg in (("3", "a"), ("#", "b"), ("9", "elsewhere")):
            streams.streams.hear(DigitHeard(at=BEGIN, leg=leg, digit=digit))
        await app.until_messages(2, "DtmfData")
        streams.streams.perform(CloseStream("s1"))
        await app.until(lambda: app.close_codes)
    assert app.of("DtmfData") == [
        {"kind": "DtmfData", "dtmfData": {"data": "3"}},
        {"kind": "DtmfData", "dtmfData": {"data": "#"}},
    ]


# The application's own voice


@pytest.mark.parametrize("rate", [16_000, 24_000])
@pytest.mark.parametrize(
    "spell",
    [
        lambda data: {"kind": "audioData", "audioData": {"data": data, "isSilent": False}, "stopAudio": {}},
        lambda data: {"Kind": "AudioData", "AudioData": {"Data": data}, "StopAudio": None},
        lambda data: {"KIND": "AUDIODATA", "audiodata": {"DATA": data}},
    ],
    ids=["JavaScript", "Python", "shouted"],
)
async def test_what_the_application_says_is_played_to_the_room(spell: Any, rate: int) -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, bidirectional=True, rate=rate)
        await streams.until("opened")
        await app.until(lambda: app.sockets)
        sound = tone(440, 1, rate)
        for start in range(0, len(sound), 1_000):
            await app.say(spell(audio(sound[start : start + 1_000])))
        await app.say({"kind": "StopNothing"})  # what follows is handled after what went before
        await streams.until("warned")
        (feed,) = streams.room.feeds
        assert feed.to_all
        assert feed.legs == ()
        assert {clip.rate for clip in feed.clips} == {rate}
        assert np.array_equal(np.concatenate([clip.samples for clip in feed.clips]), sound)
        streams.streams.perform(CloseStream("s1"))
        closed = await streams.until("closed")
    assert feed.stopped
    assert closed.received == -(-rate // 1_000)


@pytest.mark.parametrize(
    "message",
    [{"kind": "stopAudio", "stopAudio": {}}, {"Kind": "StopAudio", "AudioData": None, "StopAudio": {}}],
    ids=["JavaScript", "Python"],
)
async def test_stop_audio_takes_back_what_waits(message: dict[str, Any]) -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, bidirectional=True)
        await streams.until("opened")
        await app.until(lambda: app.sockets)
        await app.say(message)  # nothing is there to be stopped
        await app.say({"kind": "AudioData", "audioData": {"data": audio(tone(440, 1))}})
        await app.say(message)
        await app.say({"kind": "AudioData", "audioData": {"data": audio(tone(1_000, 0.5))}})
        await app.say({"kind": "StopNothing"})
        await streams.until("warned")
        (feed,) = streams.room.feeds
    assert feed.cleared == 1
    assert [len(clip.samples) for clip in feed.clips] == [8_000]


async def test_more_than_may_wait_is_dropped_and_told_once() -> None:
    async with application() as app, scene(playback_seconds=2.0) as streams:
        streams.open(app.url, bidirectional=True)
        await streams.until("opened")
        await app.until(lambda: app.sockets)
        second = {"kind": "AudioData", "audioData": {"data": audio(tone(440, 1))}}
        for _ in range(5):
            await app.say(second)
        warned = await streams.until("warned")
        await app.say({"kind": "StopNothing"})
        await streams.until("warned", 2)
        (feed,) = streams.room.feeds
        assert feed.waiting_seconds == 2.0
        feed.played_seconds = 1.0
        await app.say(second)
        await app.say("{")
        streams.streams.perform(CloseStream("s1"))
        closed = await streams.until("closed")
    assert warned.detail == (
        "2 s of the application's audio wait to be played: more is dropped (streaming.playback_seconds)"
    )
    assert streams.states() == ["opened", "warned", "warned", "closed"]
    assert closed.received >= 5


async def test_without_bidirectional_nothing_is_played() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url)
        await streams.until("opened")
        await app.until(lambda: app.sockets)
        await app.say({"kind": "AudioData", "audioData": {"data": audio(tone(440, 1))}})
        warned = await streams.until("warned")
        assert not streams.room.feeds
    assert "is not bidirectional (enableBidirectional)" in warned.detail


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{", "it is no JSON"),
        ("[]", "it is no JSON object"),
        ('"AudioData"', "it is no JSON object"),
        ("[" * 100_000, "it is no JSON"),
        ("{}", "it has no kind"),
        ('{"kind": 7}', "it has no kind"),
        ('{"kind": "Hello"}', "its kind 'Hello' is neither AudioData nor StopAudio"),
        ('{"kind": "AudioData"}', "its audioData has no data"),
        ('{"kind": "AudioData", "audioData": null}', "its audioData has no data"),
        ('{"kind": "AudioData", "audioData": {"data": 7}}', "its audioData has no data"),
        ('{"kind": "AudioData", "audioData": {"data": "AAA"}}', "its data is no base64"),
        ('{"kind": "AudioData", "audioData": {"data": "Ä==="}}', "its data is no base64"),
        ('{"kind": "AudioData", "audioData": {"data": "AA=="}}', "its data has 1 bytes"),
        (b"\x00\x01", "it is binary, not text"),
        ('{"kind": "AudioData", "audioData": {"data": "' + "A" * 1_048_576 + '"}}', "it has 10486"),
    ],
)
async def test_what_cannot_be_used_is_told_once_and_hurts_nobody(message: str | bytes, said: str) -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, bidirectional=True)
        await streams.until("opened")
        await app.until(lambda: app.sockets)
        for _ in range(3):
            if isinstance(message, bytes):
                await app.sockets[0].send_bytes(message)
            else:
                await app.say(message)
        warned = await streams.until("warned")
        await app.say({"kind": "AudioData", "audioData": {"data": audio(tone(440, 1))}})
        streams.room.play({"a": tone(440, 0.1)})
        await app.until_messages(6)
        while not streams.room.feeds:
            await app.say({"kind": "AudioData", "audioData": {"data": audio(tone(440, 1))}})
            await app.until_messages(len(app.messages))
        streams.streams.perform(CloseStream("s1"))
        await streams.until("closed")
    assert warned.detail.startswith(f"a message of the application was not used: {said}")
    assert streams.states() == ["opened", "warned", "closed"]


async def test_silence_that_is_sent_without_samples_is_no_fault() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, bidirectional=True)
        await streams.until("opened")
        await app.until(lambda: app.sockets)
        await app.say({"kind": "AudioData", "audioData": {"data": "", "isSilent": True}})
        await app.say("{")
        await streams.until("warned")
        assert not streams.room.feeds
