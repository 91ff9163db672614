"""The retry schedule: its pauses, its limits, what is never tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.delivery.grid.retries import DELAYS_SECONDS, NEVER_AGAIN, TAKEN, Again, Patience, is_expired

PATIENCE = Patience()
NOW = 1_000_000.0
JITTER = st.floats(0, 1)
STATUSES = st.none() | st.integers(100, 599)


def pause(attempts: int, status: int | None = 500, jitter: float = 0.0, most: int = 30) -> float:
    follows = PATIENCE.after_failure(
        attempts=attempts, max_attempts=most, status=status, now=NOW, jitter=jitter
    )
    assert isinstance(follows, Again)
    return follows.due - NOW


def test_the_schedule_is_that_of_event_grid() -> None:
    minutes, hours = 60.0, 3600.0
    expected = [10, 30, minutes, 5 * minutes, 10 * minutes, 30 * minutes, hours, 3 * hours, 6 * hours]
    assert [pause(attempts) for attempts in range(1, 10)] == expected
    assert {pause(attempts) for attempts in range(10, 30)} == {12 * hours}


def test_half_an_hour_has_six_attempts_as_the_documents_count() -> None:
    at, attempts = 0.0, 0
    while not is_expired(NOW, 30, NOW + at):
        attempts += 1
        at += pause(attempts)
    assert attempts == 6


def test_a_day_ends_every_schedule() -> None:
    at, attempts = 0.0, 0
    while not is_expired(NOW, 1440, NOW + at):
        attempts += 1
        at += pause(attempts)
    assert attempts == 11


@given(st.integers(1, 29), STATUSES, JITTER)
def test_a_pause_grows_by_a_tenth_at_most(attempts: int, status: int | None, jitter: float) -> None:
    if status in NEVER_AGAIN:
        return
    exact = pause(attempts, status)
    assert exact <= pause(attempts, status, jitter) <= exact * 1.1 + 1e-6


@given(st.integers(1, 28), STATUSES)
def test_pauses_never_become_shorter(attempts: int, status: int | None) -> None:
    if status not in NEVER_AGAIN:
        assert pause(attempts, status) <= pause(attempts + 1, status)


@pytest.mark.parametrize("status", [400, 401, 403, 413])
@given(attempts=st.integers(1, 30), jitter=JITTER)
def test_some_statuses_end_it_at_once(status: int, attempts: int, jitter: float) -> None:
    follows = PATIENCE.after_failure(
        attempts=attempts, max_attempts=30, status=status, now=NOW, jitter=jitter
    )
    assert follows == "NonRetryableError"


@given(st.integers(1, 30), st.integers(0, 30), STATUSES)
def test_attempts_are_counted(most: int, beyond: int, status: int | None) -> None:
    if status in NEVER_AGAIN:
        return
    follows = PATIENCE.after_failure(
        attempts=most + beyond, max_attempts=most, status=status, now=NOW, jitter=0.5
    )
    assert follows == "MaxDeliveryAttemptsExceeded"


@pytest.mark.parametrize(("status", "least"), [(408, 120), (503, 30), (404, 10), (302, 10), (None, 10)])
def test_some_statuses_ask_for_longer_pauses(status: int | None, least: float) -> None:
    assert pause(1, status) == least
    assert pause(4, status) == 300


def test_a_shorter_schedule_needs_nothing_else_changed() -> None:
    quick = Patience(delays_seconds=(0.0,), least_seconds=())
    follows = quick.after_failure(attempts=7, max_attempts=30, status=503, now=NOW, jitter=1.0)
    assert follows == Again(NOW)


@pytest.mark.parametrize(("age", "expired"), [(0, False), (60, False), (60.001, True), (90_000, True)])
def test_age_is_compared_in_minutes(age: float, *, expired: bool) -> None:
    assert is_expired(NOW, 1, NOW + age) == expired


def test_only_these_statuses_mean_that_an_event_was_taken() -> None:
    assert list(TAKEN) == [200, 201, 202, 203, 204]
    assert not NEVER_AGAIN & set(TAKEN)


def test_the_defaults_are_documented_times() -> None:
    assert DELAYS_SECONDS[-1] == 12 * 3600
    assert PATIENCE.answer_seconds == 30
    assert PATIENCE.validation_pause_seconds == 5
    assert PATIENCE.validation_url_seconds == 600
    assert PATIENCE.dead_letter_delay_seconds == 300
    assert PATIENCE.dead_letter_patience_seconds == 4 * 3600
