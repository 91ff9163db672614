"""The two kinds of streams to an application: the sound of the call, and what is said in it as text."""

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from onhook.acs.models import (
    MediaStreamingFailed,
    MediaStreamingStarted,
    MediaStreamingStatus,
    MediaStreamingStatusDetails,
    MediaStreamingStopped,
    MediaStreamingUpdate,
    TranscriptionFailed,
    TranscriptionStarted,
    TranscriptionStatus,
    TranscriptionStatusDetails,
    TranscriptionStopped,
    TranscriptionUpdate,
)
from onhook.acs.wire import Model
from onhook.calls.features.feature import Operation
from onhook.calls.record import Connection
from onhook.effects import OpenStream

if TYPE_CHECKING:
    from onhook.calls.host import Host

DEFAULT_RATE = 16_000
RATES = {"pcm16KMono": DEFAULT_RATE, "pcm24KMono": 24_000}


class Words(NamedTuple):
    """Events of one kind of stream."""

    started: type[Model]
    stopped: type[Model]
    failed: type[Model]


class AudioKind:
    """Media streaming. `connection` has options for it."""

    START: ClassVar[str] = "startMediaStreaming"
    WORDS: ClassVar[Words] = Words(MediaStreamingStarted, MediaStreamingStopped, MediaStreamingFailed)
    UNSUCCESSFUL: ClassVar[str] = "initialWebSocketConnectionFailed"

    def __init__(self, call: "Host", connection: Connection) -> None:
        self._call, self._connection = call, connection

    def take(self, asked: Operation) -> None:
        """A request to start or to update says nothing of audio."""

    def opening(self, stream: str) -> OpenStream:
        connection, options = self._connection, self._connection.media_options.streaming
        assert options is not None
        return OpenStream(
            id=stream,
            room=self._call.record.id,
            kind="audio",
            url=options.transport_url or "",
            connection=connection.id,
            correlation_id=self._call.record.correlation_id,
            resource=connection.resource,
            names=self._call.legs.names,
            mixed=options.audio_channel_type.value == "mixed",
            rate=RATES[options.audio_format.value] if options.audio_format else DEFAULT_RATE,
            bidirectional=bool(options.enable_bidirectional),
            digits=bool(options.enable_dtmf_tones),
        )

    def update_of(self, status: str, details: str) -> dict[str, object]:
        """What the event says of the stream; it knows no Resumed."""
        status = "Started" if status == "Resumed" else status
        update = MediaStreamingUpdate(
            content_type="Audio",  # validated: recorded live tests
            media_streaming_status=MediaStreamingStatus(f"mediaStreaming{status}"),
            media_streaming_status_details=MediaStreamingStatusDetails(details),
        )
        return {"media_streaming_update": update}


class TranscriptionKind:
    """Transcription. `connection` has options for it; requests may name another language and model."""

    START: ClassVar[str] = "startTranscription"
    WORDS: ClassVar[Words] = Words(TranscriptionStarted, TranscriptionStopped, TranscriptionFailed)
    UNSUCCESSFUL: ClassVar[str] = "streamConnectionUnsuccessful"

    def __init__(self, call: "Host", connection: Connection) -> None:
        self._call, self._connection = call, connection
        options = connection.media_options.transcription
        assert options is not None
        self._options = options
        self.locale, self.model = options.locale, options.speech_model_endpoint_id or ""

    def take(self, asked: Operation) -> None:
        self.locale = getattr(asked.request, "locale", None) or self.locale
        self.model = getattr(asked.request, "speech_model_endpoint_id", None) or self.model

    def opening(self, stream: str) -> OpenStream:
        connection = self._connection
        return OpenStream(
            id=stream,
            room=self._call.record.id,
            kind="transcription",
            url=self._options.transport_url or "",
            connection=connection.id,
            correlation_id=self._call.record.correlation_id,
            resource=connection.resource,
            names=self._call.legs.names,
            locale=self.locale,
            model=self.model,
            speech_endpoint=connection.media_options.speech_endpoint,
            interim=bool(self._options.enable_intermediate_results),
        )

    def update_of(self, status: str, details: str) -> dict[str, object]:
        """What the event says of the stream."""
        update = TranscriptionUpdate(
            transcription_status=TranscriptionStatus(f"transcription{status}"),
            transcription_status_details=TranscriptionStatusDetails(details),
        )
        return {"transcription_update": update}
