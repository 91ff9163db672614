"""SIPp as the trunk: calls that our side takes back, and what can cross a CANCEL (RFC 3261 section 9.1)."""

import asyncio
from pathlib import Path

import pytest

from interop.sipp_trunk.rig import FAILED, Rig, hang_up_when_ringing, play
from interop.sipp_trunk.sipp import Sipp

pytestmark = pytest.mark.interop

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
AS_SEEN = ("-nr",)
CANCELLED = (487, 560487, "cancelled-by-app")
CROSSED = (487, 560487, "cancel-crossed-answer")


async def hang_up_at_once(made: Rig, call: str, _: Sipp) -> None:
    await made.until(call, "→ INVITE")
    assert await made.hang_up(call) == 204


@BOTH
async def test_cancelled_while_it_rings(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "cancel.xml", transport, hang_up_when_ringing)
    assert played.told.codes == CANCELLED
    assert played.told.evidence == ["→ INVITE", "← 180", "api hangUp", "→ CANCEL", "← 487"]
    assert played.told.events == FAILED
    (invite,), (cancel,) = played.far_end.requests("INVITE"), played.far_end.requests("CANCEL")
    for name in ("Via", "From", "To", "Call-ID"):
        assert line_of(name, cancel) == line_of(name, invite)
    assert (line_of("CSeq", invite), line_of("CSeq", cancel)) == ("CSeq: 1 INVITE", "CSeq: 1 CANCEL")
    assert cancel.split()[1] == invite.split()[1]


def line_of(name: str, message: str) -> str:
    return next(line for line in message.splitlines() if line.startswith(f"{name}:"))


@BOTH
async def test_the_answer_crosses_the_cancel(tmp_path: Path, transport: str) -> None:
    """The 200 wins: it is acknowledged and released, and the application is told that it cancelled."""
    played = await play(tmp_path, "cancel_crossed.xml", transport, hang_up_when_ringing)
    assert played.told.codes == CROSSED
    assert played.told.evidence == ["→ INVITE", "← 180", "api hangUp", "→ CANCEL", "← 200", "→ BYE"]
    assert played.told.events == FAILED
    received = [message.split()[0] for message in played.far_end.received]
    assert received == ["INVITE", "CANCEL", "ACK", "BYE"]


@BOTH
async def test_it_rings_on_after_the_cancel(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "late_ringing.xml", transport, hang_up_when_ringing)
    assert played.told.codes == CANCELLED
    assert played.told.events == FAILED


@BOTH
async def test_the_cancel_is_refused(tmp_path: Path, transport: str) -> None:
    played = await play(tmp_path, "cancel_refused.xml", transport, hang_up_when_ringing)
    assert played.told.codes == CANCELLED
    assert played.told.events == FAILED
    assert any("486 Busy Here, not 487" in remark for remark in played.told.remarks)


async def test_a_lost_cancel_comes_again(tmp_path: Path) -> None:
    played = await play(tmp_path, "cancel_repeated.xml", "udp", hang_up_when_ringing, options=AS_SEEN)
    assert played.told.codes == CANCELLED
    assert played.told.events == FAILED
    first, second, third = played.far_end.requests("CANCEL")
    assert first == second == third


@BOTH
async def test_hung_up_before_any_response(tmp_path: Path, transport: str) -> None:
    """No CANCEL before the first response (section 9.1); over UDP the INVITE is repeated until then."""
    options = (*AS_SEEN, "-pause_msg_ign")
    played = await play(tmp_path, "hung_up_early.xml", transport, hang_up_at_once, options=options)
    assert played.told.codes == CANCELLED
    assert played.told.evidence == ["→ INVITE", "api hangUp", "← 180", "→ CANCEL", "← 487"]
    assert played.told.events == FAILED
    timeline = played.told.timeline
    assert timeline.index("→ CANCEL") == timeline.index("← 180") + 1
    assert timeline.count("→ CANCEL") == 1
    assert timeline.count("→ INVITE") == (2 if transport == "udp" else 1)


@BOTH
@pytest.mark.parametrize(
    ("scenario", "ending", "evidence"),
    [
        ("cancel.xml", "rang-out", ["→ INVITE", "← 100", "← 180", "timer setup", "→ CANCEL", "← 487"]),
        ("trying_only.xml", "trunk-stalled", ["→ INVITE", "← 100", "timer setup", "→ CANCEL", "← 487"]),
    ],
)
async def test_the_set_up_time_runs_out(
    tmp_path: Path, transport: str, scenario: str, ending: str, evidence: list[str]
) -> None:
    played = await play(tmp_path, scenario, transport, settings={"sip__setup_timeout_seconds": 1})
    assert played.told.codes == (487, 560487, ending)
    assert played.told.evidence == evidence
    assert played.told.events == FAILED


@BOTH
async def test_silence_and_then_it_rings(tmp_path: Path, transport: str) -> None:
    """The application was told that the trunk is silent; the phone that rings late is cancelled."""
    settings = {"trunk__sipp__no_response_seconds": 0.8}
    played = await play(tmp_path, "silent.xml", transport, options=AS_SEEN, settings=settings)
    assert played.told.codes == (408, 500001, "trunk-silent")
    assert played.told.evidence == ["→ INVITE", "timer no-response"]
    assert played.told.events == FAILED
    assert "180 came after the call was over" in played.told.remarks
    assert len(played.far_end.requests("INVITE")) == (2 if transport == "udp" else 1)


@BOTH
async def test_silence_for_good(tmp_path: Path, transport: str) -> None:
    settings = {"trunk__sipp__no_response_seconds": 0.8}
    played = await play(tmp_path, "deaf.xml", transport, options=AS_SEEN, settings=settings)
    assert played.told.codes == (408, 500001, "trunk-silent")
    assert played.told.evidence == ["→ INVITE", "timer no-response"]
    assert "sipDetails" not in played.told.result  # nobody sent a status
    assert played.told.events == FAILED


async def test_an_answer_after_the_cancel_was_given_up(tmp_path: Path) -> None:
    """33 s after a CANCEL that was taken and not obeyed, the phone is answered: ACK and BYE all the same.

    Over both transports side by side, because it takes its time: 64*T1 (RFC 3261 section 9.1).
    """
    both = [
        play(tmp_path / transport, "late_answer.xml", transport, hang_up_when_ringing)
        for transport in ("udp", "tcp")
    ]
    for played in await asyncio.gather(*both):
        assert played.told.codes == CANCELLED
        assert played.told.evidence == ["→ INVITE", "← 180", "api hangUp", "→ CANCEL"]
        assert played.told.events == FAILED
        received = [message.split()[0] for message in played.far_end.received]
        assert received == ["INVITE", "CANCEL", "ACK", "BYE"]
        assert "timer CANCEL" in played.told.timeline
        assert "200 came after the call was over" in played.told.remarks
