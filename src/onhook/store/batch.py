"""What is saved together: facts, call records, outbox rows and remembered replies of one turn.

A turn is everything that was decided between two waits of the event loop. It is written in one
transaction before anything of it leaves the machine, so that a crash loses either all of it or nothing.
"""

import msgspec

from onhook.calls.grid import GridDelivery, SubscriptionRecord
from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.facts import Fact

MAX_FORGOTTEN_AT_A_TIME = 1_000
"""Calls that one cleaning of a store drops; nothing else can be written meanwhile."""
MAX_DELIVERIES_FORGOTTEN_AT_A_TIME = 10_000
"""The same for events that Event Grid is done with."""


class KeptReply(msgspec.Struct, frozen=True):
    """A first answer, to be given again to a repeated request."""

    key: str
    at: float
    body: bytes


class Batch(msgspec.Struct):
    facts: list[tuple[str, list[Fact]]] = msgspec.field(default_factory=list[tuple[str, list[Fact]]])
    records: dict[str, CallRecord] = msgspec.field(default_factory=dict[str, CallRecord])
    events: list[OutboxEvent] = msgspec.field(default_factory=list[OutboxEvent])
    settlements: list[Settlement] = msgspec.field(default_factory=list[Settlement])
    replies: list[KeptReply] = msgspec.field(default_factory=list[KeptReply])
    subscriptions: dict[str, SubscriptionRecord | None] = msgspec.field(
        default_factory=dict[str, SubscriptionRecord | None]
    )
    """By name; None deletes it."""
    grid_deliveries: dict[str, GridDelivery] = msgspec.field(default_factory=dict[str, GridDelivery])
    """By id, as they stand at the end of the turn."""

    def __bool__(self) -> bool:
        return bool(
            self.facts
            or self.records
            or self.events
            or self.settlements
            or self.replies
            or self.subscriptions
            or self.grid_deliveries
        )


class StoreFailed(Exception):
    """The store could not read or write (disk full, file gone, damaged). The text says what and where."""
