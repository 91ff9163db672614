"""Numbers as the Phone Numbers API shows them: country, kind, pages."""

from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.phone_countries import COUNTRY_CODES, NO_COUNTRY, country_of, is_toll_free
from onhook.acs.phone_numbers import MAX_TOP, find, page, purchased, read_count

NUMBERS = tuple(f"+1425555010{digit}" for digit in range(10))


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+14255550100", "US"),
        ("+16045550100", "CA"),
        ("+18765550100", "JM"),
        ("+17875550100", "PR"),
        ("+493012345678", "DE"),
        ("+442071838750", "GB"),
        ("+3726999999", "EE"),
        ("+79161234567", "RU"),
        ("+77011234567", "KZ"),
        ("+390612345678", "IT"),
        ("+37812345678", "SM"),
        ("+97220000000", "IL"),
        ("+88213000000", NO_COUNTRY),
        ("+99912345", NO_COUNTRY),
        ("+0", NO_COUNTRY),
        ("", NO_COUNTRY),
    ],
)
def test_country(number: str, country: str) -> None:
    assert country_of(number) == country


def test_country_codes_are_digits_and_countries_two_letters() -> None:
    assert all(code.isdecimal() and not code.startswith("0") for code in COUNTRY_CODES)
    assert all(len(country) == 2 and country.isupper() for country in COUNTRY_CODES.values())
    assert len(set(COUNTRY_CODES.values())) > 200


def test_no_code_hides_behind_a_shorter_one() -> None:
    """A longer code is there to say otherwise than the shorter one that begins it."""
    for code, country in COUNTRY_CODES.items():
        assert country_of(f"+{code}5550100") == country, code


@given(st.text(max_size=20))
def test_any_text_has_a_country_or_none(text: str) -> None:
    assert len(country_of(text)) == 2


@pytest.mark.parametrize(
    ("number", "free"),
    [
        ("+18005550100", True),
        ("+18885550100", True),
        ("+448000000000", True),
        ("+14255550100", False),
        ("+18015550100", False),
        ("+442080000000", False),
    ],
)
def test_toll_free(number: str, *, free: bool) -> None:
    assert is_toll_free(number) is free
    assert purchased(number).phone_number_type == ("tollFree" if free else "geographic")


def test_a_number_has_every_field_that_the_sdk_requires() -> None:
    """Fields and values as recorded from the real service, but for cost and date."""
    assert msgspec.to_builtins(purchased("+14255550100")) == {
        "id": "14255550100",
        "phoneNumber": "+14255550100",
        "countryCode": "US",
        "phoneNumberType": "geographic",
        "capabilities": {"calling": "inbound+outbound", "sms": "none"},
        "assignmentType": "application",
        "purchaseDate": "1970-01-01T00:00:00+00:00",
        "cost": {"amount": 0.0, "currencyCode": "USD", "billingFrequency": "monthly"},
    }


def test_a_number_is_found_among_the_resources_own() -> None:
    assert find(NUMBERS, "+14255550103").id == "14255550103"


@pytest.mark.parametrize("asked", ["+14255550110", "14255550103", "", "x" * 1000])
def test_a_number_that_is_not_there(asked: str) -> None:
    with pytest.raises(ApiError) as raised:
        find(NUMBERS, asked)
    refusal = raised.value
    assert (refusal.status, refusal.code, refusal.target) == (404, "NotFound", "phonenumber")
    assert refusal.message.startswith(f"Input phoneNumber {asked[:5]}")
    assert len(refusal.message) < 300


@given(st.integers(0, 15), st.integers(1, 12))
def test_pages_give_every_number_once_in_order(skip: int, top: int) -> None:
    seen: list[str] = []
    link: str | None = f"/phoneNumbers?skip={skip}&top={top}"
    while link is not None:
        query = parse_qs(urlsplit(link).query)
        part = page(NUMBERS, skip=int(query["skip"][0]), top=int(query["top"][0]), api_version="2025-06-01")
        assert len(part.phone_numbers) <= top
        seen += [number.phone_number for number in part.phone_numbers]
        link = part.next_link
    assert seen == list(NUMBERS[skip:])


def test_the_last_page_has_no_link_and_the_others_keep_the_version() -> None:
    assert page(NUMBERS, skip=0, top=10, api_version="2025-06-01").next_link is None
    assert page(NUMBERS, skip=5, top=5, api_version="2025-06-01").next_link is None
    link = page(NUMBERS, skip=0, top=9, api_version="2022-12-01").next_link
    assert link == "/phoneNumbers?skip=9&top=9&api-version=2022-12-01"


@pytest.mark.parametrize(
    ("text", "count"), [(None, 100), ("1", 1), ("999", 999), ("1001", MAX_TOP), ("9" * 400, MAX_TOP)]
)
def test_counts_of_the_query(text: str | None, count: int) -> None:
    assert read_count(text, "top", default=100, lowest=1, highest=MAX_TOP) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", "١", " 1"])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(ApiError) as raised:
        read_count(text, "top", default=100, lowest=1, highest=MAX_TOP)
    assert (raised.value.status, raised.value.target) == (400, "top")
