"""What is kept of a call beside its facts: one row for lists, and for finding it again."""

from typing import Literal, TypeAlias

import msgspec

from onhook.acs.models import WebSocketMediaStreamingOptions, WebSocketTranscriptionOptions
from onhook.effects import StartMedia
from onhook.endings.quality import LegQuality
from onhook.endings.verdict import Verdict
from onhook.sip.kept import KeptSession

Beginning: TypeAlias = Literal["create", "answer", "connect"]
"""How a connection began; its failure is named after it."""


class KeptLeg(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A telephone's leg that was up when this call took it over from another one (kept_leg.py)."""

    inbound: bool
    trunk: str
    session: KeptSession
    media_version: int
    secret: str
    """Of the call in which it began: our keys come from it."""
    agreed: StartMedia | None = None
    muted: bool = False
    held: bool = False


class LegPlan(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What a leg was begun with, as a replay needs it. `seed` makes every identifier of its session."""

    id: str
    party: str
    """Who is rung: a number in E.164, or a raw id."""
    seed: str = ""
    local: tuple[str, int] = ("", 0)
    media: tuple[str, int] = ("", 0)
    caller: str = ""
    """The caller id shown, where it is not the call's own."""
    resource: str = ""
    """Whose event subscriptions hear of it, for a user."""
    instead_of: str = ""
    """The leg that was redirected here."""
    invitation: str = ""
    """The operation that rang it in a call that was up; empty for those called at the start."""
    refers: bool = False
    """The trunk of another leg was asked to call it (REFER); it is called from here only if that refuses."""
    after: str = ""
    """The leg by another trunk that failed before, and in whose place this one is."""
    kept: KeptLeg | None = None
    """How it stood when another call gave it away (moveParticipants)."""


class MediaOptions(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What createCall, answerCall or connect said of media for its connection."""

    speech_endpoint: str = ""
    """cognitiveServicesEndpoint"""
    streaming: WebSocketMediaStreamingOptions | None = None
    transcription: WebSocketTranscriptionOptions | None = None

    @property
    def streams_at_once(self) -> bool:
        """Does a stream begin with the call?"""
        audio, text = self.streaming, self.transcription
        return bool((audio and audio.start_media_streaming) or (text and text.start_transcription))


class Connection(msgspec.Struct, kw_only=True):
    """An application's handle on a call. The first one of a call has the id of the call itself."""

    id: str
    """callConnectionId"""
    leg: str
    """Its own leg, without a telephone; empty for that of createCall."""
    resource: str
    begun_by: Beginning
    user: str
    """Raw id of the application's own identity."""
    callback_uri: str
    api_version: str
    operation_context: str = ""
    media_options: MediaOptions = MediaOptions()
    sequence: int = 0
    """Of its last ParticipantsUpdated."""
    connected_at: float | None = None
    ended_at: float | None = None
    verdict: Verdict | None = None


class CallRecord(msgspec.Struct, kw_only=True):
    """Times are Unix seconds. A call without `ended_at` is open."""

    id: str
    """callConnectionId"""
    server_call_id: str
    correlation_id: str
    resource: str
    direction: str
    source: str
    """Caller id, E.164; empty if none was given."""
    source_user: str = ""
    """Raw id of the application's own identity in the call."""
    target: str
    callback_uri: str
    api_version: str
    operation_context: str = ""
    media_options: MediaOptions = MediaOptions()
    """Those of the first connection."""
    source_display_name: str = ""
    trunk: str = ""
    seed: str = ""
    """From it derive all identifiers on the SIP side; with the facts it replays the call."""
    secret: str = ""
    """From it derive our keys of SRTP; it never goes out. 64 hexadecimal digits."""
    local: tuple[str, int] = ("", 0)
    """Our SIP address towards the trunk."""
    media: tuple[str, int] = ("", 0)
    """Our RTP address of the leg."""
    started_at: float
    connected_at: float | None = None
    ended_at: float | None = None
    verdict: Verdict | None = None
    skipped_seconds: float = 0.0
    """How much of its duration passed at once, because both ends were ours (lab/skipping.py)."""
    quality: tuple[LegQuality, ...] = ()
    """How each leg sounded, once the call is over."""
    legs: list[LegPlan] = msgspec.field(default_factory=list[LegPlan])
    """Those of a call that is more than one telephone; in the order in which they were begun."""
    answered_leg: str = ""
    """The leg that the first connection answered."""
    connections: list[Connection] = msgspec.field(default_factory=list[Connection])
    """All but the first."""


def called_first(plan: LegPlan) -> bool:
    """Was this leg begun with the call, not by a redirection, an invitation or a failure later?"""
    return not plan.instead_of and not plan.invitation and not plan.after


def leg_id(record: CallRecord) -> str:
    """The name of a call's first leg in facts and in the media engine; no two calls share it."""
    return record.seed[:12]


def local_addresses(record: CallRecord) -> dict[str, tuple[str, int]]:
    """Our SIP address on each leg, by its id; "" for legs that have no plan of their own."""
    planned = {plan.id: plan.local for plan in record.legs if plan.local[1]}
    usual = record.local if record.local[1] else next(iter(planned.values()), ("127.0.0.1", 5060))
    return {"": usual, **planned}


def first_connection(record: CallRecord) -> Connection:
    """The connection that a call's own id stands for."""
    return Connection(
        id=record.id,
        leg=record.answered_leg,
        resource=record.resource,
        begun_by="answer" if record.direction == "inbound" else "create",
        user=record.source_user,
        callback_uri=record.callback_uri,
        api_version=record.api_version,
        operation_context=record.operation_context,
        media_options=record.media_options,
        connected_at=record.connected_at,
    )
