"""Telephones that we did not write hear the prompt as it was played, and the keys pressed there arrive."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from interop.baresip.desk import NUMBER, Desk, answer, desk
from interop.baresip.phone import NUMBER as BARESIP
from interop.baresip.phone import Kit, baresip
from interop.linphone.softphone import NUMBER as LINPHONE
from interop.linphone.softphone import linphone
from interop.phone_audio import compare
from interop.talk import TONES, Telephone, collect, connection, play
from rtpengine_daemon import rtpengine

pytestmark = pytest.mark.interop
NUMBERS = {"baresip": BARESIP, "linphone": LINPHONE}
BARESIP_CODECS = {"opus": "opus/48000/2", "G722": "G722/16000/1"}
NO_RTP = 4
"""Packets by which linphone opens its way through NAT: rtpengine counts them with what it cannot open."""
LOUDER = {("linphone", "G722"): 6.02}
"""dB: what linphone 5.1 decodes of G.722 is twice as loud, whoever sends it. baresip's is not."""

FEW = 0.01
"""Of the packets with SRTP: a crowded machine hands on some so late that they count as repeated."""


def telephone(
    name: str, folder: Path, codec: str, *, srtp: bool = False
) -> AbstractAsyncContextManager[Telephone]:
    if name == "linphone":
        return linphone(folder, codecs=(codec,), srtp=srtp)
    return baresip(folder, Kit(codecs=BARESIP_CODECS.get(codec, codec), srtp=srtp, records=True))


@asynccontextmanager
async def calling(
    name: str, folder: Path, codec: str, *, srtp: bool = False, **settings: Any
) -> AsyncGenerator[tuple[Desk, Telephone]]:
    """It has called in, and talks to an application."""
    given: dict[str, Any] = {
        "carrier__enabled": "false",
        "trunk__phones__host": "127.0.0.1",
        "trunk__phones__codecs": codec,
        "trunk__phones__srtp": "required" if srtp else "off",
        **settings,
    }
    async with (
        desk(folder, answer, **given) as opened,
        telephone(name, folder / "phone", codec, srtp=srtp) as phone,
    ):
        await dial(phone, opened.sip_port)
        await phone.talks()
        await opened.hears_caller()
        yield opened, phone


async def dial(phone: Telephone, port: int, host: str = "127.0.0.1") -> None:
    await phone.call(NUMBER, host=host, port=port)


async def talked(name: str, opened: Desk, phone: Telephone, louder_db: float = 0.0) -> dict[str, Any]:
    """Prompt and keys, and the caller hangs up; the last count of its RTP."""
    call = await connection(opened)
    await play(opened, call)
    assert await collect(opened, call, phone, NUMBERS[name]) == TONES
    await phone.give_up()
    told = await opened.told()
    assert told.why["ending"] == "caller-hung-up"
    await phone.quit()
    compare(phone.heard, louder_db).check()
    return told.heard


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_prompt_and_keys(name: str, codec: str, tmp_path: Path) -> None:
    async with calling(name, tmp_path, codec) as (opened, phone):
        counted = await talked(name, opened, phone)
        assert counted["codec"] == codec
        assert counted["digits"] == len(TONES) + 1


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("kind", ["PCMU srtp", "G722", "opus", "opus srtp"])
async def test_prompt_and_keys_with_the_embedded_engine_alone(name: str, kind: str, tmp_path: Path) -> None:
    codec, _, srtp = kind.partition(" ")
    async with calling(name, tmp_path, codec, srtp=bool(srtp)) as (opened, phone):
        counted = await talked(name, opened, phone, LOUDER.get((name, codec), 0.0))
        assert counted["codec"] == codec
        assert counted["digits"] == len(TONES) + 1
        assert counted.get("undecipherable", 0) < FEW * counted["received"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("kind", ["PCMU srtp", "G722", "opus srtp"])
async def test_prompt_and_keys_by_rtpengine(name: str, kind: str, tmp_path: Path) -> None:
    codec, _, srtp = kind.partition(" ")
    with rtpengine(tmp_path) as engine:
        given = {"media__engine": "rtpengine", "media__rtpengine": engine.address}
        async with calling(name, tmp_path, codec, srtp=bool(srtp), **given) as (opened, phone):
            counted = await talked(name, opened, phone, LOUDER.get((name, codec), 0.0))
            assert counted["codec"] == codec
            assert counted.get("undecipherable", 0) <= NO_RTP
