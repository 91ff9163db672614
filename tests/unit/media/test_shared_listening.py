"""What transcriptions listen to is told to them, what calls listen to is told to the call."""

from dataclasses import dataclass, field
from typing import Any

from onhook.effects import Listen, StopListening
from onhook.facts import Fact, FaultRaised, ListeningFailed, SpeechBegan, SpeechHeard
from onhook.media.parts import FactHandler
from onhook.media.shared_listening import SharedListening


@dataclass
class NotedRecogniser:
    """Tells how each listening ends when its room closes, as it should."""

    asked: list[object] = field(default_factory=list[object])
    handler: FactHandler | None = None

    def perform(self, effect: Any) -> None:
        self.asked.append(effect)

    def leave(self, room: str) -> None:
        self.asked.append(("leave", room))
        for effect in tuple(self.asked):
            if isinstance(effect, Listen) and effect.room == room:
                self.tell(ListeningFailed(at=1.0, listening=effect.id, detail="the room closed"))

    def on_fact(self, handler: FactHandler) -> None:
        self.handler = handler

    def stop(self) -> None:
        self.asked.append("stop")

    def tell(self, fact: Fact) -> None:
        assert self.handler
        self.handler("room", fact)


class Scene:
    def __init__(self) -> None:
        self.recogniser = NotedRecogniser()
        self.shared = SharedListening(self.recogniser)
        self.told: list[Fact] = []
        self.transcribed: list[tuple[str, Fact]] = []
        self.shared.on_fact(lambda _owner, fact: self.told.append(fact))

    def claim(self, listening: str, room: str = "room") -> Listen:
        effect = Listen(listening, room, "leg", keep_on=True)
        self.shared.listen(effect, lambda owner, fact: self.transcribed.append((owner, fact)))
        return effect


def test_each_hears_what_it_asked_for() -> None:
    scene = Scene()
    claimed, plain = scene.claim("t"), Listen("c", "room", "leg")
    scene.shared.perform(plain)
    assert scene.recogniser.asked == [claimed, plain]
    facts: list[Fact] = [
        SpeechBegan(at=1.0, listening="t"),
        SpeechHeard(at=1.0, listening="t", text="hello"),
        SpeechHeard(at=1.0, listening="c", text="yes"),
        FaultRaised(at=1.0, where="media", traceback=""),
    ]
    for fact in facts:
        scene.recogniser.tell(fact)
    assert scene.transcribed == [("room", facts[0]), ("room", facts[1])]
    assert scene.told == facts[2:]


def test_what_is_stopped_is_told_of_no_more() -> None:
    scene = Scene()
    scene.claim("t")
    scene.shared.stop_listening("t")
    scene.shared.stop_listening("t")
    assert scene.recogniser.asked[1:] == [StopListening("t")]
    scene.recogniser.tell(SpeechHeard(at=1.0, listening="t", text="late"))
    assert not scene.transcribed
    assert len(scene.told) == 1  # nobody's any more: the call does not know it, and drops it


def test_a_room_that_closes_is_no_failure_of_its_transcription() -> None:
    scene = Scene()
    scene.claim("t")
    scene.claim("other", room="other room")
    scene.shared.leave("room")
    assert not scene.transcribed
    scene.recogniser.tell(SpeechHeard(at=1.0, listening="other", text="still here"))
    assert len(scene.transcribed) == 1


def test_it_stops_with_the_studio() -> None:
    scene = Scene()
    scene.claim("t")
    scene.shared.stop()
    assert scene.recogniser.asked[-2:] == [StopListening("t"), "stop"], "its stream tells how it ended"
    scene.recogniser.tell(SpeechHeard(at=1.0, listening="t", text="late"))
    assert not scene.transcribed


def test_before_anybody_asked_nothing_is_told() -> None:
    recogniser = NotedRecogniser()
    shared = SharedListening(recogniser)
    recogniser.tell(SpeechHeard(at=1.0, listening="c", text="yes"))
    shared.perform(StopListening("c"))
    assert recogniser.asked == [StopListening("c")]
