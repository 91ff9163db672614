"""When each call wants to be woken: one heap and one timer of the event loop for all calls.

A call's deadline moves with every message, mostly to a later time. Its entry in the heap stays then, comes
up early and is put back; entries that are outdated are counted, and cleared away when they are the most.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

C = TypeVar("C")

MAX_OUTDATED = 1_000
"""Outdated entries that are borne before the heap is cleaned, beside one for each call."""
log = logging.getLogger(__name__)


class Deadlines(Generic[C]):
    """`wake(call)` is called on the loop at the time set; `now` is the clock that times are given in."""

    def __init__(self, now: Callable[[], float], wake: Callable[[C], None]) -> None:
        self._now, self._wake = now, wake
        self._heap: list[tuple[float, int]] = []
        """When to look, and the number of the entry. No call is held by it."""
        self._due: dict[int, tuple[float, C]] = {}
        """By id(call)."""
        self._entry: dict[int, tuple[float, int]] = {}
        """The one entry of each call that counts."""
        self._calls: dict[int, int] = {}
        """id(call) by the number of its entry."""
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def __len__(self) -> int:
        """Calls that wait to be woken."""
        return len(self._due)

    def set(self, call: C, at: float | None) -> None:
        """Wake `call` at `at`, or not at all."""
        key = id(call)
        entry = self._entry.get(key)
        if at is None:
            self._due.pop(key, None)
            if entry is not None:
                self._drop(key, entry)
            return
        self._due[key] = (at, call)
        if entry is not None:
            if entry[0] <= at:  # comes up early, and is put back then
                return
            self._drop(key, entry)
        self._push(key, at)
        if self._timer is None or at < self._armed_for:
            self._arm(at)

    def look_again(self) -> None:
        """The clock has moved on by itself: the timer of the event loop has to follow."""
        if self._heap:
            self._arm(self._heap[0][0])

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _drop(self, key: int, entry: tuple[float, int]) -> None:
        """The entry stays in the heap, and counts no more."""
        del self._entry[key], self._calls[entry[1]]
        if len(self._heap) > 2 * len(self._entry) + MAX_OUTDATED:
            self._heap = list(self._entry.values())
            heapq.heapify(self._heap)

    def _push(self, key: int, at: float) -> None:
        entry = self._entry[key] = (at, next(self._numbers))
        self._calls[entry[1]] = key
        heapq.heappush(self._heap, entry)

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._now()), self._run)

    def _run(self) -> None:
        self._timer = None
        now = self._now()
        end = next(self._numbers)  # what is set from here on waits for the next run: nobody starves the loop
        while self._heap and self._heap[0][0] <= now and self._heap[0][1] < end:
            _, number = heapq.heappop(self._heap)
            key = self._calls.pop(number, None)
            if key is None:
                continue
            del self._entry[key]
            at, call = self._due[key]
            if at > now:
                self._push(key, at)
                continue
            del self._due[key]
            try:
                self._wake(call)
            except Exception:
                log.exception("waking a call failed")
        if self._heap:
            self._arm(self._heap[0][0])
