"""Hold: a participant hears nobody and is not heard.

It is about what the room hears, not about signalling: no re-INVITE is sent (assumed; ACS mixes media itself
too). Success is told by ParticipantsUpdated only (documented).
"""

from onhook.acs.errors import ApiError, invalid_body
from onhook.acs.models import HoldRequest, UnholdRequest
from onhook.calls.features.feature import Feature, Operation
from onhook.machine import Outputs


class Hold(Feature):
    OPERATIONS = ("hold", "unhold")

    def check(self, asked: Operation) -> None:
        super().check(asked)
        request = asked.request
        if not isinstance(request, HoldRequest | UnholdRequest):
            raise TypeError(f"{asked.name} was given {type(request).__name__}")
        self.call.participant(request.target_participant, "$.targetParticipant")
        if isinstance(request, HoldRequest) and request.play_source_info is not None:
            raise ApiError(
                501, "NotImplemented", "Music on hold is not built yet.", target="$.playSourceInfo"
            )

    def begin(self, asked: Operation) -> Outputs:
        request = asked.request
        if not isinstance(request, HoldRequest | UnholdRequest):
            raise invalid_body(f"{asked.name} needs a body.")
        leg = self.call.participant(request.target_participant, "$.targetParticipant")
        leg.held = asked.name == "hold"
        return self.call.tell_participants()
