"""Telephone numbers: what E.164 allows, and what is said of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.calls.numbers import fault_in, is_e164


@pytest.mark.parametrize("number", ["+12", "+14255550100", "+123456789012345", "+999", "+442079460000"])
def test_numbers_as_they_should_be(number: str) -> None:
    assert is_e164(number)
    assert fault_in(number) == ""


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("", "the number is empty"),
        ("+", "no digit follows the +"),
        ("0014255550100", "it begins with 00; write +14255550100"),
        ("14255550100", "the leading + is missing; write +14255550100"),
        ("+04255550100", "the country code begins with 0"),
        ("04255550100", "the country code begins with 0"),
        ("+1", "it has 1 digits; E.164 allows 2 to 15"),
        ("+1234567890123456", "it has 16 digits; E.164 allows 2 to 15"),
        ("+1 425 555", "it holds ' '; only + and digits are allowed"),
        ("+1-(425)", "it holds '(', ')', '-'; only + and digits are allowed"),
        ("alice", "it holds 'a', 'c', 'e', 'i', 'l'; only + and digits are allowed"),
        ("+1+2", "a + may stand at its beginning only, once"),
        ("++12", "a + may stand at its beginning only, once"),
        ("+١٢٣", "it holds '١', '٢', '٣'; only + and digits are allowed"),
        ("+1²3", "it holds '²'; only + and digits are allowed"),
        ("+12\n", "it holds '\\n'; only + and digits are allowed"),
    ],
)
def test_what_is_wrong_with_others(number: str, fault: str) -> None:
    assert not is_e164(number)
    assert fault_in(number) == fault


@given(st.text() | st.text("+0123456789", max_size=20))
def test_a_number_has_a_fault_or_is_one(number: str) -> None:
    assert (fault_in(number) == "") is is_e164(number)


@given(st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True))
def test_every_number_of_the_form_is_one(number: str) -> None:
    assert is_e164(number)
