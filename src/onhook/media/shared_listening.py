"""One recogniser part for two: calls, whose facts go to the call, and transcriptions, whose do not."""

from typing import NamedTuple

from onhook.effects import Listen, StopListening
from onhook.facts import Fact, ListeningFailed, SpeechBegan, SpeechHeard
from onhook.media.parts import FactHandler
from onhook.media.studio import Part


class _Claim(NamedTuple):
    room: str
    tell: FactHandler


class SharedListening:
    """As the studio has it; `listen` and `stop_listening` are for streams (streams/transcription.py)."""

    def __init__(self, listening: Part[Listen | StopListening]) -> None:
        self._listening = listening
        self._claims: dict[str, _Claim] = {}
        """By listening."""
        self._handler: FactHandler = _nobody
        listening.on_fact(self._told)

    def listen(self, effect: Listen, tell: FactHandler) -> None:
        """What is heard of this effect goes to `tell` alone."""
        self._claims[effect.id] = _Claim(effect.room, tell)
        self._listening.perform(effect)

    def stop_listening(self, listening: str) -> None:
        """Nothing more is told of it."""
        if self._claims.pop(listening, None) is not None:
            self._listening.perform(StopListening(listening))

    def perform(self, effect: Listen | StopListening) -> None:
        self._listening.perform(effect)

    def leave(self, room: str) -> None:
        """How a transcription ends is told by its stream."""
        self._claims = {key: claim for key, claim in self._claims.items() if claim.room != room}
        self._listening.leave(room)

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler

    def stop(self) -> None:
        """How transcriptions end is told by their streams; who else listens is told by facts."""
        for listening in list(self._claims):
            self.stop_listening(listening)
        self._listening.stop()

    def _told(self, owner: str, fact: Fact) -> None:
        if isinstance(fact, SpeechBegan | SpeechHeard | ListeningFailed):
            claim = self._claims.get(fact.listening)
            if claim is not None:
                claim.tell(owner, fact)
                return
        self._handler(owner, fact)


def _nobody(_owner: str, _fact: Fact) -> None:
    """Before anybody asked to be told."""
