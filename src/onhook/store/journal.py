"""Groups everything of one turn of the event loop into one save, and only then lets it leave.

Whoever changes something adds it here and names what has to happen after it is safe. The save runs at
the end of the turn; a burst of calls so costs one transaction, not one each.

When the store fails, nothing leaves: the batch is kept and tried again, `written` raises to whoever waits,
and `failure` says why. Whoever asked for something new is told that it failed, so it must not happen later
after all: `on_failure` lets its owner take it back (`discard`) before the next try.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Protocol

from onhook.calls.grid import GridDelivery, SubscriptionRecord
from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.facts import Fact
from onhook.store.batch import Batch, KeptReply, StoreFailed

RETRY_SECONDS = 1.0
"""Between two tries of a save that failed."""
log = logging.getLogger(__name__)


class Store(Protocol):
    def save(self, batch: Batch) -> None: ...


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch = Batch()
        self._after: list[Callable[[], None]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._scheduled: asyncio.Handle | None = None
        self._take_back: Callable[[], None] = _nothing
        self._hear: Callable[[str, Fact], None] = _nothing
        self.failure = ""
        """Why the last save failed; empty while all is well."""

    def add_facts(self, call_id: str, facts: list[Fact]) -> None:
        if facts:
            self._batch.facts.append((call_id, facts))
            self._schedule()

    def note(self, call_id: str, fact: Fact) -> None:
        """Add a fact that was observed outside the call; `on_noted` hears of it."""
        self.add_facts(call_id, [fact])
        self._hear(call_id, fact)

    def add_record(self, record: CallRecord) -> None:
        """Save the record as it is at the end of the turn."""
        self._batch.records[record.id] = record
        self._schedule()

    def add_event(self, event: OutboxEvent) -> None:
        self._batch.events.append(event)
        self._schedule()

    def add_settlement(self, settled: Settlement) -> None:
        self._batch.settlements.append(settled)
        self._schedule()

    def add_reply(self, reply: KeptReply) -> None:
        self._batch.replies.append(reply)
        self._schedule()

    def add_subscription(self, record: SubscriptionRecord) -> None:
        self._batch.subscriptions[record.name] = record
        self._schedule()

    def drop_subscription(self, name: str) -> None:
        self._batch.subscriptions[name] = None
        self._schedule()

    def add_grid_delivery(self, delivery: GridDelivery) -> None:
        """Save the delivery as it is now; the newest of a turn counts."""
        self._batch.grid_deliveries[delivery.id] = delivery
        self._schedule()

    def then(self, action: Callable[[], None]) -> None:
        """Run `action` once everything added so far is saved."""
        self._after.append(action)
        self._schedule()

    def on_failure(self, handler: Callable[[], None]) -> None:
        """`handler` is called after every save that failed, before those who wait are told."""
        self._take_back = handler

    def on_noted(self, handler: Callable[[str, Fact], None]) -> None:
        self._hear = handler

    def discard(self, call_ids: Collection[str], reply_keys: Collection[str]) -> None:
        """Take calls back that were never saved, with all that belongs to them, and replies."""
        batch = self._batch
        batch.facts = [(call_id, facts) for call_id, facts in batch.facts if call_id not in call_ids]
        batch.records = {key: record for key, record in batch.records.items() if key not in call_ids}
        batch.events = [event for event in batch.events if event.call_id not in call_ids]
        batch.replies = [reply for reply in batch.replies if reply.key not in reply_keys]
        batch.grid_deliveries = {
            key: delivery
            for key, delivery in batch.grid_deliveries.items()
            if delivery.call_id not in call_ids
        }

    async def written(self) -> None:
        """Return once everything added so far is saved; raises StoreFailed if the next save fails."""
        if self._scheduled is None:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def flush(self) -> None:
        """Save now. On failure everything is kept for the next try."""
        if self._scheduled is None:
            return
        self._scheduled.cancel()
        try:
            self._store.save(self._batch)
        except Exception as error:  # noqa: BLE001  # whatever it is: silence would stop every call for good
            self._keep_for_later(error)
            return
        if self.failure:
            log.warning("the store works again")
        self._scheduled, self.failure = None, ""
        self._batch = Batch()
        waiting, self._waiting = self._waiting, []
        after, self._after = self._after, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        for action in after:
            _run(action)

    def lose(self) -> None:
        """Forget what is not saved, as a crash does: nothing of it happens any more."""
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._scheduled, self._batch, self._after = None, Batch(), []
        for future in self._waiting:
            future.cancel()
        self._waiting = []

    def _schedule(self) -> None:
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self.flush)

    def _keep_for_later(self, error: Exception) -> None:
        known = isinstance(error, StoreFailed)
        why = str(error) if known else f"cannot save: {type(error).__name__}: {error}"
        if not self.failure:
            log.error("%s; nothing is sent until it works again", why, exc_info=None if known else error)
        self.failure = why
        self._scheduled = asyncio.get_running_loop().call_later(RETRY_SECONDS, self.flush)
        _run(self._take_back)
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_exception(StoreFailed(why))


def _run(action: Callable[[], None]) -> None:
    """One that fails must not keep the others from running."""
    try:
        action()
    except Exception:
        log.exception("what follows a save failed")


def _nothing(*_: object) -> None:
    """Until a handler is set."""
