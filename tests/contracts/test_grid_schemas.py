"""Event data and both envelopes, held to spec/eventgrid-acs-calling.schemas.json."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from onhook.acs import grid_events as ours
from onhook.acs.grid_events import AcsCallEndedBy, AcsCallEndReason, CallOf, GridEvent, Joined
from onhook.acs.identifiers import communication_user, from_raw_id, phone_number
from onhook.acs.models import IncomingCall
from onhook.acs.wire import Model
from onhook.delivery.grid.wire import as_json, notification, validation
from onhook.facts import RecordedChunk, RecordingChanged
from unit.delivery.grid.grid_rig import delivery, record, subscription

SPEC = Path(__file__).resolve().parents[2] / "spec/eventgrid-acs-calling.schemas.json"
DEFINITIONS: dict[str, Any] = json.loads(SPEC.read_text())["definitions"]
BEYOND_THE_SCHEMA = {
    "AcsCallEndedEventData": {"durationOfCall"},
    "AcsCallParticipantAddedEventData": {"endpointType"},
    "AcsCallParticipantRemovedEventData": {"endpointType"},
}
"""Names that only the samples of the documents have; they are sent beside those of the schema."""
MODELS: dict[str, type[Model]] = {
    "AcsIncomingCallEventData": IncomingCall,
    "AcsCallStartedEventData": ours.AcsCallStartedEventData,
    "AcsCallEndedEventData": ours.AcsCallEndedEventData,
    "AcsCallParticipantAddedEventData": ours.AcsCallParticipantEventData,
    "AcsCallParticipantRemovedEventData": ours.AcsCallParticipantEventData,
    "AcsCallParticipant": ours.AcsCallParticipant,
    "AcsCallGroup": ours.AcsCallGroup,
    "AcsCallRoom": ours.AcsCallRoom,
    "AcsCallEndedBy": ours.AcsCallEndedBy,
    "AcsCallEndReason": ours.AcsCallEndReason,
    "AcsRecordingFileStatusUpdatedEventData": ours.AcsRecordingFileStatusUpdatedEventData,
    "AcsRecordingStorageInfo": ours.AcsRecordingStorageInfo,
    "AcsRecordingChunkInfo": ours.AcsRecordingChunkInfo,
}
MORE_THAN_REQUIRED = {"AcsIncomingCallEventData", "AcsRecordingFileStatusUpdatedEventData"}
"""Ours always say more than they must."""
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "string(date-time)": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}

USER = communication_user("8:acs:0d0e0f00-0000-4000-8000-000000000001_00000014-2033-438d-1000-343a0d006e10")
OTHER = communication_user("8:acs:0d0e0f00-0000-4000-8000-000000000001_00000014-1889-f3a7-6a0b-343a0d0061f3")
FULL = CallOf("server-call", "correlation", USER, "Presenter", is_two_party=False, group_id="g", room_id="r")
PLAIN = CallOf("server-call", "correlation", USER)
RECORDED = RecordingChanged(
    at=1_700_000_010.0,
    recording="recording",
    state="closed",
    chunks=(
        RecordedChunk(
            document="doc", index=0, why="SessionEnded", bytes=44, content="c", metadata="m", deletion="d"
        ),
    ),
    began_at=1_700_000_000.0,
    duration_ms=10_000,
    why="SessionEnded",
    format="wav",
    mixed=False,
)
JOINED = Joined(OTHER, "participant", "Sharif", "acs-web", "Attendee")


def incoming(**more: Any) -> GridEvent:
    given: dict[str, Any] = {
        "to": phone_number("+14255550100"),
        "from_": phone_number("+14255550123"),
        "server_call_id": "server-call",
        "incoming_call_context": "context",
        "correlation_id": "correlation",
    }
    return ours.incoming_call(**(given | more))


EVENTS: dict[str, tuple[str, GridEvent]] = {
    "incoming, least": ("AcsIncomingCallEventData", incoming()),
    "incoming, most": (
        "AcsIncomingCallEventData",
        incoming(
            to=USER,
            from_=from_raw_id("8:orgid:0d0e0f00-0000-4000-8000-000000000002"),
            caller_display_name="Zoë",
            sip_headers={"User-To-User": "abc"},
            voip_headers={"x": "y"},
            on_behalf_of_callee=OTHER,
        ),
    ),
    "incoming, one kind of header": (
        "AcsIncomingCallEventData",
        incoming(sip_headers={"X-MS-Custom-a": "1"}),
    ),
    "started, least": ("AcsCallStartedEventData", ours.call_started(PLAIN)),
    "started, most": ("AcsCallStartedEventData", ours.call_started(FULL)),
    "ended, least": ("AcsCallEndedEventData", ours.call_ended(PLAIN, duration_seconds=0.0)),
    "ended, most": (
        "AcsCallEndedEventData",
        ours.call_ended(
            FULL,
            duration_seconds=49.728617199999995,
            reason=AcsCallEndReason(code=0, sub_code=5000, phrase="The call ended."),
            ended_by=AcsCallEndedBy(communication_identifier=USER, type="User", name="Sharif"),
        ),
    ),
    "added": ("AcsCallParticipantAddedEventData", ours.participant_added(FULL, JOINED)),
    "added, least": ("AcsCallParticipantAddedEventData", ours.participant_added(PLAIN, Joined(OTHER, "p"))),
    "recording": (
        "AcsRecordingFileStatusUpdatedEventData",
        ours.recording_file_status_updated(RECORDED, call_id="call", server_call_id="server-call"),
    ),
    "removed": ("AcsCallParticipantRemovedEventData", ours.participant_removed(FULL, JOINED)),
}
each_event = pytest.mark.parametrize(("definition", "event"), EVENTS.values(), ids=list(EVENTS))


def misfits(value: Any, definition: str, path: str = "$") -> Iterator[str]:
    """What is wrong with `value` by a definition; nothing if it fits."""
    schema = DEFINITIONS[definition]
    properties: dict[str, Any] = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name} is missing"
    for name, inner in value.items():
        if name in properties:
            yield from _misfits_of(inner, properties[name], f"{path}.{name}")
        elif name not in BEYOND_THE_SCHEMA.get(definition, ()):
            yield f"{path}.{name} is not in the schema"


def _misfits_of(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    inside: dict[str, Any] = value if isinstance(value, dict) else {}
    if "$ref" in schema:
        yield from misfits(value, schema["$ref"].rpartition("/")[2], path)
        return
    kinds = JSON_TYPES[schema["type"]]
    if not isinstance(value, kinds) or (bool not in kinds and isinstance(value, bool)):
        yield f"{path} is {type(value).__name__}, not {schema['type']}"
    elif "additionalProperties" in schema and schema["additionalProperties"]["type"] == "string":
        yield from (
            f"{path}.{name} is no text" for name, inner in inside.items() if not isinstance(inner, str)
        )


def data_of(event: GridEvent) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(as_json(event.data))
    return data


@each_event
def test_the_data_of_every_event_fits_its_definition(definition: str, event: GridEvent) -> None:
    assert list(misfits(data_of(event), definition)) == []


@pytest.mark.parametrize("definition", MODELS)
def test_a_model_has_the_properties_of_its_definition_and_no_other(definition: str) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(MODELS[definition])}
    properties = set(DEFINITIONS[definition]["properties"])
    assert fields == properties | BEYOND_THE_SCHEMA.get(definition, set())


@pytest.mark.parametrize("definition", [name for name in MODELS if name not in MORE_THAN_REQUIRED])
def test_what_is_required_cannot_be_left_out(definition: str) -> None:
    kind = inspect.type_info(MODELS[definition])
    assert isinstance(kind, inspect.StructType)
    required = {field.encode_name for field in kind.fields if field.required}
    assert required == set(DEFINITIONS[definition]["required"]) | BEYOND_THE_SCHEMA.get(definition, set())


@each_event
def test_the_event_grid_envelope_fits(definition: str, event: GridEvent) -> None:
    sent = notification(
        subscription(),
        delivery(event_type=event.type, subject=event.subject, data=as_json(event.data)),
    )
    (envelope,) = json.loads(sent.body)
    assert list(misfits(envelope, "EventGridEvent")) == []
    assert set(envelope) == set(DEFINITIONS["EventGridEvent"]["properties"])
    assert list(misfits(envelope["data"], definition)) == []


@each_event
def test_the_cloud_events_envelope_fits(definition: str, event: GridEvent) -> None:
    sent = notification(
        subscription(schema="cloudevents"),
        delivery(event_type=event.type, subject=event.subject, data=as_json(event.data)),
    )
    envelope = json.loads(sent.body)
    assert list(misfits(envelope, "CloudEvent")) == []
    assert envelope["specversion"] == "1.0"
    assert envelope["data"] == data_of(event)
    assert definition in DEFINITIONS


def test_the_validation_event_fits() -> None:
    (envelope,) = json.loads(validation(record(), event_id="e", at=1.0, url="https://x/").body)
    assert list(misfits(envelope, "EventGridEvent")) == []
    assert list(misfits(envelope["data"], "SubscriptionValidationEventData")) == []


def test_both_disputed_names_carry_the_same_value() -> None:
    ended = data_of(EVENTS["ended, most"][1])
    assert ended["callDurationInSeconds"] == ended["durationOfCall"] == 49.728617199999995
    for which in ("added", "removed"):
        joined = data_of(EVENTS[which][1])
        assert joined["userAgent"] == joined["endpointType"] == "acs-web"


def test_the_check_itself_finds_faults() -> None:
    good = data_of(EVENTS["ended, most"][1])
    assert list(misfits(good | {"extra": 1}, "AcsCallEndedEventData")) == ["$.extra is not in the schema"]
    assert list(misfits({**good, "isTwoParty": "no"}, "AcsCallEndedEventData")) == [
        "$.isTwoParty is str, not boolean"
    ]
    del good["reason"]["phrase"]
    assert list(misfits(good, "AcsCallEndedEventData")) == ["$.reason.phrase is missing"]
