"""A switchboard that connects nobody, and an archive of calls written by hand."""

from collections.abc import Awaitable, Callable

from onhook.acs.errors import ApiError, call_not_found
from onhook.acs.identifiers import Identifier, communication_user, phone_number
from onhook.acs.incoming_context import (
    Context,
    context_of_ended_call,
    context_used,
    make_context,
    open_context,
)
from onhook.acs.models import (
    AnswerCallRequest,
    CallConnectionProperties,
    CallConnectionStateModel,
    CallParticipant,
    CallRejectReason,
    ConnectRequest,
    CreateCallRequest,
    RecordingKind,
    RecordingState,
    RecordingStateResponse,
    StartCallRecordingRequest,
)
from onhook.acs.operations import OPERATIONS
from onhook.acs.requests import Asked, Reply
from onhook.acs.wire import Model
from onhook.calls.directory import Directory, Resource
from onhook.calls.record import CallRecord
from onhook.facts import Timeline
from unit.server.signed_requests import KEY, NOW, OTHER_KEY

GUID = "11111111-2222-3333-4444-555555555555"
RESOURCE = Resource("dev", GUID, (KEY,), ("+14255550100",))
OTHER_RESOURCE = Resource("other", GUID.replace("1", "9"), (OTHER_KEY,))
DIRECTORY = Directory((RESOURCE, OTHER_RESOURCE))
CONTEXT_KEY = b"a key of thirty-two bytes, tests"
RING_SECONDS = 30.0
SERVER_CALL = "c2VydmVy"


class FakeSwitchboard:
    """`known` are calls that exist from the start; `breaks` is raised by every operation,
    `breaks_once` by the next one; `disk` is awaited by `written`.
    """

    def __init__(self, *known: str) -> None:
        self.calls = {
            call: CallConnectionProperties(
                call_connection_id=call,
                server_call_id=SERVER_CALL,
                call_connection_state=CallConnectionStateModel.CONNECTED,
                targets=[phone_number("+14255550123")],
            )
            for call in known
        }
        self.asked: list[tuple[Resource, Asked]] = []
        self.requests: list[CreateCallRequest] = []
        self.ended: list[tuple[str, bool]] = []
        self.now = NOW
        self.waiting: dict[str, str] = {}
        """Calls that came in -> what became of them; empty while they ring."""
        self.answers: list[AnswerCallRequest] = []
        self.rejected: list[tuple[str, CallRejectReason]] = []
        self.redirected: list[tuple[str, str | None]] = []
        self.joined: list[tuple[str, ConnectRequest]] = []
        self.operated: list[tuple[str, Model | None]] = []
        self.recorded: list[StartCallRecordingRequest] = []
        self.recordings_changed: list[tuple[str, str]] = []
        self.replies: dict[str, Reply] = {}
        self.writes = 0
        self.breaks: Exception | None = None
        self.breaks_once: Exception | None = None
        self.disk: Callable[[], Awaitable[object]] | None = None

    def create_call(
        self, resource: Resource, request: CreateCallRequest, asked: Asked
    ) -> CallConnectionProperties:
        self._break()
        self.asked.append((resource, asked))
        self.requests.append(request)
        call = f"call-{len(self.requests)}"
        self.calls[call] = CallConnectionProperties(
            call_connection_id=call,
            server_call_id=SERVER_CALL,
            correlation_id="correlation",
            call_connection_state=CallConnectionStateModel.CONNECTING,
            targets=request.targets,
            callback_uri=request.callback_uri,
            source_caller_id_number=request.source_caller_id_number,
            source=communication_user(f"8:acs:{resource.id}_{GUID}"),
        )
        return self.calls[call]

    def ring(self, call: str, resource: Resource = RESOURCE) -> str:
        """A call comes in; its incomingCallContext."""
        self.waiting[call] = ""
        return make_context(CONTEXT_KEY, call, "leg", resource.id, self.now + RING_SECONDS)

    def answer_call(
        self, resource: Resource, request: AnswerCallRequest, asked: Asked
    ) -> CallConnectionProperties:
        context = self._take(resource, request.incoming_call_context, "answered", asked)
        self.answers.append(request)
        return self._connect(f"{context.call_id}-answered", request.callback_uri)

    def reject_call(
        self, resource: Resource, incoming_call_context: str, reason: CallRejectReason, asked: Asked
    ) -> None:
        context = self._take(resource, incoming_call_context, "rejected", asked)
        self.rejected.append((context.call_id, reason))

    def redirect_call(
        self, resource: Resource, incoming_call_context: str, target: Identifier, asked: Asked
    ) -> None:
        context = self._take(resource, incoming_call_context, "redirected", asked)
        self.redirected.append((context.call_id, target.raw_id))

    def connect_call(
        self, resource: Resource, server_call_id: str, request: ConnectRequest, asked: Asked
    ) -> CallConnectionProperties:
        self._break()
        self.asked.append((resource, asked))
        if server_call_id not in {call.server_call_id for call in self.calls.values()}:
            raise call_not_found(server_call_id)
        self.joined.append((server_call_id, request))
        return self._connect(f"joined-{len(self.joined)}", request.callback_uri)

    def _take(self, resource: Resource, text: str, how: str, asked: Asked) -> Context:
        self._break()
        self.asked.append((resource, asked))
        context = open_context(CONTEXT_KEY, text, resource.id, self.now)
        if context.call_id not in self.waiting:
            raise context_of_ended_call()
        if self.waiting[context.call_id]:
            raise context_used(self.waiting[context.call_id])
        self.waiting[context.call_id] = how
        return context

    def _connect(self, connection: str, callback_uri: str) -> CallConnectionProperties:
        self.calls[connection] = CallConnectionProperties(
            call_connection_id=connection,
            server_call_id=SERVER_CALL,
            call_connection_state=CallConnectionStateModel.CONNECTING,
            callback_uri=callback_uri,
        )
        return self.calls[connection]

    def get_call(self, resource: Resource, call_connection_id: str) -> CallConnectionProperties:
        self._break()
        if call_connection_id not in self.calls:
            raise call_not_found(call_connection_id)
        return self.calls[call_connection_id]

    def hang_up(self, resource: Resource, call_connection_id: str, asked: Asked, *, everyone: bool) -> None:
        self.get_call(resource, call_connection_id)
        self.asked.append((resource, asked))
        self.ended.append((call_connection_id, everyone))

    def operate(
        self, resource: Resource, call_connection_id: str, request: Model | None, asked: Asked
    ) -> Model | None:
        self._break()
        self.get_call(resource, call_connection_id)
        self.operated.append((asked.operation, request))
        answer = next(each.response for each in OPERATIONS if each.name == asked.operation)
        return answer() if answer else None

    def start_recording(self, resource: Resource, request: StartCallRecordingRequest, asked: Asked) -> Model:
        self._break()
        self.asked.append((resource, asked))
        self.recorded.append(request)
        return self.get_recording(resource, f"rec-{len(self.recorded)}", asked)

    def get_recording(self, resource: Resource, recording_id: str, asked: Asked) -> Model:  # as the real one
        self._break()
        kind = RecordingKind.AZURE_COMMUNICATION_SERVICES
        return RecordingStateResponse(
            recording_id=recording_id, recording_state=RecordingState.ACTIVE, recording_kind=kind
        )

    def change_recording(self, resource: Resource, recording_id: str, asked: Asked) -> None:  # as above
        self._break()
        self.recordings_changed.append((asked.operation, recording_id))

    def get_participants(self, resource: Resource, call_connection_id: str) -> list[CallParticipant]:
        targets = self.get_call(resource, call_connection_id).targets or []
        return [CallParticipant(identifier=target, is_muted=False, is_on_hold=False) for target in targets]

    def get_participant(self, resource: Resource, call_connection_id: str, raw_id: str) -> CallParticipant:
        for participant in self.get_participants(resource, call_connection_id):
            if participant.identifier and participant.identifier.raw_id == raw_id:
                return participant
        raise ApiError(404, "8522", f"Participant not found: {raw_id}", target="participantRawId")

    def recall(self, key: str) -> Reply | None:
        return self.replies.get(key)

    def remember(self, key: str, reply: Reply) -> None:
        self.replies[key] = reply

    async def written(self) -> None:
        self.writes += 1
        if self.disk:
            await self.disk()

    def _break(self) -> None:
        once, self.breaks_once = self.breaks_once, None
        if once:
            raise once
        if self.breaks:
            raise self.breaks


class FakeArchive:
    def __init__(self, *kept: tuple[CallRecord, Timeline]) -> None:
        self.kept = {record.id: (record, timeline) for record, timeline in kept}

    def calls(self, limit: int) -> list[CallRecord]:
        return [record for record, _ in reversed(self.kept.values())][:limit]

    def call(self, call_connection_id: str, /) -> CallRecord | None:
        return self.kept[call_connection_id][0] if call_connection_id in self.kept else None

    def facts(self, call_connection_id: str, /) -> Timeline:
        return self.kept[call_connection_id][1]
