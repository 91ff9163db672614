"""Dates as HTTP headers and events write them."""

import re
from datetime import UTC, datetime
from functools import lru_cache

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
IMF_FIXDATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (" + "|".join(MONTHS) + r") (\d{4}) (\d\d):(\d\d):(\d\d) GMT"
)


@lru_cache(maxsize=256)  # requests of one second carry one date
def read_imf_fixdate(text: str) -> float | None:
    """Unix seconds of `Mon, 23 Nov 2026 11:39:41 GMT` (RFC 9110 §5.6.7); None if it is none."""
    match = IMF_FIXDATE.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    try:
        date = datetime(
            int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    return date.timestamp()


def event_time(at: float) -> str:
    """Unix seconds as callback events write them: 7 digits of a second and `+00:00` (validated)."""
    ticks = round(at * 10_000_000)
    seconds, fraction = divmod(ticks, 10_000_000)
    return f"{_to_the_second(seconds)}.{fraction:07d}+00:00"


@lru_cache(maxsize=16)  # events of one second share it
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
