"""SIPp answers and sends no RTP: real sockets, real time, and the endings of calls without audio."""

from pathlib import Path

import pytest

from interop.sipp_trunk.rig import TALKED, rig
from interop.sipp_trunk.sipp import free_port, sipp

pytestmark = pytest.mark.interop
SOON = {"media__silent_after_seconds": 0.4, "media__end_after_silence_seconds": 1.2}


async def test_our_side_ends_a_call_of_which_nothing_is_heard(tmp_path: Path) -> None:
    port = free_port()
    async with (
        rig(tmp_path, port, settings=SOON) as made,
        sipp("answer.xml", tmp_path / "sipp", port=port) as far_end,
    ):
        told = await made.told(await made.call())
        await far_end.ended()
    assert told.codes == (410, 301004, "no-rtp-ever")
    assert told.events == TALKED
    assert told.timeline.count("rtp-stopped") == 1
    assert told.media["received"] == 0
    assert told.media["sent"] >= 20
    stopped = next(fact for fact in told.facts if fact["kind"] == "rtp-stopped")
    fired = next(fact for fact in told.facts if fact["kind"] == "timer" and fact["name"] == "no-rtp")
    assert 0.4 <= stopped["silent_seconds"] < 1.0
    assert fired["at"] - stopped["at"] + stopped["silent_seconds"] == pytest.approx(1.2, abs=0.15)
    (leg,) = told.why["audio"]
    assert (leg["rating"], leg["received"]) == ("none", 0)


async def test_the_far_end_reads_why_it_is_left(tmp_path: Path) -> None:
    port = free_port()
    async with (
        rig(tmp_path, port, settings=SOON) as made,
        sipp("answer.xml", tmp_path / "sipp", port=port) as far_end,
    ):
        await made.told(await made.call())
        ended = await far_end.ended()
    bye = ended.received[-1]
    assert bye.startswith("BYE ")
    assert 'Reason: Q.850;cause=102;text="no RTP for 1.2 s"' in bye


async def test_a_far_end_that_hangs_up_on_silence_is_told_apart_from_one_that_was_heard(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with (
        rig(tmp_path, port, settings={"media__end_after_silence_seconds": 0}) as made,
        sipp("answer_hang_up_late.xml", tmp_path / "sipp", port=port) as far_end,
    ):
        told = await made.told(await made.call())
        await far_end.ended()
    assert told.codes == (0, 560000, "no-rtp-ever")
    assert "rtp-stopped" not in told.timeline
