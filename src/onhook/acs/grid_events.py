"""Events that ACS publishes to Event Grid about calls: their data, types and subjects.

Shapes are documented: spec/eventgrid-acs-calling.schemas.json (the official JavaScript package
@azure/eventgrid 5.12.0) and Microsoft's page "Azure Communication Services - Voice and video calling
events", whose samples give the subjects. Where the two disagree on a name, both are sent: `userAgent` and
`endpointType`, `callDurationInSeconds` and `durationOfCall`. documented: but for IncomingCall and
recordings, events tell of ACS users only, never of telephones.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from onhook.acs.cloud_events import TYPE_PREFIX
from onhook.acs.models import CommunicationIdentifierModel, CustomCallingContext, IncomingCall
from onhook.acs.recordings import recorded_time
from onhook.acs.wire import Model
from onhook.facts import RecordingChanged

DATA_VERSION = "1.0"


class AcsCallParticipant(Model, frozen=True, kw_only=True):
    """A party of a call; `role` is a room role, empty outside rooms (assumed)."""

    communication_identifier: CommunicationIdentifierModel | None = None
    role: str


class AcsCallGroup(Model, frozen=True, kw_only=True):
    id: str


class AcsCallRoom(Model, frozen=True, kw_only=True):
    id: str


class AcsCallEndedBy(Model, frozen=True, kw_only=True):
    """Who ended a call. `type` and `name` have no documented values."""

    communication_identifier: CommunicationIdentifierModel | None = None
    type: str
    name: str


class AcsCallEndReason(Model, frozen=True, kw_only=True):
    code: int
    sub_code: int
    phrase: str


class AcsCallingEvent(Model, frozen=True, kw_only=True):
    """What every event about a running call says."""

    started_by: AcsCallParticipant | None = None
    server_call_id: str
    group: AcsCallGroup | None = None
    room: AcsCallRoom | None = None
    is_two_party: bool | None = None
    correlation_id: str
    is_rooms_call: bool | None = None


class AcsCallStartedEventData(AcsCallingEvent, frozen=True, kw_only=True):
    """Data of Microsoft.Communication.CallStarted."""


class AcsCallEndedEventData(AcsCallingEvent, frozen=True, kw_only=True):
    """Data of Microsoft.Communication.CallEnded; both durations are seconds."""

    ended_by: AcsCallEndedBy | None = None
    reason: AcsCallEndReason | None = None
    call_duration_in_seconds: float
    duration_of_call: float


class AcsCallParticipantEventData(AcsCallingEvent, frozen=True, kw_only=True):
    """Data of CallParticipantAdded and CallParticipantRemoved."""

    user: AcsCallParticipant | None = None
    display_name: str
    participant_id: str
    user_agent: str
    endpoint_type: str


class AcsRecordingChunkInfo(Model, frozen=True, kw_only=True):
    document_id: str
    index: int
    end_reason: str
    metadata_location: str
    content_location: str
    delete_location: str


class AcsRecordingStorageInfo(Model, frozen=True, kw_only=True):
    recording_chunks: list[AcsRecordingChunkInfo]


class AcsRecordingFileStatusUpdatedEventData(Model, frozen=True, kw_only=True):
    """Data of Microsoft.Communication.RecordingFileStatusUpdated."""

    recording_storage_info: AcsRecordingStorageInfo
    recording_start_time: str
    recording_duration_ms: int
    recording_content_type: str
    recording_channel_type: str
    recording_format_type: str
    session_end_reason: str


class GridEvent(NamedTuple):
    """An event to publish; Event Grid adds id, topic and time."""

    type: str
    """The full name."""
    subject: str
    data: Model | Mapping[str, Any]


class CallOf(NamedTuple):
    """The call that an event is about, and who started it."""

    server_call_id: str
    correlation_id: str
    started_by: CommunicationIdentifierModel
    role: str = ""
    is_two_party: bool = True
    group_id: str = ""
    room_id: str = ""


class Joined(NamedTuple):
    """A user in a call. `user_agent` is what its client calls itself."""

    user: CommunicationIdentifierModel
    participant_id: str
    display_name: str = ""
    user_agent: str = ""
    role: str = ""


def incoming_call(
    *,
    to: CommunicationIdentifierModel,
    from_: CommunicationIdentifierModel,
    server_call_id: str,
    incoming_call_context: str,
    correlation_id: str,
    caller_display_name: str = "",
    sip_headers: Mapping[str, str] | None = None,
    voip_headers: Mapping[str, str] | None = None,
    on_behalf_of_callee: CommunicationIdentifierModel | None = None,
) -> GridEvent:
    """A call for `to` that an application may answer, reject or redirect.

    customContext is sent when there are headers to pass on; the schema then wants both kinds.
    """
    context = None
    if sip_headers or voip_headers:
        context = CustomCallingContext(
            sip_headers=dict(sip_headers or {}), voip_headers=dict(voip_headers or {})
        )
    data = IncomingCall(
        to=to,
        from_=from_,
        caller_display_name=caller_display_name,
        server_call_id=server_call_id,
        custom_context=context,
        incoming_call_context=incoming_call_context,
        on_behalf_of_callee=on_behalf_of_callee,
        correlation_id=correlation_id,
    )
    subject = f"/caller/{from_.raw_id}/recipient/{to.raw_id}"
    return GridEvent(f"{TYPE_PREFIX}IncomingCall", subject, data)


def call_started(call: CallOf) -> GridEvent:
    data = AcsCallStartedEventData(
        started_by=_starter(call),
        server_call_id=call.server_call_id,
        group=_group(call),
        room=_room(call),
        is_two_party=call.is_two_party,
        correlation_id=call.correlation_id,
        is_rooms_call=bool(call.room_id),
    )
    subject = f"call/{call.server_call_id}/startedBy/{call.started_by.raw_id}"
    return GridEvent(f"{TYPE_PREFIX}CallStarted", subject, data)


def call_ended(
    call: CallOf,
    *,
    duration_seconds: float,
    reason: AcsCallEndReason | None = None,
    ended_by: AcsCallEndedBy | None = None,
) -> GridEvent:
    data = AcsCallEndedEventData(
        started_by=_starter(call),
        server_call_id=call.server_call_id,
        group=_group(call),
        room=_room(call),
        is_two_party=call.is_two_party,
        correlation_id=call.correlation_id,
        is_rooms_call=bool(call.room_id),
        ended_by=ended_by,
        reason=reason,
        call_duration_in_seconds=duration_seconds,
        duration_of_call=duration_seconds,
    )
    return GridEvent(f"{TYPE_PREFIX}CallEnded", f"call/{call.server_call_id}", data)


def participant_added(call: CallOf, who: Joined) -> GridEvent:
    return _participant("CallParticipantAdded", call, who)


def participant_removed(call: CallOf, who: Joined) -> GridEvent:
    return _participant("CallParticipantRemoved", call, who)


def recording_file_status_updated(ended: RecordingChanged, *, call_id: str, server_call_id: str) -> GridEvent:
    """The files of a recording are where they belong: `ended` is its last fact, closed or failed.

    The switch publishes it when media tells that fact, which may be after the end of the call. documented:
    subject and names; the values Audio, Mixed, Wav … are those of the package's enumerations. assumed: a
    recording that failed is told of as well if it has files.
    """
    chunks = [
        AcsRecordingChunkInfo(
            document_id=chunk.document,
            index=chunk.index,
            end_reason=chunk.why,
            metadata_location=chunk.metadata,
            content_location=chunk.content,
            delete_location=chunk.deletion,
        )
        for chunk in ended.chunks
    ]
    data = AcsRecordingFileStatusUpdatedEventData(
        recording_storage_info=AcsRecordingStorageInfo(recording_chunks=chunks),
        recording_start_time=recorded_time(ended.at if ended.began_at is None else ended.began_at),
        recording_duration_ms=ended.duration_ms,
        recording_content_type="Audio",
        recording_channel_type="Mixed" if ended.mixed else "Unmixed",
        recording_format_type=ended.format.capitalize(),
        session_end_reason=ended.why,
    )
    subject = f"/recording/call/{call_id}/serverCallId/{server_call_id}/recordingId/{ended.recording}"
    return GridEvent(f"{TYPE_PREFIX}RecordingFileStatusUpdated", subject, data)


def _participant(name: str, call: CallOf, who: Joined) -> GridEvent:
    data = AcsCallParticipantEventData(
        started_by=_starter(call),
        server_call_id=call.server_call_id,
        group=_group(call),
        room=_room(call),
        is_two_party=call.is_two_party,
        correlation_id=call.correlation_id,
        is_rooms_call=bool(call.room_id),
        user=AcsCallParticipant(communication_identifier=who.user, role=who.role),
        display_name=who.display_name,
        participant_id=who.participant_id,
        user_agent=who.user_agent,
        endpoint_type=who.user_agent,
    )
    subject = f"call/{call.server_call_id}/participant/{who.user.raw_id}"
    return GridEvent(TYPE_PREFIX + name, subject, data)


def _starter(call: CallOf) -> AcsCallParticipant:
    return AcsCallParticipant(communication_identifier=call.started_by, role=call.role)


def _group(call: CallOf) -> AcsCallGroup | None:
    return AcsCallGroup(id=call.group_id) if call.group_id else None


def _room(call: CallOf) -> AcsCallRoom | None:
    return AcsCallRoom(id=call.room_id) if call.room_id else None
