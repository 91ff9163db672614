"""Incoming call contexts: who can read them, who can make them, and what each refusal says."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.errors import ApiError
from onhook.acs.incoming_context import (
    MAX_CONTEXT_LENGTH,
    MIN_KEY_BYTES,
    Context,
    context_of_ended_call,
    context_used,
    make_context,
    open_context,
    read_context,
)

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
RESOURCE = "11111111-2222-3333-4444-555555555555"
OTHER_RESOURCE = "99999999-2222-3333-4444-555555555555"
NOW = 1_795_433_981.0
TEXT = make_context(KEY, "call-1", "leg-1", RESOURCE, NOW + 30)
SAID = Context(call_id="call-1", leg_id="leg-1", resource_id=RESOURCE, expires_at=NOW + 30)


def unpadded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed_by_hand(header: object, payload: object, key: bytes = KEY) -> str:
    said = ".".join(unpadded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
    return f"{said}.{unpadded(hmac.digest(key, said.encode(), 'sha256'))}"


def refusal(text: str, *, resource_id: str = RESOURCE, now: float = NOW) -> ApiError:
    with pytest.raises(ApiError) as raised:
        open_context(KEY, text, resource_id, now)
    assert raised.value.target == "$.incomingCallContext"
    return raised.value


def test_what_was_said_is_read() -> None:
    assert read_context(KEY, TEXT, NOW) == SAID
    assert open_context(KEY, TEXT, RESOURCE, NOW) == SAID


def test_it_is_a_json_web_token() -> None:
    header, payload, _ = TEXT.split(".")
    assert json.loads(urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims == {"call": "call-1", "leg": "leg-1", "aud": RESOURCE, "exp": NOW + 30}


def test_a_token_made_by_the_book_is_read() -> None:
    """The format once more, by hand, so that making and reading cannot be wrong together."""
    claims = {"call": "call-1", "leg": "leg-1", "aud": RESOURCE, "exp": NOW + 30}
    assert read_context(KEY, signed_by_hand({"alg": "HS256", "typ": "JWT"}, claims), NOW) == SAID


def test_it_fits_into_a_url_and_a_header() -> None:
    assert TEXT.isascii()
    assert all(letter.isalnum() or letter in "-_." for letter in TEXT)
    assert len(TEXT) < 400


@given(call=st.text(max_size=100), leg=st.text(max_size=100), expires=st.floats(NOW + 1, NOW + 1e9))
def test_every_call_and_leg_comes_back(call: str, leg: str, expires: float) -> None:
    read = read_context(KEY, make_context(KEY, call, leg, RESOURCE, expires), NOW)
    assert read == Context(call_id=call, leg_id=leg, resource_id=RESOURCE, expires_at=expires)


@pytest.mark.parametrize(("late_seconds", "in_time"), [(-30, True), (-0.001, True), (0, False), (1, False)])
def test_its_time(late_seconds: float, in_time: bool) -> None:  # noqa: FBT001 - a column of the table
    read = read_context(KEY, TEXT, NOW + 30 + late_seconds)
    assert read == (SAID if in_time else "expired")


@given(at=st.integers(0, len(TEXT) - 1), letter=st.sampled_from("AzZ09-_.="))
def test_one_changed_letter_is_enough(at: int, letter: str) -> None:
    changed = TEXT[:at] + letter + TEXT[at + 1 :]
    read = read_context(KEY, changed, NOW)
    assert read == SAID if changed == TEXT else read in {"changed", "not ours"}


@given(st.text(max_size=300))
def test_anything_else_is_refused(text: str) -> None:
    assert read_context(KEY, text, NOW) in {"changed", "not ours"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        TEXT.rpartition(".")[0],
        TEXT + ".",
        "\ud800",
        signed_by_hand({"alg": "none", "typ": "JWT"}, {}),
        signed_by_hand({"alg": "HS256", "typ": "JWT"}, {"call": "of another version"}),
        signed_by_hand({"alg": "HS256", "typ": "JWT"}, "no object"),
    ],
)
def test_what_is_not_ours(text: str) -> None:
    assert read_context(KEY, text, NOW) in {"changed", "not ours"}


def test_a_token_without_a_signature_is_not_taken() -> None:
    """The oldest trick: alg none, as the real service's own contexts have it."""
    header, payload, _ = TEXT.split(".")
    none = unpadded(b'{"alg":"none","typ":"JWT"}')
    assert read_context(KEY, f"{none}.{payload}.", NOW) == "not ours"
    assert read_context(KEY, f"{header}.{payload}.", NOW) == "changed"


def test_another_servers_context() -> None:
    assert read_context(OTHER_KEY, TEXT, NOW) == "changed"


def test_the_longest() -> None:
    assert read_context(KEY, "x" * MAX_CONTEXT_LENGTH, NOW) == "not ours"
    assert read_context(KEY, "x" * (MAX_CONTEXT_LENGTH + 1), NOW) == "too long"


def test_a_short_key_makes_none() -> None:
    with pytest.raises(ValueError, match="31 bytes, 32 are needed"):
        make_context(bytes(MIN_KEY_BYTES - 1), "call", "leg", RESOURCE, NOW)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * (MAX_CONTEXT_LENGTH + 1), "more than 8192 characters"),
        ("made up", "not of this server's making"),
        (make_context(OTHER_KEY, "call-1", "leg-1", RESOURCE, NOW + 30), "another server made it"),
    ],
)
def test_a_forged_context_is_an_invalid_argument(text: str, words: str) -> None:
    refused = refusal(text)
    assert (refused.status, refused.code) == (400, "8523")
    assert words in refused.message


def test_a_context_of_another_resource_finds_nothing() -> None:
    refused = refusal(TEXT, resource_id=OTHER_RESOURCE)
    assert (refused.status, refused.code) == (404, "8522")
    assert "another resource" in refused.message


def test_a_resource_id_is_a_guid_in_any_case() -> None:
    upper = make_context(KEY, "call-1", "leg-1", "AAAABBBB-2222-3333-4444-555555555555", NOW + 30)
    assert open_context(KEY, upper, "aaaabbbb-2222-3333-4444-555555555555", NOW).call_id == "call-1"


def test_a_context_past_its_time_finds_nothing() -> None:
    refused = refusal(TEXT, now=NOW + 31)
    assert (refused.status, refused.code) == (404, "8522")
    assert "time to answer is over" in refused.message


def test_the_other_refusals() -> None:
    ended, used = context_of_ended_call(), context_used("rejected")
    assert (ended.status, ended.code, ended.target) == (400, "8528", "$.incomingCallContext")
    assert (used.status, used.code, used.target) == (400, "8585", "$.incomingCallContext")
    assert "was rejected already" in used.message
