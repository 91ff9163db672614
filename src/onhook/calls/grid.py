"""Event Grid subscriptions, and events on their way to them, as they are kept.

Nothing here changes: a change is a new value, so that what was handed to the store stays as it was.
Times are Unix seconds.
"""

from typing import Literal, TypeAlias

import msgspec

GridSchema: TypeAlias = Literal["eventgrid", "cloudevents"]
ProvisioningState: TypeAlias = Literal["Creating", "Succeeded", "AwaitingManualAction", "Failed"]
"""As Event Grid names them (documented)."""

DeliveryFate: TypeAlias = Literal["waiting", "delivered", "dead-lettering", "dead-lettered", "dropped"]
"""`dead-lettering` waits to be written to the dead-letter file."""

MAX_ATTEMPTS = 30
MAX_TTL_MINUTES = 1440
"""Highest values, and the defaults, of a retry policy (documented)."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to hear of, and where. Names are unique in this server."""

    name: str
    endpoint: str
    resource: str = ""
    """Nothing, until it was checked: the only one."""
    schema: GridSchema = "eventgrid"
    event_types: tuple[str, ...] = ()
    """Full names; none means all."""
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    subject_case_sensitive: bool = False
    max_attempts: int = MAX_ATTEMPTS
    ttl_minutes: int = MAX_TTL_MINUTES
    dead_letter_file: str = ""
    """A file name; nothing: what cannot be delivered is dropped."""


class GridTry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to an endpoint, and what came of it. `status` is None if no HTTP answer came."""

    at: float
    status: int | None
    elapsed_ms: float
    outcome: str
    """In the words of lastDeliveryOutcome; Delivered if it was taken."""
    error: str = ""

    @property
    def told(self) -> str:
        """In words: `500 Internal Server Error`, `no answer within 30 s`."""
        return f"{self.status} {self.error}".strip() if self.status is not None else self.error


class SubscriptionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription and how far its validation is."""

    settings: Subscription
    origin: Literal["config", "api"]
    code: str
    """What the endpoint has to echo."""
    token: str
    """What makes the validation URL hard to guess."""
    state: ProvisioningState = "Creating"
    why: str = ""
    """The reason of the state, in words."""
    created_at: float
    state_at: float
    validate_until: float
    """How long the validation URL is good."""
    tries: tuple[GridTry, ...] = ()
    """Of the handshake, the oldest first."""

    @property
    def name(self) -> str:
        return self.settings.name


class GridDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one subscription, from its publication until long after it was taken or given up."""

    id: str
    event_id: str
    subscription: str
    resource: str
    event_type: str
    subject: str
    call_id: str
    """callConnectionId; empty if the event belongs to no call."""
    data: bytes
    """JSON."""
    event_at: float
    published_at: float
    due: float
    """When something is to be done next; counts while `fate` is waiting or dead-lettering."""
    fate: DeliveryFate = "waiting"
    reason: str = ""
    """Why it was given up: deadLetterReason."""
    tries: tuple[GridTry, ...] = ()

    @property
    def open(self) -> bool:
        return self.fate in {"waiting", "dead-lettering"}


def bare(endpoint: str) -> str:
    """An endpoint without its query: that may hold the application's key."""
    address, mark, _ = endpoint.partition("?")
    return address + ("?…" if mark else "")
