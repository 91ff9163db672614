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
    """A timer ran out: a letter is RFC 3261's; `no-response`, `setup`, `duration`, `release` are ours."""

    name: str
    after_seconds: float


class TransportFailed(Observed, frozen=True, kw_only=True, gc=False, tag="transport-failed"):
    """A message could not be carried: refused, reset, unreachable, name unknown."""

    transport: str
    peer: str
    error: str


class ApiRequested(Observed, frozen=True, kw_only=True, gc=False, tag="api"):
    """The application asked something of this call. `operation` is the name in acs/operations.py."""

    operation: str
    status: int
    request_id: str = ""
    detail: str = ""


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
]


class RouteRefused(Observed, frozen=True, kw_only=True, gc=False, tag="route-refused"):
    """No trunk was chosen, and why. `detail` names the value and the setting at fault."""

    number: str
    why: Refusal
    detail: str


class MediaMeasured(Observed, frozen=True, kw_only=True, gc=False, tag="media"):
    """RTP of one leg, counted up to `at`. Times are Unix seconds, None if no packet came."""

    sent: int
    received: int
    first_received_at: float | None = None
    last_received_at: float | None = None
    codec: str = ""
    remote: str = ""


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
    | RouteTaken
    | RouteRefused
    | MediaMeasured
    | EventAttempted
    | GridAttempted
    | GridUnheard
    | ServerRestarted
    | FaultRaised
)
Timeline: TypeAlias = list[Fact]
