"""Kamailio and rtpengine, which we did not write, between Onhook and telephones: baresip, linphone, SIPp."""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from azure.communication.callautomation import PhoneNumberIdentifier

from interop.baresip.desk import NUMBER, Desk, answer, desk
from interop.baresip.phone import Kit, baresip
from interop.kamailio.sbc import SIP_PORT, Sbc, sbc
from interop.linphone.softphone import linphone
from interop.phone_audio import compare
from interop.sipp_trunk.sipp import sipp
from interop.talk import TONES, Telephone, collect, connection, play
from interop.whole_server import free_port

pytestmark = pytest.mark.interop
PHONE = "+14255550177"
HEARD_BACK = 150
"""Packets that SIPp sends back of three prompts of 1.8 s, at the least: 270 were sent."""
by_any = pytest.mark.parametrize("name", ["baresip", "linphone"])
in_any = pytest.mark.parametrize("srtp", [False, True], ids=["rtp", "srtp"])


def trunk(before: Sbc, port: int) -> dict[str, Any]:
    return {
        "sip__port": port,
        "carrier__enabled": "false",
        "trunk__sbc__host": before.host,
        "trunk__sbc__port": SIP_PORT,
    }


def telephone(
    name: str, folder: Path, registrar: str, *, answers: bool, srtp: bool
) -> AbstractAsyncContextManager[Telephone]:
    if name == "linphone":
        return linphone(folder, number=PHONE, registrar=registrar, answers=answers, srtp=srtp)
    return baresip(folder, Kit(number=PHONE, registrar=registrar, answers=answers, srtp=srtp, records=True))


async def talked(opened: Desk, phone: Telephone) -> None:
    """Each is heard by the other, whole."""
    call = await connection(opened)
    await phone.talks()
    await opened.hears_caller()
    await play(opened, call)
    assert await collect(opened, call, phone, PHONE) == TONES


@by_any
@in_any
async def test_calls_out_come_through(name: str, srtp: bool, tmp_path: Path) -> None:  # noqa: FBT001  # pytest gives it
    port = free_port()
    async with (
        sbc(tmp_path / "sbc", ("127.0.0.1", port), srtp=srtp) as before,
        desk(tmp_path, answer, **trunk(before, port)) as opened,
        telephone(name, tmp_path / "phone", before.host, answers=True, srtp=srtp) as phone,
    ):
        await phone.registered()
        call = await opened.client.create_call(
            PhoneNumberIdentifier(PHONE),
            f"{opened.address}/events",
            source_caller_id_number=PhoneNumberIdentifier(NUMBER),
        )
        await talked(opened, phone)
        await opened.client.get_call_connection(str(call.call_connection_id)).hang_up(is_for_everyone=True)
        await phone.closed()
        assert (await opened.told()).why["ending"] == "hung-up-by-app"
        await phone.quit()
        if name == "baresip":
            assert ("SRTP is Enabled" in phone.printed) == srtp
        compare(phone.heard).check()


@by_any
@in_any
async def test_calls_in_come_through(name: str, srtp: bool, tmp_path: Path) -> None:  # noqa: FBT001  # pytest gives it
    port = free_port()
    async with (
        sbc(tmp_path / "sbc", ("127.0.0.1", port), srtp=srtp) as before,
        desk(tmp_path, answer, **trunk(before, port)) as opened,
        telephone(name, tmp_path / "phone", before.host, answers=False, srtp=srtp) as phone,
    ):
        await phone.registered()
        await phone.call(NUMBER, host=before.host, port=SIP_PORT)
        await talked(opened, phone)
        await phone.give_up()
        assert (await opened.told()).why["ending"] == "caller-hung-up"
        await phone.quit()
        compare(phone.heard).check()


async def test_sipp_calls_in_and_hears_all_that_it_sends_back(tmp_path: Path) -> None:
    port, own = free_port(), free_port()
    async with (
        sbc(tmp_path / "sbc", ("127.0.0.1", port)) as before,
        desk(tmp_path, answer, **trunk(before, port)) as opened,
    ):
        echo = ("-rtp_echo", "-mi", "127.0.0.1", "-mp", str(free_port() & ~1), "-s", NUMBER)
        remote = f"{before.host}:{SIP_PORT}"
        async with sipp(
            "call_in_by_proxy.xml", tmp_path / "sipp", port=own, options=echo, remote=remote
        ) as caller:
            await play(opened, await connection(opened))
            (await caller.ended()).check()
        told = await opened.told()
        assert told.why["ending"] == "caller-hung-up"
        assert HEARD_BACK <= told.heard["received"] <= told.heard["sent"]
        assert told.heard["codec"] == "PCMU"
