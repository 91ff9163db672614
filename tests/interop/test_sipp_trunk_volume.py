"""2,000 calls to SIPp, over UDP and TCP at once: none fails, each is told once, nothing is left behind."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from interop.sipp_trunk.rig import FAILED, TALKED, Rig, rig
from interop.sipp_trunk.sipp import free_port, sipp
from onhook.calls.call import Call
from onhook.lab.clock import MediaOnClock
from onhook.lab.provoked_media import ProvokedMedia
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.studio import Studio
from onhook.sip.session import OutboundSession
from onhook.sip.timers import GIVE_UP

pytestmark = pytest.mark.interop

CALLS = 2_000
CALLS_A_SECOND = 100
"""What two shared cores bear beside SIPp, the application and its listener; no figure of speed."""
OVER_TCP = 5
"""One call in so many goes over the other trunk."""
HELD_SECONDS = 0.2
EXPECTED = {
    0: ((200, 7000), TALKED, "hung-up-by-app"),
    1: ((200, 560000), TALKED, "hung-up-by-phone"),
    2: ((486, 560486), FAILED, "callee-busy"),
}
"""By the last digit of the number: codes in the event, events, ending."""


def number_of(call: int) -> str:
    """+1425555NNN0..2: what the far end does; numbers with an even NNN take the trunk over UDP."""
    trunk = 1 if call % OVER_TCP == 0 else 0
    return f"+1425555{trunk}{call // 3 % 100:02}{call % 3}"


async def one_call(made: Rig, call: int) -> tuple[int, str, float]:
    """Place it, hang up if that is our part, wait for its end: (kind, callConnectionId, seconds)."""
    began = time.monotonic()
    kind = call % 3
    call_id = await made.call(number_of(call))
    if kind == 0:
        await made.connected(call_id)
        await asyncio.sleep(HELD_SECONDS)
        assert await made.hang_up(call_id) == 204
    await made.over(call_id)
    return kind, call_id, time.monotonic() - began


async def all_calls(made: Rig) -> list[tuple[int, str, float]]:
    """CALLS calls, begun at an even rate, however long each takes."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    begun: list[asyncio.Task[tuple[int, str, float]]] = []
    for call in range(CALLS):
        await asyncio.sleep(began + call / CALLS_A_SECOND - loop.time())
        begun.append(asyncio.create_task(one_call(made, call)))
    return await asyncio.gather(*begun)


def check(made: Rig, calls: list[tuple[int, str, float]]) -> None:
    records = {record.id: record for record in made.server.store.calls(2 * CALLS)}
    assert len(records) == len(calls) == len({call_id for _, call_id, _ in calls}) == CALLS
    wrong: Counter[str] = Counter()
    for kind, call_id, _ in calls:
        codes, types, ending = EXPECTED[kind]
        verdict = records[call_id].verdict
        got = made.listener.types(call_id)
        result = made.listener.events[call_id][-1]["data"]["resultInformation"]
        if got != types or (result["code"], result["subCode"]) != codes:
            wrong[f"{ending}: {got} {result}"] += 1
        if verdict is None or verdict.ending != ending:
            wrong[f"{ending}: {verdict and verdict.ending}"] += 1
    assert not wrong


async def nothing_is_left(made: Rig) -> None:
    """No call, session, timer, RTP port or event; transactions absorb repeats for 64*T1 first."""
    switch, courier = made.server.switch, made.server.courier
    on_clock = cast("MediaOnClock", cast("ProvokedMedia", switch._media)._media)
    studio = on_clock._media
    media = cast("EmbeddedEngine", cast("Studio", studio)._engine)
    assert switch.calls == {}
    assert switch._by_leg == {}
    assert set(switch._on_trunk.values()) <= {0}
    assert media.legs == 0, "an RTP port is still open"
    async with asyncio.timeout(GIVE_UP + 10):
        while switch._by_sip_id or courier.waiting:  # noqa: ASYNC110  # nothing tells when the last is gone
            await asyncio.sleep(0.1)
    gc.collect()
    alive = Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, Call | OutboundSession))
    assert alive == {}
    ports = media._ports
    assert len(ports) == len(ports._resting)
    connections = getattr(made.server.network._transports["tcp"], "connections", 0)
    assert connections <= 1  # the one to the trunk, kept for the next call


@pytest.mark.timeout(150)
async def test_two_thousand_calls(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    udp, tcp = free_port(), free_port()
    settings = {
        "trunk__other__host": "127.0.0.1",
        "trunk__other__port": tcp,
        "trunk__other__transport": "tcp",
        "route__0__pattern": r"\+14255550\d*",
        "route__0__trunks": "sipp",
        "route__1__pattern": r"\+14255551\d*",
        "route__1__trunks": "other",
    }
    shares = Counter("tcp" if call % OVER_TCP == 0 else "udp" for call in range(CALLS))
    async with (
        rig(tmp_path, udp, settings=settings) as made,
        sipp("volume.xml", tmp_path / "udp", port=udp, calls=shares["udp"], traced=False) as far_udp,
        sipp(
            "volume.xml", tmp_path / "tcp", port=tcp, transport="tcp", calls=shares["tcp"], traced=False
        ) as far_tcp,
    ):
        began, busy = time.monotonic(), time.process_time()
        calls = await all_calls(made)
        seconds, busy_seconds = time.monotonic() - began, time.process_time() - busy
        for far_end in (far_udp, far_tcp):
            (await far_end.ended()).check()
        check(made, calls)
        await nothing_is_left(made)
    refused = sorted(took for kind, _, took in calls if kind == 2)
    record_property("calls_a_second", round(CALLS / seconds))
    record_property("cpu_ms_a_call_with_application", round(busy_seconds / CALLS * 1000, 1))
    record_property("refused_call_p50_ms", round(refused[len(refused) // 2] * 1000))
    record_property("refused_call_p99_ms", round(refused[len(refused) * 99 // 100] * 1000))
