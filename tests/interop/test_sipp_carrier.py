"""SIPp, an agent that we did not write, calls the built-in carrier."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onhook.lab.carrier import Carrier
from onhook.lab.far_end_call import FarCall

pytestmark = pytest.mark.interop

SCENARIOS = Path(__file__).parent / "sipp"
MAX_RUN_SECONDS = 60


@pytest.fixture
async def carrier() -> AsyncIterator[Carrier]:
    started = Carrier("127.0.0.1", 0)
    await started.start()
    yield started
    await started.stop()


async def call(
    carrier: Carrier,
    folder: Path,
    scenario: str,
    number: str,
    *,
    calls: int = 1,
    rate: int = 50,
    transport: str = "u1",
) -> None:
    """Place calls with SIPp; fails with its log if one of them did not go as its scenario says."""
    sipp = shutil.which("sipp")
    assert sipp, "SIPp is missing: apt-get install sip-tester"
    host, port = carrier.address
    arguments = [
        *("-sf", str(SCENARIOS / f"uac_{scenario}.xml"), "-s", number, "-t", transport),
        *("-i", "127.0.0.1", "-p", str(free_port()), "-mp", str(free_port())),
        *("-m", str(calls), "-r", str(rate), "-nostdin", "-timeout", f"{MAX_RUN_SECONDS}s", "-timeout_error"),
        *("-trace_err", "-error_file", str(folder / "errors.log")),
        f"{host}:{port}",
    ]
    process = await asyncio.create_subprocess_exec(
        sipp,
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), MAX_RUN_SECONDS + 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    log = folder / "errors.log"
    text = log.read_text(errors="replace") if log.exists() else said.decode(errors="replace")[-3000:]
    assert process.returncode == 0, text


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def only_call(carrier: Carrier) -> FarCall:
    (made,) = carrier.calls
    return made


async def test_sipp_is_answered_and_hangs_up(carrier: Carrier, tmp_path: Path) -> None:
    await call(carrier, tmp_path, "answer", "+14255550200")
    assert only_call(carrier).history == ["> INVITE", "< 180", "< 200", "> ACK", "> BYE", "< 200"]
    assert carrier.audio.measured(carrier.calls[0]).sent >= 5


async def test_sipp_is_answered_over_tcp(carrier: Carrier, tmp_path: Path) -> None:
    await call(carrier, tmp_path, "answer", "+14255550200", transport="t1")
    assert only_call(carrier).history[-3:] == ["> ACK", "> BYE", "< 200"]


async def test_sipp_is_hung_up_on(carrier: Carrier, tmp_path: Path) -> None:
    await call(carrier, tmp_path, "released", "+14255550201")
    assert only_call(carrier).history == ["> INVITE", "< 180", "< 200", "> ACK", "< BYE", "> 200"]


async def test_sipp_meets_a_busy_number(carrier: Carrier, tmp_path: Path) -> None:
    await call(carrier, tmp_path, "busy", "+14255550486")
    assert only_call(carrier).history == ["> INVITE", "< 100", "< 486", "> ACK"]


async def test_sipp_takes_a_call_back(carrier: Carrier, tmp_path: Path) -> None:
    await call(carrier, tmp_path, "cancel", "+14255550181")
    assert only_call(carrier).history == ["> INVITE", "< 180", "> CANCEL", "< 200", "< 487", "> ACK"]


async def test_sipp_sees_what_is_repeated(carrier: Carrier, tmp_path: Path) -> None:
    carrier.will("+14255550486", "carrier: wait 1200 ms\ncarrier: 486 Busy Here")
    await call(carrier, tmp_path, "retransmission", "+14255550486")
    assert only_call(carrier).history == ["> INVITE", "> INVITE", "< 486", "< 486", "< 486", "> ACK"]


async def test_sipp_places_four_hundred_calls_without_a_failure(carrier: Carrier, tmp_path: Path) -> None:
    await call(carrier, tmp_path, "answer", "+14255550204", calls=400, rate=200)
    ended = [made for made in carrier.calls if made.over]
    assert len(ended) == len(carrier.calls) == 400
    assert {tuple(made.history) for made in ended} == {
        ("> INVITE", "< 180", "< 200", "> ACK", "> BYE", "< 200")
    }
