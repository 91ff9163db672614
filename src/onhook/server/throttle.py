"""How often a resource may ask for an operation: a token bucket for each pair of them.

Microsoft documents rates for the Identity API only, which keeps its own (identity_api.py). For the other
operations none is set; `limits.requests` sets one, to see how an application takes 429 (assumed: every
request with a good signature counts, those answered 400 and those sent again included).

429 carries Retry-After: without it neither SDK asks a POST again (validated). Its code is assumed: 8516,
documented as "throttled" for Call Automation, and TooManyRequests elsewhere.
"""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from onhook.acs.errors import THROTTLED, ApiError
from onhook.acs.operations import BY_NAME
from onhook.acs.phone_operations import OPERATIONS as PHONE_OPERATIONS
from onhook.acs.sip_routing_operations import OPERATIONS as SIP_OPERATIONS

MAX_REQUESTS = 1_000_000
MAX_SECONDS = 86_400.0
MIN_SECONDS = 0.1
SETTING = "limits.requests"
WRITTEN = re.compile(r"(?P<name>[A-Za-z]+) (?:off|(?P<requests>\d{1,7})/(?P<seconds>\d{1,5}(?:\.\d{1,3})?))")


class Rate(NamedTuple):
    """So many requests at once, and as many again spread over `seconds`."""

    requests: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.requests} in {self.seconds:g} s"


class Limit(NamedTuple):
    operation: str
    """Its name, as in COVERAGE.md."""
    rate: Rate | None
    """None: not limited."""


KNOWN = {name.lower(): name for name in (*BY_NAME, *(o.name for o in (*PHONE_OPERATIONS, *SIP_OPERATIONS)))}


def read_limit(text: str) -> Limit:
    """`createCall 2/10` is 2 in 10 seconds, `createCall off` no limit. Raises ValueError saying why not."""
    match = WRITTEN.fullmatch(" ".join(text.split()))
    if match is None:
        raise ValueError("it is not OPERATION REQUESTS/SECONDS or OPERATION off")
    operation = KNOWN.get(match["name"].lower())
    if operation is None:
        raise ValueError(f"{match['name']} is no operation; COVERAGE.md lists them")
    if match["requests"] is None:
        return Limit(operation, None)
    rate = Rate(int(match["requests"]), float(match["seconds"]))
    if not (1 <= rate.requests <= MAX_REQUESTS and MIN_SECONDS <= rate.seconds <= MAX_SECONDS):
        raise ValueError(
            f"a limit is 1 to {MAX_REQUESTS} requests in {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds"
        )
    return Limit(operation, rate)


class _Bucket:
    """Full at first. `tokens` may hold fractions."""

    __slots__ = ("filled_at", "tokens")

    def __init__(self, tokens: float, filled_at: float) -> None:
        self.tokens, self.filled_at = tokens, filled_at


class Throttle:
    """`limits` are texts that `read_limit` takes; the last of one operation counts.

    There are never more buckets than limited operations times resources.
    """

    def __init__(self, limits: Iterable[str] = ()) -> None:
        rates = dict(map(read_limit, limits))
        self._rates = {operation: rate for operation, rate in rates.items() if rate}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def admit(self, operation: str, resource_id: str, now: float) -> None:
        """Count one request at `now`, Unix seconds. Raises ApiError 429 if it is one too many."""
        rate = self._rates.get(operation)
        if rate is None:
            return
        bucket = self._buckets.setdefault((operation, resource_id), _Bucket(rate.requests, now))
        elapsed = max(0.0, now - bucket.filled_at)
        bucket.tokens = min(rate.requests, bucket.tokens + elapsed * rate.requests / rate.seconds)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise _too_many(operation, rate, (1 - bucket.tokens) * rate.seconds / rate.requests)
        bucket.tokens -= 1


def _too_many(operation: str, rate: Rate, wait_seconds: float) -> ApiError:
    seconds = max(1, math.ceil(wait_seconds - 1e-9))  # a rounding error must not add a second
    return ApiError(
        429,
        THROTTLED if operation in BY_NAME else "TooManyRequests",
        f"Too many requests: {operation} is limited to {rate} for each resource ({SETTING}). Ask again"
        f" in {seconds} s.",
        target=operation,
        retry_after_seconds=seconds,
    )
