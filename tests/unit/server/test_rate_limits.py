"""Requests counted in a sliding while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.server.rate_limits import PERIOD_SECONDS, RateLimits


def is_taken(limits: RateLimits, now: float, kind: str = "issueToken", resource: str = "r") -> bool:
    try:
        limits.take(kind, resource, now)
    except ApiError:
        return False
    return True


def test_as_many_as_allowed_then_no_more_until_the_first_is_old() -> None:
    limits = RateLimits({"issueToken": 3})
    assert [is_taken(limits, now) for now in (0.0, 10.0, 20.0, 29.9, 30.0, 39.9, 40.0)] == [
        True,
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_the_refusal_says_when_to_come_again() -> None:
    limits = RateLimits({"issueToken": 1})
    limits.take("issueToken", "r", 100.0)
    with pytest.raises(ApiError) as raised:
        limits.take("issueToken", "r", 117.5)
    refusal = raised.value
    assert (refusal.status, refusal.code, refusal.target) == (429, "TooManyRequests", "issueToken")
    assert refusal.retry_after_seconds == 13
    assert is_taken(limits, 117.5 + 13)


@pytest.mark.parametrize("late", [29.999999, 29.0, 0.0])
def test_there_is_always_a_second_to_wait(late: float) -> None:
    limits = RateLimits({"issueToken": 1})
    limits.take("issueToken", "r", 0.0)
    with pytest.raises(ApiError) as raised:
        limits.take("issueToken", "r", late)
    assert 1 <= (raised.value.retry_after_seconds or 0) <= PERIOD_SECONDS


def test_kinds_and_resources_count_by_themselves() -> None:
    limits = RateLimits({"issueToken": 1, "createUser": 1})
    assert is_taken(limits, 0.0)
    assert is_taken(limits, 0.0, kind="createUser")
    assert is_taken(limits, 0.0, resource="other")
    assert not is_taken(limits, 0.0)


@pytest.mark.parametrize("most", [{}, {"issueToken": 0}])
def test_no_limit(most: dict[str, int]) -> None:
    limits = RateLimits(most)
    assert all(is_taken(limits, 0.0) for _ in range(2000))


def test_refused_requests_do_not_count() -> None:
    limits = RateLimits({"issueToken": 1})
    assert is_taken(limits, 0.0)
    assert not any(is_taken(limits, 0.01 * n) for n in range(1, 2000))
    assert is_taken(limits, 30.0)


@given(st.lists(st.floats(0, 200), max_size=60).map(sorted), st.integers(1, 5))
def test_never_more_than_allowed_within_any_while(times: list[float], most: int) -> None:
    limits = RateLimits({"issueToken": most})
    taken = [now for now in times if is_taken(limits, now)]
    for now in taken:
        assert sum(1 for other in taken if now - PERIOD_SECONDS < other <= now) <= most
