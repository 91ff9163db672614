"""mute: a participant hears the others and is not heard.

Documented: ACS users only, and no way back in this API. Observed (live tests of the SDK): the list of
participants shows it at once. Assumed: the codes of refusals, and that ParticipantsUpdated tells everyone.
"""

from onhook.acs.errors import invalid_body, shown
from onhook.acs.models import MuteParticipantsRequest, MuteParticipantsResult
from onhook.acs.wire import Model
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.legs import Leg
from onhook.calls.user_leg import UserLeg
from onhook.machine import Outputs

TO_MUTE = "$.targetParticipants"


class Muting(Feature):
    OPERATIONS = ("mute",)

    def check(self, asked: Operation) -> None:
        super().check(asked)
        self._legs(asked)

    def _legs(self, asked: Operation) -> list[Leg]:
        if not isinstance(asked.request, MuteParticipantsRequest):
            raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
        targets = asked.request.target_participants
        if not targets:
            raise invalid_body("targetParticipants is empty: name whom to mute.", target=TO_MUTE)
        legs = [self.call.participant(each, f"{TO_MUTE}[{number}]") for number, each in enumerate(targets)]
        for number, leg in enumerate(legs):
            if not isinstance(leg, UserLeg) or leg.party.startswith("+"):
                raise invalid_body(
                    f"{shown(leg.party)} is a telephone; only ACS users can be muted. Hold keeps a telephone"
                    " from hearing and being heard.",
                    target=f"{TO_MUTE}[{number}]",
                )
        return legs

    def begin(self, asked: Operation) -> Outputs:
        for leg in self._legs(asked):
            leg.muted = True
        return self.call.tell_participants()

    def reply(self, asked: Operation) -> Model | None:
        return MuteParticipantsResult(operation_context=asked.context or None)
