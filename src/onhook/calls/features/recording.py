"""One recording, from its start to its stop."""

from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from onhook.acs.dates import event_time
from onhook.acs.models import (
    RecordingState,
    RecordingStateChanged,
    StartCallRecordingRequest,
    StartRecordingFailed,
)
from onhook.calls.events import recording_event
from onhook.calls.features.feature import Operation
from onhook.calls.features.recording_plan import RecordingPlan
from onhook.calls.record import Connection
from onhook.effects import ChangeRecording, Record, StartRecording, StopRecording
from onhook.facts import OperationEnd, OperationEnded, RecordingChanged
from onhook.machine import Machine, Outputs, nothing, rows

if TYPE_CHECKING:
    from onhook.calls.host import Host


class RecorderState(Enum):
    STARTING = auto()
    ACTIVE = auto()
    PAUSED = auto()
    OVER = auto()


class PauseAsked(msgspec.Struct, frozen=True):
    """Input: pause."""


class ResumeAsked(msgspec.Struct, frozen=True):
    """Input: go on."""


class StopAsked(msgspec.Struct, frozen=True):
    """Input: stop; by request, or as the call is over."""


class Changed(msgspec.Struct, frozen=True):
    """Input: it is recorded, or not, from now on."""

    fact: RecordingChanged


class Paused(msgspec.Struct, frozen=True):
    """Input: it began with a pause, as was asked for."""

    fact: RecordingChanged


class Broke(msgspec.Struct, frozen=True):
    """Input: it cannot be made, or not any longer."""

    fact: RecordingChanged


class Closed(msgspec.Struct, frozen=True):
    """Input: media closed it by itself."""


S = RecorderState
LIVE = [S.STARTING, S.ACTIVE, S.PAUSED]


class Recorder(Machine[RecorderState]):
    """`action` is the recordingId. Who began it hears of it at recordingStateCallbackUri, if there is one."""

    def __init__(
        self, call: "Host", asked: Operation, request: StartCallRecordingRequest, plan: RecordingPlan
    ) -> None:
        self.state = S.STARTING
        self.call, self.id, self.plan = call, asked.action, plan
        self._asked, self._callback = asked, request.recording_state_callback_uri or ""
        self._paused = bool(request.pause_on_start)
        self._began_at: float | None = None

    def begin(self) -> StartRecording:
        record = self.call.record
        return StartRecording(
            id=self.id,
            room=record.id,
            resource=self._asked.connection.resource,
            server_call_id=record.server_call_id,
            call_id=record.correlation_id,
            format=self.plan.format,
            mixed=self.plan.mixed,
            paused=self._paused,
            names=self.call.legs.names,
            channels=self.plan.channels,
            storage=self.plan.storage,
        )

    @property
    def shown(self) -> RecordingState:
        """What is asked for counts at once (assumed); the event follows when it is so."""
        return RecordingState.INACTIVE if self._paused else RecordingState.ACTIVE

    def hear(self, fact: RecordingChanged) -> Outputs:
        received: object
        match fact.state:
            case "failed":
                received = Broke(fact)
            case "closed":
                received = Closed()
            case "inactive" if self.state is S.STARTING:
                received = Paused(fact)
            case _:
                received = Changed(fact)
        return self.handle(received) if self.accepts(type(received)) else []

    def renamed(self) -> Outputs:
        """Somebody came or went."""
        return [ChangeRecording(self.id, self.call.legs.names, self._paused)]

    # Actions

    def tell(self, changed: Changed | Paused) -> Outputs:
        fact = changed.fact
        self._began_at = fact.at if fact.began_at is None else fact.began_at
        return self._say(RecordingState.ACTIVE if fact.state == "active" else RecordingState.INACTIVE)

    def _say(self, state: RecordingState, ended: OperationEnded | None = None) -> Outputs:
        began = event_time(self.call.now if self._began_at is None else self._began_at)
        ended = ended or self._ended("done")
        return self._publish(RecordingStateChanged, ended, state=state, start_date_time=began)

    def _publish(
        self,
        model: type[RecordingStateChanged | StartRecordingFailed],
        ended: OperationEnded,
        **fields: object,
    ) -> Outputs:
        if not self._callback:
            return []
        return [
            recording_event(
                self.call.record,
                self._connection,
                model,
                recording=self.id,
                callback_uri=self._callback,
                ended=ended,
                **fields,
            )
        ]

    @property
    def _connection(self) -> Connection:
        """Whose events they are: of who began it; once that has left, of who is there longest (assumed)."""
        begun_by = self._asked.connection
        there = self.call.open_connections
        return begun_by if begun_by in there or not there else there[0]

    def _ended(self, how: OperationEnd, detail: str = "") -> OperationEnded:
        asked = self._asked
        return OperationEnded(
            at=self.call.now,
            action=self.id,
            operation=asked.name,
            connection=asked.connection.id,
            how=how,
            detail=detail,
        )

    def fail_to_start(self, broke: Broke) -> Outputs:
        ended = self._ended("recording-failed", broke.fact.detail)
        return [Record(ended), *self._publish(StartRecordingFailed, ended)]

    def fail(self, broke: Broke) -> Outputs:
        ended = self._ended("recording-failed", broke.fact.detail)
        return [Record(ended), *self._say(RecordingState.INACTIVE, ended)]

    def end(self, _: Closed | StopAsked) -> Outputs:
        return [Record(self._ended("done")), *self._say(RecordingState.INACTIVE)]

    def stop(self, asked: StopAsked) -> Outputs:
        """The application hears at once that it is inactive (assumed): the file takes its time."""
        return [StopRecording(self.id), *self.end(asked)]

    def pause(self, _: PauseAsked) -> Outputs:
        self._paused = True
        return self.renamed()

    def resume(self, _: ResumeAsked) -> Outputs:
        self._paused = False
        return self.renamed()

    TABLE = {
        (S.STARTING, Changed): (S.ACTIVE, tell),
        (S.STARTING, Paused): (S.PAUSED, tell),
        (S.STARTING, Broke): (S.OVER, fail_to_start),
        **dict.fromkeys(rows([S.STARTING, S.ACTIVE], PauseAsked), (S.PAUSED, pause)),
        **dict.fromkeys(rows([S.STARTING, S.PAUSED], ResumeAsked), (S.ACTIVE, resume)),
        (S.PAUSED, PauseAsked): (S.PAUSED, nothing),
        (S.ACTIVE, ResumeAsked): (S.ACTIVE, nothing),
        (S.ACTIVE, Changed): (S.ACTIVE, tell),
        (S.PAUSED, Changed): (S.PAUSED, tell),
        **dict.fromkeys(rows([S.ACTIVE, S.PAUSED], Broke), (S.OVER, fail)),
        **dict.fromkeys(rows(LIVE, Closed), (S.OVER, end)),
        **dict.fromkeys(rows(LIVE, StopAsked), (S.OVER, stop)),
    }
