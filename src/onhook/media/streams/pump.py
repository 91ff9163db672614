"""From the media thread to the event loop: frames of many rooms, with one wake-up a tick."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from onhook.media.parts import Frame

T = TypeVar("T")
MOST_FRAMES: Final = 50_000
"""That wait for an event loop which does not come round: a second of a thousand streams."""
log = logging.getLogger(__name__)


class Pump(Generic[T]):
    """`take` is called on the event loop with all that came since: whose frame, and the frame."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, take: Callable[[Sequence[tuple[T, Frame]]], None]
    ) -> None:
        self._loop, self._take = loop, take
        self._waiting: deque[tuple[T, Frame]] = deque()
        self._woken = False
        self.lost = 0
        """Frames for which there was no room."""

    def put(self, whose: T, frame: Frame) -> None:
        """From the media thread."""
        if len(self._waiting) >= MOST_FRAMES:
            self.lost += 1
            return
        self._waiting.append((whose, frame))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop is closed, and nobody streams any more
                self._waiting.clear()

    def _drain(self) -> None:
        self._woken = False
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            self._take(taken)
        except Exception:  # the next tick is another chance
            log.exception("%d frames could not be streamed", len(taken))
