"""An event loop whose clock jumps to the next deadline instead of waiting: an hour passes in no time.

Everything of asyncio that waits by the loop's clock works (sleep, timeout, call_at). Threads and sockets do
not: nothing outside the loop can make its clock move, so waiting for them is a deadlock, and said to be one.
"""

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

MAX_VIRTUAL_SECONDS: Final = 30 * 24 * 3600.0
"""No scenario is longer; a test that waits for what never comes, while timers repeat, ends here."""
MAX_TURNS_WITHOUT_TIME: Final = 1_000_000
"""Turns of the loop in one instant; more is a task that spins (sleep(0) in a circle)."""
MAX_TASKS_NAMED: Final = 10


class Deadlock(RuntimeError):
    """The clock cannot go on. The text names the tasks that wait, and where."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at `start_seconds` and moves only when everybody waits."""

    def __init__(self, start_seconds: float = 0.0, limit_seconds: float = MAX_VIRTUAL_SECONDS) -> None:
        self._virtual_now = start_seconds
        self._virtual_end = start_seconds + limit_seconds
        self._turns = 0
        super().__init__(_JumpingSelector(self))
        # asyncio runs what is due before time() + this; at Unix times its 1 ns is below what a float can tell
        self._clock_resolution = max(1e-9, 2 * math.ulp(self._virtual_end))

    def time(self) -> float:
        return self._virtual_now

    def turn(self, timeout: float | None, *, ready: bool) -> None:
        """The loop is about to wait `timeout` seconds (None: for ever). Raises Deadlock if it must not."""
        if timeout and not ready:
            self._turns = 0
            self._virtual_now = max(self._virtual_now + timeout, math.nextafter(self._virtual_now, math.inf))
            if self._virtual_now > self._virtual_end:
                raise Deadlock(f"virtual time ran past its limit, and still waiting: {self._waiting()}")
        elif timeout is None and not ready:
            raise Deadlock(f"nothing is scheduled, so time cannot go on. Waiting: {self._waiting()}")
        else:
            self._turns += 1
            if self._turns > MAX_TURNS_WITHOUT_TIME:
                raise Deadlock(
                    f"{self._turns} turns at {self._virtual_now:g} s: a task spins. {self._waiting()}"
                )

    def _waiting(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=lambda task: task.get_name())
        named = [f"{task.get_name()} at {_place(task)}" for task in tasks[:MAX_TASKS_NAMED]]
        more = len(tasks) - len(named)
        return "; ".join([*named, f"and {more} more"] if more > 0 else named) or "no task"


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        self._loop.turn(timeout, ready=bool(ready))
        return ready


def run(
    main: Coroutine[Any, Any, T], *, start_seconds: float = 0.0, limit_seconds: float = MAX_VIRTUAL_SECONDS
) -> T:
    """Run `main` to its end on virtual time; its exceptions come through, and Deadlock as said above."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start_seconds, limit_seconds)) as runner:
        return runner.run(main)


def _place(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    if not frames:
        return "its end"
    frame = frames[-1]
    return f"{frame.f_code.co_name}, {frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}"
