"""Effects: what the pure core asks the world to do. Each is plain data."""

from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from onhook.facts import Fact


class Destination(NamedTuple):
    """Where a SIP message goes: transport is "udp", "tcp", "tls" …, host a name or an address.

    Port 0: DNS says where the name is served (RFC 3263).
    """

    transport: str
    host: str
    port: int

    @property
    def peer(self) -> str:
        """As in URIs and Via: an IPv6 address in brackets, no port if there is none."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


class Transmit(msgspec.Struct, frozen=True, gc=False):
    """Send one SIP message."""

    data: bytes
    to: Destination


class Record(msgspec.Struct, frozen=True, gc=False):
    """Keep a fact."""

    fact: Fact


class Publish(msgspec.Struct, frozen=True):
    """Tell the application, at `callback_uri`, that something happened to its call.

    `type` is the event's short name ("CallConnected"); `data` the ACS fields of that event, camelCase.
    """

    callback_uri: str
    type: str
    data: dict[str, Any]
    connection: str = ""
    """callConnectionId of the application's handle on the call."""
    api_version: str = ""
    """The version that the application speaks."""
    source: str = ""
    """`source` and `subject` of the event; empty for those of the connection."""


class Announce(msgspec.Struct, frozen=True):
    """Tell the subscribers of the resource that owns `to` that a call for it rings.

    `to` and `caller` are numbers in E.164 or raw ids; whoever answers names `leg` by its context.
    """

    leg: str
    to: str
    caller: str
    resource: str
    display_name: str = ""
    seconds: float = 0.0
    """How long it rings; 0 is as long as usual."""
    sip_headers: tuple[tuple[str, str], ...] = ()
    """Of the customContext, with the next."""
    voip_headers: tuple[tuple[str, str], ...] = ()


class Notify(msgspec.Struct, frozen=True):
    """Tell the subscribers of the call's resource what became of the call, or of `user` (a raw id) in it."""

    type: Literal["CallStarted", "CallEnded", "CallParticipantAdded", "CallParticipantRemoved"]
    user: str = ""


class Srtp(msgspec.Struct, frozen=True, gc=False):
    """Keys that SDES agreed on (RFC 4568). Each key is master key and salt, 30 bytes for both suites."""

    suite: str
    """AES_CM_128_HMAC_SHA1_80 or AES_CM_128_HMAC_SHA1_32."""
    send_key: bytes
    receive_key: bytes


class StartMedia(msgspec.Struct, frozen=True, gc=False):
    """Send to, and expect RTP from, the address that the far end named in its description.

    Said again for the same leg, it replaces what was agreed before (re-INVITE).
    """

    leg: str
    host: str
    port: int
    payload_type: int
    """Under which the far end wants `codec`."""
    codec: str
    """PCMU, PCMA, G722 or opus."""
    sending: bool = True
    """False while the far end asked us not to send (held, inactive)."""
    receiving: bool = True
    telephone_event: int | None = None
    """Payload type under which the far end takes digits (RFC 4733); None if it takes none."""
    hears: tuple[tuple[int, str], ...] = ()
    """Payload types under which the far end may send to us, with their codecs; telephone-event too."""
    ptime_ms: int = 20
    srtp: Srtp | None = None
    event_clock: int = 8000
    """In Hz, of telephone events both ways: beside Opus 48,000, unless the far end knows 8,000 only."""


class CloseMedia(msgspec.Struct, frozen=True, gc=False):
    """Stop media of a leg; the world answers with a `MediaMeasured` fact."""

    leg: str


class TryNextTrunk(msgspec.Struct, frozen=True, gc=False):
    """The trunk of this leg failed, and others may take its call over: the call is told which one does."""

    leg: str


class Voice(msgspec.Struct, frozen=True, gc=False):
    """A leg in a room. Muted: it hears and is not heard. Held: neither, only what is played to it."""

    leg: str
    muted: bool = False
    held: bool = False


class Mix(msgspec.Struct, frozen=True, gc=False):
    """These legs are in the room, and hear each other from now on; the whole list, each time.

    A room is a call: its name is the callConnectionId of the call's record. A leg is in one room at most:
    the last one that named it. A room is there from the first effect that names it, with or without voices:
    ACS users who are no telephones can be played to and recorded, in silence, at the same pace. It stays when
    its legs leave, until it is told with no voices: then it closes, with all that is under way in it.
    """

    room: str
    voices: tuple[Voice, ...]


class FileAudio(msgspec.Struct, frozen=True, gc=False, tag="file"):
    """A prompt to be fetched. `cache_id` is the playSourceCacheId, empty for none."""

    uri: str
    cache_id: str = ""


class SpokenText(msgspec.Struct, frozen=True, gc=False, tag="text"):
    """A text to be spoken. `gender` is "male", "female" or empty; `model` a customVoiceEndpointId."""

    text: str
    locale: str = ""
    gender: str = ""
    voice: str = ""
    model: str = ""
    cache_id: str = ""


class SpokenMarkup(msgspec.Struct, frozen=True, gc=False, tag="ssml"):
    """SSML to be spoken."""

    ssml: str
    model: str = ""
    cache_id: str = ""


AudioSource: TypeAlias = FileAudio | SpokenText | SpokenMarkup


class PlayPrompt(msgspec.Struct, frozen=True):
    """Play these, one after the other, to some legs of a room, or (none named) to everyone in it.

    A leg that has no media (an ACS user) hears nothing, and the prompt takes its time all the same.
    The world answers with `PromptStarted` when the first sound goes out, and in any case with one
    `PromptEnded`. `speech_endpoint` is the cognitiveServicesEndpoint of the call.
    """

    id: str
    room: str
    sources: tuple[AudioSource, ...]
    legs: tuple[str, ...] = ()
    loop: bool = False
    speech_endpoint: str = ""


class StopPrompt(msgspec.Struct, frozen=True, gc=False):
    """Stop it now; `PromptEnded` with how="stopped" follows, unless it ended before."""

    id: str


class SendDigits(msgspec.Struct, frozen=True, gc=False):
    """Send these digits (0-9 * # A-D) to a leg, as RFC 4733 events; `DigitsSent` follows."""

    id: str
    room: str
    leg: str
    digits: str


class Listen(msgspec.Struct, frozen=True):
    """Recognise what a leg says from now on.

    `SpeechBegan`, `SpeechHeard` (interim and final) and `ListeningFailed` follow. With `phrases` only these
    are reckoned with. `end_silence_ms` of silence end an utterance. `keep_on`: utterance after utterance
    (transcription), else until the first final one. `interim`: tell what is heard so far as well, where the
    recogniser can.
    """

    id: str
    room: str
    leg: str
    language: str = "en-US"
    phrases: tuple[str, ...] = ()
    end_silence_ms: int = 0
    model: str = ""
    speech_endpoint: str = ""
    keep_on: bool = False
    interim: bool = False


class StopListening(msgspec.Struct, frozen=True, gc=False):
    id: str


StreamKind: TypeAlias = Literal["audio", "transcription"]


class OpenStream(msgspec.Struct, frozen=True):
    """Dial the application's WebSocket and send it the room's audio, or what is said in it.

    `StreamChanged` tells how that goes. `names` gives the raw id of each leg, for unmixed audio.
    """

    id: str
    """The subscriptionId."""
    room: str
    kind: StreamKind
    url: str
    connection: str
    correlation_id: str
    resource: str
    """Name of the resource, whose id is the audience of the token."""
    names: tuple[tuple[str, str], ...] = ()
    mixed: bool = True
    rate: int = 16_000
    bidirectional: bool = False
    digits: bool = False
    """Send DtmfData."""
    locale: str = "en-US"
    model: str = ""
    speech_endpoint: str = ""
    interim: bool = False
    """Send intermediate results of transcription."""


class UpdateStream(msgspec.Struct, frozen=True):
    """New names (somebody came or went), or another locale or model of a transcription."""

    id: str
    names: tuple[tuple[str, str], ...]
    locale: str = ""
    model: str = ""


class CloseStream(msgspec.Struct, frozen=True, gc=False):
    id: str


class StartRecording(msgspec.Struct, frozen=True):
    """Record a room. `RecordingChanged` tells how that goes.

    `channels` maps raw ids to the channels of an unmixed recording (channelAffinity); others get the next
    free one when they are first heard. `storage` is a folder's or container's URL, empty for our own.
    """

    id: str
    room: str
    resource: str
    server_call_id: str
    call_id: str
    format: Literal["wav", "mp3"] = "mp3"
    mixed: bool = True
    paused: bool = False
    names: tuple[tuple[str, str], ...] = ()
    channels: tuple[tuple[str, int], ...] = ()
    storage: str = ""


class ChangeRecording(msgspec.Struct, frozen=True):
    """Pause or resume it, or say who is in the room now."""

    id: str
    names: tuple[tuple[str, str], ...]
    paused: bool


class StopRecording(msgspec.Struct, frozen=True, gc=False):
    """Close its file; `RecordingChanged` with state="closed" follows. `why` is its sessionEndReason."""

    id: str
    why: str = "SessionEnded"


MediaEffect: TypeAlias = (
    StartMedia
    | Mix
    | PlayPrompt
    | StopPrompt
    | SendDigits
    | Listen
    | StopListening
    | OpenStream
    | UpdateStream
    | CloseStream
    | StartRecording
    | ChangeRecording
    | StopRecording
)
"""What media is asked to do at once; what comes of it follows as facts."""

Effect: TypeAlias = Transmit | Record | Publish | Announce | Notify | CloseMedia | TryNextTrunk | MediaEffect
