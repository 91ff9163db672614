"""transferToParticipant: a participant goes on speaking with somebody else.

Documented: 202, then CallTransferAccepted or CallTransferFailed; where two are in the call the application
leaves it when the transfer is accepted, where more are the transferee must be named, and is never the
application itself; 60 s. Assumed: accepted means that the target has answered; until then the participant
stays in the call; the codes of refusals; a target that is in the call already is none.
"""

from typing import TYPE_CHECKING

from onhook.acs.errors import ApiError, invalid_body, shown
from onhook.acs.identifiers import identify, normalise
from onhook.acs.models import TransferCallResponse, TransferToParticipantRequest
from onhook.acs.wire import Model
from onhook.calls.custom_context import read_context
from onhook.calls.features.feature import Feature, Operation, Wanted
from onhook.calls.features.parties import number_of, party_of
from onhook.calls.features.transfer import (
    NO_REFER,
    Accepted,
    Begun,
    Dropped,
    Joined,
    Lost,
    NoRefer,
    NotAccepted,
    TimeOver,
    Transfer,
    TransfereeLeft,
)
from onhook.calls.legs import Leg, takes_refer
from onhook.calls.offering import Manner
from onhook.calls.record import Connection
from onhook.calls.routing import NotRouted
from onhook.calls.user_leg import UserLeg
from onhook.machine import Outputs
from onhook.sip.referral import ReferDone, ReferFailed, ReferSignal

if TYPE_CHECKING:
    from onhook.calls.host import Host

TARGET = "$.targetParticipant"
TRANSFEREE = "$.transferee"
CONFLICT = "8607"
"""Documented: two transfers collided."""


class Transfers(Feature):
    OPERATIONS = ("transferToParticipant",)

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._open: list[Transfer] = []

    # What applications ask

    def check(self, asked: Operation) -> None:
        super().check(asked)
        request, leg = self._request(asked), self._transferee(asked)
        party = party_of(request.target_participant, TARGET)
        number_of(request.source_caller_id_number)
        read_context(request.custom_calling_context)
        raw_id = identify(party).raw_id or ""
        if self.call.find_participant(raw_id) is not None:
            raise invalid_body(f"{shown(raw_id)} is in the call already.", target=TARGET)
        if any(each.transferee is leg for each in self._open):
            raise ApiError(
                409, CONFLICT, f"{shown(leg.party)} is being transferred already.", target=TRANSFEREE
            )
        if self._is_group(asked) and (not party.startswith("+") or isinstance(leg, UserLeg)):
            raise ApiError(
                501, "NotImplemented", "In a group call Onhook transfers telephones to telephones only."
            )

    @staticmethod
    def _request(asked: Operation) -> TransferToParticipantRequest:
        if not isinstance(asked.request, TransferToParticipantRequest):
            raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
        return asked.request

    def _others(self, asked: Operation) -> list[Leg]:
        """Those in the call beside the application that asks."""
        own = self.call.legs.user(asked.connection.leg)
        return [leg for leg in self.call.legs.connected if leg is not own]

    def _is_group(self, asked: Operation) -> bool:
        return len(self._others(asked)) > 1

    def _transferee(self, asked: Operation) -> Leg:
        """Who is handed over. Raises ApiError 400."""
        named, others = self._request(asked).transferee, self._others(asked)
        if named is None:
            if len(others) == 1:
                return others[0]
            raise invalid_body(
                f"transferee is missing: {len(others)} others are in the call, so say who is transferred.",
                target=TRANSFEREE,
            )
        leg = self.call.participant(named, TRANSFEREE)
        if leg not in others:
            raw_id = normalise(named, TRANSFEREE).raw_id or ""
            raise invalid_body(f"{shown(raw_id)} is the application itself.", target=TRANSFEREE)
        return leg

    def wants(self, asked: Operation) -> tuple[Wanted, ...]:
        request, leg = self._request(asked), self._transferee(asked)
        party = party_of(request.target_participant, TARGET)
        trunk = "" if isinstance(leg, UserLeg) or not takes_refer(leg) else leg.trunk.name
        return (Wanted(party, number_of(request.source_caller_id_number), trunk),)

    def begin(self, asked: Operation) -> Outputs:
        request, leg, target = self._request(asked), self._transferee(asked), asked.targets[0]
        headers, voip_headers = read_context(request.custom_calling_context)
        manner = Manner(headers=headers, voip_headers=voip_headers)
        transfer = Transfer(self.call, asked, leg, manner, group=self._is_group(asked))
        self._open.append(transfer)
        outputs = self._feed(transfer, Begun())
        return outputs + (self._feed(transfer, Lost()) if isinstance(target.routed, NotRouted) else [])

    def reply(self, asked: Operation) -> Model | None:
        return TransferCallResponse(operation_context=asked.context or None)

    # What becomes of them

    @property
    def under_way(self) -> bool:
        return bool(self._open)

    def joined(self, leg: Leg) -> Outputs:
        return self._feed(self._to(leg), Joined())

    def left(self, leg: Leg) -> Outputs:
        outputs = self._feed(self._to(leg), Lost())
        for transfer in [each for each in self._open if each.transferee is leg]:
            outputs += self._feed(transfer, TransfereeLeft())
        return outputs

    def replaced(self, leg: str, by: str) -> None:
        for each in self._open:
            if each.target_id == leg:
                each.target_id = by

    def referred(self, leg: Leg, signal: ReferSignal) -> Outputs:
        transfer = next((each for each in self._open if each.transferee is leg), None)
        if isinstance(signal, ReferDone):
            return self._feed(transfer, Accepted())
        if not isinstance(signal, ReferFailed):
            return []
        if signal.why == "refused" and signal.status in NO_REFER:
            return self._feed(transfer, NoRefer())
        return self._feed(transfer, NotAccepted(signal.why, signal.status, signal.phrase))

    def _to(self, leg: Leg) -> Transfer | None:
        return next((each for each in self._open if each.target_id == leg.id), None)

    def _feed(self, transfer: Transfer | None, received: object) -> Outputs:
        if transfer is None or not transfer.accepts(type(received)):
            return []
        if transfer.ends_by(type(received)):  # first: what follows may end the call, and all that is open
            self._open.remove(transfer)
        return transfer.handle(received)

    def over(self, connection: Connection) -> Outputs:
        return self._drop([each for each in self._open if each.asked.connection is connection])

    def end(self) -> Outputs:
        return self._drop(list(self._open))

    def _drop(self, transfers: list[Transfer]) -> Outputs:
        outputs: Outputs = []
        for each in transfers:
            outputs += self._feed(each, Dropped())
        return outputs

    @property
    def deadline(self) -> float | None:
        return min((each.due for each in self._open if each.due is not None), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        outputs: Outputs = []
        for each in [each for each in self._open if each.due is not None and each.due <= now]:
            outputs += self._feed(each, TimeOver())
        return outputs
