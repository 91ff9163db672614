"""The recording of a call: one at a time, whoever began it.

Documented: 400/8559 for a second start, 404/8522 for a recording that is not there. Assumed: a stopped
recording is not there any more; a pause of a paused one and a resume of a running one change nothing; the
recording ends with the last application, as nobody could stop it then.
"""

from typing import TYPE_CHECKING

from onhook.acs.errors import CALL_NOT_FOUND, ApiError, shown
from onhook.acs.models import RecordingKind, RecordingStateResponse, StartCallRecordingRequest
from onhook.acs.recording_kinds import LOWER_SINCE, OlderRecordingState, recording_kind
from onhook.acs.wire import Model
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.features.recording import PauseAsked, Recorder, RecorderState, ResumeAsked, StopAsked
from onhook.calls.features.recording_plan import plan_of
from onhook.calls.legs import Leg
from onhook.calls.record import Connection
from onhook.facts import Fact, RecordingChanged
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host

DUPLICATE = "8559"
START = "startRecording"
ASKS = {"stopRecording": StopAsked, "pauseRecording": PauseAsked, "resumeRecording": ResumeAsked}


class Recordings(Feature):
    OPERATIONS = (START, *ASKS)

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._recorder: Recorder | None = None

    def check(self, asked: Operation) -> None:
        super().check(asked)
        if asked.name != START:
            self._named(asked.about)
            return
        if self._recorder is not None:
            raise ApiError(
                400,
                DUPLICATE,
                f"The call is being recorded already, as {self._recorder.id}: stop that first.",
            )
        plan_of(_request(asked))

    def begin(self, asked: Operation) -> Outputs:
        if asked.name == START:
            request = _request(asked)
            self._recorder = Recorder(self.call, asked, request, plan_of(request))
            return [self._recorder.begin()]
        return self._settle(self._named(asked.about).handle(ASKS[asked.name]()))

    def shown(self, recording: str, api_version: str) -> Model:
        """RecordingStateResponse, in the words of a version. Raises ApiError 404."""
        state = self._named(recording).shown
        if api_version < LOWER_SINCE:
            return OlderRecordingState(
                recording_id=recording, recording_state=state, recording_kind=recording_kind(api_version)
            )
        return RecordingStateResponse(
            recording_id=recording,
            recording_state=state,
            recording_kind=RecordingKind.AZURE_COMMUNICATION_SERVICES,
        )

    def _named(self, recording: str) -> Recorder:
        if self._recorder is None or self._recorder.id != recording:
            raise recording_not_found(recording)
        return self._recorder

    def _settle(self, outputs: Outputs) -> Outputs:
        """What is over is forgotten."""
        if self._recorder is not None and self._recorder.state is RecorderState.OVER:
            self._recorder = None
        return outputs

    def take(self, fact: Fact) -> Outputs:
        recorder = self._recorder
        if recorder is None or not isinstance(fact, RecordingChanged) or fact.recording != recorder.id:
            return []
        return self._settle(recorder.hear(fact))

    def joined(self, leg: Leg) -> Outputs:  # noqa: ARG002  # all are named anew
        return self._recorder.renamed() if self._recorder else []

    def left(self, leg: Leg) -> Outputs:  # noqa: ARG002  # as above
        return self._recorder.renamed() if self._recorder else []

    def over(self, connection: Connection) -> Outputs:
        others = [each for each in self.call.open_connections if each is not connection]
        return [] if others else self.end()

    def end(self) -> Outputs:
        return self._settle(self._recorder.handle(StopAsked())) if self._recorder else []


def _request(asked: Operation) -> StartCallRecordingRequest:
    if not isinstance(asked.request, StartCallRecordingRequest):
        raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
    return asked.request


def recording_not_found(recording: str) -> ApiError:
    """404/8522, documented for what is not there."""
    return ApiError(
        404,
        CALL_NOT_FOUND,
        f"Recording not found: no recording that runs has the id {shown(recording)}. It never existed, was"
        " stopped, or ended with its call.",
        target="recordingId",
    )
