"""A token bucket: how many calls a second may begin, pure."""


class TokenBucket:
    """`rate` tokens come each second; at most a second's worth, but one at least, is kept. 0 is no limit."""

    __slots__ = ("_at", "_left", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate, self._at = rate, now
        self._left = self.size

    @property
    def size(self) -> float:
        return max(1.0, self.rate)

    def has(self, now: float) -> bool:
        """Is there a token?"""
        if not self.rate:
            return True
        if now > self._at:
            self._left = min(self.size, self._left + (now - self._at) * self.rate)
            self._at = now
        return self._left >= 1.0

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        if not self.has(now):
            return False
        if self.rate:
            self._left -= 1.0
        return True
