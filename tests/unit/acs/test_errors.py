"""Refusals and their bodies."""

import json

import pytest
from azure.core.exceptions import ODataV4Format

from onhook.acs.errors import MAX_ECHO_CHARACTERS, ApiError, call_not_found, invalid_body, shown
from onhook.acs.models import CommunicationError


def test_the_smallest_body() -> None:
    assert ApiError(501, "NotImplemented", "later").body() == (
        b'{"error":{"code":"NotImplemented","message":"later"}}'
    )


def test_the_whole_body() -> None:
    refusal = ApiError(
        400,
        "8523",
        "two faults",
        target="$",
        details=[
            CommunicationError(code="a", message="first"),
            CommunicationError(code="b", message="second"),
        ],
        inner=CommunicationError(code="510403", message="route"),
    )
    assert json.loads(refusal.body()) == {
        "error": {
            "code": "8523",
            "message": "two faults",
            "target": "$",
            "details": [{"code": "a", "message": "first"}, {"code": "b", "message": "second"}],
            "innererror": {"code": "510403", "message": "route"},
        }
    }


def test_a_call_that_is_not_there() -> None:
    refusal = call_not_found("abc")
    assert (refusal.status, refusal.code, refusal.target) == (404, "8522", "callConnectionId")
    assert "'abc'" in refusal.message


def test_an_invalid_body_points_at_the_whole_unless_told() -> None:
    assert invalid_body("no").target == "$"
    assert invalid_body("no", target="$.a").target == "$.a"


@pytest.mark.parametrize(
    ("status", "kept"), [(429, 7), (503, 7), (400, None), (404, None), (409, None), (500, None)]
)
def test_retry_after_stands_on_429_and_503_only(status: int, kept: int | None) -> None:
    assert ApiError(status, "x", "y", retry_after_seconds=7).retry_after_seconds == kept


def test_its_text_names_status_code_and_target() -> None:
    assert str(ApiError(404, "8522", "gone", target="id")) == "404 8522: gone (id)"
    assert str(ApiError(404, "8522", "gone")) == "404 8522: gone"


@pytest.mark.parametrize("text", ["plain", "line\nbreak", "null\0", '"quoted"', "ü"])
def test_what_is_shown_is_quoted(text: str) -> None:
    assert "\n" not in shown(text)
    assert shown(text) == repr(text)


def test_what_is_shown_is_cut() -> None:
    assert len(shown("x" * 10_000)) == MAX_ECHO_CHARACTERS + 3


def test_the_official_error_reader_takes_the_body() -> None:
    read = ODataV4Format(json.loads(ApiError(400, "8523", "no", target="$.x").body())["error"])
    assert (read.code, read.message, read.target) == ("8523", "no", "$.x")
