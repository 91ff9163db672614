"""Digits to a participant.

They go to telephones only, 18 at most (documented). On their way they cannot be taken back: neither a
cancellation nor an interruption ends them (assumed).
"""

from typing import TYPE_CHECKING

from onhook.acs.errors import invalid_body
from onhook.acs.models import SendDtmfTonesCompleted, SendDtmfTonesFailed, SendDtmfTonesRequest
from onhook.calls.features.feature import Operation
from onhook.calls.features.media_operation import MediaOperation, Outcomes
from onhook.calls.features.tones import DIGITS
from onhook.calls.user_leg import UserLeg
from onhook.effects import SendDigits
from onhook.facts import DigitsSent, Fact
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host

MAX_TONES_SENT = 18
"""Documented: control mid-call media actions."""


class SendTones(MediaOperation):
    """Digits on their way to a telephone, to SendDtmfTonesCompleted or SendDtmfTonesFailed."""

    OUTCOMES = Outcomes(SendDtmfTonesCompleted, SendDtmfTonesFailed, SendDtmfTonesFailed)

    def __init__(self, call: "Host", asked: Operation, request: SendDtmfTonesRequest) -> None:
        """Raises ApiError where digits cannot be sent."""
        where = "$.targetParticipant"
        leg = call.participant(request.target_participant, where)
        if isinstance(leg, UserLeg):
            raise invalid_body(
                f"{leg.party} has no telephone: tones are sent to phone numbers.", target=where
            )
        if not 1 <= len(request.tones) <= MAX_TONES_SENT:
            raise invalid_body(
                f"{len(request.tones)} tones are given; give 1 to {MAX_TONES_SENT}.", target="$.tones"
            )
        super().__init__(call, asked, (leg.id,))
        self._digits = "".join(DIGITS[tone] for tone in request.tones)

    def begin(self) -> Outputs:
        return [SendDigits(self.action, self.call.record.id, self.legs[0], self._digits)]

    def stop(self) -> Outputs:
        return []

    def take(self, fact: Fact) -> Outputs:
        if not isinstance(fact, DigitsSent):
            return []
        return self.finish("digits-not-sent", detail=fact.fault) if fact.fault else self.finish("done")
