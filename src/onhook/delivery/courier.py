"""Delivers the outbox over HTTP: in order within a call, side by side between calls, at least once.

Each call with something to say has a lane: a queue, and one task that empties it. A failed event is
tried again by the schedule, and holds back only the later events of its own call. Whatever goes wrong with
a try is a failed try: a lane ends when it is empty, never before.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal, Protocol, TypeAlias

import aiohttp
from yarl import URL

from onhook.calls.outbox import Fate, OutboxEvent, Settlement
from onhook.delivery.refused_networks import RefusedNetworks
from onhook.delivery.schedule import Schedule
from onhook.facts import EventAttempted, Fact

MAX_ANSWER_BYTES = 65_536
"""How much of an application's answer is read; the rest is not waited for."""
BODY_SECONDS = 1.0
"""How long the body of an answer may take; its status has counted already."""
MAX_POSTS_AT_A_TIME = 200
PAUSE_AFTER_FAULT_SECONDS = 1.0
"""After a fault of our own, so that a lane that cannot go on does not spin."""
MAX_ERROR_CHARACTERS = 500
LATE_SECONDS = 3.0
"""How late an event leaves that shall be late."""
HELD_BACK_SECONDS = 10.0
"""How long an event that shall come out of order waits for the next one of its call."""
Mishap: TypeAlias = Literal["", "late", "twice", "out-of-order", "lost"]
"""What the lab lets happen to an event."""
log = logging.getLogger(__name__)


class Journal(Protocol):
    def note(self, call_id: str, fact: Fact) -> None: ...

    def add_settlement(self, settled: Settlement) -> None: ...


class Courier:
    """`now` gives Unix seconds; `trust` is how https callbacks are verified.

    `authorize` gives the Authorization header of each POST, or nothing; `refused` is where none may go.
    """

    def __init__(
        self,
        journal: Journal,
        now: Callable[[], float],
        schedule: Schedule,
        *,
        trust: ssl.SSLContext | None = None,
        user_agent: str = "onhook",
        posts_at_a_time: int = MAX_POSTS_AT_A_TIME,
        authorize: Callable[[OutboxEvent], str] | None = None,
        refused: RefusedNetworks | None = None,
    ) -> None:
        self._authorize, self._refused = authorize, refused or RefusedNetworks()
        self._journal, self._now, self._schedule, self._trust = journal, now, schedule, trust
        self._headers = {"User-Agent": user_agent, "Content-Type": "application/json"}
        self._posts = asyncio.Semaphore(posts_at_a_time)
        self._lanes: dict[str, deque[OutboxEvent]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self.provoked: Callable[[OutboxEvent], Mishap] = lambda _event: ""
        """Asked of each event before its first try."""
        self._held_back: dict[str, OutboxEvent] = {}
        """By call: events that shall come behind the next one."""
        self._asked: set[str] = set()
        """Ids of events under way whose mishap is settled."""
        self._closed = False
        self._longest_pause = max(schedule.delays_seconds)

    def start(self) -> None:
        connector = aiohttp.TCPConnector(
            ssl=self._trust or True, limit=0, ttl_dns_cache=60, socket_factory=self._refused.open_socket
        )
        timeout = aiohttp.ClientTimeout(total=self._schedule.timeout_seconds)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=self._headers, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Stop at once: what is not delivered stays in the store for the next start."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    @property
    def waiting(self) -> int:
        """Events not yet taken by the application."""
        return sum(len(lane) for lane in self._lanes.values())

    def is_done_with(self, call_id: str) -> bool:
        """Has the application taken, or refused for good, every event of this call so far?"""
        return call_id not in self._lanes

    def waiting_of(self, call_id: str) -> list[OutboxEvent]:
        """The events of a call that its application has not taken, in their order."""
        return list(self._lanes.get(call_id, ()))

    def abandon(self, call_id: str) -> None:
        """Give up what a call still has to say; a try that is under way is broken off."""
        lane = self._lanes.pop(call_id, None)
        if lane is None:
            return
        for task in self._tasks:
            if task.get_name() == call_id:
                task.cancel()
        for event in lane:
            self._journal.add_settlement(Settlement(event.id, "abandoned", event.attempts, 0.0))

    def deliver(self, events: Iterable[OutboxEvent]) -> None:
        """Take over events that are safely stored. After `close` they wait there for the next start."""
        if self._closed:
            return
        for event in events:
            lane = self._lanes.get(event.call_id)
            if lane is not None:
                lane.append(event)
                continue
            self._lanes[event.call_id] = deque([event])
            task = asyncio.get_running_loop().create_task(self._empty(event.call_id), name=event.call_id)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _empty(self, call_id: str) -> None:
        lane = self._lanes[call_id]
        while lane:
            event = lane[0]
            mishap = self._mishap_of(event)
            if mishap in {"lost", "out-of-order"}:
                lane.popleft()
                self._lose(event) if mishap == "lost" else self._hold_back(event)
                continue
            if mishap == "late":
                event.due = self._now() + LATE_SECONDS
            if (wait := event.due - self._now()) > 0:
                await asyncio.sleep(min(wait, self._longest_pause))  # the clock may have been set since
            try:
                finished = await self._attempt(event)
            except Exception:
                log.exception("event %s could not be settled; it will be tried again", event.id)
                await asyncio.sleep(PAUSE_AFTER_FAULT_SECONDS)
                continue
            if not finished:
                continue
            lane.popleft()
            if mishap == "twice":
                await self._attempt(event)
            self._asked.discard(event.id)
            if (held_back := self._held_back.pop(call_id, None)) is not None:
                lane.append(held_back)
        del self._lanes[call_id]

    def _mishap_of(self, event: OutboxEvent) -> Mishap:
        if event.attempts or event.id in self._asked:
            return ""
        mishap = self.provoked(event)
        if mishap:
            self._asked.add(event.id)
        return mishap

    def _lose(self, event: OutboxEvent) -> None:
        """Never sent, as if the network had swallowed it; it is not tried again, after a restart either."""
        self._asked.discard(event.id)
        self._journal.add_settlement(Settlement(event.id, "abandoned", event.attempts, 0.0))

    def _hold_back(self, event: OutboxEvent) -> None:
        self._held_back[event.call_id] = event
        asyncio.get_running_loop().call_later(HELD_BACK_SECONDS, self._release, event)

    def _release(self, event: OutboxEvent) -> None:
        """No event of its call came meanwhile: it leaves alone."""
        if self._held_back.get(event.call_id) is event:
            del self._held_back[event.call_id]
            self.deliver([event])

    async def _attempt(self, event: OutboxEvent) -> bool:
        """Post once; True if this event is done with, delivered or abandoned."""
        async with self._posts:
            began = self._now()
            status, error = await self._post(event)
        ended = self._now()
        event.attempts += 1
        attempted = EventAttempted(
            at=ended,
            event_id=event.id,
            event_type=event.type,
            uri=event.uri,
            attempt=event.attempts,
            status=status,
            elapsed_ms=round((ended - began) * 1000, 3),
            error=error,
        )
        due = None
        taken = status is not None and 200 <= status < 300
        if not taken:
            due = self._schedule.next_due(
                attempts=event.attempts, created_at=event.created_at, now=ended, status=status
            )
            event.due = due or 0.0
        fate: Fate = "delivered" if taken else "abandoned" if due is None else "retry"
        if fate == "abandoned":
            log.warning("event %s (%s) is given up after %d attempts", event.id, event.type, event.attempts)
        self._journal.note(event.call_id, attempted)
        self._journal.add_settlement(Settlement(event.id, fate, event.attempts, event.due))
        return fate != "retry"

    async def _post(self, event: OutboxEvent) -> tuple[int | None, str]:
        """(HTTP status or None, error text). Redirects are not followed: an event goes where it was sent."""
        try:
            assert self._session is not None, "deliver was called before start"
            authorization = self._authorize(event) if self._authorize else ""
            headers = {"Authorization": authorization} if authorization else None
            # The query is the application's own, often a key: it goes out letter by letter.
            url = URL(event.uri, encoded=event.uri.isascii())
            posting = self._session.post(url, data=event.body, headers=headers, allow_redirects=False)
            async with posting as response:
                await _read_rest(response)
                return response.status, "" if response.status < 300 else response.reason or ""
        except TimeoutError:
            return None, f"no answer within {self._schedule.timeout_seconds:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, _told(error)
        except Exception as error:
            log.exception("posting event %s to %s failed", event.id, event.uri)
            return None, _told(error)


async def _read_rest(response: aiohttp.ClientResponse) -> None:
    """The body says nothing to us, but a connection is used again only if it was read."""
    if response.content.at_eof():
        return
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(BODY_SECONDS):
            await response.content.read(MAX_ANSWER_BYTES)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARACTERS]
