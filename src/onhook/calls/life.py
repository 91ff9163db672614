"""The events by which subscribers follow a call, in the words of Event Grid."""

from onhook.acs.grid_events import (
    AcsCallEndReason,
    CallOf,
    GridEvent,
    Joined,
    call_ended,
    call_started,
    participant_added,
    participant_removed,
)
from onhook.acs.identifiers import from_raw_id
from onhook.calls.offering import caller_of, raw_id
from onhook.calls.record import CallRecord, called_first
from onhook.effects import Notify

AGENT = "Call Automation"
"""What the client of an application's identity is called (assumed)."""


def life_event(record: CallRecord, notify: Notify, now: float) -> GridEvent:
    """The event that `notify` asks for. The duration of a call counts from its connection, in seconds."""
    call = CallOf(
        server_call_id=record.server_call_id,
        correlation_id=record.correlation_id,
        started_by=from_raw_id(raw_id(caller_of(record))),
        is_two_party=_called(record) <= 1,
    )
    if notify.type == "CallStarted":
        return call_started(call)
    if notify.type == "CallEnded":
        began = record.connected_at if record.connected_at is not None else now
        return call_ended(call, duration_seconds=round(max(0.0, now - began), 3), reason=_reason(record))
    who = Joined(user=from_raw_id(notify.user), participant_id=notify.user, user_agent=AGENT)
    made = participant_added if notify.type == "CallParticipantAdded" else participant_removed
    return made(call, who)


def _called(record: CallRecord) -> int:
    """How many were called; a single telephone has no plan."""
    first = sum(1 for plan in record.legs if called_first(plan))
    return max(first, 1) + sum(1 for plan in record.legs if plan.invitation)


def _reason(record: CallRecord) -> AcsCallEndReason | None:
    verdict = record.verdict
    if verdict is None:
        return None
    return AcsCallEndReason(code=verdict.code, sub_code=verdict.subcode, phrase=verdict.message)
