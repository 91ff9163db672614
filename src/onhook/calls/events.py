"""The events that a call publishes, in the ACS models."""

import msgspec

from onhook.acs.models import (
    CallConnected,
    CallDisconnected,
    CallParticipant,
    CreateCallFailed,
    ParticipantsUpdated,
    ResultInformation,
    SipDiagnosticInfo,
)
from onhook.acs.wire import Model
from onhook.calls.record import CallRecord
from onhook.effects import Publish
from onhook.endings.verdict import Verdict

CONNECTED = ResultInformation(code=200, sub_code=0, message="")
"""What the real service sends with CallConnected (validated: recorded live tests)."""


def call_connected(record: CallRecord) -> Publish:
    event = CallConnected(
        call_connection_id=record.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        operation_context=record.operation_context or None,
        result_information=CONNECTED,
    )
    return _publish(record, event)


def participants_updated(record: CallRecord, participants: list[CallParticipant], sequence: int) -> Publish:
    """The whole list, each time; the number tells the newest (assumed to begin with 1)."""
    event = ParticipantsUpdated(
        call_connection_id=record.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        sequence_number=sequence,
        participants=participants,
        result_information=CONNECTED,
    )
    return _publish(record, event)


def call_over(record: CallRecord, verdict: Verdict) -> Publish:
    """CallDisconnected for a call that was connected, CreateCallFailed for one that never was."""
    model = CreateCallFailed if record.connected_at is None else CallDisconnected
    event = model(
        call_connection_id=record.id,
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        operation_context=record.operation_context or None,
        result_information=result_of(verdict),
    )
    return _publish(record, event)


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


def _publish(record: CallRecord, event: Model) -> Publish:
    return Publish(record.callback_uri, type(event).__name__, msgspec.to_builtins(event))
