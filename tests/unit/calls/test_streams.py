"""Media streaming and transcription: started with the call or later, stopped, broken, and told."""

from typing import Any

import pytest

from media_scene import MediaScene
from onhook.acs.errors import ApiError
from onhook.acs.models import (
    AudioFormat,
    MediaStreamingAudioChannelType,
    StartMediaStreamingRequest,
    StartTranscriptionRequest,
    StopMediaStreamingRequest,
    StopTranscriptionRequest,
    StreamingTransportType,
    UpdateTranscriptionRequest,
    WebSocketMediaStreamingOptions,
    WebSocketTranscriptionOptions,
)
from onhook.calls.features.streams import Streams, check_media_options
from onhook.calls.record import MediaOptions
from onhook.effects import CloseStream, OpenStream, UpdateStream
from onhook.facts import StreamChanged, StreamState

AUDIO, TEXT = "wss://app.example/audio?key=1", "wss://app.example/text"


def audio(**options: Any) -> WebSocketMediaStreamingOptions:
    fields: dict[str, Any] = {"transport_url": AUDIO} | options
    return WebSocketMediaStreamingOptions(
        transport_type=StreamingTransportType.WEBSOCKET,
        audio_channel_type=fields.pop("channels", MediaStreamingAudioChannelType.MIXED),
        **fields,
    )


def text(locale: str = "en-US", **options: Any) -> WebSocketTranscriptionOptions:
    fields: dict[str, Any] = {"transport_url": TEXT} | options
    return WebSocketTranscriptionOptions(
        transport_type=StreamingTransportType.WEBSOCKET, locale=locale, **fields
    )


def scene_with(
    streaming: WebSocketMediaStreamingOptions | None = None,
    transcription: WebSocketTranscriptionOptions | None = None,
    speech: str = "",
) -> MediaScene:
    options = MediaOptions(streaming=streaming, transcription=transcription, speech_endpoint=speech)
    return MediaScene(media_options=options, operation_context="setup")


def changes(scene: MediaScene, stream: str, state: StreamState, **about: Any) -> MediaScene:
    return scene.tells(StreamChanged(at=scene.now, stream=stream, state=state, url=AUDIO, **about))


def states(scene: MediaScene) -> tuple[str, str]:
    """Of media streaming and of transcription, as getCall shows them."""
    streams, connection = scene.call.feature(Streams), scene.call.connections[0]
    heard, written = streams.media_streaming(connection), streams.transcription(connection)
    return (
        heard.state.value if heard and heard.state else "",
        written.state.value if written and written.state else "",
    )


def start(scene: MediaScene, context: str = "go") -> str:
    return scene.ask("startMediaStreaming", StartMediaStreamingRequest(operation_context=context))


def stop(scene: MediaScene, context: str = "enough") -> str:
    return scene.ask("stopMediaStreaming", StopMediaStreamingRequest(operation_context=context))


def refusal(scene: MediaScene, name: str, request: Any = None) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        scene.ask(name, request)
    return refused.value.status, refused.value.code


class TestAudio:
    def test_it_is_started_told_stopped_and_told(self) -> None:
        scene = scene_with(audio())
        assert states(scene) == ("inactive", "")
        stream = start(scene)
        assert scene.effects(OpenStream) == [
            OpenStream(
                id=stream,
                room=scene.room,
                kind="audio",
                url=AUDIO,
                connection=scene.room,
                correlation_id="correlation",
                resource="dev",
                names=((scene.call.connections[0].leg, ""), (scene.leg, "4:+14255550200")),
            )
        ]
        assert states(scene) == ("inactive", "")
        changes(scene, stream, "opened")
        assert states(scene) == ("active", "")
        assert scene.told_of() == {
            "callConnectionId": scene.room,
            "serverCallId": "server-call",
            "correlationId": "correlation",
            "operationContext": "go",
            "resultInformation": {
                "code": 200,
                "subCode": 0,
                "message": "Action completed successfully.",
            },
            "mediaStreamingUpdate": {
                "contentType": "Audio",
                "mediaStreamingStatus": "mediaStreamingStarted",
                "mediaStreamingStatusDetails": "subscriptionStarted",
            },
        }
        stop(scene)
        assert scene.effects(CloseStream) == [CloseStream(stream)]
        assert states(scene) == ("active", "")
        changes(scene, stream, "closed")
        assert states(scene) == ("inactive", "")
        assert scene.told == ["MediaStreamingStarted", "MediaStreamingStopped"]
        update = scene.told_of()["mediaStreamingUpdate"]
        assert update["mediaStreamingStatus"] == "mediaStreamingStopped"
        assert update["mediaStreamingStatusDetails"] == "subscriptionStopped"
        assert scene.told_of()["operationContext"] == "enough"
        assert scene.ended == [(stream, "done")]

    def test_the_options_of_the_call_are_those_of_the_stream(self) -> None:
        scene = scene_with(
            audio(
                channels=MediaStreamingAudioChannelType.UNMIXED,
                audio_format=AudioFormat.PCM24_KMONO,
                enable_bidirectional=True,
                enable_dtmf_tones=True,
            )
        )
        start(scene)
        (opened,) = scene.effects(OpenStream)
        assert (opened.mixed, opened.rate, opened.bidirectional, opened.digits) == (False, 24_000, True, True)

    def test_it_begins_with_the_call_if_that_was_asked_for(self) -> None:
        options = MediaOptions(streaming=audio(start_media_streaming=True))
        scene = MediaScene(media_options=options, operation_context="setup")
        opened = [effect for effect in scene.everything if isinstance(effect, OpenStream)]
        assert [each.kind for each in opened] == ["audio"]
        changes(scene, opened[0].id, "opened")
        assert scene.told == ["MediaStreamingStarted"]
        assert scene.told_of()["operationContext"] == "setup"
        shown = scene.call.feature(Streams).media_streaming(scene.call.connections[0])
        assert shown
        assert shown.id == opened[0].id

    def test_a_second_start_has_a_stream_of_its_own_and_late_words_of_the_first_do_not_count(self) -> None:
        scene = scene_with(audio())
        first = start(scene)
        changes(scene, first, "opened")
        stop(scene)
        changes(scene, first, "closed")
        second = start(scene)
        changes(scene, first, "failed")
        assert states(scene) == ("inactive", "")
        changes(scene, second, "opened")
        assert states(scene) == ("active", "")

    @pytest.mark.parametrize(
        ("status", "details"),
        [(None, "initialWebSocketConnectionFailed"), (401, "authenticationFailure"), (403, "forbidden")],
    )
    def test_a_websocket_that_cannot_be_opened(self, status: int | None, details: str) -> None:
        scene = scene_with(audio())
        stream = start(scene)
        changes(scene, stream, "failed", detail="refused", http_status=status)
        assert scene.told == ["MediaStreamingFailed"]
        assert scene.result == (500, 8603)
        update = scene.told_of()["mediaStreamingUpdate"]
        assert update["mediaStreamingStatus"] == "mediaStreamingFailed"
        assert update["mediaStreamingStatusDetails"] == details
        assert states(scene) == ("inactive", "")
        assert scene.ended == [(stream, "stream-failed")]
        start(scene)

    def test_a_websocket_that_breaks_and_is_open_again(self) -> None:
        scene = scene_with(audio())
        stream = start(scene)
        changes(scene, stream, "opened")
        changes(scene, stream, "lost", detail="1006")
        changes(scene, stream, "warned", detail="slow")
        assert scene.told == ["MediaStreamingStarted"]
        assert states(scene) == ("active", "")
        changes(scene, stream, "reopened")
        details = scene.told_of()["mediaStreamingUpdate"]["mediaStreamingStatusDetails"]
        assert (scene.told[-1], details) == ("MediaStreamingStarted", "streamConnectionReestablished")

    def test_a_websocket_that_breaks_for_good(self) -> None:
        scene = scene_with(audio())
        stream = start(scene)
        changes(scene, stream, "opened")
        changes(scene, stream, "failed", detail="gone")
        details = scene.told_of()["mediaStreamingUpdate"]["mediaStreamingStatusDetails"]
        assert (scene.told[-1], details) == ("MediaStreamingFailed", "streamConnectionInterrupted")
        assert scene.ended == [(stream, "stream-lost")]

    @pytest.mark.parametrize("opened", [True, False])
    @pytest.mark.parametrize("end", ["closed", "failed"])
    def test_stopped_it_ends_however_the_websocket_does(self, *, opened: bool, end: StreamState) -> None:
        scene = scene_with(audio())
        stream = start(scene)
        if opened:
            changes(scene, stream, "opened")
        stop(scene)
        changes(scene, stream, "opened")  # crossed the stop
        changes(scene, stream, end)
        assert scene.told[-1] == "MediaStreamingStopped"
        assert states(scene) == ("inactive", "")

    @pytest.mark.parametrize("opened", [True, False])
    def test_media_may_close_it_by_itself(self, *, opened: bool) -> None:
        scene = scene_with(audio())
        stream = start(scene)
        if opened:
            changes(scene, stream, "opened")
        changes(scene, stream, "closed")
        assert scene.told[-1] == "MediaStreamingStopped"

    def test_those_who_come_and_go_are_named(self) -> None:
        scene = scene_with(audio())
        stream = start(scene)
        scene.joins()
        scene.asked("BYE")
        (update,) = scene.effects(UpdateStream)
        assert update.id == stream
        assert scene.leg not in dict(update.names)

    @pytest.mark.parametrize("stage", ["opening", "active", "closing"])
    def test_the_end_of_the_call_stops_it_first(self, stage: str) -> None:
        scene = scene_with(audio())
        stream = start(scene)
        if stage != "opening":
            changes(scene, stream, "opened")
        if stage == "closing":
            stop(scene)
        scene.asked("BYE")
        assert scene.told[-2:] == ["MediaStreamingStopped", "CallDisconnected"]
        assert scene.effects(CloseStream) == [CloseStream(stream)]

    def test_what_is_not_possible_is_refused(self) -> None:
        scene = scene_with(audio())
        assert refusal(scene, "stopMediaStreaming") == (400, "8585")
        assert refusal(scene, "startTranscription") == (405, "8522")
        stream = start(scene)
        assert refusal(scene, "startMediaStreaming") == (409, "8519")
        changes(scene, stream, "opened")
        assert refusal(scene, "startMediaStreaming") == (409, "8519")
        plain = MediaScene()
        assert refusal(plain, "startMediaStreaming") == (405, "8522")
        assert states(plain) == ("", "")

    def test_each_application_has_its_own(self) -> None:
        scene = scene_with(audio())
        second = scene.joins(media_options=MediaOptions(streaming=audio(start_media_streaming=True)))
        (opened,) = scene.effects(OpenStream)
        assert opened.connection == "second"
        mine = start(scene)
        changes(scene, opened.id, "opened")
        changes(scene, mine, "opened")
        scene.leaves(second)
        told = [event.type for event in scene.events if event.connection == "second"]
        assert told[-2:] == ["MediaStreamingStopped", "CallDisconnected"]
        assert states(scene) == ("active", "")


class TestTranscription:
    def test_it_is_started_updated_and_stopped(self) -> None:
        scene = scene_with(
            transcription=text(speech_model_endpoint_id="model-1", enable_intermediate_results=True),
            speech="https://speech.example/",
        )
        stream = scene.ask("startTranscription", StartTranscriptionRequest(locale="en-ca"))
        (opened,) = scene.effects(OpenStream)
        assert (opened.id, opened.kind, opened.url) == (stream, "transcription", TEXT)
        assert (opened.locale, opened.model, opened.interim) == ("en-ca", "model-1", True)
        assert opened.speech_endpoint == "https://speech.example/"
        changes(scene, stream, "opened")
        scene.ask("updateTranscription", UpdateTranscriptionRequest(locale="en-gb", operation_context="uk"))
        assert scene.effects(UpdateStream) == [
            UpdateStream(stream, scene.call.legs.names, locale="en-gb", model="model-1")
        ]
        assert scene.told_of()["transcriptionUpdate"] == {
            "transcriptionStatus": "transcriptionUpdated",
            "transcriptionStatusDetails": "transcriptionLocaleUpdated",
        }
        assert scene.told_of()["operationContext"] == "uk"
        shown = scene.call.feature(Streams).transcription(scene.call.connections[0])
        assert shown
        assert (shown.id, shown.locale) == (stream, "en-gb")
        assert [kind.value for kind in shown.subscribed_result_types or []] == ["final", "intermediate"]
        scene.ask("stopTranscription", StopTranscriptionRequest())
        changes(scene, stream, "closed")
        assert scene.told == ["TranscriptionStarted", "TranscriptionUpdated", "TranscriptionStopped"]
        assert states(scene) == ("", "inactive")

    def test_it_begins_with_the_call_beside_audio(self) -> None:
        scene = scene_with(audio(start_media_streaming=True), text(start_transcription=True))
        opened = [effect for effect in scene.everything if isinstance(effect, OpenStream)]
        assert [each.kind for each in opened] == ["audio", "transcription"]
        changes(scene, opened[1].id, "opened")
        assert scene.told == ["TranscriptionStarted"]

    def test_its_failures_have_codes_of_their_own(self) -> None:
        scene = scene_with(transcription=text())
        stream = scene.ask("startTranscription")
        changes(scene, stream, "failed", detail="refused")
        assert (scene.told, scene.result) == (["TranscriptionFailed"], (500, 8578))
        assert scene.told_of()["transcriptionUpdate"] == {
            "transcriptionStatus": "transcriptionFailed",
            "transcriptionStatusDetails": "streamConnectionUnsuccessful",
        }

    def test_open_again_it_is_resumed(self) -> None:
        scene = scene_with(transcription=text())
        stream = scene.ask("startTranscription")
        changes(scene, stream, "opened")
        changes(scene, stream, "reopened")
        assert scene.told_of()["transcriptionUpdate"]["transcriptionStatus"] == "transcriptionResumed"

    @pytest.mark.parametrize(
        ("name", "request_of"),
        [
            ("startTranscription", StartTranscriptionRequest(locale="en")),
            ("updateTranscription", UpdateTranscriptionRequest(locale="english")),
            ("updateTranscription", UpdateTranscriptionRequest()),
        ],
    )
    def test_a_language_needs_its_region(self, name: str, request_of: Any) -> None:
        scene = scene_with(transcription=text())
        if name.startswith("update"):
            changes(scene, scene.ask("startTranscription"), "opened")
        assert refusal(scene, name, request_of) == (400, "8523")

    def test_what_does_not_run_is_not_updated(self) -> None:
        scene = scene_with(transcription=text())
        assert refusal(scene, "updateTranscription", UpdateTranscriptionRequest(locale="de-DE")) == (
            400,
            "8585",
        )

    def test_streams_are_replayed_from_their_facts(self) -> None:
        scene = scene_with(audio(start_media_streaming=True), text(), speech="https://speech.example/")
        first = next(effect.id for effect in scene.everything if isinstance(effect, OpenStream))
        changes(scene, first, "opened")
        stream = scene.ask("startTranscription")
        scene.wait(1)
        changes(scene, stream, "opened")
        scene.ask("updateTranscription", UpdateTranscriptionRequest(speech_model_endpoint_id="m"))
        stop(scene)
        changes(scene, first, "closed")
        scene.asked("BYE")
        scene.check_replay()


@pytest.mark.parametrize("url", [None, "", "https://app.example/", "app.example"])
def test_options_without_a_websocket_are_refused_at_call_setup(url: str | None) -> None:
    for options in (
        MediaOptions(streaming=audio(transport_url=url)),
        MediaOptions(transcription=text(transport_url=url)),
    ):
        with pytest.raises(ApiError) as refused:
            check_media_options(options)
        assert (refused.value.status, refused.value.code) == (400, "8581")
        assert (refused.value.target or "").endswith("Options.transportUrl")


@pytest.mark.parametrize("locale", ["en-US", "de-de", "zh-Hans-CN", "es-419", "sr-Latn-RS", "zh-CN-sichuan"])
def test_languages_with_regions(locale: str) -> None:
    check_media_options(MediaOptions(streaming=audio(), transcription=text(locale)))


@pytest.mark.parametrize("locale", ["en", "", "english-US", "en_US", "zh-Hans"])
def test_languages_without(locale: str) -> None:
    with pytest.raises(ApiError) as refused:
        check_media_options(MediaOptions(transcription=text(locale)))
    assert refused.value.target == "$.transcriptionOptions.locale"
