"""How many requests of one kind a resource may make within a while; more are answered 429 with Retry-After.

documented ("Service limits"): the numbers for the Identity API, 30 seconds. assumed: the window slides, a
refused request does not count, and the code of the refusal.
"""

from collections import deque
from collections.abc import Mapping
from math import ceil

from onhook.acs.errors import ApiError

PERIOD_SECONDS = 30.0


class RateLimits:
    """`most` gives for each kind of request how many; 0, or a kind that is not there, is without limit."""

    def __init__(self, most: Mapping[str, int], *, period_seconds: float = PERIOD_SECONDS) -> None:
        self._most, self._period_seconds = most, period_seconds
        self._taken: dict[tuple[str, str], deque[float]] = {}

    def take(self, kind: str, resource_id: str, now: float) -> None:
        """Count one request, or raise ApiError 429 saying when to try again. `now` is in seconds."""
        most = self._most.get(kind, 0)
        if not most:
            return
        taken = self._taken.setdefault((kind, resource_id), deque())
        begin = now - self._period_seconds
        while taken and taken[0] <= begin:
            taken.popleft()
        if len(taken) >= most:
            raise ApiError(
                429,
                "TooManyRequests",
                f"{kind}: {most} requests within {self._period_seconds:g} s are this resource's limit.",
                target=kind,
                retry_after_seconds=max(1, ceil(taken[0] - begin)),
            )
        taken.append(now)
