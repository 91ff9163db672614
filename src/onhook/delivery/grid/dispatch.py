"""Deliveries on their way: a lane for each subscription, so that one slow endpoint holds up no other.

Within a lane events go out unordered, many at a time (documented: Event Grid promises no order). What is
due later waits in a heap; one timer a lane wakes it. A delivery that was added twice goes out twice: the
store decides what is open.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterable
from itertools import count

import msgspec

from onhook.calls.grid import DeliveryFate, GridDelivery, GridTry, SubscriptionRecord, bare
from onhook.delivery.grid.retries import Again, Patience, is_expired
from onhook.delivery.grid.surroundings import Journal, Post, Sources
from onhook.delivery.grid.wire import dead_letter, notification
from onhook.facts import GridAttempted, GridFate

MAX_POSTS_AT_A_TIME = 100
"""For one subscription."""
MAX_TIMER_SECONDS = 3600.0
"""A lane looks at the clock at least so often while something waits."""
HELD_SECONDS = 10.0
"""How soon a delivery is looked at again whose subscription is being validated anew."""
PAUSE_AFTER_FAULT_SECONDS = 10.0
log = logging.getLogger(__name__)


class _Lane:
    __slots__ = ("heap", "running", "timer")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, GridDelivery]] = []
        self.running = 0
        self.timer: asyncio.TimerHandle | None = None


class Dispatch:
    """`subscription` finds one by name; `write` appends bytes to the dead-letter file of a name."""

    def __init__(
        self,
        journal: Journal,
        post: Post,
        sources: Sources,
        patience: Patience,
        *,
        subscription: Callable[[str], SubscriptionRecord | None],
        write: Callable[[str, bytes], None],
        posts_at_a_time: int = MAX_POSTS_AT_A_TIME,
    ) -> None:
        self._journal, self._post, self._sources, self._patience = journal, post, sources, patience
        self._subscription, self._write = subscription, write
        self._posts_at_a_time = posts_at_a_time
        self._lanes: dict[str, _Lane] = {}
        self._numbers = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.last_tries: dict[str, GridTry] = {}
        """The newest of each subscription."""

    def waiting(self, subscription: str) -> int:
        """Deliveries of a subscription that are not done with."""
        lane = self._lanes.get(subscription)
        return len(lane.heap) + lane.running if lane else 0

    def add(self, deliveries: Iterable[GridDelivery]) -> None:
        """Take over deliveries that are safely stored. After `close` they wait there for the next start."""
        if self._closed:
            return
        touched: set[str] = set()
        for delivery in deliveries:
            lane = self._lanes.setdefault(delivery.subscription, _Lane())
            heapq.heappush(lane.heap, (delivery.due, next(self._numbers), delivery))
            touched.add(delivery.subscription)
        for name in touched:
            self._pump(name)

    def look_again(self, subscription: str) -> None:
        """The subscription changed: what waits for it alone is looked at now."""
        lane = self._lanes.get(subscription)
        if lane is None or self._closed:
            return
        now = self._sources.now()
        gone = self._subscription(subscription) is None
        lane.heap = [
            (now if gone or not delivery.tries else due, number, delivery)
            for due, number, delivery in lane.heap
        ]
        heapq.heapify(lane.heap)
        self._pump(subscription)

    async def close(self) -> None:
        """Stop at once: what is not settled stays in the store."""
        self._closed = True
        for lane in self._lanes.values():
            if lane.timer:
                lane.timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _pump(self, name: str) -> None:
        """Begin whatever is due, as far as the limit allows, and see to being woken for the rest."""
        if self._closed:
            return
        lane = self._lanes[name]
        if lane.timer:
            lane.timer.cancel()
            lane.timer = None
        now = self._sources.now()
        loop = asyncio.get_running_loop()
        while lane.heap and lane.running < self._posts_at_a_time:
            due, _, delivery = lane.heap[0]
            if due > now:
                lane.timer = loop.call_later(min(due - now, MAX_TIMER_SECONDS), self._pump, name)
                return
            heapq.heappop(lane.heap)
            lane.running += 1
            task = loop.create_task(self._handle(name, delivery), name=f"delivering to {name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not lane.heap and not lane.running:
            del self._lanes[name]

    async def _handle(self, name: str, delivery: GridDelivery) -> None:
        lane = self._lanes[name]
        try:
            delivery = await self._advance(delivery)
        except Exception:
            log.exception("event %s for subscription %s is stuck; it is tried again", delivery.event_id, name)
            due = self._sources.now() + PAUSE_AFTER_FAULT_SECONDS
            delivery = msgspec.structs.replace(delivery, due=due)
        finally:
            lane.running -= 1
        if delivery.open:
            heapq.heappush(lane.heap, (delivery.due, next(self._numbers), delivery))
        self._pump(name)

    async def _advance(self, delivery: GridDelivery) -> GridDelivery:
        """Do what is due; the delivery as it then stands."""
        record = self._subscription(delivery.subscription)
        if record is None:
            return self._settle(delivery, "dropped", "the subscription was deleted")
        now = self._sources.now()
        if delivery.fate == "dead-lettering":
            return self._bury(delivery, record, now)
        if is_expired(delivery.published_at, record.settings.ttl_minutes, now):
            return self._give_up(delivery, record, "TimeToLiveExceeded", now)
        if record.state != "Succeeded":
            return msgspec.structs.replace(delivery, due=now + HELD_SECONDS)
        return await self._attempt(delivery, record)

    async def _attempt(self, delivery: GridDelivery, record: SubscriptionRecord) -> GridDelivery:
        began = self._sources.now()
        request = notification(record.settings, delivery)
        answer = await self._post.send(request, self._patience.answer_seconds)
        now = self._sources.now()
        made = answer.tried(now, now - began)
        self.last_tries[delivery.subscription] = made
        tried = msgspec.structs.replace(delivery, tries=(*delivery.tries, made))
        if answer.taken:
            self._note(tried, record, made, "delivered")
            return self._settle(tried, "delivered", "")
        follows = self._patience.after_failure(
            attempts=len(tried.tries),
            max_attempts=record.settings.max_attempts,
            status=answer.status,
            now=now,
            jitter=self._sources.jitter(),
        )
        if isinstance(follows, Again):
            self._note(tried, record, made, "retry")
            return self._keep(msgspec.structs.replace(tried, due=follows.due))
        self._note(tried, record, made, "dead-lettering" if record.settings.dead_letter_file else "dropped")
        return self._give_up(tried, record, follows, now)

    def _note(
        self, delivery: GridDelivery, record: SubscriptionRecord, made: GridTry, fate: GridFate
    ) -> None:
        if not delivery.call_id:
            return
        fact = GridAttempted(
            at=made.at,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            subscription=delivery.subscription,
            endpoint=bare(record.settings.endpoint),
            attempt=len(delivery.tries),
            status=made.status,
            elapsed_ms=made.elapsed_ms,
            fate=fate,
            error=made.error,
        )
        self._journal.note(delivery.call_id, fact)

    def _give_up(
        self, delivery: GridDelivery, record: SubscriptionRecord, reason: str, now: float
    ) -> GridDelivery:
        last = delivery.tries[-1].told if delivery.tries else "no attempt was made"
        log.warning(
            "event %s (%s) for subscription %s is given up: %s; %s",
            delivery.event_id,
            delivery.event_type,
            delivery.subscription,
            reason,
            last,
        )
        if not record.settings.dead_letter_file:
            return self._settle(delivery, "dropped", reason)
        last_at = delivery.tries[-1].at if delivery.tries else now
        due = max(now, last_at + self._patience.dead_letter_delay_seconds)
        return self._keep(msgspec.structs.replace(delivery, fate="dead-lettering", reason=reason, due=due))

    def _bury(self, delivery: GridDelivery, record: SubscriptionRecord, now: float) -> GridDelivery:
        """Write the dead letter; while that fails, try again for some hours, as documented."""
        settings = record.settings
        if not settings.dead_letter_file:
            return self._settle(delivery, "dropped", delivery.reason)
        try:
            self._write(settings.dead_letter_file, dead_letter(delivery, settings.schema))
        except OSError as error:
            log.warning("dead-letter file %s cannot be written: %s", settings.dead_letter_file, error)
            first = delivery.tries[-1].at if delivery.tries else delivery.published_at
            if now - first > self._patience.dead_letter_patience_seconds:
                return self._settle(delivery, "dropped", delivery.reason)
            due = now + self._patience.dead_letter_retry_seconds
            return self._keep(msgspec.structs.replace(delivery, due=due))
        return self._settle(delivery, "dead-lettered", delivery.reason)

    def _keep(self, delivery: GridDelivery) -> GridDelivery:
        self._journal.add_grid_delivery(delivery)
        return delivery

    def _settle(self, delivery: GridDelivery, fate: DeliveryFate, reason: str) -> GridDelivery:
        return self._keep(msgspec.structs.replace(delivery, fate=fate, reason=reason))
