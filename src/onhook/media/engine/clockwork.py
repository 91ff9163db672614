"""The media thread: it calls for each group every 20 ms, and does not drift.

Tick n of group g is due at start + n * 20 ms + g * 5 ms. RTP timestamps follow from the number of the tick,
so that a late or missed tick shifts nothing after it.
"""

import contextlib
import ctypes
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from onhook.media.engine.rooms import GROUPS
from onhook.media.engine.rows import TICK_SECONDS

log = logging.getLogger(__name__)

MAX_LATENESSES: Final = 3000 * GROUPS
"""Ticks whose lateness is remembered: one minute."""
SWITCH_INTERVAL_SECONDS: Final = 50e-6
"""Python's, while the thread lives. A busy event loop lets go of Python's lock for microseconds at each turn,
and each time whoever waits for it begins to count anew: only who waits less than a turn asks for the lock.
With the default of 5 ms the thread was seen to miss a second of ticks, with 0.2 ms up to 0.4 s. Waiting much
less is no better: the waiting itself, at the thread's priority, then takes the processor from the holder."""
_TIMER_SLACK: Final = 29  # PR_SET_TIMERSLACK, linux/prctl.h


class Clockwork:
    """`tick(group, number)` is called on the thread; it rests while `idle()`."""

    def __init__(
        self, tick: Callable[[int, int], None], idle: Callable[[], bool], *, realtime: bool = False
    ) -> None:
        """`realtime` asks the system to serve the thread before all others; it may say no."""
        self._tick, self._idle, self._wanted = tick, idle, realtime
        self.realtime = False
        """Whether the system let it."""
        self._thread: threading.Thread | None = None
        self._work = threading.Event()
        self._stopping = False
        self._switch_interval = 0.0
        self.latenesses: deque[float] = deque(maxlen=MAX_LATENESSES)
        """Seconds, of the ticks of the last minute."""
        self.missed = 0

    def wake(self) -> None:
        """There is work. Starts the thread if need be."""
        if self._thread is None:
            self._stopping = False
            self._switch_interval = sys.getswitchinterval()
            sys.setswitchinterval(min(self._switch_interval, SWITCH_INTERVAL_SECONDS))
            self._thread = threading.Thread(target=self._run, name="onhook media", daemon=True)
            self._thread.start()
        if not self._work.is_set():
            self._work.set()

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._stopping = True
        self._work.set()
        if self._thread:
            self._thread.join()
            self._thread = None
            sys.setswitchinterval(self._switch_interval)

    def _run(self) -> None:
        _wake_on_time()
        self.realtime = self._wanted and _first_of_all()
        number = 0
        while not self._stopping:
            self._work.wait()
            self._work.clear()
            begun = time.monotonic() - number * TICK_SECONDS
            while not self._stopping and not self._idle():
                number += 1 + self._round(begun, number)

    def _round(self, begun: float, number: int) -> int:
        """One tick of every group. How many rounds were missed by then."""
        late = 0.0
        for group in range(GROUPS):
            due = begun + (number + group / GROUPS) * TICK_SECONDS
            wait_seconds = due - time.monotonic()
            if wait_seconds > 0:
                time.sleep(wait_seconds)
            late = time.monotonic() - due
            self.latenesses.append(late)
            try:
                self._tick(group, number)
            except Exception:  # one bad tick must not silence every call
                log.exception("media: tick %d of group %d failed", number, group)
        missed = int(late / TICK_SECONDS)
        self.missed += missed
        return missed


def _wake_on_time() -> None:
    """Have the kernel wake this thread when it asked to be woken, not 50 us later: for the waits above."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_TIMER_SLACK, ctypes.c_ulong(1))


def _first_of_all() -> bool:
    """Ask for this thread to run as soon as it can (sched(7)); needs CAP_SYS_NICE or RLIMIT_RTPRIO."""
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True
