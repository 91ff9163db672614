"""Sounds are made once for all who want them, and kept within a size and a time."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from onhook.media.parts import Clip
from onhook.media.prompts.sounds import Sounds


def clip(size: int = 100) -> Clip:
    return Clip(np.zeros(size // 2, np.int16), 16_000)


class Maker:
    """Counts what it makes; waits for `go` if it is cleared."""

    def __init__(self, sound: Clip | Exception | None = None) -> None:
        self.sound = clip() if sound is None else sound
        self.begun = self.cancelled = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> Clip:
        self.begun += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.sound, Exception):
            raise self.sound
        return self.sound


class Clock:
    now = 1000.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sounds(clock: Clock) -> Sounds:
    return Sounds(1000, lambda: clock.now)


async def test_a_kept_sound_is_made_once_until_its_time_is_over(sounds: Sounds, clock: Clock) -> None:
    maker = Maker()
    assert await sounds.get("a", maker, 60) is await sounds.get("a", maker, 60)
    clock.now += 59
    await sounds.get("a", maker, 60)
    assert maker.begun == 1
    clock.now += 1
    await sounds.get("a", maker, 60)
    assert maker.begun == 2
    assert sounds.bytes == 100


async def test_what_is_not_to_be_kept_is_made_each_time(sounds: Sounds) -> None:
    maker = Maker()
    await sounds.get("a", maker, 0)
    await sounds.get("a", maker, 0)
    assert (maker.begun, sounds.bytes) == (2, 0)


async def test_a_failure_is_told_and_not_kept(sounds: Sounds) -> None:
    maker = Maker(ValueError("no"))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await sounds.get("a", maker, 60)
    assert maker.begun == 2


async def started(
    number: int, sounds: Sounds, maker: Callable[[], Awaitable[Clip]]
) -> list[asyncio.Task[Clip]]:
    tasks = [asyncio.ensure_future(sounds.get("a", maker, 0)) for _ in range(number)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_those_who_want_the_same_at_the_same_time_share_it(sounds: Sounds) -> None:
    maker = Maker()
    maker.go.clear()
    tasks = await started(100, sounds, maker)
    maker.go.set()
    assert {id(each) for each in await asyncio.gather(*tasks)} == {id(maker.sound)}
    assert maker.begun == 1


async def test_a_shared_failure_is_everybodys(sounds: Sounds) -> None:
    maker = Maker(ValueError("no"))
    maker.go.clear()
    tasks = await started(3, sounds, maker)
    maker.go.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(each) for each in failures] == ["no"] * 3


async def test_who_is_cancelled_takes_nothing_from_the_others(sounds: Sounds) -> None:
    maker = Maker()
    maker.go.clear()
    first, second = await started(2, sounds, maker)
    first.cancel()
    await asyncio.sleep(0)
    maker.go.set()
    assert await second is maker.sound
    assert maker.cancelled == 0


async def test_what_nobody_wants_any_more_is_cancelled_and_can_be_wanted_again(sounds: Sounds) -> None:
    maker = Maker()
    maker.go.clear()
    tasks = await started(2, sounds, maker)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    again = asyncio.ensure_future(sounds.get("a", maker, 60))
    await asyncio.sleep(0)
    maker.go.set()
    assert await again is maker.sound
    assert (maker.begun, maker.cancelled) == (2, 1)
    assert await sounds.get("a", maker, 60) is maker.sound
    assert maker.begun == 2


async def test_the_sound_that_was_not_used_longest_makes_room(sounds: Sounds) -> None:
    makers = {name: Maker(clip(240)) for name in "abcde"}
    for name in "abcd":
        await sounds.get(name, makers[name], 60)
    await sounds.get("a", makers["a"], 60)
    await sounds.get("e", makers["e"], 60)
    assert sounds.bytes == 960
    for name in "acde":
        await sounds.get(name, makers[name], 60)
    assert [maker.begun for maker in makers.values()] == [1, 1, 1, 1, 1]
    await sounds.get("b", makers["b"], 60)
    assert makers["b"].begun == 2


async def test_a_sound_too_large_is_made_and_not_kept(sounds: Sounds) -> None:
    maker = Maker(clip(300))
    await sounds.get("a", maker, 60)
    await sounds.get("a", maker, 60)
    assert (maker.begun, sounds.bytes) == (2, 0)
