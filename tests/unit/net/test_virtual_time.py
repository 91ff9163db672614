import asyncio
import time

import pytest

from onhook.lab.virtual_time import Deadlock, VirtualTimeLoop, run


def test_an_hour_passes_in_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run(main()) == 3600
    assert time.monotonic() - began < 5


def test_deadlines_come_in_their_order_whatever_the_order_of_asking() -> None:
    async def main() -> list[tuple[float, str]]:
        loop, seen = asyncio.get_running_loop(), list[tuple[float, str]]()

        def ring(name: str) -> None:
            seen.append((loop.time(), name))

        for at, name in ((32.0, "B"), (0.5, "A"), (10.0, "no-response"), (1.5, "A")):
            loop.call_at(at, ring, name)
        await asyncio.sleep(100)
        return seen

    assert run(main()) == [(0.5, "A"), (1.5, "A"), (10.0, "no-response"), (32.0, "B")]


def test_a_timeout_ends_what_waits_too_long() -> None:
    async def main() -> tuple[bool, float]:
        try:
            async with asyncio.timeout(5):
                await asyncio.sleep(10)
        except TimeoutError:
            return True, asyncio.get_running_loop().time()
        return False, 0

    assert run(main()) == (True, 5)


def test_a_timeout_leaves_alone_what_is_quick_enough() -> None:
    async def main() -> float:
        async with asyncio.timeout(5):
            await asyncio.sleep(4)
        await asyncio.wait_for(asyncio.sleep(1), 2)
        return asyncio.get_running_loop().time()

    assert run(main()) == 5


def test_tasks_queues_and_events_work() -> None:
    async def main() -> list[int]:
        queue, taken = asyncio.Queue[int](), list[int]()

        async def give() -> None:
            for number in range(3):
                await asyncio.sleep(60)
                await queue.put(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(give())
            for _ in range(3):
                taken.append(await queue.get())
        return taken

    assert run(main()) == [0, 1, 2]


def test_time_begins_where_it_is_told_and_keeps_its_grain() -> None:
    async def main() -> list[float]:
        loop, seen = asyncio.get_running_loop(), list[float]()
        for _ in range(3):
            await asyncio.sleep(0.02)
            seen.append(loop.time())
        return seen

    assert run(main(), start_seconds=1.7e9) == pytest.approx(
        [1.7e9 + 0.02, 1.7e9 + 0.04, 1.7e9 + 0.06], abs=1e-6
    )


def test_a_sleep_shorter_than_the_clock_can_tell_still_ends() -> None:
    async def main() -> float:
        await asyncio.sleep(1e-12)
        return asyncio.get_running_loop().time()

    assert run(main(), start_seconds=1.7e9) >= 1.7e9


def test_more_than_a_day_is_no_matter() -> None:
    async def main() -> float:
        await asyncio.sleep(10 * 24 * 3600)
        return asyncio.get_running_loop().time()

    assert run(main()) == 10 * 24 * 3600


def test_waiting_for_what_cannot_come_is_a_deadlock_that_names_who_waits() -> None:
    async def wait_for_a_ring() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(wait_for_a_ring(), name="the phone")
        await task

    with pytest.raises(
        Deadlock, match=r"nothing is scheduled.*the phone at wait_for_a_ring, test_virtual_time\.py:\d+"
    ):
        run(main())


def test_what_waits_for_ever_beside_a_repeating_timer_meets_the_limit() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_later(10, again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="ran past its limit"):
        run(main(), limit_seconds=1000)


def test_a_task_that_spins_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.lab.virtual_time.MAX_TURNS_WITHOUT_TIME", 500)

    async def main() -> None:
        for _ in range(10_000):
            await asyncio.sleep(0)

    with pytest.raises(Deadlock, match=r"50\d turns at 0 s: a task spins.*main"):
        run(main())


def test_many_waiting_tasks_are_not_all_named() -> None:
    async def main() -> None:
        await asyncio.gather(*(asyncio.Event().wait() for _ in range(30)))

    with pytest.raises(Deadlock, match="and 21 more"):
        run(main())


def test_exceptions_come_through_and_cleaning_up_is_done() -> None:
    cleaned: list[float] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            cleaned.append(asyncio.get_running_loop().time())

    async def main() -> None:
        task = asyncio.create_task(tidy())
        await asyncio.sleep(1)
        assert not task.done()
        raise LookupError("of ours")

    with pytest.raises(LookupError, match="of ours"):
        run(main())
    assert cleaned == [1]


def test_after_a_deadlock_tasks_are_cleaned_up_too() -> None:
    cleaned: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("main")

    with pytest.raises(Deadlock):
        run(main())
    assert cleaned == ["main"]


def test_threads_can_not_move_its_clock_and_it_says_so() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.2)

    with pytest.raises(Deadlock, match="nothing is scheduled"):
        run(main())


def test_it_is_an_ordinary_loop_otherwise() -> None:
    loop = VirtualTimeLoop(start_seconds=7)
    try:
        assert loop.time() == 7
        seen: list[str] = []
        loop.call_soon(seen.append, "soon")
        loop.call_later(1, seen.append, "later")
        loop.call_later(2, loop.stop)
        loop.run_forever()
        assert seen == ["soon", "later"]
        assert loop.time() == 9
    finally:
        loop.close()
