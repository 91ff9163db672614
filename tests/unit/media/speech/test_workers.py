"""Worker processes: one request each at a time, replaced when they die, never waited for without end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from house import ROOT
from onhook.media.speech.workers import Workers, WorkFailed, WorkRefused


@pytest.fixture(autouse=True)
def _findable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT / 'tests'}")


@asynccontextmanager
async def workers(
    count: int = 1, max_waiting: int = 10, seconds: float = 30.0, module: str = "odd_worker"
) -> AsyncGenerator[Workers]:
    made = Workers(module, count=count, max_waiting=max_waiting, seconds=seconds)
    try:
        yield made
    finally:
        await made.close()


async def test_one_process_answers_all_and_is_started_when_it_is_needed() -> None:
    async with workers() as made:
        assert made.processes == []
        assert await made.ask(b"abc") == b"cba"
        large = os.urandom(3_000_000)
        assert await made.ask(large) == large[::-1]
        assert await made.ask(b"") == b""
        assert [str(pid).encode() for pid in made.processes] == [await made.ask(b"pid")]
        assert int(await made.ask(b"nice")) >= 5
    assert made.processes == []


async def test_requests_share_the_processes() -> None:
    async with workers(count=2, max_waiting=30) as made:
        pids = set(await asyncio.gather(*(made.ask(b"pid") for _ in range(20))))
        assert 1 <= len(pids) <= 2
        assert len(made.processes) == len(pids)


async def test_a_refusal_is_the_workers_own_word() -> None:
    async with workers() as made:
        with pytest.raises(WorkRefused, match=r"^too long$"):
            await made.ask(b"refuse too long")
        assert await made.ask(b"ab") == b"ba"
        assert made.died == 0


async def test_a_fault_inside_is_told_with_its_last_line() -> None:
    async with workers() as made:
        with pytest.raises(WorkFailed, match=r"^ValueError: oops$"):
            await made.ask(b"fail oops")
        assert await made.ask(b"ab") == b"ba"


async def test_what_libraries_print_does_not_stand_between_answers() -> None:
    async with workers() as made:
        assert await made.ask(b"print noise") == b"printed"
        assert await made.ask(b"ab") == b"ba"


async def test_a_process_that_dies_is_replaced_and_its_request_tried_again(tmp_path: Path) -> None:
    async with workers() as made:
        assert await made.ask(f"die-once {tmp_path / 'mark'}".encode()) == b"alive again"
        assert made.died == 1


async def test_a_request_that_kills_each_process_fails_after_two() -> None:
    async with workers() as made:
        with pytest.raises(WorkFailed, match="its process died"):
            await made.ask(b"die")
        assert made.died == 2
        assert await made.ask(b"ab") == b"ba"


async def test_a_process_killed_while_it_rests_is_replaced() -> None:
    async with workers() as made:
        before = await made.ask(b"pid")
        os.kill(int(before), signal.SIGKILL)
        assert await made.ask(b"pid") != before


async def test_a_process_killed_in_the_midst_of_work_is_replaced() -> None:
    async with workers() as made:
        pid = int(await made.ask(b"pid"))
        working = asyncio.ensure_future(made.ask(b"sleep 0.5"))
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        assert await working == b"slept"
        assert made.died == 1


async def test_who_is_too_slow_is_ended() -> None:
    async with workers(seconds=0.3) as made:
        with pytest.raises(WorkFailed, match=r"no answer within 0\.3 s"):
            await made.ask(b"sleep 60")
        assert await made.ask(b"ab") == b"ba"


async def test_the_queue_has_an_end() -> None:
    async with workers(max_waiting=2) as made:
        asked = [asyncio.ensure_future(made.ask(b"sleep 0.2")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(WorkFailed, match="2 requests wait already, the most"):
            await made.ask(b"ab")
        assert await asyncio.gather(*asked) == [b"slept"] * 3
        assert made.waiting == 0


async def test_who_gives_up_leaves_the_process_to_the_next() -> None:
    async with workers() as made:
        pid = await made.ask(b"pid")
        given_up = asyncio.ensure_future(made.ask(b"sleep 0.2"))
        await asyncio.sleep(0.05)
        given_up.cancel()
        assert await made.ask(b"pid") == pid
        assert made.died == 0


async def test_closing_fails_what_is_under_way_and_what_comes() -> None:
    async with workers() as made:
        asked = asyncio.ensure_future(made.ask(b"sleep 60"))
        await asyncio.sleep(0.5)
        await made.close()
        with pytest.raises(WorkFailed):
            await asked
        with pytest.raises(WorkFailed, match="the server stops"):
            await made.ask(b"ab")
        assert made.processes == []


async def test_a_process_that_cannot_start_says_so() -> None:
    async with workers(module="no_such_worker") as made:
        with pytest.raises(WorkFailed, match="could not be started; standard error has why"):
            await made.ask(b"ab")
    async with workers(module="this") as made:  # prints a poem instead of frames
        with pytest.raises(WorkFailed, match="could not be started"):
            await made.ask(b"ab")


def test_a_worker_ends_with_its_standard_input() -> None:
    command = [sys.executable, "-m", "odd_worker"]
    for said in (b"", b"\x05\0\0\0?ab", b"\x05\0\0\0!abcde", b"\xff\xff\xff\xff?"):
        done = subprocess.run(command, input=said, capture_output=True, timeout=30, check=True)
        assert done.stdout == b"\0\0\0\0!"
