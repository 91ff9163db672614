"""The events that a call publishes, in the ACS models."""

from collections.abc import Callable

import msgspec

from onhook.acs.cloud_events import recording_source
from onhook.acs.models import (
    AnswerFailed,
    CallConnected,
    CallDisconnected,
    CallParticipant,
    ConnectFailed,
    CreateCallFailed,
    ParticipantsUpdated,
    RecordingStateChanged,
    ResultInformation,
    SipDiagnosticInfo,
    StartRecordingFailed,
)
from onhook.acs.recording_kinds import recording_kind
from onhook.acs.wire import Model
from onhook.calls.record import Beginning, CallRecord, Connection
from onhook.effects import Publish
from onhook.endings.operations import SUCCESSES
from onhook.endings.operations import result_of as result_of_operation
from onhook.endings.verdict import Verdict
from onhook.facts import OperationEnded

DONE = ResultInformation(code=200, sub_code=0, message=SUCCESSES["done"].message)
"""Of an operation that went well."""
CONNECTED = ResultInformation(code=200, sub_code=0, message="")
"""What the real service sends with CallConnected (validated: recorded live tests)."""


FAILURES: dict[Beginning, type[CreateCallFailed | AnswerFailed | ConnectFailed]] = {
    "create": CreateCallFailed,
    "answer": AnswerFailed,
    "connect": ConnectFailed,
}
"""The terminal event of a connection that was never connected (documented)."""


def call_connected(record: CallRecord, connection: Connection) -> Publish:
    event = CallConnected(
        call_connection_id=connection.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        operation_context=connection.operation_context or None,
        result_information=CONNECTED,
    )
    return _publish(connection, event)


def participants_updated(
    record: CallRecord, connection: Connection, participants: list[CallParticipant]
) -> Publish:
    """The whole list, each time; the connection's own number tells the newest (assumed to begin with 1)."""
    connection.sequence += 1
    event = ParticipantsUpdated(
        call_connection_id=connection.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        sequence_number=connection.sequence,
        participants=participants,
        result_information=CONNECTED,
    )
    return _publish(connection, event)


def call_over(record: CallRecord, connection: Connection, verdict: Verdict) -> Publish:
    """CallDisconnected for a connection that was up; else the failure of what began it."""
    model = CallDisconnected if connection.connected_at is not None else FAILURES[connection.begun_by]
    event = model(
        call_connection_id=connection.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        operation_context=connection.operation_context or None,
        result_information=result_of(verdict),
    )
    return _publish(connection, event)


def result_of(verdict: Verdict) -> ResultInformation:
    """resultInformation; sipDetails and q850Details only if the far end sent them (documented)."""
    sip = q850 = None
    if verdict.sip_status is not None:
        sip = SipDiagnosticInfo(code=verdict.sip_status, message=verdict.sip_reason)
    if verdict.q850_cause is not None:
        q850 = SipDiagnosticInfo(code=verdict.q850_cause, message=verdict.q850_text)
    return ResultInformation(
        code=verdict.event_code,
        sub_code=verdict.subcode,
        message=verdict.message,
        sip_details=sip,
        q850_details=q850,
    )


def operation_result(ended: OperationEnded) -> ResultInformation:
    """The resultInformation of an operation's event: what the explanation of the operation says too."""
    code, subcode, message, _ = result_of_operation(ended)
    return ResultInformation(code=code, sub_code=subcode, message=message)


def operation_event(
    record: CallRecord,
    connection: Connection,
    model: Callable[..., Model],
    *,
    context: str = "",
    callback_uri: str = "",
    result: ResultInformation | None = None,
    **fields: object,
) -> Publish:
    """An event of an operation on an open call; `fields` are the model's own. `callback_uri` overrides."""
    event = model(
        call_connection_id=connection.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        operation_context=context or None,
        result_information=result,
        **fields,
    )
    return _publish(connection, event, callback_uri)


def recording_event(
    record: CallRecord,
    connection: Connection,
    model: type[RecordingStateChanged | StartRecordingFailed],
    *,
    recording: str,
    callback_uri: str,
    ended: OperationEnded,
    **fields: object,
) -> Publish:
    """An event of a recording, with a source of its own; `fields` are the model's own."""
    event = model(
        call_connection_id=connection.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        recording_id=recording,
        result_information=operation_result(ended),
        **fields,  # type: ignore[arg-type]  # checked by its tests, as in operation_event
    )
    told = _publish(connection, event, callback_uri)
    if model is RecordingStateChanged:
        told.data["recordingKind"] = recording_kind(connection.api_version)
    return msgspec.structs.replace(told, source=recording_source(record.server_call_id, recording))


def _publish(connection: Connection, event: Model, callback_uri: str = "") -> Publish:
    return Publish(
        callback_uri or connection.callback_uri,
        type(event).__name__,
        msgspec.to_builtins(event),
        connection.id,
        connection.api_version,
    )
