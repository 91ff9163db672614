"""Which api-version is served."""

import re
from datetime import date

import pytest
from azure.communication.callautomation._api_versions import ApiVersion
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.versions import (
    IDENTITY,
    NEWEST,
    PHONE_NUMBERS,
    SIP_ROUTING,
    STABLE,
    Version,
    choose_version,
)


@pytest.mark.parametrize("asked", STABLE)
def test_stable_versions_are_served_as_asked(asked: str) -> None:
    assert choose_version(asked) == Version(asked, None)


def test_every_stable_version_of_the_official_sdk_is_known() -> None:
    theirs = {version.value for version in ApiVersion if "preview" not in version.value}
    assert theirs <= set(STABLE)
    assert max(theirs) == NEWEST


@pytest.mark.parametrize("asked", ["2026-03-13", "2027-01-01", "9999-12-31"])
def test_newer_versions_are_served_as_the_newest_with_a_warning(asked: str) -> None:
    served, warning = choose_version(asked)
    assert served == NEWEST
    assert warning == f"api-version {asked} is newer than {NEWEST}, which it is served as"


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("2022-04-07-preview", "2023-03-06"),
        ("2023-01-15-preview", "2023-03-06"),
        ("2023-06-15-preview", "2023-03-06"),
        ("2023-10-03-preview", "2023-10-15"),
        ("2024-01-22-preview", "2024-04-15"),
        ("2024-09-01-preview", "2024-09-15"),
        ("2025-08-15-preview", "2025-06-15"),
        ("2027-01-01-preview", "2026-03-12"),
    ],
)
def test_previews_are_served_as_the_nearest_stable_one(asked: str, served: str) -> None:
    version = choose_version(asked)
    assert version.served == served
    assert version.warning
    assert asked in version.warning
    assert served in version.warning


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        (None, "ApiVersionUnspecified", "?api-version=2026-03-12"),
        ("", "ApiVersionUnspecified", "missing"),
        ("1", "InvalidApiVersion", "'1' is no version"),
        ("2026-3-12", "InvalidApiVersion", "is no version"),
        ("2026-13-12", "InvalidApiVersion", "is no version"),
        ("2026-03-12-beta", "InvalidApiVersion", "is no version"),
        ("2026-03-12 ", "InvalidApiVersion", "is no version"),
        ("x" * 3000, "InvalidApiVersion", "…"),
        ("2025-01-01", "UnsupportedApiVersion", "never existed"),
        ("2019-01-01", "UnsupportedApiVersion", "2023-03-06, 2023-10-15"),
    ],
)
def test_what_is_no_version_is_refused(asked: str | None, code: str, says: str) -> None:
    with pytest.raises(ApiError) as raised:
        choose_version(asked)
    assert (raised.value.status, raised.value.code, raised.value.target) == (400, code, "api-version")
    assert says in raised.value.message
    assert len(raised.value.message) < 500


@given(st.dates(min_value=date(2026, 3, 13)) | st.dates(max_value=date(2026, 3, 12)))
def test_every_date_is_served_or_refused_with_400(day: date) -> None:
    asked = day.isoformat()
    if day.isoformat() in STABLE or day > date.fromisoformat(NEWEST):
        assert choose_version(asked).served in STABLE
    else:
        with pytest.raises(ApiError):
            choose_version(asked)
    assert choose_version(f"{asked}-preview").served in STABLE


@given(st.text(max_size=30).filter(lambda text: not re.fullmatch(r"\d{4}-\d\d-\d\d(-preview)?", text)))
def test_any_other_text_is_refused_with_400(asked: str) -> None:
    with pytest.raises(ApiError) as raised:
        choose_version(asked)
    assert raised.value.status == 400


@pytest.mark.parametrize(
    ("stable", "asked", "served"),
    [
        (IDENTITY, "2021-03-07", "2021-03-07"),
        (IDENTITY, "2021-10-31-preview", "2022-06-01"),
        (IDENTITY, "2026-03-12", "2023-10-01"),
        (PHONE_NUMBERS, "2022-01-11-preview2", "2021-03-07"),
        (PHONE_NUMBERS, "2024-03-01-preview", "2025-02-11"),
        (SIP_ROUTING, "2023-03-01", "2023-03-01"),
        (SIP_ROUTING, "2021-05-01-preview", "2023-03-01"),
    ],
)
def test_every_api_has_versions_of_its_own(stable: tuple[str, ...], asked: str, served: str) -> None:
    version = choose_version(asked, stable)
    assert version.served == served
    assert (version.warning is None) == (asked == served)


@pytest.mark.parametrize("stable", [IDENTITY, PHONE_NUMBERS, SIP_ROUTING])
def test_a_refusal_names_the_versions_of_its_api(stable: tuple[str, ...]) -> None:
    with pytest.raises(ApiError, match=re.escape(stable[-1])):
        choose_version(None, stable)
    with pytest.raises(ApiError, match=re.escape(", ".join(stable))):
        choose_version("2020-02-02", stable)
