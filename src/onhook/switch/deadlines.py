"""When each call wants to be woken: one heap and one timer of the event loop for all calls.

A call's deadline moves with every message; entries are not removed but found stale when they come up.
"""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

C = TypeVar("C")


class Deadlines(Generic[C]):
    """`wake(call)` is called on the loop at the time set; `now` is the clock that times are given in."""

    def __init__(self, now: Callable[[], float], wake: Callable[[C], None]) -> None:
        self._now, self._wake = now, wake
        self._heap: list[tuple[float, int, C]] = []
        self._due: dict[int, float] = {}
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def set(self, call: C, at: float | None) -> None:
        """Wake `call` at `at`, or not at all."""
        if at is None:
            self._due.pop(id(call), None)
            return
        known = self._due.get(id(call))
        if known is not None and known <= at:
            self._due[id(call)] = at  # the entry in the heap comes up early, and is put back then
            return
        self._due[id(call)] = at
        heapq.heappush(self._heap, (at, next(self._numbers), call))
        if self._timer is None or at < self._armed_for:
            self._arm(at)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._now()), self._run)

    def _run(self) -> None:
        self._timer = None
        now = self._now()
        while self._heap and self._heap[0][0] <= now:
            _, _, call = heapq.heappop(self._heap)
            due = self._due.get(id(call))
            if due is None:
                continue
            if due <= now:
                del self._due[id(call)]
                self._wake(call)
            else:
                heapq.heappush(self._heap, (due, next(self._numbers), call))
        if self._heap:
            self._arm(self._heap[0][0])
