"""Groups everything of one turn of the event loop into one save, and only then lets it leave.

Whoever changes something adds it here and names what has to happen after it is safe. The save runs at
the end of the turn; a burst of calls so costs one transaction, not one each. When the store fails,
nothing leaves: the batch is kept, tried again, and `written` raises to whoever waits.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.facts import Fact
from onhook.store.batch import Batch, KeptReply, StoreFailed

RETRY_SECONDS = 1.0
log = logging.getLogger(__name__)


class Store(Protocol):
    def save(self, batch: Batch) -> None: ...


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch = Batch()
        self._after: list[Callable[[], None]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._scheduled = False
        self.failure = ""
        """Why the last save failed; empty while all is well."""

    def add_facts(self, call_id: str, facts: list[Fact]) -> None:
        if facts:
            self._batch.facts.append((call_id, facts))
            self._schedule()

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

    def then(self, action: Callable[[], None]) -> None:
        """Run `action` once everything added so far is saved."""
        self._after.append(action)
        self._schedule()

    async def written(self) -> None:
        """Return once everything added so far is saved; raises StoreFailed if it could not be."""
        if not self._scheduled:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def flush(self) -> None:
        """Save now. On failure everything is kept for the next try."""
        if not self._scheduled:
            return
        waiting, self._waiting = self._waiting, []
        try:
            if self._batch:
                self._store.save(self._batch)
        except StoreFailed as error:
            self._keep_for_later(error, waiting)
            return
        self._scheduled, self.failure = False, ""
        self._batch = Batch()
        after, self._after = self._after, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        for action in after:
            action()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def _keep_for_later(self, error: StoreFailed, waiting: list[asyncio.Future[None]]) -> None:
        if not self.failure:
            log.error("%s; nothing is sent until it works again", error)
        self.failure = str(error)
        for future in waiting:
            if not future.done():
                future.set_exception(StoreFailed(str(error)))
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self.flush)
