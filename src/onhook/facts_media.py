"""Facts of media: what went through, what was played, said, pressed, recorded and streamed."""

from typing import Literal, TypeAlias

import msgspec

from onhook.observed import Observed


class MediaMeasured(Observed, frozen=True, kw_only=True, gc=False, tag="media"):
    """RTP of one leg, counted up to `at`. Times are Unix seconds, None if no packet came.

    `received` counts packets of the agreed address and codecs that could be used. The rest is told apart,
    as each proves something else.
    """

    sent: int
    received: int
    first_received_at: float | None = None
    last_received_at: float | None = None
    codec: str = ""
    remote: str = ""
    lost: int = 0
    """Packets that never came, by sequence numbers (RFC 3550 A.3)."""
    late: int = 0
    """Came after their turn to be played."""
    doubled: int = 0
    jitter_ms: float = 0.0
    """RFC 3550 section 6.4.1, at the end."""
    mos: float | None = None
    """1 to 4.5: an E-model estimate (ITU-T G.107) of how the far end sounds to us."""
    round_trip_ms: float | None = None
    """From RTCP; None if the far end sent no report."""
    far_lost: int | None = None
    """What the far end reports of our packets: lost, and its jitter."""
    far_jitter_ms: float | None = None
    wrong_codec: int = 0
    """RTP packets with a payload type that was not agreed on; `wrong_types` names the types."""
    wrong_types: tuple[int, ...] = ()
    undecipherable: int = 0
    """Packets that the agreed SRTP keys do not open, or RTP in clear where SRTP was agreed."""
    foreign: int = 0
    """Packets from another address than the far end's."""
    junk: int = 0
    """Datagrams that are no RTP."""
    streams: int = 0
    """SSRCs seen."""
    digits: int = 0
    loudest_dbov: float | None = None
    """Highest level of 20 ms heard, dBov: 0 is full scale; None if nothing could be decoded."""


class RtpStopped(Observed, frozen=True, kw_only=True, gc=False, tag="rtp-stopped"):
    """No RTP of a leg came that could be used, for `silent_seconds`. `received` counts what came before.

    Told once; `RtpResumed` follows if it comes again. Not told while the far end is not expected to send.
    """

    silent_seconds: float
    received: int
    sent: int


class RtpResumed(Observed, frozen=True, kw_only=True, gc=False, tag="rtp-resumed"):
    """RTP of a leg came again."""

    silent_seconds: float


class RelayFailed(Observed, frozen=True, kw_only=True, gc=False, tag="relay-failed"):
    """The rtpengine that carries a leg's media does not: it refused, is silent, or has lost the leg."""

    engine: str
    """host:port of its ng socket."""
    why: str


PromptFault: TypeAlias = Literal[
    "",
    "uri",  # not a URL that may be fetched
    "unreachable",  # no HTTP answer: name unknown, refused, reset, certificate
    "status",  # an HTTP answer that is no success; http_status has it
    "too-slow",
    "too-large",
    "format",  # not WAV, mono, 16-bit PCM, 16 kHz
    "empty-text",
    "text-too-long",
    "voice",  # the engine has no such voice or language
    "markup",  # SSML that cannot be read
    "no-speech",  # the call has no speech endpoint, and the setting wants one
    "speech-refused",  # the speech endpoint answered 400, 401, 403, 408 or 429; http_status has it
    "speech-failed",  # the speech engine is down or failed
    "shut-down",
    "internal",
]


class PromptStarted(Observed, frozen=True, kw_only=True, gc=False, tag="prompt-started"):
    """The first sound of a prompt went out."""

    prompt: str


class PromptEnded(Observed, frozen=True, kw_only=True, gc=False, tag="prompt-ended"):
    """A prompt was played to its end, was stopped, or failed at `source` (0 is the first) for `fault`."""

    prompt: str
    how: Literal["played", "stopped", "failed"]
    fault: PromptFault = ""
    source: int = 0
    detail: str = ""
    """In words: what was wrong with what, what a file is instead."""
    http_status: int | None = None
    played_ms: int = 0


class DigitHeard(Observed, frozen=True, kw_only=True, gc=False, tag="digit"):
    """A key was pressed at the far end of a leg (RFC 4733): one of 0-9 * # A-D, once a press."""

    digit: str
    duration_ms: int = 0


class DigitsSent(Observed, frozen=True, kw_only=True, gc=False, tag="digits-sent"):
    """Digits went out to a leg; or (`fault`) could not, in words."""

    action: str
    digits: str
    fault: str = ""


class SpeechBegan(Observed, frozen=True, kw_only=True, gc=False, tag="speech-began"):
    """Somebody began to speak on a leg that is listened to."""

    listening: str


class HeardWord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A word of an utterance; `offset_ms` counts from the begin of the listening."""

    text: str
    offset_ms: int = 0
    duration_ms: int = 0


class SpeechHeard(Observed, frozen=True, kw_only=True, gc=False, tag="speech"):
    """What the recogniser made of an utterance; `final` once its end was heard. Empty text: not understood.

    `confidence` is 0 to 1; `offset_ms` counts from the begin of the listening. `words` are empty if the
    recogniser tells no times of words.
    """

    listening: str
    text: str
    confidence: float = 0.0
    final: bool = True
    offset_ms: int = 0
    duration_ms: int = 0
    words: tuple[HeardWord, ...] = ()


class ListeningFailed(Observed, frozen=True, kw_only=True, gc=False, tag="listening-failed"):
    """The recogniser failed or refused. `http_status` is that of a speech endpoint."""

    listening: str
    detail: str
    http_status: int | None = None


OperationEnd: TypeAlias = Literal[
    "done",  # what was asked for is done: played, sent, started, stopped
    "max-digits",  # recognised: as many digits as were asked for
    "stop-tone",
    "digit-choice",  # a choice, by its key
    "speech-choice",
    "speech",
    "between-digits",  # the time between two digits ran out
    "silence",  # no input within the first time
    "wrong-digit",  # a key that stands for no choice
    "no-match",  # what was said matches no choice
    "not-understood",  # speech was heard, and no words in it
    "speech-too-slow",  # the recogniser gave no result in time
    "recognizer-failed",
    "prompt-failed",  # `fault` has why
    "digits-not-sent",
    "digits-unheard",  # the far end agreed to send none
    "stream-failed",  # the WebSocket could not be opened
    "stream-lost",  # it was open, broke, and could not be opened again
    "recording-failed",
    "not-reached",  # who was called for it did not join: `leg` is the one that was rung
    "not-referred",  # the far end of `leg` did not come to speak with the target; `referral` has why
    "cancelled",  # the application asked for it, or another operation of its took the place
    "cut-off",  # the call, or the leg that it was for, ended first
    "internal",  # our own code failed
]


class OperationEnded(Observed, frozen=True, kw_only=True, gc=False, tag="operation-ended"):
    """An operation of an open call came to its end: how, as the operation itself saw it.

    `action` is the name that its `ApiRequested` gave it. Names in the media effects of the operation are the
    same, or begin with it and a dot ("a1.prompt"). `operation` is the name in acs/operations.py, `leg` the
    leg that it was for, if it was for one.
    """

    action: str
    operation: str
    how: OperationEnd
    connection: str = ""
    fault: PromptFault = ""
    source: int = 0
    """The prompt at fault; 0 is the first."""
    detail: str = ""
    """In words: what was wrong with what, and what it is instead."""
    http_status: int | None = None
    after_seconds: float = 0.0
    """The time that ran out."""
    referral: str = ""
    """Why a REFER came to nothing, as sip/referral.py names it."""
    sip_status: int | None = None
    """What the far end said of the target; `detail` is its phrase."""


StreamState: TypeAlias = Literal["opened", "failed", "lost", "reopened", "warned", "closed"]


class StreamChanged(Observed, frozen=True, kw_only=True, gc=False, tag="stream"):
    """A WebSocket to the application: opened; could not be; was lost, and is dialled again; is closed.

    `failed` and `closed` are the last. `warned` changes nothing: the first time that something is dropped or
    cannot be read, `detail` says what. `sent` and `received` count audio messages so far (of a
    transcription, its results), `dropped` those that a slow peer did not take.
    """

    stream: str
    state: StreamState
    url: str = ""
    """Without its query, where keys stand."""
    detail: str = ""
    http_status: int | None = None
    sent: int = 0
    received: int = 0
    dropped: int = 0


class RecordedChunk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A file of a recording. The locations are URLs without any key in them; empty in older facts."""

    document: str
    """The documentId: the name under which content, metadata and deletion are asked for."""
    index: int
    why: str
    """endReason: SessionEnded, ChunkMaximumSizeExceeded …"""
    bytes: int
    content: str = ""
    metadata: str = ""
    deletion: str = ""


RecordingChange: TypeAlias = Literal["active", "inactive", "closed", "failed"]


class RecordingChanged(Observed, frozen=True, kw_only=True, gc=False, tag="recording"):
    """A recording began or went on, paused, was closed with what it holds, or failed (`detail`).

    `closed` and `failed` are the last, and may come after the end of the call: files take their time. One
    that failed can have `chunks` all the same: what was recorded until then. `detail` of a closed one says
    what is not in it.
    """

    recording: str
    state: RecordingChange
    detail: str = ""
    chunks: tuple[RecordedChunk, ...] = ()
    began_at: float | None = None
    duration_ms: int = 0
    """Of the sound: without pauses."""
    why: str = ""
    """sessionEndReason of the last state: why the recording ended."""
    format: str = ""
    """wav or mp3."""
    mixed: bool = True
