"""addParticipant and cancelAddParticipant: others are rung while the call is up.

Documented: the answer is 202 with an invitationId, the outcome an event; a telephone needs the caller id
that createCall would need. Assumed: how long one rings where the request does not say (as long as a call to
that party would), and that 0 seconds means the same.
"""

from typing import TYPE_CHECKING

from onhook.acs.errors import ApiError, invalid_body, shown
from onhook.acs.identifiers import identify
from onhook.acs.models import (
    AddParticipantRequest,
    AddParticipantResponse,
    CancelAddParticipantFailed,
    CancelAddParticipantRequest,
    CancelAddParticipantResponse,
    CancelAddParticipantSucceeded,
    ResultInformation,
)
from onhook.acs.wire import Model
from onhook.calls.custom_context import read_context
from onhook.calls.events import DONE, operation_event
from onhook.calls.features.feature import Feature, Operation, Wanted
from onhook.calls.features.invitation import (
    CancelAsked,
    Dropped,
    Invitation,
    Joined,
    Lost,
    State,
    TimeOver,
)
from onhook.calls.features.parties import number_of, participant, party_of
from onhook.calls.legs import Leg
from onhook.calls.offering import Manner
from onhook.calls.record import Connection
from onhook.calls.routing import NotRouted
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host

TO_ADD = "$.participantToAdd"
UNKNOWN_INVITATION = ResultInformation(
    code=404, sub_code=8522, message="No such invitation: it is not one of this call."
)
TOO_LATE = {
    State.JOINED: "The participant has answered already; removeParticipant takes it out.",
    State.WITHDRAWN: "The invitation's time was over.",
    State.OVER: "The invitation is over: it failed, or was cancelled before.",
}


class Invitations(Feature):
    OPERATIONS = ("addParticipant", "cancelAddParticipant")

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._made: dict[str, Invitation] = {}
        """By invitationId; those that are over too, so that a late cancellation is told why."""

    def check(self, asked: Operation) -> None:
        super().check(asked)
        if isinstance(asked.request, AddParticipantRequest):
            self._check_add(asked.request)

    def _check_add(self, request: AddParticipantRequest) -> None:
        party = party_of(request.participant_to_add, TO_ADD)
        number_of(request.source_caller_id_number)
        read_context(request.custom_calling_context)
        raw_id = identify(party).raw_id or ""
        if self.call.find_participant(raw_id) is not None:
            raise invalid_body(f"{shown(raw_id)} is in the call already.", target=TO_ADD)
        if any(each.state is State.RINGING and each.party == party for each in self._made.values()):
            raise ApiError(
                409, "8519", f"{shown(raw_id)} is being rung for this call already.", target=TO_ADD
            )

    def wants(self, asked: Operation) -> tuple[Wanted, ...]:
        request = asked.request
        if not isinstance(request, AddParticipantRequest):
            return ()
        caller = number_of(request.source_caller_id_number)
        return (Wanted(party_of(request.participant_to_add, TO_ADD), caller),)

    def begin(self, asked: Operation) -> Outputs:
        if isinstance(asked.request, CancelAddParticipantRequest):
            return self._cancel(asked, asked.request.invitation_id)
        if not isinstance(asked.request, AddParticipantRequest):
            raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
        return self._add(asked, asked.request)

    def _add(self, asked: Operation, request: AddParticipantRequest) -> Outputs:
        target, call = asked.targets[0], self.call
        by_phone = target.routed is not None
        usual = call.setup_seconds if by_phone else call.ring_seconds
        seconds = request.invitation_timeout_in_seconds or usual
        headers, voip_headers = read_context(request.custom_calling_context)
        manner = Manner(
            display_name=request.source_display_name or "",
            headers=headers,
            voip_headers=voip_headers,
            ring_seconds=seconds,
        )
        invitation = Invitation(call, asked, target.plan.id, target.plan.party, seconds)
        self._made[asked.action] = invitation
        outputs = call.reach(target, manner=manner)
        return outputs + (invitation.handle(Lost()) if isinstance(target.routed, NotRouted) else [])

    def _cancel(self, asked: Operation, invitation_id: str) -> Outputs:
        found = self._made.get(invitation_id)
        if found is None:
            return [self._told(asked, invitation_id, UNKNOWN_INVITATION)]
        if not found.accepts(CancelAsked):
            late = ResultInformation(code=400, sub_code=8585, message=TOO_LATE[found.state])
            return [self._told(asked, invitation_id, late)]
        return [*found.handle(CancelAsked()), self._told(asked, invitation_id, DONE)]

    def _told(self, asked: Operation, invitation_id: str, result: ResultInformation) -> object:
        return operation_event(
            self.call.record,
            asked.connection,
            CancelAddParticipantSucceeded if result is DONE else CancelAddParticipantFailed,
            context=asked.context,
            callback_uri=asked.callback_uri,
            result=result,
            invitation_id=invitation_id,
        )

    def reply(self, asked: Operation) -> Model | None:
        context = asked.context or None
        if isinstance(asked.request, CancelAddParticipantRequest):
            return CancelAddParticipantResponse(
                invitation_id=asked.request.invitation_id, operation_context=context
            )
        who = participant(asked.targets[0].plan.party)
        return AddParticipantResponse(participant=who, operation_context=context, invitation_id=asked.action)

    # What becomes of them

    def joined(self, leg: Leg) -> Outputs:
        return self._feed(leg, Joined())

    def left(self, leg: Leg) -> Outputs:
        return self._feed(leg, Lost())

    def replaced(self, leg: str, by: str) -> None:
        for each in self._made.values():
            if each.leg_id == leg:
                each.leg_id = by

    def _feed(self, leg: Leg, received: object) -> Outputs:
        found = next((each for each in self._made.values() if each.leg_id == leg.id), None)
        return found.handle(received) if found and found.accepts(type(received)) else []

    def over(self, connection: Connection) -> Outputs:
        return self._drop([each for each in self._made.values() if each.asked.connection is connection])

    def end(self) -> Outputs:
        return self._drop(list(self._made.values()))

    def _drop(self, invitations: list[Invitation]) -> Outputs:
        outputs: Outputs = []
        for each in invitations:
            if each.accepts(Dropped):
                outputs += each.handle(Dropped())
        return outputs

    @property
    def deadline(self) -> float | None:
        return min((each.due for each in self._made.values() if each.due is not None), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        outputs: Outputs = []
        for each in list(self._made.values()):
            if each.due is not None and each.due <= now and each.accepts(TimeOver):
                outputs += each.handle(TimeOver())
        return outputs
