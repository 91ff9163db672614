"""Keys pressed at the far end, as telephone-events (RFC 4733): each press once, whatever was lost.

One press is many packets with one timestamp; the last, marked as the end, comes three times. A press is told
when its end is heard, or another begins, or nothing more came of it for `GONE_SECONDS`.
"""

from dataclasses import dataclass
from typing import Final

KEYS: Final = "0123456789*#ABCD"
GONE_SECONDS: Final = 0.12
"""Six updates of 20 ms in a row."""
_END: Final = 0x80
_LONGEST: Final = 0xFFFF
_HALF: Final = 0x80000000
_MASK: Final = 0xFFFFFFFF
_NEAR: Final = 8000 * 10
"""Timestamps within ten seconds belong together; others are of another clock."""


@dataclass(frozen=True, slots=True)
class Press:
    digit: str
    duration_ms: int


class DigitsIn:
    """Of one leg."""

    def __init__(self, clock: int = 8000) -> None:
        self._clock = clock
        self._timestamp: int | None = None
        """Of the press that is under way, or the last one."""
        self._key = 0
        self._duration = self._before = 0
        """Of the segment; of the segments before it (section 2.5.1.3: longer than 8 s)."""
        self._told = True
        self._last_at = 0.0

    def take(self, payload: bytes, timestamp: int, at: float) -> list[Press]:
        """One packet. Presses that are over by what it says; events that are no keys are passed over."""
        if len(payload) < 4:
            return []
        key, flags = payload[0], payload[1]
        duration = payload[2] << 8 | payload[3]
        if key >= len(KEYS):
            return []
        over: list[Press] = []
        if not self._same(key, timestamp, duration):
            if self._is_old(timestamp):
                return []
            over = self._close()
            self._timestamp, self._key = timestamp, key
            self._duration = self._before = 0
            self._told = False
        self._last_at = at
        self._duration = max(self._duration, duration)
        if flags & _END:
            over += self._close()
        return over

    def expire(self, now: float) -> list[Press]:
        """What is over because nothing more came of it."""
        return self._close() if not self._told and now - self._last_at > GONE_SECONDS else []

    @property
    def pressed(self) -> bool:
        return not self._told

    def _same(self, key: int, timestamp: int, duration: int) -> bool:
        """Whether it belongs to the press at hand; a further segment of it is taken in."""
        if self._timestamp is None:
            return False
        if timestamp == self._timestamp:
            return key == self._key
        step = (timestamp - self._timestamp) & _MASK
        if key == self._key and step < self._duration and duration <= self._duration:
            # rtpengine 10.5 gives the repeats of an end timestamps of their own, where it transcodes the
            # voice; but nobody presses a key again before letting go of it.
            return True
        if self._told or key != self._key:
            return False
        if self._duration >= _LONGEST - self._clock // 10 and abs(step - self._duration) <= self._clock // 10:
            self._before += step
            self._timestamp, self._duration = timestamp, 0
            return True
        # Some senders let the timestamp run on: then the duration runs on with it.
        if 0 < step <= self._clock // 5 and duration > self._duration:
            self._timestamp = timestamp
            return True
        return False

    def _is_old(self, timestamp: int) -> bool:
        if self._timestamp is None:
            return False
        behind = (self._timestamp - timestamp) & _MASK
        return 0 <= behind < min(_NEAR, _HALF)

    def _close(self) -> list[Press]:
        if self._told:
            return []
        self._told = True
        ticks = self._before + self._duration
        return [Press(KEYS[self._key], round(ticks * 1000 / self._clock))]
