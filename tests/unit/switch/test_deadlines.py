"""When calls are woken: on time, once, in order, and without holding on to those that are over."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.lab.virtual_time import run
from onhook.switch.deadlines import MAX_OUTDATED, Deadlines


class Sleeper:
    """Something that can be woken and weakly held."""

    def __init__(self, name: str = "") -> None:
        self.name = name


class Scene:
    def __init__(self) -> None:
        self.woken: list[tuple[float, str]] = []
        self.then: Callable[[Sleeper], None] = lambda _: None
        self.deadlines = Deadlines[Sleeper](asyncio.get_running_loop().time, self.wake)

    def wake(self, sleeper: Sleeper) -> None:
        self.woken.append((asyncio.get_running_loop().time(), sleeper.name))
        self.then(sleeper)


def play(story: Callable[[Scene], Coroutine[None, None, None]]) -> Scene:
    async def main() -> Scene:
        scene = Scene()
        await story(scene)
        scene.deadlines.close()
        return scene

    return run(main())


def test_each_is_woken_once_at_its_time() -> None:
    async def story(scene: Scene) -> None:
        kept = [Sleeper(name) for name in "abc"]
        for sleeper, at in zip(kept, (3.0, 1.0, 2.0), strict=True):
            scene.deadlines.set(sleeper, at)
        assert len(scene.deadlines) == 3
        await asyncio.sleep(10)
        assert len(scene.deadlines) == 0

    assert play(story).woken == [(1.0, "b"), (2.0, "c"), (3.0, "a")]


@pytest.mark.parametrize("times", [(5.0, 2.0), (2.0, 5.0), (5.0, 2.0, 7.0), (1.0, 9.0, 3.0), (4.0, 4.0)])
def test_the_last_time_set_counts(times: tuple[float, ...]) -> None:
    async def story(scene: Scene) -> None:
        sleeper = Sleeper("a")
        for at in times:
            scene.deadlines.set(sleeper, at)
        await asyncio.sleep(20)

    assert play(story).woken == [(times[-1], "a")]


def test_none_takes_it_back() -> None:
    async def story(scene: Scene) -> None:
        first, second = Sleeper("a"), Sleeper("b")
        scene.deadlines.set(first, 1.0)
        scene.deadlines.set(second, 2.0)
        scene.deadlines.set(first, None)
        scene.deadlines.set(first, None)
        await asyncio.sleep(5)

    assert play(story).woken == [(2.0, "b")]


def test_it_can_be_set_again_when_woken() -> None:
    async def story(scene: Scene) -> None:
        sleeper = Sleeper("a")
        now = asyncio.get_running_loop().time

        def again(woken: Sleeper) -> None:
            scene.deadlines.set(woken, now() + 1.0 if now() < 3 else None)

        scene.then = again
        scene.deadlines.set(sleeper, 1.0)
        await asyncio.sleep(10)

    assert play(story).woken == [(1.0, "a"), (2.0, "a"), (3.0, "a")]


def test_what_another_is_set_to_while_one_is_woken_does_not_delay_the_rest() -> None:
    async def story(scene: Scene) -> None:
        kept = [Sleeper(name) for name in "abc"]
        scene.then = lambda woken: scene.deadlines.set(kept[2], 50.0) if woken.name == "a" else None
        scene.deadlines.set(kept[0], 1.0)
        scene.deadlines.set(kept[1], 2.0)
        await asyncio.sleep(60)

    assert play(story).woken == [(1.0, "a"), (2.0, "b"), (50.0, "c")]


def test_a_time_in_the_past_is_now() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.sleep(5)
        sleeper = Sleeper("a")
        scene.deadlines.set(sleeper, 1.0)
        assert scene.woken == []
        await asyncio.sleep(1)

    scene = play(story)
    assert [name for _, name in scene.woken] == ["a"]
    assert scene.woken[0][0] == pytest.approx(5.0)


async def test_one_that_is_always_due_does_not_starve_the_loop() -> None:
    """On the running loop: virtual time would stand still for it."""
    scene = Scene()
    sleeper, other = Sleeper("a"), Sleeper("b")
    scene.then = lambda woken: scene.deadlines.set(sleeper, 0.0) if woken is sleeper else None
    scene.deadlines.set(sleeper, 0.0)
    scene.deadlines.set(other, 0.0)
    turns = 0
    while turns < 200 and [name for _, name in scene.woken].count("a") < 5:
        await asyncio.sleep(0)
        turns += 1
    scene.deadlines.set(sleeper, None)
    scene.deadlines.close()
    assert [name for _, name in scene.woken].count("b") == 1
    assert 5 <= turns < 200


def test_one_that_fails_keeps_no_other_from_being_woken(caplog: pytest.LogCaptureFixture) -> None:
    def fail(sleeper: Sleeper) -> None:
        if sleeper.name == "a":
            raise ZeroDivisionError

    async def story(scene: Scene) -> None:
        kept = [Sleeper(name) for name in "abc"]
        scene.then = fail
        for sleeper, at in zip(kept, (1.0, 1.0, 2.0), strict=True):
            scene.deadlines.set(sleeper, at)
        await asyncio.sleep(5)

    with caplog.at_level(logging.ERROR):
        scene = play(story)
    assert [name for _, name in scene.woken] == ["a", "b", "c"]
    assert "waking a call failed" in caplog.text


def test_nobody_is_woken_after_closing() -> None:
    async def story(scene: Scene) -> None:
        sleeper = Sleeper("a")
        scene.deadlines.set(sleeper, 1.0)
        scene.deadlines.close()
        await asyncio.sleep(5)

    assert play(story).woken == []


def test_what_is_over_is_not_held() -> None:
    """A call that talked has a longest duration, a day ahead; when it is over it must not stay till then."""

    async def story(scene: Scene) -> None:
        sleeper = Sleeper("a")
        seen = weakref.ref(sleeper)
        scene.deadlines.set(sleeper, 86_400.0)
        scene.deadlines.set(sleeper, 2.0)
        scene.deadlines.set(sleeper, None)
        del sleeper
        gc.collect()
        assert seen() is None
        await asyncio.sleep(1)

    play(story)


def test_outdated_entries_are_cleared_away() -> None:
    async def story(scene: Scene) -> None:
        kept = [Sleeper(str(number)) for number in range(10)]
        for round_number in range(2_000):
            for sleeper in kept:
                scene.deadlines.set(sleeper, 86_400.0)
                scene.deadlines.set(sleeper, 1.0 + round_number / 1000)
                scene.deadlines.set(sleeper, None)
        assert len(scene.deadlines) == 0
        assert len(scene.deadlines._heap) <= MAX_OUTDATED + 1
        for sleeper in kept:
            scene.deadlines.set(sleeper, 5.0)
        await asyncio.sleep(10)

    assert len(play(story).woken) == 10


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20), st.integers(0, 3)), max_size=40))
def test_any_sequence_wakes_each_at_the_time_set_last(orders: list[tuple[int, int | None, int]]) -> None:
    """Against the plain way: a dictionary of times."""

    async def story(scene: Scene) -> None:
        kept = [Sleeper(str(number)) for number in range(6)]
        due: dict[str, float] = {}
        expected: list[tuple[float, str]] = []
        loop = asyncio.get_running_loop()
        for who, at, pause in orders:
            scene.deadlines.set(kept[who], None if at is None else float(at))
            due.pop(str(who), None)
            if at is not None:
                due[str(who)] = max(float(at), loop.time())
            end = loop.time() + pause
            expected += [(when, name) for name, when in due.items() if when <= end and pause]
            due = {name: when for name, when in due.items() if when > end or not pause}
            if pause:
                await asyncio.sleep(pause)
        await asyncio.sleep(50)
        expected += [(when, name) for name, when in due.items()]
        assert sorted(name for _, name in scene.woken) == sorted(name for _, name in expected)
        for (woken_at, _), (wanted, _) in zip(sorted(scene.woken), sorted(expected), strict=True):
            assert woken_at == pytest.approx(wanted, abs=1e-6)

    play(story)


def test_a_clock_that_moves_on_by_itself_wakes_who_is_due_then() -> None:
    async def story(scene: Scene) -> None:
        moved = [0.0]
        loop = asyncio.get_running_loop()
        scene.deadlines = Deadlines[Sleeper](lambda: loop.time() + moved[0], scene.wake)
        kept = [Sleeper(name) for name in "ab"]
        scene.deadlines.look_again()
        for sleeper, at in zip(kept, (115.0, 300.0), strict=True):
            scene.deadlines.set(sleeper, at)
        await asyncio.sleep(1)
        moved[0] = 114.0
        scene.deadlines.look_again()
        await asyncio.sleep(1)
        assert scene.woken == [(1.0, "a")]
        await asyncio.sleep(200)

    assert play(story).woken == [(1.0, "a"), (186.0, "b")]
