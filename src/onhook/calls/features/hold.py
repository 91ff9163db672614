"""Hold: a participant hears nobody and is not heard, but what is played to it, which can be music.

It is about what the room hears, not about signalling: no re-INVITE is sent (assumed; ACS mixes media itself
too). Success is told by ParticipantsUpdated only (documented). Assumed: music plays in a loop until unhold;
if it cannot be played the hold has failed, HoldFailed says so, and the participant is back in the talk.
"""

from typing import TYPE_CHECKING

from onhook.acs.models import HoldFailed, HoldRequest, UnholdRequest
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.features.media_operation import MediaOperation
from onhook.calls.features.sources import audio_source
from onhook.calls.legs import Leg
from onhook.effects import PlayPrompt, Record, StopPrompt
from onhook.facts import Fact, PromptEnded
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host


class Hold(Feature):
    OPERATIONS = ("hold", "unhold")

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._music: dict[str, MediaOperation] = {}
        """By the leg that hears it."""

    def check(self, asked: Operation) -> None:
        super().check(asked)
        self._leg(asked)
        if isinstance(asked.request, HoldRequest) and asked.request.play_source_info is not None:
            audio_source(asked.request.play_source_info, "$.playSourceInfo")

    def _leg(self, asked: Operation) -> Leg:
        if not isinstance(asked.request, HoldRequest | UnholdRequest):
            raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
        return self.call.participant(asked.request.target_participant, "$.targetParticipant")

    def begin(self, asked: Operation) -> Outputs:
        leg = self._leg(asked)
        leg.held = asked.name == "hold"
        return [*self._silence(leg.id), *self._play(asked, leg.id), *self.call.tell_participants()]

    def _play(self, asked: Operation, leg: str) -> Outputs:
        request = asked.request
        if not isinstance(request, HoldRequest) or request.play_source_info is None:
            return []
        self._music[leg] = MediaOperation(self.call, asked, (leg,))
        return [
            PlayPrompt(
                asked.action,
                self.call.record.id,
                (audio_source(request.play_source_info, "$.playSourceInfo"),),
                legs=(leg,),
                loop=True,
                speech_endpoint=asked.connection.media_options.speech_endpoint,
            )
        ]

    def _silence(self, leg: str) -> Outputs:
        music = self._music.pop(leg, None)
        return [StopPrompt(music.action)] if music else []

    def take(self, fact: Fact) -> Outputs:
        if not isinstance(fact, PromptEnded):
            return []
        over = {leg: music for leg, music in self._music.items() if music.action == fact.prompt}
        for leg in over:
            del self._music[leg]
        if fact.how != "failed":
            return []
        return [output for leg, music in over.items() for output in self._fail(leg, music, fact)]

    def _fail(self, name: str, music: MediaOperation, fact: PromptEnded) -> Outputs:
        ended = music.ended(
            "prompt-failed", fault=fact.fault, detail=fact.detail, http_status=fact.http_status
        )
        for leg in self.call.legs.connected:
            leg.held = leg.held and leg.id != name
        return [Record(ended), music.tell(HoldFailed, ended, {}), *self.call.tell_participants()]

    def left(self, leg: Leg) -> Outputs:
        return self._silence(leg.id)

    def end(self) -> Outputs:
        return [output for leg in list(self._music) for output in self._silence(leg)]
