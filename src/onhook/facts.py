"""Facts: what was observed of a call, and when. Nothing here judges.

Live calls, captures and cloud logs are all written in these words, so that one `judge` and one
explainer serve them. A timeline is the list of a call's facts in the order in which they were seen;
evidence refers to facts by their number in it (1 is the first).
"""

from typing import Literal, TypeAlias

import msgspec

from onhook.facts_media import (
    DigitHeard,
    DigitsSent,
    HeardWord,
    ListeningFailed,
    MediaMeasured,
    OperationEnd,
    OperationEnded,
    PromptEnded,
    PromptFault,
    PromptStarted,
    RecordedChunk,
    RecordingChange,
    RecordingChanged,
    RelayFailed,
    RtpResumed,
    RtpStopped,
    SpeechBegan,
    SpeechHeard,
    StreamChanged,
    StreamState,
)
from onhook.observed import Observed

__all__ = [
    "ApiRequested", "CallArrived", "Cause", "ClockSkipped", "ConnectionJoined", "ConnectionLeft",
    "DigitHeard", "DigitsSent",
    "Dismissal", "DoorRefusal", "EventAttempted", "Fact", "FaultRaised", "GridAttempted", "GridFate",
    "GridListener", "GridUnheard", "HeardWord", "InboundRefused", "IncomingCallAnnounced", "LegDismissed",
    "LegMovedIn", "LegMovedOut", "ListeningFailed", "MediaMeasured", "Observed", "OperationEnd",
    "OperationEnded", "PromptEnded", "PromptFault", "PromptStarted", "Provoked", "RecordedChunk",
    "RecordingChange", "RecordingChanged", "Refusal", "RelayFailed", "Rewrite", "RouteRefused", "RouteTaken",
    "RtpResumed", "RtpStopped",
    "ServerRestarted", "SipSeen", "SipUnreadable", "SpeechBegan", "SpeechHeard", "StreamChanged",
    "StreamState", "Timeline", "TimerFired", "TransportFailed", "UserLegCause", "UserLegChanged",
    "UserLegState",
]  # fmt: skip


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


class ClockSkipped(Observed, frozen=True, kw_only=True, gc=False, tag="clock"):
    """Waiting passed at once: both ends were ours, and nothing but timers was to come (lab/skipping.py).

    `at` is the time after it; `seconds` were skipped, `why` says what was waited for or who asked for it.
    """

    seconds: float
    why: str


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
    "no-rtp",  # nothing was heard of it for too long
]


class LegDismissed(Observed, frozen=True, kw_only=True, gc=False, tag="dismissed"):
    """Our side took `leg` out of a call, which may go on: released it, or rings it no more."""

    why: Dismissal


class LegMovedOut(Observed, frozen=True, kw_only=True, gc=False, tag="moved-out"):
    """`leg` goes on in another call of the resource; what comes of it later is told there."""

    to_call: str
    """Its callConnectionId."""


class LegMovedIn(Observed, frozen=True, kw_only=True, gc=False, tag="moved-in"):
    """`leg`, which was up in another call, goes on in this one: the telephone `number` on `trunk`."""

    from_call: str
    """Its callConnectionId."""
    number: str
    trunk: str
    inbound: bool = False
    """The telephone had called."""


class Cause(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How a far end ends a call: `status` of its final response, 0 for BYE, and `q850` of its Reason."""

    status: int
    q850: int | None = None


class Rewrite(msgspec.Struct, frozen=True, gc=False):
    """What a trunk makes of a cause, as it was measured: `sent` at its far side, `seen` here."""

    sent: Cause
    seen: Cause


class RouteTaken(Observed, frozen=True, kw_only=True, gc=False, tag="route"):
    """A trunk was chosen for a number. `rewrites` is what it was known then to do to causes."""

    number: str
    trunk: str
    pattern: str
    after: str = ""
    """The leg by another trunk that failed before, and in whose place this one is."""
    rewrites: tuple[Rewrite, ...] = ()


Refusal: TypeAlias = Literal[
    "number-invalid",  # not E.164
    "number-unknown",  # the service knows neither number nor resource
    "caller-id-missing",
    "caller-id-not-owned",
    "no-route",  # no voice route matches, and no owned caller id opens the default trunk
    "no-trunk",  # the route or resource has no trunk configured
    "trunk-full",  # every trunk of the route is at its limit of calls
    "caller-id-full",  # the caller id is at its limit of calls at a time
    "trunk-too-fast",  # every trunk of the route began as many calls this second as it may
    "trunk-resting",  # every trunk of the route asked for a rest: 503 with Retry-After
]


class RouteRefused(Observed, frozen=True, kw_only=True, gc=False, tag="route-refused"):
    """No trunk was chosen, and why. `detail` names the value and the setting at fault."""

    number: str
    why: Refusal
    detail: str
    after: str = ""
    """The leg by a trunk that failed, which no other trunk could take over."""


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


class Provoked(Observed, frozen=True, kw_only=True, gc=False, tag="provoked"):
    """What follows was asked for: `provocation` is what was armed under this id, `name` what it provokes.

    It is no proof of how a call ended, which is judged from what came of it; it says that nothing is broken.
    """

    provocation: str
    name: str
    arm: str
    """Where it was armed: carrier, request, callback …"""
    detail: str = ""


class FaultRaised(Observed, frozen=True, kw_only=True, gc=False, tag="fault"):
    """Our own code failed while handling this call."""

    where: str
    traceback: str
    survived: bool = False
    """The call went on: what failed is something that was done for it, a prompt or a recording."""


Fact: TypeAlias = (
    SipSeen
    | SipUnreadable
    | TimerFired
    | ClockSkipped
    | TransportFailed
    | ApiRequested
    | IncomingCallAnnounced
    | UserLegChanged
    | ConnectionJoined
    | ConnectionLeft
    | LegDismissed
    | LegMovedOut
    | LegMovedIn
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
    | Provoked
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
