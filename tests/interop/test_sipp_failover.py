"""Two carriers over real sockets, both SIPp, the first of them dead: the call connects by the other."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from interop.sipp_trunk.rig import TALKED, Rig, Told, rig
from interop.sipp_trunk.sipp import Sipp, free_port, sipp

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
UNAVAILABLE = {"status": "503 Service Unavailable", "reason": "Q.850;cause=34"}


@contextlib.asynccontextmanager
async def two_trunks(
    folder: Path, transport: str, first: int, **settings: object
) -> AsyncGenerator[tuple[Rig, Sipp]]:
    """A server with trunk sipp at port `first` and trunk spare, which answers and is hung up by us."""
    spare = free_port()
    given: dict[str, object] = {
        "trunk__sipp__no_response_seconds": 0.8,
        "trunk__spare__host": "127.0.0.1",
        "trunk__spare__port": spare,
        "trunk__spare__transport": transport,
        "trunk__spare__options_seconds": 0,
        "route__0__pattern": r"\+[0-9]+",
        "route__0__trunks": "sipp,spare",
        **settings,
    }
    async with (
        sipp("answer.xml", folder / "spare", port=spare, transport=transport) as other,
        rig(folder, first, transport, given) as made,
    ):
        yield made, other


async def connects(made: Rig, other: Sipp) -> Told:
    call = await made.call()
    await made.connected(call)
    assert await made.hang_up(call) == 204
    told = await made.told(call)
    assert told.codes == (0, 7000, "hung-up-by-app")
    assert told.events == TALKED
    ended = await other.ended()
    ended.check()
    assert len(ended.requests("INVITE")) == 1
    return told


def attempts(told: Told) -> list[tuple[str, str]]:
    found: list[dict[str, Any]] = told.why["attempts"]
    return [(each["trunk"], each["ending"]) for each in found]


@BOTH
async def test_the_first_carrier_refuses_connections(tmp_path: Path, transport: str) -> None:
    async with two_trunks(tmp_path, transport, free_port()) as (made, other):
        told = await connects(made, other)
        assert attempts(told) == [("sipp", "trunk-unreachable")]


@BOTH
async def test_the_first_carrier_is_out_of_service(tmp_path: Path, transport: str) -> None:
    port = free_port()
    async with (
        sipp("refuse.xml", tmp_path / "first", port=port, transport=transport, keys=UNAVAILABLE) as dead,
        two_trunks(tmp_path, transport, port) as (made, other),
    ):
        told = await connects(made, other)
        (await dead.ended()).check()
        assert attempts(told) == [("sipp", "trunk-unavailable")]


@BOTH
async def test_the_first_carrier_is_silent_and_rings_when_it_is_too_late(
    tmp_path: Path, transport: str
) -> None:
    """It gets CANCEL at its first word: no telephone rings beside the one that answered."""
    port = free_port()
    async with (
        sipp("silent.xml", tmp_path / "first", port=port, transport=transport, options=("-nr",)) as slow,
        two_trunks(tmp_path, transport, port) as (made, other),
    ):
        told = await connects(made, other)
        ended = await slow.ended()
        ended.check()
        assert len(ended.requests("CANCEL")) == 1
        assert attempts(told) == [("sipp", "trunk-silent")]


@BOTH
async def test_an_answer_of_the_first_carrier_that_comes_too_late_is_released(
    tmp_path: Path, transport: str
) -> None:
    port = free_port()
    async with (
        sipp(
            "answers_too_late.xml", tmp_path / "first", port=port, transport=transport, options=("-nr",)
        ) as slow,
        two_trunks(tmp_path, transport, port) as (made, other),
    ):
        told = await connects(made, other)
        ended = await slow.ended()
        ended.check()
        assert [len(ended.requests(name)) for name in ("ACK", "BYE", "CANCEL")] == [1, 1, 0]
        assert attempts(told) == [("sipp", "trunk-silent")]
