"""The examples that speak and listen, with everything real: baresip dials or is dialled, and hears them."""

import asyncio
import contextlib
import os
import re
import socket
import sys
import wave
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

from interop.baresip.phone import Kit, Phone, baresip
from interop.test_examples_on_the_telephone import EXAMPLES, NUMBER, Office, office
from interop.whole_server import free_port, run, whole_server

pytestmark = pytest.mark.interop

TONE_HZ = 400
"""What baresip says all the time."""


@contextlib.asynccontextmanager
async def caller(
    folder: Path, example: str, *options: str, records: bool = False
) -> AsyncGenerator[tuple[Office, Phone]]:
    """The example at work, and a telephone that has dialled it and talks."""
    async with (
        office(folder, example, *options, **carrier(refer="never")) as opened,
        baresip(folder / "phone", Kit(records=records)) as phone,
    ):
        phone.dial(NUMBER, port=opened.server.network.bound[0].port, transport="udp")
        await phone.talks()
        yield opened, phone


def free_pair() -> int:
    """A port that is free with the one above it, which baresip takes for TLS."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), socket.socket() as above:
            above.bind(("127.0.0.1", port + 1))
            return port


def carrier(**settings: object) -> dict[str, object]:
    """The built-in carrier as a trunk with settings of its own."""
    port = free_port()
    trunk = {f"trunk__carrier__{name}": value for name, value in settings.items()}
    where = {"carrier__port": port, "trunk__carrier__host": "127.0.0.1", "trunk__carrier__port": port}
    return where | trunk


def loudest_hz(file: Path) -> float:
    """The strongest frequency of a WAV file."""
    with wave.open(str(file)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
        rate = sound.getframerate()
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    return float(np.argmax(spectrum) * rate / len(samples))


async def test_the_menu_transfers_whoever_presses_one(tmp_path: Path) -> None:
    async with caller(tmp_path, "ivr.py", "--sales", "+14255550200") as (opened, phone):
        await phone.hears()
        await phone.press("1")
        await opened.says("chose sales")
        await opened.says("is with sales")
        await opened.says("is over")
        phone.hang_up()
        await phone.closed()


async def test_the_menu_tells_support_hours_and_hangs_up(tmp_path: Path) -> None:
    async with caller(tmp_path, "ivr.py", records=True) as (opened, phone):
        await phone.hears()
        await phone.press("2")
        await opened.says("chose support")
        await opened.says("is over: 200/7000")
        await phone.closed()
        await phone.quit()
        with wave.open(str(phone.heard)) as heard:
            sound = np.frombuffer(heard.readframes(heard.getnframes()), dtype="<i2")
        assert np.abs(sound).max() > 3000, "the hours were spoken"


async def test_the_menu_asks_twice_and_says_good_bye(tmp_path: Path) -> None:
    async with caller(tmp_path, "ivr.py", "--silence-seconds", "1") as (opened, phone):
        phone.mute()
        await opened.says("asked again: 400/8510")
        await opened.says("is over: 200/7000")
        await phone.closed()


async def test_the_voicemail_keeps_what_was_said(tmp_path: Path) -> None:
    async with caller(tmp_path, "voicemail.py", "--folder", str(tmp_path)) as (opened, phone):
        await opened.says("is recorded")
        await asyncio.sleep(2)  # what is said is to be two seconds long
        await phone.press("#")
        lines = [await opened.says(""), await opened.says("")]  # in either order
        await phone.closed()
    (told,) = [line for line in lines if line.startswith("200 message of ")]
    file = Path(told.strip().partition(" in ")[2])
    assert abs(loudest_hz(file) - TONE_HZ) < 5
    duration_ms = int(re.findall(r"of (\d+) ms", told)[0])
    assert 1_500 < duration_ms < 10_000


async def test_the_voice_agent_echoes_what_it_heard(tmp_path: Path) -> None:
    async with caller(tmp_path, "voice_agent.py", records=True) as (opened, phone):
        said = await opened.says("") + await opened.says("")  # in either order
        assert "MediaStreamingStarted 200/0" in said
        assert "'sampleRate': 16000" in said
        await asyncio.sleep(1)  # what is said is to be a second long
        phone.mute()
        echoed = await opened.says("echoes")
        assert int(re.findall(r"(\d+) ms", echoed)[0]) >= 900
        await asyncio.sleep(1.5)
        phone.hang_up()
        await opened.says("CallDisconnected")
        await phone.quit()
        assert abs(loudest_hz(phone.heard) - TONE_HZ) < 5


async def test_the_reminder_calls_a_busy_line_again_and_hears_who_confirms(tmp_path: Path) -> None:
    port = free_pair()
    trunk = {
        **carrier(),
        "trunk__phone__host": "127.0.0.1",
        "trunk__phone__port": port,
        "route__0__pattern": r"\+14255550777",
        "route__0__trunks": "phone",
        "route__1__pattern": r"\+[0-9]+",
        "route__1__trunks": "carrier",
    }
    kit = Kit(number="+14255550777", answers=True, port=port)
    async with whole_server(tmp_path, **trunk) as server, baresip(tmp_path / "phone", kit) as phone:
        calling = asyncio.create_task(
            run(
                *(sys.executable, EXAMPLES / "reminder.py", "+14255550777", "+14255550486"),
                *("--port", str(free_port()), "--tries", "2", "--retry-seconds", "0.5"),
                environment={**os.environ, **server.environment},
            )
        )
        await phone.talks()
        await phone.hears()
        await phone.press("1")
        ran = await calling
    assert ran.said.count("+14255550486: busy (486/560486)") == 2
    assert "+14255550486: given up after 2 calls" in ran.said
    assert "+14255550777: confirmed after 1 calls" in ran.said
    assert ran.status == 1
