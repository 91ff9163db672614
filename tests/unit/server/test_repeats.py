"""Repeatable requests: the headers, and what counts as the same request."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.requests import Reply
from onhook.server.repeats import check_same, fingerprint, repeatability_id

DATE = "Mon, 23 Nov 2026 11:39:41 GMT"
ID = "e45cd8d8-ca39-48a6-8d73-cdca6c47c139"
BROKEN_IDS = ["", "1", "x" * 3000, ID[:-1], ID + "0", ID.replace("-", ""), f"{{{ID}}}"]


def headers(request_id: str | None = ID, date: str | None = DATE) -> dict[str, str]:
    given_headers = {"repeatability-request-id": request_id, "repeatability-first-sent": date}
    return {name: value for name, value in given_headers.items() if value is not None}


def refused(request_id: str | None, date: str | None) -> ApiError:
    with pytest.raises(ApiError) as raised:
        repeatability_id(headers(request_id, date))
    assert (raised.value.status, raised.value.code) == (400, "InvalidRepeatability")
    return raised.value


def test_without_the_headers_nothing_is_repeatable() -> None:
    assert repeatability_id({}) == ""


@pytest.mark.parametrize(
    "request_id",
    [ID, ID.upper(), "3427169a-e75f-11f1-8832-02fc00000001", "658a08a6-4a56-437c-a1c7-60a91eed450c"],
)
def test_guids_of_any_kind_are_taken_in_one_case(request_id: str) -> None:
    assert repeatability_id(headers(request_id)) == request_id.lower()


@pytest.mark.parametrize(
    "request_id", ["", "1", "x" * 3000, ID[:-1], ID + "0", ID.replace("-", ""), f"{{{ID}}}"]
)
def test_an_id_that_is_no_guid(request_id: str) -> None:
    refusal = refused(request_id, DATE)
    assert refusal.target == "Repeatability-Request-ID"
    assert "is no GUID" in refusal.message
    assert len(refusal.message) < 400


@pytest.mark.parametrize("date", ["", "today", "2026-11-23T11:39:41Z"])
def test_a_date_that_is_none(date: str) -> None:
    refusal = refused(ID, date)
    assert refusal.target == "Repeatability-First-Sent"
    assert "is no HTTP date" in refusal.message


def test_one_header_without_the_other() -> None:
    assert "Repeatability-First-Sent is missing" in refused(ID, None).message
    assert "Repeatability-Request-ID is missing" in refused(None, DATE).message


def test_the_same_request_is_recognised() -> None:
    made = fingerprint("createCall", "/calling/callConnections", b"{}")
    check_same(ID, Reply(status=201, body=b"", fingerprint=made), made)


@pytest.mark.parametrize(
    ("operation", "path", "body"),
    [
        ("createCall", "/calling/callConnections", b"{ }"),
        ("terminate", "/calling/callConnections", b"{}"),
        ("createCall", "/calling/callConnections/other", b"{}"),
    ],
)
def test_another_request_under_the_same_id_is_refused(operation: str, path: str, body: bytes) -> None:
    first = Reply(
        status=201, body=b"", fingerprint=fingerprint("createCall", "/calling/callConnections", b"{}")
    )
    with pytest.raises(ApiError) as raised:
        check_same(ID, first, fingerprint(operation, path, body))
    assert raised.value.status == 400
    assert ID in raised.value.message
    assert "createCall" in raised.value.message


@given(st.uuids())
def test_any_uuid_is_taken(request_id: UUID) -> None:
    assert repeatability_id(headers(str(request_id))) == str(request_id)


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_headers_are_taken_or_refused(request_id: str, date: str) -> None:
    try:
        assert repeatability_id(headers(request_id, date)) == request_id.lower()
    except ApiError as refusal:
        assert refusal.status == 400  # noqa: PT017 - a third outcome is wrong
