"""moveParticipants: telephones of another call of the resource go on in this one.

Documented: 202 with the participants, then MoveParticipantSucceeded or MoveParticipantFailed with fromCall.
Assumed: an event for each participant; who is not in the other call is told of by an event; a call that is
left with one participant is over. Their SIP dialogs and RTP are not touched: only whom they hear changes.
"""

from onhook.acs.errors import invalid_body
from onhook.acs.identifiers import identify, normalise
from onhook.acs.models import (
    MoveParticipantFailed,
    MoveParticipantsRequest,
    MoveParticipantsResponse,
    MoveParticipantSucceeded,
    ResultInformation,
)
from onhook.acs.wire import Model
from onhook.calls.events import DONE, operation_event
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.features.parties import participant
from onhook.calls.legs import Telephone
from onhook.calls.user_leg import UserLeg
from onhook.machine import Outputs

TO_MOVE = "$.targetParticipants"
MAX_MOVES = 100
"""Participants of one request."""
NOT_THERE = ResultInformation(
    code=404, sub_code=8522, message="The participant is not in the call that it was to be moved from."
)


def wanted_by(request: MoveParticipantsRequest) -> list[str]:
    """Raw ids of those to be moved, each once. Raises ApiError 400."""
    targets = request.target_participants
    if not 0 < len(targets) <= MAX_MOVES:
        raise invalid_body(
            f"targetParticipants has {len(targets)} entries; 1 to {MAX_MOVES} are allowed.", target=TO_MOVE
        )
    named = (normalise(each, f"{TO_MOVE}[{number}]").raw_id or "" for number, each in enumerate(targets))
    return list(dict.fromkeys(named))


class Moves(Feature):
    OPERATIONS = ("moveParticipants",)

    @staticmethod
    def _request(asked: Operation) -> MoveParticipantsRequest:
        if not isinstance(asked.request, MoveParticipantsRequest):
            raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
        return asked.request

    def check(self, asked: Operation) -> None:
        super().check(asked)
        wanted_by(self._request(asked))

    def begin(self, asked: Operation) -> Outputs:
        """Those that the other call gave away are in `asked.legs`."""
        outputs: Outputs = []
        came = {identify(leg.party).raw_id: leg for leg in asked.legs if not isinstance(leg, UserLeg)}
        for raw_id in wanted_by(self._request(asked)):
            leg = came.get(raw_id)
            taken = self._take(asked, leg) if leg is not None else []
            outputs += [*taken, self._told(asked, raw_id, came=leg is not None)]
        return outputs + (self.call.tell_participants() if came else [])

    def _take(self, asked: Operation, leg: Telephone) -> Outputs:
        plan = next(target.plan for target in asked.targets if target.plan.id == leg.id)
        return self.call.take_in(leg, plan, self._request(asked).from_call)

    def _told(self, asked: Operation, raw_id: str, *, came: bool) -> object:
        return operation_event(
            self.call.record,
            asked.connection,
            MoveParticipantSucceeded if came else MoveParticipantFailed,
            context=asked.context,
            callback_uri=asked.callback_uri,
            result=DONE if came else NOT_THERE,
            participant=identify(raw_id),
            from_call=self._request(asked).from_call,
        )

    def reply(self, asked: Operation) -> Model | None:
        request = self._request(asked)
        return MoveParticipantsResponse(
            participants=[participant(raw_id) for raw_id in wanted_by(request)],
            operation_context=asked.context or None,
            from_call=request.from_call,
        )
