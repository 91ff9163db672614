"""What the server needs of the rest of Onhook. switch.py and store/ match these structurally."""

from typing import Protocol

from onhook.acs.identifiers import Identifier
from onhook.acs.models import (
    AnswerCallRequest,
    CallConnectionProperties,
    CallParticipant,
    CallRejectReason,
    ConnectRequest,
    CreateCallRequest,
    StartCallRecordingRequest,
)
from onhook.acs.requests import Asked, Reply
from onhook.acs.wire import Model
from onhook.calls.directory import Resource
from onhook.calls.record import CallRecord
from onhook.facts import Timeline


class Switchboard(Protocol):
    """Runs the calls. Every method may raise ApiError; none but `written` waits."""

    def create_call(
        self, resource: Resource, request: CreateCallRequest, asked: Asked
    ) -> CallConnectionProperties: ...

    def answer_call(
        self, resource: Resource, request: AnswerCallRequest, asked: Asked
    ) -> CallConnectionProperties:
        """Bind a new connection to the ringing leg that `request.incoming_call_context` names.

        The context is opened by the switch, which made it (acs/incoming_context.open_context), as are
        those of `reject_call` and `redirect_call`; ended and used ones are refused with the errors there.
        """
        ...

    def reject_call(
        self, resource: Resource, incoming_call_context: str, reason: CallRejectReason, asked: Asked
    ) -> None: ...

    def redirect_call(
        self, resource: Resource, incoming_call_context: str, target: Identifier, asked: Asked
    ) -> None:
        """`target` is normalised: a phone number or an ACS user."""
        ...

    def connect_call(
        self, resource: Resource, server_call_id: str, request: ConnectRequest, asked: Asked
    ) -> CallConnectionProperties:
        """A new connection, with an identity of its own, in the open call that has this serverCallId.

        Raises the 404/8522 of ACS if the resource has no such call.
        """
        ...

    def get_call(self, resource: Resource, call_connection_id: str) -> CallConnectionProperties: ...

    def hang_up(self, resource: Resource, call_connection_id: str, asked: Asked, *, everyone: bool) -> None:
        """`everyone` ends the call for all its participants; otherwise the application's leg only."""
        ...

    def operate(
        self, resource: Resource, call_connection_id: str, request: Model | None, asked: Asked
    ) -> Model | None:
        """Do `asked.operation` on an open call; its outcome follows as events. The answer's body, or None."""
        ...

    def start_recording(self, resource: Resource, request: StartCallRecordingRequest, asked: Asked) -> Model:
        """Record the call that `request` names, by exactly one of callConnectionId and serverCallId."""
        ...

    def get_recording(self, resource: Resource, recording_id: str, asked: Asked) -> Model: ...

    def change_recording(self, resource: Resource, recording_id: str, asked: Asked) -> None:
        """Stop, pause or resume it, as `asked.operation` says."""
        ...

    def get_participants(self, resource: Resource, call_connection_id: str) -> list[CallParticipant]: ...

    def get_participant(
        self, resource: Resource, call_connection_id: str, raw_id: str
    ) -> CallParticipant: ...

    def recall(self, key: str) -> Reply | None:
        """The reply remembered under `key`, if it is still kept."""
        ...

    def remember(self, key: str, reply: Reply) -> None:
        """Keep `reply` with whatever the request changed, so that a crash keeps both or neither."""
        ...

    async def written(self) -> None:
        """Return when everything done so far is on disk."""
        ...


class Archive(Protocol):
    """Reads calls, open and ended."""

    def calls(self, limit: int) -> list[CallRecord]:
        """The newest `limit` calls, newest first."""
        ...

    def call(self, call_connection_id: str, /) -> CallRecord | None: ...

    def facts(self, call_connection_id: str, /) -> Timeline: ...
