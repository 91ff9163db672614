"""Dates of headers and events."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.dates import event_time, read_imf_fixdate

SECONDS = st.integers(0, 4_000_000_000)


@given(SECONDS)
def test_a_header_date_reads_back(at: int) -> None:
    text = format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)
    assert read_imf_fixdate(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon, 23 Nov 2026 11:39:41",
        "Mon, 23 Nov 2026 11:39:41 +0000",
        "Monday, 23-Nov-26 11:39:41 GMT",
        "Mon Nov 23 11:39:41 2026",
        "Mon, 23 nov 2026 11:39:41 GMT",
        "Mon, 32 Nov 2026 11:39:41 GMT",
        "Mon, 23 Nov 2026 25:39:41 GMT",
        "Mon, 23 Nov 2026 11:39:61 GMT",
        "Mon, 23 Nov 0000 11:39:41 GMT",
        " Mon, 23 Nov 2026 11:39:41 GMT",
        "Mon, ٢٣ Nov 2026 11:39:41 GMT",
    ],
)
def test_other_forms_are_none(text: str) -> None:
    assert read_imf_fixdate(text) in {None, 1_795_433_981.0}
    if text.isascii():
        assert read_imf_fixdate(text) is None


@given(st.text(max_size=40))
def test_any_text_gives_a_date_or_none(text: str) -> None:
    assert read_imf_fixdate(text) is None


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.0000000+00:00"),
        (1_752_276_745.0, "2025-07-11T23:32:25.0000000+00:00"),
        (1_752_276_745.5, "2025-07-11T23:32:25.5000000+00:00"),
        (1_752_276_745.9999999, "2025-07-11T23:32:26.0000000+00:00"),
    ],
)
def test_event_times(at: float, text: str) -> None:
    assert event_time(at) == text


@given(st.floats(0, 4e9))
def test_event_times_keep_their_microsecond(at: float) -> None:
    text = event_time(at)
    assert len(text) == len("2025-07-11T23:32:25.1114651+00:00")
    assert abs(datetime.fromisoformat(text).timestamp() - at) < 2e-6
