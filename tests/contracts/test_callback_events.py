"""Each of the 38 callback events, as calls brought it forth, is one that the specification and Python know.

What the JavaScript SDK makes of the same bodies is asked in tests/interop/test_js_sdk.py.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from azure.core.messaging import CloudEvent

from every_event import bodies
from onhook.acs import models_events
from onhook.calls.events_table import EVENTS

SAMPLES = json.loads((Path(__file__).parents[2] / "spec/callback-events.samples.json").read_text())
NAMES = [sample["type"].rpartition(".")[2] for sample in SAMPLES]
BESIDE = {"version", "publicEventType"}
"""In `data` on the wire, and not in the specification (validated)."""
ALWAYS = {"callConnectionId", "serverCallId", "correlationId", "resultInformation"}

every = cache(bodies)


def data_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(every()[name])[0]["data"]
    return found


def test_there_are_thirty_eight_and_the_table_has_each() -> None:
    assert len(NAMES) == 38
    assert set(EVENTS) == set(NAMES) == set(every())


@pytest.mark.parametrize("name", NAMES)
def test_the_python_sdk_reads_it(name: str) -> None:
    (told,) = json.loads(every()[name])
    event: CloudEvent[Any] = CloudEvent.from_dict(told)
    assert event.type == f"Microsoft.Communication.{name}"
    assert event.specversion == "1.0"
    assert event.source == event.subject
    assert event.datacontenttype == "application/json"
    assert event.data == told["data"]
    assert event.time is not None


@pytest.mark.parametrize("name", NAMES)
def test_its_data_is_that_of_the_specification(name: str) -> None:
    data, model = data_of(name), getattr(models_events, name)
    known = {field.encode_name for field in msgspec.structs.fields(model)}
    assert set(data) - BESIDE <= known
    assert set(data) >= ALWAYS | BESIDE
    assert data["version"] == "2026-03-12"
    assert data["publicEventType"] == f"Microsoft.Communication.{name}"
    msgspec.convert(data, model)  # every value is of its type
    assert {"code", "subCode", "message"} <= set(data["resultInformation"])


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_the_sample_says(name: str) -> None:
    """Fields beside those of every event are what the event is for."""
    sample: dict[str, Any] = next(each["data"] for each in SAMPLES if each["type"].endswith(f".{name}"))
    special = set(sample) - ALWAYS - BESIDE - {"operationContext"}
    if name in {"RecognizeCompleted", "RecognizeFailed"}:  # by kind of input, and of failure
        special -= {"dtmfResult", "failedPlaySourceIndex"}
    assert special <= set(data_of(name))


@pytest.mark.parametrize(
    ("name", "good"), [(name, not name.endswith(("Failed", "Canceled", "Disconnected"))) for name in NAMES]
)
def test_its_code_says_whether_it_went_well(name: str, *, good: bool) -> None:
    code = data_of(name)["resultInformation"]["code"]
    if name == "CallDisconnected":
        assert code == 200
    else:
        assert (code == 200) == good
