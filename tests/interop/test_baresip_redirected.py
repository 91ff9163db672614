"""baresip calls in and is redirected to a test number of the built-in carrier; the two talk without us."""

import re
from pathlib import Path

import pytest

from interop.baresip.desk import Desk, Json, dialling, redirect
from interop.baresip.phone import Phone

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("transport", ["udp", "tcp"])]

ANSWERS, ANSWERS_AND_HANGS_UP = "+14255550200", "+14255550201"
RINGS, BUSY = "+14255550181", "+14255550486"
REDIRECTED = {"IncomingCall", "CallStarted", "CallEnded"}


async def check_talk(desk: Desk, phone: Phone) -> None:
    """They hear each other, and no RTP port of ours is between them."""
    await phone.talks()
    await phone.hears()
    source = re.search(r"established, receiving from 127\.0\.0\.1:(\d+)", phone.printed)
    assert source, phone.printed
    media = desk.server.config.media
    assert not media.first_port <= int(source[1]) <= media.last_port + 1


async def check_grid(desk: Desk) -> None:
    """The application heard of it, and has no connection in it."""
    for kind in REDIRECTED:
        await desk.heard(kind)
    assert desk.grid[0] == "IncomingCall"
    assert sorted(desk.grid) == sorted(REDIRECTED)
    assert desk.types == []


def rings_there(facts: list[Json]) -> bool:
    """The other party has sent 180."""
    received = [fact["message"] for fact in facts if fact.get("direction") == "received"]
    return any(message.startswith("SIP/2.0 180 ") for message in received)


async def test_the_other_party_answers_and_hangs_up(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, redirect(ANSWERS_AND_HANGS_UP), transport) as (desk, phone):
        await check_talk(desk, phone)
        assert await phone.closed() == "Connection reset by peer"
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (0, 560000, "hung-up-by-phone")
        assert told.shows.endswith(f"trunk carrier ({ANSWERS_AND_HANGS_UP}) ended the call (BYE)")
        assert "media" not in told.kinds
        assert told.transports == {transport}
        await check_grid(desk)
        assert "session closed: Connection reset by peer" in printed


async def test_the_caller_hangs_up(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, redirect(ANSWERS), transport) as (desk, phone):
        await check_talk(desk, phone)
        phone.hang_up()
        assert await phone.closed() == "Connection reset by user"
        await phone.quit()
        told = await desk.told()
        assert told.codes == (0, 540000, "caller-hung-up")
        assert f"the application redirected the call to {ANSWERS} (redirectCall)" in told.shows
        assert "media" not in told.kinds
        await check_grid(desk)


async def test_the_other_party_is_busy(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, redirect(BUSY), transport) as (desk, phone):
        assert await phone.closed() == "486 Busy Here"
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (486, 540486, "redirected-by-app")
        assert f"trunk carrier ({BUSY}) refused with 486 Busy Here" in told.shows
        assert told.shows.endswith("we refused with 486 Busy Here")
        assert (desk.grid, desk.types) == (["IncomingCall"], [])
        assert "session closed: 486 Busy Here" in printed


async def test_the_caller_gives_up_while_the_other_party_rings(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, redirect(RINGS), transport) as (desk, phone):
        await phone.rings()
        await desk.until(rings_there)
        phone.hang_up()
        assert await phone.closed() == "Connection reset by user"
        await phone.quit()
        told = await desk.told()
        assert told.codes == (487, 540487, "caller-gave-up")
        assert told.shows.endswith("took the call back (CANCEL)")
        assert sum("SIP/2.0 487 " in str(fact.get("message")) for fact in told.facts) == 2
        assert (desk.grid, desk.types) == (["IncomingCall"], [])
