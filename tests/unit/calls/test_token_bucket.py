"""Calls a second: what a bucket lets begin."""

import pytest

from onhook.calls.token_bucket import TokenBucket


def begun(bucket: TokenBucket, now: float, tries: int = 100) -> int:
    return sum(bucket.take(now) for _ in range(tries))


def test_a_seconds_worth_may_begin_at_once_and_then_as_many_as_come_in_time() -> None:
    bucket = TokenBucket(10.0, 50.0)
    assert begun(bucket, 50.0) == 10
    assert begun(bucket, 50.05) == 0
    assert begun(bucket, 50.2) == 2
    assert begun(bucket, 1000.0) == 10


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_a_slow_one_lets_single_calls_through(rate: float) -> None:
    bucket = TokenBucket(rate, 50.0)
    assert begun(bucket, 50.0) == 1
    assert not bucket.has(50.0 + 0.9 / rate)
    assert begun(bucket, 50.0 + 1.01 / rate) == 1


def test_without_a_limit_all_may_begin() -> None:
    bucket = TokenBucket(0.0, 50.0)
    assert begun(bucket, 50.0, 10_000) == 10_000


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(2.0, 50.0)
    assert begun(bucket, 50.0) == 2
    assert begun(bucket, 40.0) == 0
    assert begun(bucket, 50.5) == 1
