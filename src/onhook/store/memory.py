"""The store in memory. Passes the same contract as the SQLite one."""

import copy

from onhook.calls.grid import GridDelivery, SubscriptionRecord
from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.facts import Fact, Timeline
from onhook.store.batch import (
    MAX_DELIVERIES_FORGOTTEN_AT_A_TIME,
    MAX_FORGOTTEN_AT_A_TIME,
    Batch,
)
from onhook.store.kept import MemoryKept


class MemoryStore:
    def __init__(self) -> None:
        self.kept = MemoryKept()
        """Users and documents."""
        self._facts: dict[str, list[Fact]] = {}
        self._records: dict[str, CallRecord] = {}
        self._connections: dict[str, str] = {}
        """Call of each connection but the first ones."""
        self._outbox: dict[str, OutboxEvent] = {}
        self._abandoned: dict[str, OutboxEvent] = {}
        self._replies: dict[str, tuple[float, bytes]] = {}
        self._subscriptions: dict[str, SubscriptionRecord] = {}
        self._deliveries: dict[str, GridDelivery] = {}

    def save(self, batch: Batch) -> None:
        for call_id, facts in batch.facts:
            self._facts.setdefault(call_id, []).extend(facts)
        for call_id, record in batch.records.items():
            self._records[call_id] = _copied(record)
            self._connections.update((each.id, call_id) for each in record.connections)
        for event in batch.events:
            if event.id not in self._abandoned:
                self._outbox.setdefault(event.id, copy.copy(event))
        for settled in batch.settlements:
            self._settle(settled)
        for reply in batch.replies:
            self._replies.setdefault(reply.key, (reply.at, reply.body))
        for name, subscription in batch.subscriptions.items():
            if subscription is None:
                self._subscriptions.pop(name, None)
            else:
                self._subscriptions[name] = subscription
        self._deliveries |= batch.grid_deliveries

    def _settle(self, settled: Settlement) -> None:
        event = self._outbox.get(settled.event_id)
        if event is None:
            return
        event.attempts, event.due = settled.attempts, settled.due
        if settled.fate != "retry":
            del self._outbox[settled.event_id]
        if settled.fate == "abandoned":
            self._abandoned[settled.event_id] = event

    def facts(self, call_id: str) -> Timeline:
        return list(self._facts.get(call_id, []))

    def call(self, call_id: str) -> CallRecord | None:
        """By its id, or by the callConnectionId of any of its connections."""
        found = self._records.get(call_id) or self._records.get(self._connections.get(call_id, ""))
        return _copied(found) if found else None

    def calls(self, limit: int) -> list[CallRecord]:
        """The newest first."""
        records = sorted(self._records.values(), key=lambda record: record.started_at, reverse=True)
        return [_copied(record) for record in records[:limit]]

    def open_calls(self) -> list[CallRecord]:
        """The oldest first."""
        found = [_copied(record) for record in self._records.values() if record.ended_at is None]
        return sorted(found, key=lambda record: record.started_at)

    def ended_last(self, seconds: float) -> list[CallRecord]:
        """Calls that ended within `seconds` before the last end of a call, the earliest first."""
        ended = [(r.ended_at, r.id) for r in self._records.values() if r.ended_at is not None]
        since = max(ended)[0] - seconds if ended else 0.0
        return [copy.copy(self._records[call_id]) for at, call_id in sorted(ended) if at >= since]

    def undelivered(self) -> list[OutboxEvent]:
        """In the order in which they were published."""
        return [copy.copy(event) for event in self._outbox.values()]

    def abandoned(self) -> list[OutboxEvent]:
        return [copy.copy(event) for event in self._abandoned.values()]

    def reply(self, key: str) -> bytes | None:
        kept = self._replies.get(key)
        return kept[1] if kept else None

    def subscriptions(self) -> list[SubscriptionRecord]:
        """In the order of their names."""
        return [self._subscriptions[name] for name in sorted(self._subscriptions)]

    def open_grid_deliveries(self) -> list[GridDelivery]:
        """In the order in which they were published."""
        return [delivery for delivery in self._deliveries.values() if delivery.open]

    def grid_deliveries(self, *, subscription: str, event_id: str = "", limit: int) -> list[GridDelivery]:
        """The newest first; of all events if none is named."""
        found = [
            delivery
            for delivery in reversed(self._deliveries.values())
            if delivery.subscription == subscription and event_id in {"", delivery.event_id}
        ]
        return found[:limit]

    def forget(self, *, calls_before: float, replies_before: float) -> int:
        """Drop calls that ended before the one time, replies kept before the other; how many calls.

        At most MAX_FORGOTTEN_AT_A_TIME calls, the oldest first: ask again while it gives that many.
        """
        ended = sorted((r.ended_at, r.id) for r in self._records.values() if r.ended_at is not None)
        gone = {call_id for at, call_id in ended[:MAX_FORGOTTEN_AT_A_TIME] if at < calls_before}
        for call_id in gone:
            del self._records[call_id]
            self._facts.pop(call_id, None)
        self._connections = {
            key: call_id for key, call_id in self._connections.items() if call_id not in gone
        }
        self._abandoned = {
            event_id: event for event_id, event in self._abandoned.items() if event.call_id not in gone
        }
        self._replies = {key: kept for key, kept in self._replies.items() if kept[0] >= replies_before}
        done = [
            key
            for key, each in self._deliveries.items()
            if not each.open and each.published_at < calls_before
        ]
        for key in done[:MAX_DELIVERIES_FORGOTTEN_AT_A_TIME]:
            del self._deliveries[key]
        return len(gone)

    def close(self) -> None:
        """Nothing to release."""


def _copied(record: CallRecord) -> CallRecord:
    """As it is now, whatever becomes of the original and its connections."""
    copied = copy.copy(record)
    copied.legs = list(record.legs)
    copied.connections = [copy.copy(each) for each in record.connections]
    return copied
