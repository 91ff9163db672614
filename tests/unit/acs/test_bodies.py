"""Request bodies: read, or refused with the place and what was expected there."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.bodies import read_body
from onhook.acs.errors import ApiError
from onhook.acs.models import (
    AddParticipantRequest,
    CreateCallRequest,
    PlayRequest,
    RecognizeRequest,
    SendDtmfTonesRequest,
    Tone,
)
from onhook.acs.operations import OPERATIONS
from onhook.acs.wire import Model

CALL = {"targets": [{"rawId": "4:+14255550123"}], "callbackUri": "https://app.example/"}
PHONE = {"phoneNumber": {"value": "+1"}}
STREAMING = {"transportType": "websocket", "audioChannelType": "mixed"}


def refused(model: type[Model], body: Any) -> ApiError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ApiError) as raised:
        read_body(model, raw)
    assert (raised.value.status, raised.value.code) == (400, "8523")
    return raised.value


def test_a_body_becomes_its_model() -> None:
    read = read_body(CreateCallRequest, json.dumps(CALL).encode())
    assert isinstance(read, CreateCallRequest)
    assert read.targets[0].raw_id == "4:+14255550123"


@pytest.mark.parametrize(
    ("model", "body", "target", "says"),
    [
        (CreateCallRequest, {"targets": []}, "$", "missing required field `callbackUri`"),
        (CreateCallRequest, [], "$", "Expected an object, got an array"),
        (CreateCallRequest, None, "$", "Expected an object, got null"),
        (CreateCallRequest, CALL | {"callbackUri": 5}, "$.callbackUri", "Expected a string, got a whole"),
        (CreateCallRequest, CALL | {"targets": {}}, "$.targets", "Expected an array, got an object"),
        (CreateCallRequest, CALL | {"targets": [PHONE, "+1"]}, "$.targets[1]", "Expected an object"),
        (
            CreateCallRequest,
            CALL | {"targets": [{"phoneNumber": {"value": None}}]},
            "$.targets[0].phoneNumber.value",
            "Expected a string, got null",
        ),
        (
            CreateCallRequest,
            CALL | {"targets": [{"kind": "phone"}]},
            "$.targets[0].kind",
            "'phone' is none of unknown, communicationUser, phoneNumber",
        ),
        (
            CreateCallRequest,
            CALL | {"mediaStreamingOptions": STREAMING | {"audioFormat": "pcm8KMono"}},
            "$.mediaStreamingOptions.audioFormat",
            "'pcm8KMono' is none of pcm16KMono, pcm24KMono",
        ),
        (
            CreateCallRequest,
            CALL | {"mediaStreamingOptions": {"audioChannelType": "mixed"}},
            "$.mediaStreamingOptions",
            "missing required field `transportType`",
        ),
        (
            AddParticipantRequest,
            {"participantToAdd": PHONE, "invitationTimeoutInSeconds": 181},
            "$.invitationTimeoutInSeconds",
            "a whole number <= 180",
        ),
        (
            SendDtmfTonesRequest,
            {"tones": ["one", "eleven"], "targetParticipant": PHONE},
            "$.tones[1]",
            "'eleven' is none of zero, one, two",
        ),
        (
            RecognizeRequest,
            {"recognizeInputType": "dtmf", "recognizeOptions": {"targetParticipant": PHONE, "choices": [1]}},
            "$.recognizeOptions.choices[0]",
            "Expected an object, got a whole number",
        ),
        (
            PlayRequest,
            {"playSources": [{"kind": "text", "text": {"text": "hi", "voiceKind": "robot"}}]},
            "$.playSources[0].text.voiceKind",
            "'robot' is none of male, female",
        ),
    ],
)
def test_a_misfit_names_its_place(model: type[Model], body: Any, target: str, says: str) -> None:
    refusal = refused(model, body)
    assert refusal.target == target
    assert says in refusal.message
    assert refusal.message.startswith(target)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "The request has no body; a JSON object (CreateCallRequest) is required"),
        (b"{", "is no JSON"),
        (b"not json", "is no JSON"),
        (b'{"targets":[],"callbackUri":"https://a"} trailing', "is no JSON"),
        (b"\xff\xfe{}", "is no JSON"),
        (b'{"callbackUri":"\xff"}', "is no JSON"),
        (b'{"unknown":' + b"[" * 5000, "is no JSON"),
        (b'{"unknown":' + b"[" * 5000 + b"]" * 5000 + b"}", "is no JSON"),
    ],
)
def test_what_is_no_json(raw: bytes, says: str) -> None:
    refusal = refused(CreateCallRequest, raw)
    assert refusal.target == "$"
    assert says in refusal.message


def test_a_long_enumeration_value_is_cut() -> None:
    refusal = refused(CreateCallRequest, CALL | {"targets": [{"kind": "x" * 5000}]})
    assert len(refusal.message) < 500


def test_tones_are_read_in_any_case() -> None:
    body = json.dumps({"tones": ["ONE", "Pound"], "targetParticipant": PHONE}).encode()
    read = read_body(SendDtmfTonesRequest, body)
    assert isinstance(read, SendDtmfTonesRequest)
    assert read.tones == [Tone.ONE, Tone.POUND]


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.request], ids=lambda o: o.name)
def test_every_request_model_reads_or_refuses_an_empty_object(operation: Any) -> None:
    try:
        assert isinstance(read_body(operation.request, b"{}"), operation.request)
    except ApiError as refusal:
        assert "missing required field" in refusal.message  # noqa: PT017 - which one depends on the model


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["targets", "callbackUri", "source", "kind", "phoneNumber", "value"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_with_400(raw: bytes) -> None:
    try:
        assert isinstance(read_body(CreateCallRequest, raw), CreateCallRequest)
    except ApiError as refusal:
        assert (refusal.status, bool(refusal.target)) == (400, True)  # noqa: PT017 - a third outcome is wrong
