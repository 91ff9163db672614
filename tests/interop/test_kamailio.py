"""Kamailio and rtpengine, which we did not write, between Onhook and a telephone."""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

from pathlib import Path
from typing import Any

import pytest
from azure.communication.callautomation import PhoneNumberIdentifier

from interop.baresip.desk import NUMBER, Desk, answer, desk
from interop.baresip.phone import Kit, Phone, baresip
from interop.kamailio.sbc import SIP_PORT, Sbc, sbc
from interop.phone_audio import compare
from interop.talk import TONES, collect, connection, play
from interop.whole_server import free_port

pytestmark = [pytest.mark.interop, pytest.mark.parametrize("srtp", [False, True], ids=["rtp", "srtp"])]
PHONE = "+14255550177"


def trunk(before: Sbc, port: int) -> dict[str, Any]:
    return {
        "sip__port": port,
        "carrier__enabled": "false",
        "trunk__sbc__host": before.host,
        "trunk__sbc__port": SIP_PORT,
    }


async def talked(opened: Desk, phone: Phone) -> None:
    """Each is heard by the other, whole."""
    call = await connection(opened)
    await phone.talks()
    await phone.hears()
    await opened.hears_caller()
    await play(opened, call)
    assert await collect(opened, call, phone, PHONE) == TONES


async def test_calls_out_come_through(srtp: bool, tmp_path: Path) -> None:  # noqa: FBT001  # pytest gives it
    port = free_port()
    async with sbc(tmp_path / "sbc", ("127.0.0.1", port), srtp=srtp) as before:
        kit = Kit(number=PHONE, registrar=before.host, answers=True, srtp=srtp, records=True)
        async with (
            desk(tmp_path, answer, **trunk(before, port)) as opened,
            baresip(tmp_path / "phone", kit) as phone,
        ):
            await phone.registered()
            call = await opened.client.create_call(
                PhoneNumberIdentifier(PHONE),
                f"{opened.address}/events",
                source_caller_id_number=PhoneNumberIdentifier(NUMBER),
            )
            await talked(opened, phone)
            await opened.client.get_call_connection(str(call.call_connection_id)).hang_up(
                is_for_everyone=True
            )
            await phone.closed()
            assert (await opened.told()).why["ending"] == "hung-up-by-app"
            printed = await phone.quit()
            assert ("SRTP is Enabled" in printed) == srtp
            compare(phone.heard).check()


async def test_calls_in_come_through(srtp: bool, tmp_path: Path) -> None:  # noqa: FBT001  # pytest gives it
    port = free_port()
    async with sbc(tmp_path / "sbc", ("127.0.0.1", port), srtp=srtp) as before:
        kit = Kit(number=PHONE, registrar=before.host, srtp=srtp, records=True)
        async with (
            desk(tmp_path, answer, **trunk(before, port)) as opened,
            baresip(tmp_path / "phone", kit) as phone,
        ):
            phone.dial(NUMBER, port=SIP_PORT, transport="udp", host=before.host)
            await talked(opened, phone)
            phone.hang_up()
            assert (await opened.told()).why["ending"] == "caller-hung-up"
            await phone.quit()
            compare(phone.heard).check()
