"""Several real rtpengines: load is spread, ports are kept ready, and one that dies is told of and avoided."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from onhook.media.rtpengine import ng
from onhook.media.rtpengine.fleet import Fleet, Member, Statistics
from onhook.media.rtpengine.ng import EngineRefused, EngineSilent
from onhook.media.rtpengine.relay import Relay
from onhook.media.rtpengine.settings import FleetSettings
from onhook.media.settings import PortsUsedUp
from rtpengine_daemon import Rtpengine, free_host, rtpengine, start

pytestmark = pytest.mark.interop
WAIT_SECONDS = 10.0
SETTINGS = FleetSettings((), ready=4, ping_seconds=0.05, count_seconds=0.05)
IMPATIENT_SECONDS = (0.05, 0.05, 0.1)
SILENT = r"no answer to \w+ in 0\.2 s \(Connection refused\)"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "REPEAT_SECONDS", IMPATIENT_SECONDS)


@pytest.fixture
def two(tmp_path: Path) -> Generator[list[Rtpengine]]:
    with ExitStack() as stack:
        yield [stack.enter_context(rtpengine(tmp_path)) for _ in range(2)]


@asynccontextmanager
async def fleet_of(*engines: tuple[str, int], settings: FleetSettings = SETTINGS) -> AsyncGenerator[Fleet]:
    fleet = Fleet(replace(settings, engines=engines))
    await fleet.start()
    try:
        yield fleet
    finally:
        fleet.stop()


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not happened():  # noqa: ASYNC110  # other processes: no event tells
            await asyncio.sleep(0.01)


async def take(fleet: Fleet, count: int) -> list[tuple[Member, Relay]]:
    """One after the other, as calls come."""
    taken: list[tuple[Member, Relay]] = []
    for _ in range(count):
        await until(lambda: all(each.ready or each.failure for each in fleet.members))
        taken.append(fleet.take())
    return taken


def test_legs_go_where_the_fewest_are(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng, two[1].ng) as fleet:
            taken = await take(fleet, 10)
            assert [each.legs for each in fleet.members] == [5, 5]
            assert len({relay.outer for _, relay in taken}) == 10
            for member, relay in taken:
                if member is fleet.members[0]:
                    fleet.give_back(member, relay)
            await take(fleet, 5)
            assert [each.legs for each in fleet.members] == [5, 5]

    asyncio.run(scene())


def test_sessions_of_others_count_too(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng) as others, fleet_of(two[0].ng, two[1].ng) as fleet:
            await take(others, 6)
            first, second = fleet.members
            await until(lambda: first.others >= 10)  # with those that they keep ready
            assert second.others == 0
            await take(fleet, 4)
            assert (first.legs, second.legs) == (0, 4)
            assert fleet.statistics()[0].sessions >= 14

    asyncio.run(scene())


def test_ports_are_ready_and_made_up_for(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng) as fleet:
            (member,) = fleet.members
            assert member.ready == 4
            for _ in range(4):
                fleet.take()
            with pytest.raises(PortsUsedUp, match=r"no rtpengine has a port ready: .* with 4 legs: is being"):
                fleet.take()
            await until(lambda: member.ready == 4)

    asyncio.run(scene())


def test_a_port_that_nobody_took_is_replaced(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng, settings=replace(SETTINGS, ready=2, ready_seconds=0.2)) as fleet:
            (member,) = fleet.members
            _, first = fleet.take()
            await until(lambda: two[0].text().count("'delete'") >= 6 + 4)  # those of the trial, and ours
            assert (await first.count()).received == 0, "what was taken stays"
            await until(lambda: member.ready == 2)

    asyncio.run(scene())


def test_an_engine_is_tried_with_all_that_it_may_be_asked_for(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng) as fleet:
            assert fleet.members[0].cannot == ()

    asyncio.run(scene())


def test_a_dead_engine_gets_no_legs_and_is_told_of(
    two: list[Rtpengine], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng, two[1].ng) as fleet:
            changes: list[tuple[str, str]] = []
            fleet.on_change = lambda address, failure: changes.append((address, failure))
            await take(fleet, 2)
            two[0].kill()
            await until(lambda: bool(changes))
            assert changes[0][0] == two[0].address
            assert re.search(SILENT, changes[0][1])
            await take(fleet, 4)
            assert [each.legs for each in fleet.members] == [1, 5]
            dead, alive = fleet.statistics()
            assert (dead.up, alive.up, alive.failure) == (False, True, "")
            assert re.search(SILENT, dead.failure)
            assert len(changes) == 1, "told once"

    with caplog.at_level(logging.INFO, logger="onhook"):
        asyncio.run(scene())
    (gone,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert f"rtpengine {two[0].address}: no answer" in gone.message
    assert "gets no more calls, 1 legs are on it" in gone.message


def test_with_all_dead_it_is_said_of_each_why(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng, two[1].ng) as fleet:
            for engine in two:
                engine.kill()
            await until(lambda: all(each.failure for each in fleet.members))
            with pytest.raises(PortsUsedUp) as none:
                fleet.take()
            for engine in two:
                assert re.search(f"{engine.address} with 0 legs: {SILENT}", str(none.value))

    asyncio.run(scene())


def test_an_engine_that_comes_back_gets_legs_again(tmp_path: Path) -> None:
    async def scene(engine: Rtpengine) -> Rtpengine:
        async with fleet_of(engine.ng) as fleet:
            changes: list[str] = []
            fleet.on_change = lambda _address, failure: changes.append(failure)
            (member,) = fleet.members
            engine.kill()
            await until(lambda: bool(member.failure))
            again = await asyncio.to_thread(start, tmp_path, host=engine.host)
            await until(lambda: not member.failure and member.ready == 4)
            assert fleet.take()[1].outer[0] == engine.host
            assert changes[-1] == ""
            return again

    with rtpengine(tmp_path) as engine:
        again = asyncio.run(scene(engine))
        again.kill()


def test_an_engine_that_is_not_there_at_the_start_is_waited_for_a_little(tmp_path: Path) -> None:
    async def scene() -> Rtpengine:
        host = free_host()
        async with fleet_of((host, 2223)) as fleet:
            (member,) = fleet.members
            assert re.search(SILENT, member.failure)
            with pytest.raises(PortsUsedUp):
                fleet.take()
            later = await asyncio.to_thread(start, tmp_path, host=host)
            await until(lambda: not member.failure)
            assert fleet.take()[1].outer[0] == host
            return later

    asyncio.run(scene()).kill()


def test_a_frozen_engine_is_as_good_as_dead_until_it_thaws(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng, two[1].ng) as fleet:
            member = fleet.members[0]
            two[0].freeze()
            await until(lambda: bool(member.failure))
            two[0].thaw()
            await until(lambda: not member.failure)

    asyncio.run(scene())


def test_whoever_finds_an_engine_silent_may_say_so(two: list[Rtpengine]) -> None:
    async def scene() -> None:
        async with fleet_of(two[0].ng, settings=replace(SETTINGS, ping_seconds=30)) as fleet:
            (member,) = fleet.members
            fleet.failed(EngineRefused(member.address, "a leg of its own"))
            fleet.failed(EngineSilent("127.0.0.1:1", "somebody else"))
            assert member.failure == ""
            fleet.failed(EngineSilent(member.address, "nothing came"))
            assert member.failure == "nothing came"
            await until(lambda: not member.failure)  # it is asked at once, and is there

    asyncio.run(scene())


def test_an_engine_without_ports_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    async def scene(engine: Rtpengine) -> None:
        async with fleet_of(engine.ng, settings=replace(SETTINGS, ready=12)) as fleet:
            (member,) = fleet.members
            await until(lambda: bool(member.refusal))
            had = member.ready
            assert 1 <= had < 12
            assert member.failure == ""
            for _ in range(had):
                fleet.take()
            with pytest.raises(PortsUsedUp, match="offer refused: "):
                fleet.take()
            assert "offer refused" in fleet.statistics()[0].failure

    with rtpengine(tmp_path, "--port-min=20000", "--port-max=20039") as engine:
        asyncio.run(scene(engine))


def test_stopping_leaves_nothing_behind(two: list[Rtpengine]) -> None:
    async def sessions() -> int:
        client = ng.NgClient(*two[0].ng)
        await client.open()
        calls = (await client.ask("list"))["calls"]
        client.close()
        assert isinstance(calls, list)
        return len(calls)

    async def scene() -> None:
        async with fleet_of(two[0].ng) as fleet:
            assert await sessions() == 4
            assert fleet.statistics() == [
                Statistics(engine=two[0].address, up=True, legs=0, ready=4, sessions=4, repeats=0)
            ]
        async with asyncio.timeout(WAIT_SECONDS):
            while await sessions():  # noqa: ASYNC110  # as in until
                await asyncio.sleep(0.01)

    asyncio.run(scene())
