"""The generated surface: complete, as the specification says, and tolerant where SDKs differ."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs import models
from onhook.acs.models import (
    AudioFormat,
    CallConnectionProperties,
    CallConnectionStateModel,
    CommunicationCloudEnvironmentModel,
    CreateCallRequest,
    IncomingCall,
    RecordingKind,
    RecordingStorageKind,
    StartCallRecordingRequest,
    Tone,
)
from onhook.acs.operations import BY_NAME, OPERATIONS
from onhook.acs.wire import AnyCase, Model

SPEC = Path(__file__).parents[3] / "spec"
SWAGGER: dict[str, Any] = json.loads((SPEC / "callautomation-2026-03-12.swagger.json").read_text())
SAMPLES: list[dict[str, Any]] = json.loads((SPEC / "callback-events.samples.json").read_text())
ONE_SUBTYPE_ONLY = {"MediaStreamingOptions", "TranscriptionOptions"}
ENUMS = [value for value in vars(models).values() if isinstance(value, type) and issubclass(value, AnyCase)]
OURS_IN_EVENTS = {"version", "publicEventType"}

# README of the wire report, §1: what the SDKs accept, written by hand as a check on the generator.
SUCCESS = {
    "createCall": (201,),
    "answerCall": (200,),
    "redirectCall": (204,),
    "rejectCall": (204,),
    "connect": (200,),
    "getCall": (200,),
    "hangUp": (204,),
    "terminate": (204,),
    "transferToParticipant": (202,),
    "getParticipants": (200,),
    "getParticipant": (200,),
    "addParticipant": (202,),
    "removeParticipant": (202,),
    "mute": (200,),
    "cancelAddParticipant": (202,),
    "moveParticipants": (202,),
    "play": (202,),
    "recognize": (202,),
    "cancelAllMediaOperations": (202,),
    "startContinuousDtmfRecognition": (200,),
    "stopContinuousDtmfRecognition": (200,),
    "sendDtmfTones": (202,),
    "hold": (200,),
    "unhold": (200,),
    "startTranscription": (202,),
    "stopTranscription": (202,),
    "updateTranscription": (202,),
    "startMediaStreaming": (202,),
    "stopMediaStreaming": (202,),
    "startRecording": (200, 202),
    "getRecordingProperties": (200,),
    "stopRecording": (204,),
    "pauseRecording": (202,),
    "resumeRecording": (202,),
}
NOT_REPEATABLE = {
    *("getCall", "hangUp", "getParticipants", "getParticipant", "play", "recognize", "hold", "unhold"),
    *("cancelAllMediaOperations", "startContinuousDtmfRecognition", "stopContinuousDtmfRecognition"),
    *("startTranscription", "stopTranscription", "updateTranscription"),
    *("startMediaStreaming", "stopMediaStreaming"),
    *("getRecordingProperties", "stopRecording", "pauseRecording", "resumeRecording"),
}


def test_every_definition_has_a_model() -> None:
    assert set(SWAGGER["definitions"]) - set(vars(models)) == ONE_SUBTYPE_ONLY
    assert set(models.__all__) == set(SWAGGER["definitions"]) - ONE_SUBTYPE_ONLY


@pytest.mark.parametrize("name", sorted(set(SWAGGER["definitions"]) - ONE_SUBTYPE_ONLY))
def test_a_model_has_the_properties_of_its_definition(name: str) -> None:
    definition = SWAGGER["definitions"][name]
    model = getattr(models, name)
    if "enum" in definition:
        assert [member.value for member in model] == definition["enum"]
        return
    bases = [SWAGGER["definitions"][base["$ref"].split("/")[-1]] for base in definition.get("allOf", ())]
    wanted = {prop for d in (*bases, definition) for prop in d.get("properties", {})}
    required = {prop for d in (*bases, definition) for prop in d.get("required", ())}
    fields = msgspec.structs.fields(model)
    assert {field.encode_name for field in fields} == wanted
    assert {field.encode_name for field in fields if field.required} == required


def test_the_operations_are_those_of_the_wire_report() -> None:
    assert {operation.name: operation.success for operation in OPERATIONS} == SUCCESS
    assert {operation.name for operation in OPERATIONS if not operation.repeatable} == NOT_REPEATABLE
    assert len(BY_NAME) == len(OPERATIONS) == 34


def test_an_operation_that_answers_nothing_has_no_response_model() -> None:
    for operation in OPERATIONS:
        if operation.success == (204,):
            assert operation.response is None
        if operation.method != "POST":
            assert operation.request is None


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event["type"].split(".")[-1])
def test_a_sample_event_reads_and_writes_back(event: dict[str, Any]) -> None:
    model = getattr(models, event["type"].split(".")[-1])
    data = {name: value for name, value in event["data"].items() if name not in OURS_IN_EVENTS}
    read = msgspec.convert(data, model)
    assert json.loads(msgspec.json.encode(read)) == data


def test_there_is_a_sample_of_every_event_but_one() -> None:
    names = {event["type"].split(".")[-1] for event in SAMPLES}
    in_specification = names & set(SWAGGER["definitions"])
    assert len(names) == 38
    assert in_specification == names, f"without definition: {names - in_specification}"


@given(st.data())
def test_enumerations_are_read_in_any_case(data: st.DataObject) -> None:
    enum = data.draw(st.sampled_from(ENUMS))
    member = data.draw(st.sampled_from(list(enum)))
    flips = data.draw(st.lists(st.booleans(), min_size=len(member.value), max_size=len(member.value)))
    spelt = "".join(
        letter.swapcase() if flip else letter for letter, flip in zip(member.value, flips, strict=True)
    )
    assert msgspec.json.decode(msgspec.json.encode(spelt), type=enum) is member


def test_enumerations_are_written_as_specified() -> None:
    read = msgspec.json.decode(b'"Pcm24KMono"', type=AudioFormat)
    assert msgspec.json.encode(read) == b'"pcm24KMono"'


def test_a_value_outside_the_enumeration_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'"eleven"', type=Tone)


def test_the_spelling_of_older_versions_is_read() -> None:
    body = (
        b'{"callLocator":{"serverCallId":"s"},"externalStorage":{"recordingStorageKind":"AzureBlobStorage"}}'
    )
    request = msgspec.json.decode(body, type=StartCallRecordingRequest)
    assert request.external_storage
    assert request.external_storage.recording_storage_kind is RecordingStorageKind.AZURE_BLOB_STORAGE
    assert msgspec.json.decode(b'"Teams"', type=RecordingKind) is RecordingKind.TEAMS


def test_unknown_properties_and_nulls_are_passed_over() -> None:
    body = b'{"targets":[{"rawId":"4:+1","later":{"a":[1]}}],"callbackUri":"https://a","source":null,"new":1}'
    request = msgspec.json.decode(body, type=CreateCallRequest)
    assert request.source is None
    assert request.targets[0].raw_id == "4:+1"


def test_what_is_absent_is_not_written() -> None:
    properties = CallConnectionProperties(
        call_connection_id="c", call_connection_state=CallConnectionStateModel.CONNECTED
    )
    written = msgspec.json.encode(properties)
    assert written == b'{"callConnectionId":"c","callConnectionState":"connected"}'


def test_a_reserved_word_keeps_its_wire_name() -> None:
    caller = models.CommunicationIdentifierModel(raw_id="4:+1")
    assert msgspec.json.encode(IncomingCall(from_=caller)) == b'{"from":{"rawId":"4:+1"}}'


def test_the_python_sdk_writes_the_cloud_in_capitals() -> None:
    read = msgspec.json.decode(b'"PUBLIC"', type=CommunicationCloudEnvironmentModel)
    assert read is CommunicationCloudEnvironmentModel.PUBLIC


@pytest.mark.parametrize(
    ("model", "body", "fits"),
    [
        ("AddParticipantRequest", {"participantToAdd": {}, "invitationTimeoutInSeconds": 180}, True),
        ("AddParticipantRequest", {"participantToAdd": {}, "invitationTimeoutInSeconds": 181}, False),
        ("AddParticipantRequest", {"participantToAdd": {}, "invitationTimeoutInSeconds": -1}, False),
        ("DtmfOptions", {"interToneTimeoutInSeconds": 1}, True),
        ("DtmfOptions", {"interToneTimeoutInSeconds": 0}, False),
        ("DtmfOptions", {"interToneTimeoutInSeconds": 61}, False),
        ("RecognizeOptions", {"targetParticipant": {}, "initialSilenceTimeoutInSeconds": 300}, True),
        ("RecognizeOptions", {"targetParticipant": {}, "initialSilenceTimeoutInSeconds": 301}, False),
        ("ChannelAffinity", {"participant": {}, "channel": 4}, True),
        ("ChannelAffinity", {"participant": {}, "channel": 5}, False),
    ],
)
def test_limits_of_the_specification(model: str, body: dict[str, Any], *, fits: bool) -> None:
    struct: type[Model] = getattr(models, model)
    if fits:
        assert isinstance(msgspec.convert(body, struct), struct)
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, struct)
