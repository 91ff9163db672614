"""GUIDs that begin with the time."""

import uuid

import pytest

from onhook.app import time_ordered_guid

NOW = 1_795_452_645.812


@pytest.mark.parametrize("now", [0.0, 1.5, NOW, 2**31 + 0.999, 281_474_976_710.655])
def test_it_is_a_guid_of_version_7_with_the_time_in_it(now: float) -> None:
    made = uuid.UUID(time_ordered_guid(now))
    assert str(made) == str(made).lower()
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == int(now * 1000)


def test_it_is_written_as_guids_are() -> None:
    made = time_ordered_guid(NOW)
    assert len(made) == 36
    assert made == str(uuid.UUID(made))


def test_later_ones_are_greater() -> None:
    made = [time_ordered_guid(NOW + number / 1000) for number in range(1000)]
    assert made == sorted(made)


def test_none_comes_twice_within_a_millisecond() -> None:
    made = [time_ordered_guid(NOW) for _ in range(20_000)]
    assert len(set(made)) == len(made)


def test_all_that_is_random_varies() -> None:
    digits = [time_ordered_guid(NOW).replace("-", "") for _ in range(2_000)]
    varying = [place for place in range(32) if len({made[place] for made in digits}) == 16]
    assert varying == [*range(13, 16), *range(17, 32)]
    assert {made[16] for made in digits} == set("89ab")
