"""The studio hands each effect to its part, tells facts to one handler, and closes rooms everywhere."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from onhook.effects import (
    ChangeRecording,
    CloseStream,
    FileAudio,
    Listen,
    MediaEffect,
    Mix,
    OpenStream,
    PlayPrompt,
    SendDigits,
    StartMedia,
    StartRecording,
    StopListening,
    StopPrompt,
    StopRecording,
    UpdateStream,
    Voice,
)
from onhook.facts import DigitHeard, Fact, FaultRaised, PromptStarted
from onhook.media.parts import FactHandler
from onhook.media.studio import Studio
from onhook.switch.world import Media
from ticked_engine import TickedEngine

PLAY = PlayPrompt("p", "room", (FileAudio("https://example.com/a.wav"),))
EFFECTS: dict[str, list[MediaEffect]] = {
    "prompts": [PLAY, StopPrompt("p")],
    "listening": [Listen("l", "room", "leg"), StopListening("l")],
    "recordings": [
        StartRecording("r", "room", "shop", "server-call", "call"),
        ChangeRecording("r", (), paused=True),
        StopRecording("r"),
    ],
    "streams": [
        OpenStream("s", "room", "audio", "wss://example.com", "c", "x", "shop"),
        UpdateStream("s", ()),
        CloseStream("s"),
    ],
}


@dataclass
class NotedPart:
    """A part that notes what it is asked; `broken` names the method that fails."""

    engine: TickedEngine
    broken: str = ""
    asked: list[object] = field(default_factory=list[object])
    handler: FactHandler | None = None

    def perform(self, effect: Any) -> None:
        self.asked.append(effect)
        self._break("perform")

    def leave(self, room: str) -> None:
        self.asked.append(("leave", room, room in self.engine.rooms))
        self._break("leave")

    def on_fact(self, handler: FactHandler) -> None:
        self.handler = handler

    def stop(self) -> None:
        self.asked.append(("stop", self.engine.stopped))
        self._break("stop")

    def hear(self, fact: DigitHeard) -> None:
        self.asked.append(fact)

    def _break(self, method: str) -> None:
        if method == self.broken:
            raise RuntimeError(f"no {method} today")


@dataclass
class Scene:
    broken: str = ""
    facts: list[tuple[str, Fact]] = field(default_factory=list[tuple[str, Fact]])

    def __post_init__(self) -> None:
        self.engine = TickedEngine()
        self.parts = {name: NotedPart(self.engine, self.broken) for name in EFFECTS}
        self.studio = Studio(self.engine, **self.parts, now=lambda: 7.0)
        self.studio.on_fact(self.take)

    def take(self, owner: str, fact: Fact) -> None:
        self.facts.append((owner, fact))


@pytest.mark.parametrize("name", EFFECTS)
def test_each_effect_goes_to_its_part_alone(name: str) -> None:
    scene = Scene()
    for effect in EFFECTS[name]:
        scene.studio.perform(effect)
    assert {other: part.asked for other, part in scene.parts.items()} == {
        other: EFFECTS[name] if other == name else [] for other in EFFECTS
    }
    assert not scene.engine.calls
    assert not scene.facts


def test_rtp_rooms_and_digits_are_the_engines() -> None:
    scene = Scene()
    effects: list[MediaEffect] = [
        StartMedia("leg", "127.0.0.1", 4000, 0, "PCMU"),
        Mix("room", (Voice("leg"),)),
        SendDigits("d", "room", "leg", "12#"),
    ]
    for effect in effects:
        scene.studio.perform(effect)
    assert scene.engine.calls == effects
    assert not any(part.asked for part in scene.parts.values())


def test_it_is_the_media_of_the_switch() -> None:
    scene = Scene()
    media: Media = scene.studio
    assert media.open("leg") == ("127.0.0.1", 20_003)
    assert media.close("leg").received == 2
    assert scene.engine.calls == [("close", "leg")]


def test_facts_of_the_engine_and_of_parts_reach_one_handler() -> None:
    scene = Scene()
    digit, started = DigitHeard(at=1.0, leg="leg", digit="5"), PromptStarted(at=2.0, prompt="p")
    scene.engine.tell("leg", digit)
    handler = scene.parts["prompts"].handler
    assert handler
    handler("room", started)
    assert scene.facts == [("leg", digit), ("room", started)]
    assert {name: part.asked for name, part in scene.parts.items() if part.asked} == {"streams": [digit]}


def test_a_room_closes_in_the_parts_while_the_engine_still_has_it() -> None:
    scene = Scene()
    scene.studio.perform(Mix("room", (Voice("leg"),)))
    scene.studio.perform(Mix("room", ()))
    assert [part.asked for part in scene.parts.values()] == [[("leave", "room", True)]] * 4
    assert not scene.engine.rooms


def test_who_does_not_leave_keeps_nobody_else_in_the_room() -> None:
    scene = Scene(broken="leave")
    scene.studio.perform(Mix("room", (Voice("leg"),)))
    scene.studio.perform(Mix("room", ()))
    assert [part.asked for part in scene.parts.values()] == [[("leave", "room", True)]] * 4
    assert not scene.engine.rooms
    assert [(owner, type(fact)) for owner, fact in scene.facts] == [("room", FaultRaised)] * 4


def test_a_fault_of_a_part_is_a_fact_of_the_room() -> None:
    scene = Scene(broken="perform")
    scene.studio.perform(EFFECTS["listening"][0])
    ((owner, fact),) = scene.facts
    assert owner == "room"
    assert isinstance(fact, FaultRaised)
    assert (fact.at, fact.leg, fact.where) == (7.0, "leg", "media: Listen")
    assert "no perform today" in fact.traceback


def test_an_effect_without_room_or_leg_fails_in_the_log_only() -> None:
    scene = Scene(broken="perform")
    scene.studio.perform(StopPrompt("p"))
    assert not scene.facts


def test_a_part_that_is_not_there_is_told() -> None:
    facts: list[tuple[str, Fact]] = []
    studio = Studio(TickedEngine())
    studio.perform(PLAY)  # nobody to be told, and no exception
    studio.on_fact(lambda owner, fact: facts.append((owner, fact)))
    studio.perform(PLAY)
    ((owner, fact),) = facts
    assert owner == "room"
    assert isinstance(fact, FaultRaised)
    assert "nothing here performs PlayPrompt" in fact.traceback


@pytest.mark.parametrize("broken", ["", "stop"])
def test_the_parts_stop_before_the_engine(broken: str) -> None:
    scene = Scene(broken=broken)
    scene.studio.stop()
    assert [part.asked for part in scene.parts.values()] == [[("stop", False)]] * 4
    assert scene.engine.stopped
