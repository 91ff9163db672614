"""Which events a subscription wants."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.delivery.grid.filters import passed_over
from unit.delivery.grid.grid_rig import subscription

INCOMING = "Microsoft.Communication.IncomingCall"
ENDED = "Microsoft.Communication.CallEnded"
SUBJECT = "/caller/4:+14255550123/recipient/8:acs:A_b"
TYPES = st.sampled_from([INCOMING, ENDED, "Microsoft.Communication.CallStarted"])
TEXTS = st.text(max_size=12)
ASCII = st.text(st.characters(codec="ascii"), max_size=12)


@given(TYPES, TEXTS)
def test_without_filters_everything_is_wanted(event_type: str, subject: str) -> None:
    assert passed_over(subscription(), event_type, subject) == ""


@given(st.lists(TYPES, min_size=1, max_size=3), TYPES)
def test_event_types_are_the_whole_list_of_what_is_wanted(wanted: list[str], event_type: str) -> None:
    why = passed_over(subscription(event_types=tuple(wanted)), event_type, SUBJECT)
    assert (why == "") == (event_type in wanted)
    if why:
        assert all(each in why for each in wanted)


@given(TEXTS, TEXTS, TEXTS)
def test_what_a_subject_is_made_of_fits_it(begins: str, middle: str, ends: str) -> None:
    settings = subscription(subject_begins_with=begins, subject_ends_with=ends, subject_case_sensitive=True)
    assert passed_over(settings, INCOMING, begins + middle + ends) == ""


@given(ASCII, ASCII, ASCII)
def test_case_does_not_count_unless_it_shall(begins: str, middle: str, ends: str) -> None:
    settings = subscription(subject_begins_with=begins.upper(), subject_ends_with=ends.lower())
    assert passed_over(settings, INCOMING, begins.lower() + middle + ends.upper()) == ""


@given(TEXTS, TEXTS)
def test_the_end_of_a_subject_is_compared_as_text(ends: str, subject: str) -> None:
    settings = subscription(subject_ends_with=ends, subject_case_sensitive=True)
    assert (passed_over(settings, INCOMING, subject) == "") == subject.endswith(ends)


@given(TEXTS, TEXTS)
def test_the_beginning_of_a_subject_is_compared_as_text(begins: str, subject: str) -> None:
    settings = subscription(subject_begins_with=begins, subject_case_sensitive=True)
    assert (passed_over(settings, INCOMING, subject) == "") == subject.startswith(begins)


@given(event_type=TYPES, begins=TEXTS, ends=TEXTS, subject=TEXTS, sensitive=st.booleans())
def test_a_subscription_that_wants_more_passes_no_more_over(
    event_type: str, begins: str, ends: str, subject: str, *, sensitive: bool
) -> None:
    narrow = subscription(
        subject_begins_with=begins, subject_ends_with=ends, subject_case_sensitive=sensitive
    )
    wide = subscription(subject_begins_with=begins[:1], subject_case_sensitive=sensitive)
    if passed_over(narrow, event_type, subject) == "":
        assert passed_over(wide, event_type, subject) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"event_types": (ENDED,)}, f"its event types are {ENDED}"),
        ({"event_types": (INCOMING.upper(),)}, f"its event types are {INCOMING.upper()}"),
        ({"subject_begins_with": "/caller/8:"}, "its subjects begin with /caller/8:"),
        ({"subject_ends_with": "_c"}, "its subjects end with _c"),
        (
            {"subject_ends_with": "acs:a_b", "subject_case_sensitive": True},
            "its subjects end with acs:a_b",
        ),
        ({"subject_ends_with": "acs:a_b"}, ""),
        ({"subject_begins_with": "/CALLER/4:", "subject_ends_with": "A_B", "event_types": (INCOMING,)}, ""),
    ],
)
def test_the_filter_that_says_no_is_named(changes: dict[str, Any], why: str) -> None:
    assert passed_over(subscription(**changes), INCOMING, SUBJECT) == why
