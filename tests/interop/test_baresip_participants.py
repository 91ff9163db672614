"""Telephones that we did not write take part: two hear each other, are handed over, and take a REFER.

Each sends a tone of 400 Hz and records what it hears, so what is recorded is the other one's.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from wave import open as open_wave

import numpy as np
import pytest
from azure.communication.callautomation import PhoneNumberIdentifier
from numpy.typing import NDArray

from interop.baresip.desk import Desk, desk, ignore, requests
from interop.baresip.phone import Kit, Phone, baresip
from interop.sipp_trunk.sipp import free_port

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

ONE, TWO = "+14255550301", "+14255550302"
SHOWN = PhoneNumberIdentifier("+14255550100")
TONE_HZ = 400
LOUD, QUIET = 0.01, 0.001
"""Of full scale: what a tone through G.711 exceeds, and what silence stays below."""


@contextlib.asynccontextmanager
async def office(folder: Path, refer: str = "never") -> AsyncGenerator[tuple[Desk, Phone, Phone]]:
    """A server with a trunk to each of two telephones that answer."""
    ports = [free_port(), free_port()]
    routes: dict[str, object] = {}
    for place, (name, number, port) in enumerate(zip(("one", "two"), (ONE, TWO), ports, strict=True)):
        routes |= {
            f"trunk__{name}__host": "127.0.0.1",
            f"trunk__{name}__port": port,
            f"trunk__{name}__refer": refer,
            f"route__{place}__pattern": f"\\{number}" if number == TWO else r"\+142555503(01|99)",
            f"route__{place}__trunks": name,
        }
    kits = [
        Kit(number=number, answers=True, records=True, port=port)
        for number, port in zip((ONE, TWO), ports, strict=True)
    ]
    async with (
        desk(folder, ignore, subscribed=False, **routes) as opened,
        baresip(folder / "one", kits[0]) as one,
        baresip(folder / "two", kits[1]) as two,
    ):
        yield opened, one, two


async def called(here: Desk) -> str:
    made = await here.client.create_call(
        PhoneNumberIdentifier(ONE), f"{here.address}/events", source_caller_id_number=SHOWN
    )
    await here.event("CallConnected")
    assert made.call_connection_id is not None
    return made.call_connection_id


def tone(phone: Phone) -> NDArray[np.float64]:
    """How much of the tone each half second of what was heard holds: 0 to 1."""
    with open_wave(str(phone.heard)) as recorded:
        rate, channels = recorded.getframerate(), recorded.getnchannels()
        data = recorded.readframes(recorded.getnframes())
    heard = np.frombuffer(data, dtype="<i2").reshape(-1, channels)[:, 0] / 32768
    width = rate // 2
    wave = np.exp(-2j * np.pi * TONE_HZ * np.arange(width) / rate)
    halves = heard[: len(heard) // width * width].reshape(-1, width)
    found: NDArray[np.float64] = np.abs(halves @ wave) * 2 / width
    return found


async def test_two_telephones_hear_each_other_once_the_second_is_added(tmp_path: Path) -> None:
    async with office(tmp_path) as (here, one, two):
        call = here.client.get_call_connection(await called(here))
        await asyncio.sleep(2)
        await call.add_participant(PhoneNumberIdentifier(TWO), source_caller_id_number=SHOWN)
        await here.event("AddParticipantSucceeded")
        await asyncio.sleep(3)
        await call.hang_up(is_for_everyone=True)
        await here.event("CallDisconnected")
        await asyncio.gather(one.closed(), two.closed())
        first, second = tone(one), tone(two)
    assert first[:3].max() < QUIET, "the first one was alone, and heard something"
    assert first[-3:-1].min() > LOUD, "the first one does not hear the second"
    assert second[1:-1].min() > LOUD, "the second one does not hear the first"


async def test_two_telephones_speak_on_when_one_was_transferred_to_the_other(tmp_path: Path) -> None:
    async with office(tmp_path) as (here, one, two):
        call = here.client.get_call_connection(await called(here))
        await call.transfer_call_to_participant(PhoneNumberIdentifier(TWO), source_caller_id_number=SHOWN)
        await here.event("CallTransferAccepted")
        over = await here.event("CallDisconnected")
        assert over["resultInformation"]["subCode"] == 7015
        await asyncio.sleep(3)
        one.hang_up()
        await two.closed()
        told = await here.told()
        first, second = tone(one), tone(two)
    assert told.codes == (0, 7015, "transferred")
    assert first[-3:-1].min() > LOUD
    assert second[1:-1].min() > LOUD


async def test_a_telephone_takes_a_refer_and_reports_what_became_of_it(tmp_path: Path) -> None:
    """Its trunk's address is its own, so it calls itself; nobody has that number there."""
    async with office(tmp_path, refer="auto") as (here, one, _):
        call = here.client.get_call_connection(await called(here))
        await call.transfer_call_to_participant(PhoneNumberIdentifier("+14255550399"))
        failed = await here.event("CallTransferFailed")
        assert failed["resultInformation"]["subCode"] == 560404
        assert failed["resultInformation"]["sipDetails"]["code"] == 404
        assert (await call.get_call_properties()).call_connection_state == "connected"
        await call.hang_up(is_for_everyone=True)
        await one.closed()
        told = await here.told()
    sent = [fact["message"] for fact in told.facts if fact.get("direction") == "sent"]
    assert any(message.startswith("REFER ") for message in sent)
    assert len(requests(told.facts, "NOTIFY")) == 2
    assert told.codes == (0, 7000, "hung-up-by-app")
