"""Prompts play in order, without gaps, and end once, whatever happens to them."""

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest

from onhook.effects import AudioSource, FileAudio, PlayPrompt, StopPrompt
from onhook.facts import Fact, PromptEnded, PromptStarted
from onhook.media.parts import Clip
from onhook.media.prompts.prompts import AHEAD, Prompts
from onhook.media.prompts.source_failed import SourceFailed
from ticked_engine import TickedEngine
from wav_files import tone

ROOM = "room"


@dataclass
class Repertoire:
    """Sounds by URI; a name in `held` waits, one in `wrong` fails."""

    wrong: dict[str, Exception] = field(default_factory=dict[str, Exception])
    held: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    asked: list[str] = field(default_factory=list[str])

    async def sound(self, source: AudioSource, speech_endpoint: str) -> Clip:
        assert isinstance(source, FileAudio)
        self.asked.append(source.uri)
        await asyncio.sleep(0)
        if source.uri in self.held:
            await self.held[source.uri].wait()
        if source.uri in self.wrong:
            raise self.wrong[source.uri]
        return Clip(sound_of(source.uri), 16_000)


def sound_of(uri: str) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """0.05 s for each letter."""
    return tone(0.05 * len(uri), 100.0 * (1 + ord(uri[0]) % 20))


class Scene:
    def __init__(self) -> None:
        self.engine, self.repertoire = TickedEngine(), Repertoire()
        self.prompts = Prompts(self.engine, self.repertoire, now=lambda: 5.0)
        self.facts: list[Fact] = []
        self.prompts.on_fact(self.take)

    def take(self, owner: str, fact: Fact) -> None:
        assert owner == ROOM
        self.facts.append(fact)

    async def play(self, *uris: str, id: str = "p", loop: bool = False, legs: tuple[str, ...] = ()) -> None:  # noqa: A002  # as the effect
        self.prompts.perform(
            PlayPrompt(id, ROOM, tuple(FileAudio(uri) for uri in uris), legs=legs, loop=loop)
        )
        await self.settle()

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def tick(self, times: int = 100) -> None:
        for _ in range(times):
            self.engine.tick()
            await self.settle()

    @property
    def ended(self) -> PromptEnded:
        (ended,) = (fact for fact in self.facts if isinstance(fact, PromptEnded))
        return ended


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_one_source_plays_to_its_end(scene: Scene) -> None:
    await scene.play("a")
    (feed,) = scene.engine.feeds
    assert (feed.room, feed.legs, feed.to_all, feed.loop) == (ROOM, (), True, False)
    assert not scene.facts
    await scene.tick(1)
    assert scene.facts == [PromptStarted(at=5.0, prompt="p")]
    await scene.tick()
    assert scene.facts[1:] == [PromptEnded(at=5.0, prompt="p", how="played", played_ms=50)]
    assert np.array_equal(feed.sound, sound_of("a"))
    assert scene.prompts.playing == 0


async def test_it_is_played_to_some_if_they_are_named(scene: Scene) -> None:
    await scene.play("a", legs=("one", "two"))
    (feed,) = scene.engine.feeds
    assert (feed.legs, feed.to_all) == (("one", "two"), False)


async def test_several_play_in_order_without_a_gap(scene: Scene) -> None:
    uris = ("aa", "b", "cccc", "dd", "e", "f", "g")
    await scene.play(*uris)
    (feed,) = scene.engine.feeds
    await scene.tick()
    assert np.array_equal(feed.sound, np.concatenate([sound_of(uri) for uri in uris]))
    assert scene.ended.played_ms == 50 * sum(map(len, uris))
    assert scene.repertoire.asked == list(uris)


async def test_sources_are_got_before_their_turn_but_not_all_at_once(scene: Scene) -> None:
    scene.repertoire.held["a"] = asyncio.Event()
    await scene.play("a", *"bcdefgh")
    assert scene.repertoire.asked == list("abcdefgh"[: 1 + AHEAD])
    scene.repertoire.held["a"].set()
    await scene.settle()
    assert scene.repertoire.asked == list("abcdefgh")


async def test_the_first_source_plays_while_the_second_is_on_its_way(scene: Scene) -> None:
    scene.repertoire.held["b"] = asyncio.Event()
    await scene.play("a", "b")
    (feed,) = scene.engine.feeds
    await scene.tick(10)
    assert feed.played_ms == 50
    scene.repertoire.held["b"].set()
    await scene.settle()
    await scene.tick()
    assert scene.ended.how == "played"
    assert scene.ended.played_ms == 100


async def test_a_failing_source_fails_at_its_turn(scene: Scene) -> None:
    scene.repertoire.wrong["x"] = SourceFailed("status", "x answered 404", 404)
    await scene.play("aaa", "b", "x", "d")
    await scene.tick(5)
    assert scene.facts == [PromptStarted(at=5.0, prompt="p")]
    await scene.tick()
    assert scene.ended == PromptEnded(
        at=5.0,
        prompt="p",
        how="failed",
        fault="status",
        source=2,
        detail="x answered 404",
        http_status=404,
        played_ms=200,
    )


async def test_a_first_source_that_fails_plays_nothing(scene: Scene) -> None:
    scene.repertoire.wrong["x"] = SourceFailed("format", "MP3")
    await scene.play("x", "b")
    assert not scene.engine.feeds
    assert [type(fact) for fact in scene.facts] == [PromptEnded]
    assert (scene.ended.fault, scene.ended.source, scene.ended.played_ms) == ("format", 0, 0)


async def test_a_later_failure_does_not_come_before_an_earlier_one(scene: Scene) -> None:
    scene.repertoire.held["x"] = asyncio.Event()
    scene.repertoire.wrong |= {"x": SourceFailed("uri", "first"), "y": SourceFailed("uri", "second")}
    await scene.play("a", "x", "y")
    await scene.tick(10)
    scene.repertoire.held["x"].set()
    await scene.settle()
    await scene.tick()
    assert (scene.ended.source, scene.ended.detail) == (1, "first")


async def test_a_fault_of_our_own_ends_it_too(scene: Scene) -> None:
    scene.repertoire.wrong["x"] = KeyError("oops")
    await scene.play("a", "x")
    await scene.tick()
    assert (scene.ended.how, scene.ended.fault, scene.ended.source) == ("failed", "internal", 1)
    assert scene.ended.detail == "KeyError: 'oops'"


async def test_one_source_is_repeated_by_the_engine_until_it_is_stopped(scene: Scene) -> None:
    await scene.play("aa", loop=True)
    (feed,) = scene.engine.feeds
    assert feed.loop
    await scene.tick(50)
    assert feed.played_ms == 1000
    scene.prompts.perform(StopPrompt("p"))
    assert (scene.ended.how, scene.ended.played_ms) == ("stopped", 1000)


async def test_several_are_repeated_together(scene: Scene) -> None:
    await scene.play("aa", "bbb", loop=True)
    (feed,) = scene.engine.feeds
    await scene.tick(25)
    both = np.concatenate([sound_of("aa"), sound_of("bbb")])
    assert np.array_equal(feed.sound, np.concatenate([both, both]))


async def test_several_to_be_repeated_of_which_one_fails_play_once_up_to_it(scene: Scene) -> None:
    scene.repertoire.wrong["x"] = SourceFailed("too-slow", "x")
    await scene.play("aa", "b", "x", loop=True)
    (feed,) = scene.engine.feeds
    assert not feed.loop
    await scene.tick()
    assert (scene.ended.source, scene.ended.played_ms) == (2, 150)


@pytest.mark.parametrize("when", ["before", "during"])
async def test_stopping_ends_it_at_once_and_once(scene: Scene, when: str) -> None:
    if when == "before":
        scene.repertoire.held["aaaaaa"] = asyncio.Event()
    await scene.play("aaaaaa")
    await scene.tick(3)
    scene.prompts.perform(StopPrompt("p"))
    scene.prompts.perform(StopPrompt("p"))
    assert (scene.ended.how, scene.ended.fault) == ("stopped", "")
    assert scene.ended.played_ms == (0 if when == "before" else 60)
    await scene.tick()
    assert scene.ended


async def test_stopping_what_ended_or_never_was_does_nothing(scene: Scene) -> None:
    await scene.play("a")
    await scene.tick()
    scene.prompts.perform(StopPrompt("p"))
    scene.prompts.perform(StopPrompt("never"))
    assert scene.ended.how == "played"


async def test_a_room_that_closes_stops_its_prompts_only(scene: Scene) -> None:
    await scene.play("aaaa", id="here")
    scene.prompts.perform(PlayPrompt("there", "other", (FileAudio("b"),)))
    await scene.tick(1)
    scene.facts.clear()
    scene.prompts.leave(ROOM)
    assert [(scene.ended.prompt, scene.ended.how)] == [("here", "stopped")]
    assert scene.prompts.playing == 1


async def test_when_the_server_stops_prompts_fail_and_say_so(scene: Scene) -> None:
    await scene.play("aaaa")
    await scene.tick(2)
    scene.prompts.stop()
    assert (scene.ended.how, scene.ended.fault, scene.ended.played_ms) == ("failed", "shut-down", 40)
    assert scene.prompts.playing == 0


async def test_one_name_plays_once_at_a_time(scene: Scene) -> None:
    await scene.play("a")
    with pytest.raises(ValueError, match="prompt p is playing already"):
        scene.prompts.perform(PlayPrompt("p", ROOM, (FileAudio("b"),)))
    await scene.tick()
    await scene.play("b")
    assert scene.prompts.playing == 1


async def test_a_hundred_prompts_at_once_each_have_their_own_end(scene: Scene) -> None:
    for number in range(100):
        await scene.play("a" * (1 + number % 7), id=f"p{number}")
    await scene.tick(30)
    ends = {fact.prompt: fact for fact in scene.facts if isinstance(fact, PromptEnded)}
    assert len(ends) == len([fact for fact in scene.facts if isinstance(fact, PromptEnded)]) == 100
    assert all(ends[f"p{number}"].played_ms == 50 * (1 + number % 7) for number in range(100))
    assert {fact.how for fact in ends.values()} == {"played"}
