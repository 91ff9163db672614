"""From the media thread to the event loop: frames of many rooms, with one wake-up a tick."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from onhook.media.parts import Frame

MOST_FRAMES: Final = 50_000
"""That wait for an event loop which does not come round: a second of a thousand streams."""
log = logging.getLogger(__name__)


class Pump:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Callable[[Frame], None], Frame]] = deque()
        self._woken = False
        self.lost = 0
        """Frames for which there was no room."""

    def put(self, take: Callable[[Frame], None], frame: Frame) -> None:
        """From the media thread: `take(frame)` is called on the event loop, soon."""
        if len(self._waiting) >= MOST_FRAMES:
            self.lost += 1
            return
        self._waiting.append((take, frame))
        if not self._woken:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop is closed, and nobody streams any more
                self._waiting.clear()

    def _drain(self) -> None:
        self._woken = False
        for _ in range(len(self._waiting)):
            take, frame = self._waiting.popleft()
            try:
                take(frame)
            except Exception:  # one stream's fault is not the next one's
                log.exception("a frame could not be streamed")
