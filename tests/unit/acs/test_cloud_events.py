"""The envelope of callback events."""

import json
from pathlib import Path
from typing import Any

import pytest
from azure.core.messaging import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from onhook.acs.cloud_events import call_source, cloud_event
from onhook.acs.models import CallConnected, ResultInformation

SAMPLES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "spec/callback-events.samples.json").read_text()
)
OURS = ("version", "publicEventType")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["type"].split(".")[-1])
def test_a_sample_is_made_again_key_by_key(sample: dict[str, Any]) -> None:
    data = {name: value for name, value in sample["data"].items() if name not in OURS}
    body = cloud_event(
        event_id=sample["id"],
        event_type=sample["type"].split(".")[-1],
        source=sample["source"],
        data=data,
        api_version=sample["data"]["version"],
        at=1_767_225_600.1234567,
    )
    (made,) = json.loads(body)
    assert made["time"].startswith("2026-01-01T00:00:00.12345")
    assert made | {"time": ""} == sample | {"time": ""}
    assert list(made) == list(sample), "in the order of the real service"


def event(**changes: Any) -> Any:
    given_fields: dict[str, Any] = {
        "event_id": "1",
        "event_type": "CallConnected",
        "source": call_source("abc"),
        "data": {"callConnectionId": "abc"},
        "api_version": "2026-03-12",
        "at": 1_795_433_981.5,
    }
    return json.loads(cloud_event(**{**given_fields, **changes}))


def test_one_event_in_an_array() -> None:
    (only,) = event()
    assert only["source"] == only["subject"] == "calling/callConnections/abc"
    assert only["type"] == only["data"]["publicEventType"] == "Microsoft.Communication.CallConnected"
    assert only["specversion"] == "1.0"
    assert only["data"]["version"] == "2026-03-12"


def test_a_model_as_data_is_written_in_camel_case_without_what_is_absent() -> None:
    data = CallConnected(
        call_connection_id="abc", result_information=ResultInformation(code=200, sub_code=0, message="")
    )
    (only,) = event(data=data)
    assert only["data"] == {
        "callConnectionId": "abc",
        "resultInformation": {"code": 200, "subCode": 0, "message": ""},
        "version": "2026-03-12",
        "publicEventType": "Microsoft.Communication.CallConnected",
    }


def test_the_data_given_is_not_changed() -> None:
    data = {"callConnectionId": "abc"}
    event(data=data)
    assert data == {"callConnectionId": "abc"}


def test_the_official_reader_takes_it() -> None:
    (only,) = event()
    read: CloudEvent[Any] = CloudEvent.from_dict(only)
    assert read.type == "Microsoft.Communication.CallConnected"
    assert read.time is not None
    assert read.time.timestamp() == 1_795_433_981.5


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40) | st.integers() | st.none(), max_size=6))
def test_any_data_survives(data: dict[str, Any]) -> None:
    data = {name: value for name, value in data.items() if name not in OURS}
    (only,) = event(data=data)
    assert {name: value for name, value in only["data"].items() if name not in OURS} == data
