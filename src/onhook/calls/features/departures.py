"""removeParticipant: one party leaves because an application wants it.

Documented: 202, then RemoveParticipantSucceeded or RemoveParticipantFailed. Assumed: whoever is not in the
call (any more) is told of by the event, as the call may have changed since the application looked; a call
with one participant left is over.
"""

from onhook.acs.errors import invalid_body, shown
from onhook.acs.identifiers import identify, normalise
from onhook.acs.models import (
    RemoveParticipantFailed,
    RemoveParticipantRequest,
    RemoveParticipantResponse,
    RemoveParticipantSucceeded,
    ResultInformation,
)
from onhook.acs.wire import Model
from onhook.calls.events import DONE, operation_event
from onhook.calls.features.feature import Feature, Operation
from onhook.machine import Outputs

TO_REMOVE = "$.participantToRemove"
NOT_THERE = ResultInformation(code=404, sub_code=8522, message="The participant is not in the call.")


class Departures(Feature):
    OPERATIONS = ("removeParticipant",)

    def check(self, asked: Operation) -> None:
        super().check(asked)
        raw_id = self._whom(asked)
        if identify(asked.connection.user).raw_id == raw_id:
            raise invalid_body(
                f"{shown(raw_id)} is the application itself: it leaves with hangUp.", target=TO_REMOVE
            )

    @staticmethod
    def _whom(asked: Operation) -> str:
        if not isinstance(asked.request, RemoveParticipantRequest):
            raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
        return normalise(asked.request.participant_to_remove, TO_REMOVE).raw_id or ""

    def begin(self, asked: Operation) -> Outputs:
        raw_id, call = self._whom(asked), self.call
        leg = call.find_participant(raw_id)
        gone = operation_event(
            call.record,
            asked.connection,
            RemoveParticipantFailed if leg is None else RemoveParticipantSucceeded,
            context=asked.context,
            callback_uri=asked.callback_uri,
            result=NOT_THERE if leg is None else DONE,
            participant=identify(raw_id),
        )
        if leg is None:
            return [gone]
        connection = call.connection_of(leg)
        out = call.dismiss(leg, "removed") if connection is None else call.leave(connection, "removed")
        return [*out, gone, *call.settle(leg)]

    def reply(self, asked: Operation) -> Model | None:
        return RemoveParticipantResponse(operation_context=asked.context or None)
