"""The envelope of a callback event.

validated on payloads that Microsoft's live tests recorded: a JSON array of exactly one CloudEvent 1.0;
`source` and `subject` are `calling/callConnections/{id}`; `data` also carries `version` (of the request
that made the call) and `publicEventType`, which the specification does not show. The JavaScript parser
reads element 0 only, so several events never share a body. assumed: Content-Type application/json.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from onhook.acs.dates import event_time
from onhook.acs.wire import Model

CONTENT_TYPE = "application/json; charset=utf-8"
TYPE_PREFIX = "Microsoft.Communication."


def call_source(call_connection_id: str) -> str:
    return f"calling/callConnections/{call_connection_id}"


def recording_source(server_call_id: str, recording_id: str) -> str:
    """Of RecordingStateChanged (validated: recorded live tests); of StartRecordingFailed, assumed."""
    return f"calling/recordings/{server_call_id}/{recording_id}/RecordingStateChanged"


def cloud_event(
    *,
    event_id: str,
    event_type: str,
    source: str,
    data: Model | Mapping[str, Any],
    api_version: str,
    at: float,
) -> bytes:
    """The body to POST. `event_type` is the short name ("CallConnected"); `at` is Unix seconds."""
    fields: Mapping[str, Any] = msgspec.to_builtins(data) if isinstance(data, Model) else data
    public_type = TYPE_PREFIX + event_type
    event = {
        "id": event_id,
        "source": source,
        "type": public_type,
        "data": {**fields, "version": api_version, "publicEventType": public_type},
        "time": event_time(at),
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "subject": source,
    }
    return msgspec.json.encode([event])
