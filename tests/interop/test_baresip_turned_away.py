"""baresip calls in, and nobody talks to it: rejected, given up, left to ring, a number that nobody has."""

from pathlib import Path
from typing import Any

import pytest
from azure.communication.callautomation import CallRejectReason

from interop.baresip.desk import dialling, ignore, reject
from interop.baresip.phone import NUMBER as CALLER

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("transport", ["udp", "tcp"])]

NOT_OWNED = "+14255559999"
RING_SECONDS = 3
"""Long enough for Event Grid to tell the application of the call first, on a busy machine too."""
ELSEWHERE: dict[str, Any] = {"carrier__enabled": "false", "trunk__sbc__host": "127.0.0.2"}
"""The only trunk calls from another address than the telephone."""


@pytest.mark.parametrize(
    ("reason", "status", "phrase", "ending"),
    [
        (CallRejectReason.NONE, 603, "Decline", "rejected-by-app"),
        (CallRejectReason.BUSY, 486, "Busy Here", "inbound-busy"),
        (CallRejectReason.FORBIDDEN, 403, "Forbidden", "forbidden-by-app"),
    ],
    ids=lambda value: value.value if isinstance(value, CallRejectReason) else None,
)
async def test_the_application_rejects(  # noqa: PLR0917  # fixtures and a case
    tmp_path: Path, transport: str, reason: CallRejectReason, status: int, phrase: str, ending: str
) -> None:
    async with dialling(tmp_path, reject(reason), transport) as (desk, phone):
        assert await phone.closed() == f"{status} {phrase}"
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (status, 540_000 + status, ending)
        assert f"we refused with {status} {phrase}" in told.shows
        assert "the application rejected the call (rejectCall" in told.shows
        assert told.transports == {transport}
        assert (desk.grid, desk.types) == (["IncomingCall"], [])
        assert f"session closed: {status} {phrase}" in printed
        assert "SIP Progress: 180 Ringing" in printed


async def test_the_caller_gives_up_while_it_rings(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, ignore, transport) as (desk, phone):
        await phone.rings()
        await desk.heard("IncomingCall")
        phone.hang_up()
        assert await phone.closed() == "Connection reset by user"
        told = await desk.told()
        await phone.quit()
        assert told.codes == (487, 540487, "caller-gave-up")
        assert told.shows.endswith("trunk carrier took the call back (CANCEL)")
        assert told.transports == {transport}
        assert [caller["from"]["rawId"] for caller in desk.incoming] == [f"4:{CALLER}"]
        assert (desk.grid, desk.types) == (["IncomingCall"], [])


async def test_nobody_answers(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, ignore, transport, sip__ring_seconds=RING_SECONDS) as (desk, phone):
        assert await phone.closed() == "480 Temporarily Unavailable"
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (480, 540480, "inbound-unanswered")
        assert "no application had answered or rejected it" in told.shows
        assert (desk.grid, desk.types) == (["IncomingCall"], [])
        assert "session closed: 480 Temporarily Unavailable" in printed


async def test_no_application_hears_of_it(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, ignore, transport, subscribed=False, sip__ring_seconds=1) as (desk, phone):
        assert await phone.closed() == "480 Temporarily Unavailable"
        await phone.quit()
        told = await desk.told()
        assert told.codes == (480, 10037, "inbound-nobody-heard")
        assert told.shows.endswith("we refused with 480 Temporarily Unavailable")
        assert (desk.grid, desk.types) == ([], [])


async def test_a_stranger_is_not_let_in(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, ignore, transport, **ELSEWHERE) as (desk, phone):
        assert await phone.closed() == "403 Forbidden"
        printed = await phone.quit()
        (refused,) = desk.server.switch.door.reports
        assert (refused.why, refused.status, refused.number) == ("stranger", 403, "+14255550100")
        assert "is the address of no trunk" in refused.detail
        assert desk.server.store.calls(1) == []
        assert (desk.grid, desk.types) == ([], [])
        assert "session closed: 403 Forbidden" in printed


async def test_a_number_that_nobody_owns(tmp_path: Path, transport: str) -> None:
    async with dialling(tmp_path, ignore, transport, number=NOT_OWNED) as (desk, phone):
        assert await phone.closed() == "404 Not Found"
        printed, told = await phone.quit(), await desk.told()
        assert told.codes == (404, 511404, "inbound-number-unknown")
        assert f"no resource owns {NOT_OWNED}" in told.shows
        assert (desk.grid, desk.types) == ([], [])
        assert "session closed: 404 Not Found" in printed
