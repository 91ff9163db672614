"""Transcription: who is listened to, what is sent of it, and other languages."""

from typing import Any

import pytest

from onhook.effects import CloseStream, OpenStream, UpdateStream
from onhook.facts import HeardWord, ListeningFailed, SpeechBegan, SpeechHeard
from onhook.media.streams.messages import transcription_data, transcription_metadata
from unit.media.streams.stream_rig import ANNA, BEGIN, BELA, NAMES, Application, Scene, application, scene

LATE = "4:+14255550109"


def heard(listening: str, text: str, **more: Any) -> SpeechHeard:
    given: dict[str, Any] = {"at": BEGIN, "listening": listening, "text": text, "confidence": 0.75}
    return SpeechHeard(**(given | more))


def say(streams: Scene, leg: str, text: str, **more: Any) -> None:
    effect, tell = streams.recogniser.of(leg)
    tell("room", heard(effect.id, text, **more))


async def opened(streams: Scene, app: Application, **more: Any) -> None:
    streams.open(f"{app.url}?key=1", kind="transcription", locale="en-ca", **more)
    await streams.until("opened")


async def test_each_participant_is_listened_to_for_as_long_as_the_stream_is_open() -> None:
    async with application() as app, scene() as streams:
        await opened(streams, app, model="model-1", speech_endpoint="https://speech.example")
        effects = [effect for effect, _ in streams.recogniser.listening.values()]
        assert {effect.leg for effect in effects} == {"a", "b"}
        assert len({effect.id for effect in effects}) == 2
        for effect in effects:
            assert effect.keep_on
            assert (effect.room, effect.language, effect.model) == ("room", "en-ca", "model-1")
            assert effect.speech_endpoint == "https://speech.example"
        streams.streams.perform(CloseStream("s1"))
        await streams.until("closed")
        assert not streams.recogniser.listening
        await app.until_messages(1)
    assert app.messages == [
        {
            "kind": "TranscriptionMetadata",
            "transcriptionMetadata": {
                "subscriptionId": "s1",
                "locale": "en-ca",
                "callConnectionId": "connection",
                "correlationId": "correlation",
                "speechRecognitionModelEndpointId": "model-1",
            },
        }
    ]


async def test_what_is_said_is_sent_with_its_words_and_speaker() -> None:
    words = (HeardWord("hello", 1_000, 200), HeardWord("there", 1_300, 150))
    async with application() as app, scene() as streams:
        await opened(streams, app)
        say(streams, "b", "hello there", offset_ms=1_000, duration_ms=450, words=words)
        say(streams, "a", "yes", offset_ms=2_000, duration_ms=300, confidence=1.0)
        await app.until_messages(3)
        streams.streams.perform(CloseStream("s1"))
        closed = await streams.until("closed")
    assert closed.sent == 2
    assert [told["transcriptionData"] for told in app.of("TranscriptionData")] == [
        {
            "text": "hello there",
            "format": "display",
            "confidence": 0.75,
            "offset": 10_000_000,
            "duration": 4_500_000,
            "words": [
                {"text": "hello", "offset": 10_000_000, "duration": 2_000_000},
                {"text": "there", "offset": 13_000_000, "duration": 1_500_000},
            ],
            "participantRawID": BELA,
            "resultStatus": "Final",
        },
        {
            "text": "yes",
            "format": "display",
            "confidence": 1.0,
            "offset": 20_000_000,
            "duration": 3_000_000,
            "words": [{"text": "yes", "offset": 20_000_000, "duration": 3_000_000}],
            "participantRawID": ANNA,
            "resultStatus": "Final",
        },
    ]


@pytest.mark.parametrize("interim", [False, True])
async def test_intermediate_results_are_sent_when_they_are_wanted(interim: bool) -> None:  # noqa: FBT001  # a case
    async with application() as app, scene() as streams:
        await opened(streams, app, interim=interim)
        say(streams, "a", "hel", final=False)
        say(streams, "a", "", final=True)  # nothing was understood
        _, tell = streams.recogniser.of("a")
        tell("room", SpeechBegan(at=BEGIN, listening=streams.recogniser.of("a")[0].id))
        say(streams, "a", "hello")
        messages = await app.until_messages(2 + interim)
    told = [
        (each["transcriptionData"]["text"], each["transcriptionData"]["resultStatus"])
        for each in messages[1:]
    ]
    assert told == [*([("hel", "Intermediate")] if interim else []), ("hello", "Final")]


async def test_who_comes_and_goes() -> None:
    async with application() as app, scene() as streams:
        await opened(streams, app)
        known = streams.recogniser.of("b")[0].id
        streams.room.play({}, seconds=3.0)
        gone = streams.recogniser.of("a")
        streams.streams.perform(UpdateStream("s1", (("b", BELA), ("c", LATE))))
        assert {effect.leg for effect, _ in streams.recogniser.listening.values()} == {"b", "c"}
        assert streams.recogniser.of("b")[0].id == known
        gone[1]("room", heard(gone[0].id, "too late"))
        say(streams, "c", "hello", offset_ms=500)
        (told,) = (await app.until_messages(2))[1:]
    assert told["transcriptionData"]["participantRawID"] == LATE
    assert told["transcriptionData"]["offset"] == 35_000_000  # since the stream was asked for


async def test_another_language_begins_anew() -> None:
    async with application() as app, scene() as streams:
        await opened(streams, app)
        before = set(streams.recogniser.listening)
        streams.streams.perform(UpdateStream("s1", NAMES, locale="en-gb"))
        effects = [effect for effect, _ in streams.recogniser.listening.values()]
        assert {effect.language for effect in effects} == {"en-gb"}
        assert not before & set(streams.recogniser.listening)
        streams.streams.perform(UpdateStream("s1", NAMES, model="model-2"))
        assert {effect.model for effect, _ in streams.recogniser.listening.values()} == {"model-2"}
        assert {effect.language for effect, _ in streams.recogniser.listening.values()} == {"en-gb"}
        messages = await app.until_messages(3)
    assert [told["transcriptionMetadata"]["locale"] for told in messages] == ["en-ca", "en-gb", "en-gb"]


async def test_a_language_that_changes_before_the_stream_is_open() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, kind="transcription")
        streams.streams.perform(UpdateStream("s1", NAMES[:1], locale="de-de"))
        await streams.until("opened")
        ((effect, _),) = streams.recogniser.listening.values()
        assert (effect.leg, effect.language) == ("a", "de-de")
        await app.until_messages(1)


async def test_a_recogniser_that_fails_ends_the_stream() -> None:
    async with application() as app, scene() as streams:
        await opened(streams, app)
        effect, tell = streams.recogniser.of("a")
        tell("room", ListeningFailed(at=BEGIN, listening="another", detail="not ours"))
        tell("room", ListeningFailed(at=BEGIN, listening=effect.id, detail="key refused", http_status=401))
        failed = await streams.until("failed")
        tell("room", heard(effect.id, "too late"))
        assert not streams.recogniser.listening
    assert (failed.detail, failed.http_status) == ("the recogniser failed: key refused", 401)


async def test_without_a_recogniser_the_call_says_that_nothing_is_transcribed() -> None:
    async with application() as app, scene(deaf=True) as streams:
        await opened(streams, app)
        warned = await streams.until("warned")
        streams.streams.perform(UpdateStream("s1", NAMES, locale="en-gb"))
        await app.until_messages(2)
        streams.streams.perform(CloseStream("s1"))
        await streams.until("closed")
    assert warned.detail == "there is no recogniser here: nothing is transcribed"
    assert [told["kind"] for told in app.messages] == ["TranscriptionMetadata"] * 2


async def test_an_application_that_talks_to_a_transcription() -> None:
    async with application() as app, scene() as streams:
        await opened(streams, app)
        await app.until(lambda: app.sockets)
        await app.say({"kind": "AudioData", "audioData": {"data": "AAA="}})
        warned = await streams.until("warned")
    assert warned.detail == "a message of the application was not used: a transcription takes no messages"


def test_words_without_times_share_the_time_by_their_letters() -> None:
    told = transcription_data(heard("l", "a bcd", offset_ms=100, duration_ms=400), ANNA, 1_000)
    assert b'"words":[{"text":"a","offset":11000000,"duration":1000000},' in told
    assert b'{"text":"bcd","offset":12000000,"duration":3000000}]' in told


def test_metadata_without_a_model() -> None:
    stream = OpenStream("s1", "room", "transcription", "wss://x", "c", "x", "shop")
    assert b"speechRecognitionModelEndpointId" not in transcription_metadata(stream)
