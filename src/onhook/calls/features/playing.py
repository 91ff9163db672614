"""Play: prompts to everyone, or to some participants."""

from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from onhook.acs.models import PlayCanceled, PlayCompleted, PlayFailed, PlayRequest, PlayStarted
from onhook.calls.features.feature import Operation
from onhook.calls.features.media_operation import MediaOperation, Outcomes
from onhook.calls.features.sources import audio_sources
from onhook.effects import PlayPrompt, StopPrompt
from onhook.facts import Fact, PromptEnded, PromptStarted
from onhook.machine import Machine, Outputs, nothing, rows

if TYPE_CHECKING:
    from onhook.calls.host import Host

STOPPED = "media ended before it"


class PlayState(Enum):
    WAITING = auto()
    ASKED = auto()  # media was asked to play
    SOUNDING = auto()
    OVER = auto()


class Turn(msgspec.Struct, frozen=True):
    """Input: it is the operation's turn."""


class Ending(msgspec.Struct, frozen=True):
    """Input: it is ended from outside."""


class Play(MediaOperation, Machine[PlayState]):
    """A play, from its acceptance to PlayCompleted, PlayFailed or PlayCanceled."""

    OUTCOMES = Outcomes(PlayCompleted, PlayFailed, PlayCanceled)

    def __init__(self, call: "Host", asked: Operation, request: PlayRequest) -> None:
        """Raises ApiError where it names nobody or nothing that can be played."""
        found = [
            call.participant(each, f"$.playTo[{number}]").id
            for number, each in enumerate(request.play_to or ())
        ]
        super().__init__(call, asked, tuple(dict.fromkeys(found)))
        self.state = PlayState.WAITING
        self._sources = audio_sources(request.play_sources, "$.playSources")
        self._loop = request.play_options is not None and request.play_options.loop

    def begin(self) -> Outputs:
        return self.handle(Turn())

    def stop(self) -> Outputs:
        return self.handle(Ending())

    def take(self, fact: Fact) -> Outputs:
        return self.handle(fact) if self.accepts(type(fact)) else []

    def ask(self, _: Turn) -> Outputs:
        return [
            PlayPrompt(
                self.action,
                self.call.record.id,
                self._sources,
                legs=self.legs,
                loop=self._loop,
                speech_endpoint=self.asked.connection.media_options.speech_endpoint,
            )
        ]

    def sound(self, _: PromptStarted) -> Outputs:
        return [self.tell(PlayStarted, self.ended("done"), {})]

    def end(self, ended: PromptEnded) -> Outputs:
        match ended.how:
            case "played":
                return self.finish("done")
            case "stopped":
                return self.finish("cut-off", detail=STOPPED)
            case _:
                return self.finish(
                    "prompt-failed",
                    {"failed_play_source_index": ended.source},
                    fault=ended.fault,
                    source=ended.source,
                    detail=ended.detail,
                    http_status=ended.http_status,
                )

    def silence(self, _: Ending) -> Outputs:
        return [StopPrompt(self.action)]

    TABLE = {
        (PlayState.WAITING, Turn): (PlayState.ASKED, ask),
        (PlayState.ASKED, PromptStarted): (PlayState.SOUNDING, sound),
        **dict.fromkeys(rows([PlayState.ASKED, PlayState.SOUNDING], PromptEnded), (PlayState.OVER, end)),
        (PlayState.WAITING, Ending): (PlayState.OVER, nothing),
        **dict.fromkeys(rows([PlayState.ASKED, PlayState.SOUNDING], Ending), (PlayState.OVER, silence)),
    }
