"""Facts: what was observed of a call, and when. Nothing here judges.

Live calls, captures and cloud logs are all written in these words, so that one `judge` and one
explainer serve them. A timeline is the list of a call's facts in the order in which they were seen;
evidence refers to facts by their number in it (1 is the first).
"""

from typing import Literal, TypeAlias

import msgspec


class Observed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind"):
    """`at` is Unix time in seconds, never running backwards within one process.

    `leg` names the party's signalling that the fact belongs to; empty means the call as a whole.
    """

    at: float
    leg: str = ""


class SipSeen(Observed, frozen=True, kw_only=True, gc=False, tag="sip"):
    """A SIP message crossed our edge. `peer` is "host:port"; `message` is every byte of it."""

    direction: Literal["sent", "received"]
    transport: str
    peer: str
    message: bytes

    @property
    def start_line(self) -> str:
        return self.message.split(b"\r\n", 1)[0].decode(errors="replace")


class SipUnreadable(Observed, frozen=True, kw_only=True, gc=False, tag="sip-unreadable"):
    """Bytes came from the peer that are no SIP message; `why` says where reading stopped.

    `candidates` is how many calls the bytes could belong to: 1 if they name their call, or only one waited
    for this peer.
    """

    transport: str
    peer: str
    data: bytes
    why: str
    candidates: int = 1


class TimerFired(Observed, frozen=True, kw_only=True, gc=False, tag="timer"):
    """A timer ran out: a letter is RFC 3261's; the others are ours.

    `no-response`, `setup`, `duration`, `release`; `ring`, the time that a call which came in, or a user who
    is called, may ring: it names the ringing leg; `no-rtp`, the time that a leg may be without RTP: our side
    then ends that leg.
    """

    name: str
    after_seconds: float


class TransportFailed(Observed, frozen=True, kw_only=True, gc=False, tag="transport-failed"):
    """A message could not be carried: refused, reset, unreachable, name unknown."""

    transport: str
    peer: str
    error: str


class ApiRequested(Observed, frozen=True, kw_only=True, gc=False, tag="api"):
    """The application asked something of this call. `operation` is the name in acs/operations.py.

    `leg` is the ringing leg that answerCall, rejectCall and redirectCall decide on, and the own leg of the
    connection that others come from. `detail` says why a request was refused; of one that was accepted,
    what it named: the reason of rejectCall (none, busy, forbidden), the raw id of redirectCall's target.
    """

    operation: str
    status: int
    request_id: str = ""
    detail: str = ""
    connection: str = ""
    """The callConnectionId that it was asked of or that it made; empty for the first of an outbound call."""
    body: bytes = b""
    """JSON of what was asked of an open call, as it was read; a replay asks it again."""
    action: str = ""
    """Name of the media operation, invitation, recording or stream that it began."""


class IncomingCallAnnounced(Observed, frozen=True, kw_only=True, gc=False, tag="announced"):
    """A leg rings, and IncomingCall was published for it. `leg` is the ringing one.

    `caller` and `callee` are raw ids ("4:+14255550100", "8:acs:…"); `event_id` is the one of Event Grid.
    """

    resource: str
    caller: str
    callee: str
    event_id: str = ""


UserLegState: TypeAlias = Literal["ringing", "connected", "rejected", "ended"]
UserLegCause: TypeAlias = Literal[
    "",
    "none",  # rejectCall without a reason
    "busy",  # rejectCall: busy
    "forbidden",  # rejectCall: forbidden
    "hung-up",  # its own connection left
    "call-ended",  # the call ended under it
    "rang-out",  # nobody answered within the ring time
    "cancelled",  # the caller gave up
    "redirected",  # redirectCall sent the call elsewhere
    "answered-elsewhere",  # another leg took the call
    "removed",  # removeParticipant
    "transferred",  # its call was handed over (transferToParticipant)
    "moved",  # moveParticipants
]


class UserLegChanged(Observed, frozen=True, kw_only=True, gc=False, tag="user-leg"):
    """A leg without SIP, of an ACS user or of an application's own identity, entered a state.

    `user` is its raw id. `why` says what ended or rejected it, and is empty for the other states.
    """

    user: str
    state: UserLegState
    why: UserLegCause = ""


class ConnectionJoined(Observed, frozen=True, kw_only=True, gc=False, tag="joined"):
    """An application has a handle on the call: `leg` is the connection's own leg, if it has one.

    `operation` is what made it: createCall, answerCall, connect.
    """

    connection: str
    operation: str
    user: str = ""


class ConnectionLeft(Observed, frozen=True, kw_only=True, gc=False, tag="left"):
    """An application's handle on the call is gone, while the call may go on for others."""

    connection: str
    user: str = ""
    why: UserLegCause = "hung-up"


Dismissal: TypeAlias = Literal[
    "removed",  # removeParticipant
    "cancelled",  # cancelAddParticipant
    "transferred",  # transferToParticipant: its far end goes to the target
    "call-over",  # the call ended while it was rung
]


class LegDismissed(Observed, frozen=True, kw_only=True, gc=False, tag="dismissed"):
    """Our side took `leg` out of a call, which may go on: released it, or rings it no more."""

    why: Dismissal


class RouteTaken(Observed, frozen=True, kw_only=True, gc=False, tag="route"):
    """A trunk was chosen for a number."""

    number: str
    trunk: str
    pattern: str


Refusal: TypeAlias = Literal[
    "number-invalid",  # not E.164
    "number-unknown",  # the service knows neither number nor resource
    "caller-id-missing",
    "caller-id-not-owned",
    "no-route",  # no voice route matches, and no owned caller id opens the default trunk
    "no-trunk",  # the route or resource has no trunk configured
    "trunk-full",  # every trunk of the route is at its limit of calls
    "caller-id-full",  # the caller id is at its limit of calls at a time
]


class RouteRefused(Observed, frozen=True, kw_only=True, gc=False, tag="route-refused"):
    """No trunk was chosen, and why. `detail` names the value and the setting at fault."""

    number: str
    why: Refusal
    detail: str


class CallArrived(Observed, frozen=True, kw_only=True, gc=False, tag="arrived"):
    """An INVITE for an owned number was let in: from which trunk, and whose number it is.

    `number` is the one dialled, `caller` the number of the caller as its From names it ("" if withheld).
    """

    number: str
    caller: str
    trunk: str
    resource: str


DoorRefusal: TypeAlias = Literal[
    "number-unknown",  # no resource owns the number that was dialled
    "stranger",  # neither the source address nor credentials are those of a trunk
    "flood",  # more calls at a time, or a second, than the setting allows
    "media-unusable",  # the offer has no codec of ours
    "request-unusable",  # the INVITE lacks what an answer needs
]


class InboundRefused(Observed, frozen=True, kw_only=True, gc=False, tag="inbound-refused"):
    """An INVITE was refused at the door, before any application could hear of it.

    `status` is the SIP final that was sent; `number` the one dialled; `trunk` the name of the trunk that it
    came from, empty for a stranger; `detail` names the value and the setting at fault.
    """

    why: DoorRefusal
    status: int
    number: str = ""
    trunk: str = ""
    detail: str = ""


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
    "cancelled",  # the application asked for it, or another operation of its took the place
    "cut-off",  # the call, or the leg that it was for, ended first
    "internal",  # our own code failed
]


class OperationEnded(Observed, frozen=True, kw_only=True, gc=False, tag="operation-ended"):
    """An operation on media came to its end: how, as the operation itself saw it.

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


class EventAttempted(Observed, frozen=True, kw_only=True, gc=False, tag="delivery"):
    """One try to hand an event to the application. `status` is None if no HTTP answer came."""

    event_id: str
    event_type: str
    uri: str
    attempt: int
    status: int | None
    elapsed_ms: float
    error: str = ""


GridFate: TypeAlias = Literal["delivered", "retry", "dead-lettering", "dropped"]


class GridAttempted(Observed, frozen=True, kw_only=True, gc=False, tag="grid-attempt"):
    """One try to hand an Event Grid event of this call to a subscription.

    `status` is None if no HTTP answer came; `endpoint` is without its query, where keys stand. `fate` is
    what followed: taken, tried again later, or given up.
    """

    event_id: str
    event_type: str
    subscription: str
    endpoint: str
    attempt: int
    status: int | None
    elapsed_ms: float
    fate: GridFate
    error: str = ""


class GridListener(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An event subscription as it stood when an event was published and it did not take it."""

    subscription: str
    state: str
    """Its provisioning state: Creating, Succeeded, AwaitingManualAction, Failed."""
    why: str
    """Why it did not take the event: how its validation went, or which filter passed the event over."""
    last_attempt: str = ""
    """What became of the last request to its endpoint, of a handshake or of another event."""
    last_attempt_at: float | None = None


class GridUnheard(Observed, frozen=True, kw_only=True, gc=False, tag="grid-unheard"):
    """An Event Grid event of this call that no subscription took; `listeners` are those of the resource."""

    event_id: str
    event_type: str
    resource: str
    listeners: tuple[GridListener, ...] = ()


class ServerRestarted(Observed, frozen=True, kw_only=True, gc=False, tag="restart"):
    """The server started again and found this call open; `last_seen_at` is its last fact before."""

    last_seen_at: float


class FaultRaised(Observed, frozen=True, kw_only=True, gc=False, tag="fault"):
    """Our own code failed while handling this call."""

    where: str
    traceback: str


Fact: TypeAlias = (
    SipSeen
    | SipUnreadable
    | TimerFired
    | TransportFailed
    | ApiRequested
    | IncomingCallAnnounced
    | UserLegChanged
    | ConnectionJoined
    | ConnectionLeft
    | LegDismissed
    | RouteTaken
    | RouteRefused
    | CallArrived
    | InboundRefused
    | MediaMeasured
    | RtpStopped
    | RtpResumed
    | RelayFailed
    | PromptStarted
    | PromptEnded
    | DigitHeard
    | DigitsSent
    | SpeechBegan
    | SpeechHeard
    | ListeningFailed
    | OperationEnded
    | StreamChanged
    | RecordingChanged
    | EventAttempted
    | GridAttempted
    | GridUnheard
    | ServerRestarted
    | FaultRaised
)
Timeline: TypeAlias = list[Fact]
OF_MEDIA = (
    MediaMeasured,
    RtpStopped,
    RtpResumed,
    PromptStarted,
    PromptEnded,
    DigitHeard,
    DigitsSent,
    SpeechBegan,
    SpeechHeard,
    ListeningFailed,
    StreamChanged,
    RecordingChanged,
)
"""What media observes, beside the calls that it tells of it."""
