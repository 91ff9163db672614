"""baresip, a telephone that we did not write, calls in and talks; SDK, Event Grid, SIP and RTP are real.

It calls from 127.0.0.1, the address of the only trunk: the built-in carrier, which redirected calls go to.
"""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

from pathlib import Path

import pytest

from interop.baresip.desk import Desk, Json, answer, dialling
from interop.baresip.phone import NUMBER as CALLER
from interop.baresip.phone import Phone

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("transport", ["udp", "tcp"])]

TALKED = ["CallConnected", "ParticipantsUpdated", "CallDisconnected"]
GRID = {"IncomingCall", "CallStarted", "CallParticipantAdded", "CallParticipantRemoved", "CallEnded"}


async def talking(desk: Desk, phone: Phone) -> Json:
    """Until each hears the other; gives CallConnected."""
    connected = await desk.event("CallConnected")
    await phone.talks()
    await phone.hears()
    await desk.hears_caller()
    return connected


async def check_grid(desk: Desk) -> None:
    """Each once: IncomingCall before all others, which come in any order."""
    for kind in GRID:
        await desk.heard(kind)
    assert desk.grid[0] == "IncomingCall"
    assert sorted(desk.grid) == sorted(GRID)
    (incoming,) = desk.incoming
    assert incoming["from"]["rawId"] == f"4:{CALLER}"
    assert incoming["to"]["rawId"] == "4:+14255550100"


async def test_the_application_answers_and_hangs_up(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, answer, transport) as (desk, phone):
        connected = await talking(desk, phone)
        await desk.client.get_call_connection(connected["callConnectionId"]).hang_up(is_for_everyone=True)
        over = (await desk.event("CallDisconnected"))["resultInformation"]
        assert await phone.closed() == "Connection reset by peer"
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (0, 7000, "hung-up-by-app")
        assert (over["code"], over["subCode"]) == (200, 7000)
        assert "the application asked to end the call (terminate); we ended the call (BYE)" in told.shows
        assert desk.types == TALKED
        await check_grid(desk)
        assert told.transports == {transport}
        assert (told.heard["codec"], bool(told.heard["received"])) == ("PCMU", True)
        assert f"{CALLER}@127.0.0.1: Call established" in printed
        assert "session closed: Connection reset by peer" in printed


async def test_the_phone_hangs_up(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, answer, transport) as (desk, phone):
        await talking(desk, phone)
        phone.hang_up()
        over = (await desk.event("CallDisconnected"))["resultInformation"]
        assert await phone.closed() == "Connection reset by user"
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (0, 540000, "caller-hung-up")
        assert (over["code"], over["subCode"]) == (told.why["event_code"], 540000)
        assert told.shows.endswith("we answered; trunk carrier ended the call (BYE)")
        assert desk.types == TALKED
        await check_grid(desk)
        assert told.transports == {transport}
        assert "call: terminate call" in printed


async def test_a_phone_with_one_codec_is_answered_with_it(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, answer, transport, codecs="PCMA") as (desk, phone):
        await talking(desk, phone)
        phone.hang_up()
        await phone.closed()
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (0, 540000, "caller-hung-up")
        assert told.heard["codec"] == "PCMA"
        assert told.remarks == []
        assert "Set audio decoder: PCMA 8000Hz" in printed


async def test_the_phone_holds_and_resumes(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, answer, transport) as (desk, phone):
        await talking(desk, phone)
        phone.hold()
        await desk.gets("ACK", 2)
        phone.resume()
        await desk.gets("ACK", 3)
        phone.hang_up()
        await phone.closed()
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (0, 540000, "caller-hung-up")
        assert (told.answers("a=recvonly"), told.answers("a=sendrecv")) == (1, 2)
        await desk.event("CallDisconnected")
        assert desk.types == TALKED
        assert "call: hold sip:" in printed
        assert "call: resume sip:" in printed
