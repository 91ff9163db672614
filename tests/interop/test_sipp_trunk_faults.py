"""SIPp as the trunk: far ends that break, freeze, vanish or talk nonsense."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interop.sipp_trunk.rig import FAILED, TALKED, Rig, hang_up_when_connected, play, rig
from interop.sipp_trunk.sipp import Sipp, free_port, sipp

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
BY_US = (0, 7000, "hung-up-by-app")
UNREACHABLE = (504, 569002, "trunk-unreachable")
ONE_INVITE = {"trunk__sipp__no_response_seconds": 0.8}
SDP = "v=0\no=- 7 7 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
UNUSABLE = {
    "the audio is refused": f"{SDP}m=audio 0 RTP/AVP 0\n",
    "a codec that was not offered": f"{SDP}m=audio 6000 RTP/AVP 18\n",
    "no SDP at all": "this is no session description\n",
}


@asynccontextmanager
async def talking(
    folder: Path, transport: str, *, rings_ms: int = 0
) -> AsyncGenerator[tuple[Rig, str, Sipp, int]]:
    """A call to a far end that will do nothing more of its own accord."""
    port = free_port()
    keys = {"rings_ms": str(rings_ms)}
    async with (
        rig(folder, port, transport) as made,
        sipp("left_alone.xml", folder / "sipp", port=port, transport=transport, keys=keys) as far_end,
    ):
        yield made, await made.call(), far_end, port


@BOTH
async def test_nobody_listens(tmp_path: Path, transport: str) -> None:
    """TCP is refused; over UDP the host says so by ICMP."""
    async with rig(tmp_path, free_port(), transport) as made:
        told = await made.told(await made.call())
        assert told.codes == UNREACHABLE
        assert told.evidence == ["→ INVITE", "failed: refused"]
        assert told.events == FAILED
        assert "sipDetails" not in told.result
        assert made.server.switch.calls == {}


async def test_the_connection_closes_before_any_response(tmp_path: Path) -> None:
    port = free_port()
    async with (
        rig(tmp_path, port, "tcp") as made,
        sipp("deaf.xml", tmp_path / "sipp", port=port, transport="tcp") as far_end,
    ):
        call = await made.call()
        await made.until(call, "→ INVITE")
        await far_end.until_received("INVITE")
        far_end.kill()
        told = await made.told(call)
        assert told.codes == UNREACHABLE
        assert told.evidence[0] == "→ INVITE"
        assert told.evidence[1] in {"failed: closed", "failed: reset"}
        assert told.events == FAILED


async def over_both(folder: Path, run: Callable[[Path, str], Awaitable[None]]) -> None:
    """Side by side, for what takes its 4 seconds."""
    await asyncio.gather(*(run(folder / transport, transport) for transport in ("udp", "tcp")))


async def test_the_far_end_vanishes_while_it_rings(tmp_path: Path) -> None:
    await over_both(tmp_path, vanish_while_ringing)


async def vanish_while_ringing(folder: Path, transport: str) -> None:
    """An answer could still come, from elsewhere too; so it is the application that ends this call."""
    async with talking(folder, transport, rings_ms=30_000) as (made, call, far_end, _):
        await made.until(call, "← 180")
        far_end.kill()
        await far_end.ended()
        assert made.listener.types(call) == []
        assert await made.hang_up(call) == 204
        told = await made.told(call)
        assert told.codes == (487, 560487, "cancelled-by-app")
        assert told.evidence == ["→ INVITE", "← 180", "api hangUp", "→ CANCEL"]
        assert told.timeline.count("failed: refused") == 1
        assert told.events == FAILED


@BOTH
async def test_the_far_end_vanishes_during_the_call(tmp_path: Path, transport: str) -> None:
    async with talking(tmp_path, transport) as (made, call, far_end, _):
        await made.connected(call)
        far_end.kill()
        await far_end.ended()
        assert await made.hang_up(call) == 204
        told = await made.told(call)
        assert told.codes == BY_US
        assert told.evidence == ["→ INVITE", "← 180", "← 200", "api hangUp", "→ BYE"]
        assert "failed: refused" in told.timeline
        assert told.events == TALKED


@BOTH
async def test_the_far_end_starts_again_during_the_call(tmp_path: Path, transport: str) -> None:
    """Over TCP the connection of the call is gone: the BYE opens another one."""
    async with talking(tmp_path, transport) as (made, call, far_end, port):
        await made.connected(call)
        far_end.kill()
        await far_end.ended()
        async with sipp("bye_only.xml", tmp_path / "again", port=port, transport=transport) as again:
            assert await made.hang_up(call) == 204
            (await again.ended()).check()
        told = await made.told(call)
        assert told.codes == BY_US
        assert told.timeline.count("→ BYE") == 1
        assert told.events == TALKED


async def test_a_far_end_that_does_not_read(tmp_path: Path) -> None:
    await over_both(tmp_path, freeze)


async def freeze(folder: Path, transport: str) -> None:
    """Stopped in the middle of the call: the BYE stays unanswered, and the application is told in 4 s."""
    port = free_port()
    async with (
        rig(folder, port, transport) as made,
        sipp("frozen.xml", folder / "sipp", port=port, transport=transport) as far_end,
    ):
        call = await made.call()
        await far_end.until_received("ACK")
        far_end.signal(signal.SIGSTOP)
        assert await made.hang_up(call) == 204
        told = await made.told(call)
        assert told.codes == BY_US
        assert "timer release" in told.timeline
        assert told.timeline.count("→ BYE") == (4 if transport == "udp" else 1)
        assert told.events == TALKED
        far_end.signal(signal.SIGCONT)
        (await far_end.ended()).check()
        await made.until(call, "← 200", 2)  # its 200 to the BYE is noted, late as it is
        assert (await made.told(call)).codes == BY_US


@BOTH
@pytest.mark.parametrize("garbage", ["HTTP/1.1 400 Bad Request", "~~~ %s%n ~~~"])
async def test_garbage_for_an_answer(tmp_path: Path, transport: str, garbage: str) -> None:
    played = await play(
        tmp_path, "garbage.xml", transport, keys={"garbage": garbage}, options=("-nr",), settings=ONE_INVITE
    )
    assert played.told.codes == (504, 569018, "malformed-answer")
    assert played.told.evidence == ["→ INVITE", "sip-unreadable", "timer no-response"]
    assert played.told.events == FAILED


@BOTH
async def test_garbage_and_then_a_refusal(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "broken_then_busy.xml", transport, keys={"garbage": "NOT/SIP 1 2"})
    assert played.told.codes == (486, 560486, "callee-busy")
    assert played.told.evidence == ["→ INVITE", "← 486"]
    assert any("no SIP message" in remark for remark in played.told.remarks)
    assert played.told.events == FAILED


@BOTH
async def test_headers_beyond_our_limits(tmp_path: Path, transport: str) -> None:
    keys = {"huge": f"X-Huge: {'h' * 9000}"}
    played = await play(tmp_path, "too_huge.xml", transport, keys=keys)
    assert played.told.codes == (486, 560486, "callee-busy")
    assert any("header line longer than 8192 characters: 'X-Huge'" in shows for shows in played.told.remarks)
    assert played.told.events == FAILED


@BOTH
@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
async def test_an_answer_that_cannot_be_used(tmp_path: Path, transport: str, body: str) -> None:
    """It is acknowledged, and released with a Reason; SIPp checks that."""
    played = await play(tmp_path, "unusable.xml", transport, keys={"body": body})
    assert played.told.codes == (410, 531000, "answer-unusable")
    assert played.told.evidence == ["→ INVITE", "← 180", "← 200", "→ BYE"]
    assert played.told.events == FAILED


async def test_a_call_goes_well_after_all_that(tmp_path: Path) -> None:
    """The same server: first nobody listens, then nonsense comes, then a call like any other."""
    port = free_port()
    async with rig(tmp_path, port, settings=ONE_INVITE) as made:
        assert (await made.told(await made.call())).codes == UNREACHABLE
        keys = {"garbage": "HTTP/1.1 400 Bad Request"}
        async with sipp("garbage.xml", tmp_path / "1", port=port, keys=keys, options=("-nr",)) as far_end:
            assert (await made.told(await made.call())).codes[2] == "malformed-answer"
            (await far_end.ended()).check()
        async with sipp("answer.xml", tmp_path / "2", port=port) as far_end:
            call = await made.call()
            await hang_up_when_connected(made, call, far_end)
            assert (await made.told(call)).codes == BY_US
            (await far_end.ended()).check()
        assert made.server.switch.calls == {}
