"""When an event is offered again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.delivery.schedule import NEVER_AGAIN, Schedule

SHORT = Schedule(delays_seconds=(1.0, 2.0, 5.0), give_up_seconds=20.0)


@pytest.mark.parametrize(("attempts", "delay"), [(1, 1.0), (2, 2.0), (3, 5.0), (4, 5.0), (100, 5.0)])
def test_pauses_grow_and_the_last_one_repeats(attempts: int, delay: float) -> None:
    assert SHORT.next_due(attempts=attempts, created_at=100.0, now=101.0, status=500) == 101.0 + delay


@pytest.mark.parametrize("status", sorted(NEVER_AGAIN))
def test_some_answers_mean_never(status: int) -> None:
    assert SHORT.next_due(attempts=1, created_at=0.0, now=0.0, status=status) is None


@pytest.mark.parametrize("status", [None, 301, 302, 400, 401, 404, 408, 429, 500, 503])
def test_all_others_mean_later(status: int | None) -> None:
    assert SHORT.next_due(attempts=1, created_at=0.0, now=0.0, status=status) == 1.0


def test_an_event_is_given_up_when_its_next_try_would_be_too_late() -> None:
    assert SHORT.next_due(attempts=3, created_at=0.0, now=15.0, status=500) == 20.0
    assert SHORT.next_due(attempts=3, created_at=0.0, now=15.1, status=500) is None


def test_with_no_time_there_is_one_try() -> None:
    once = Schedule(give_up_seconds=0.0)
    assert once.next_due(attempts=1, created_at=0.0, now=0.0, status=500) is None


@given(st.floats(0.0, 1e5), st.integers(1, 50))
def test_it_always_ends(give_up_seconds: float, steps: int) -> None:
    schedule = Schedule(give_up_seconds=give_up_seconds)
    now, attempts, due = 0.0, 0, 0.0
    while attempts < steps:
        attempts += 1
        found = schedule.next_due(attempts=attempts, created_at=0.0, now=now, status=None)
        if found is None:
            break
        due = found
        assert due > now
        now = due
    assert due <= give_up_seconds
