"""The benchmark runs, stops by itself, and loses no call. How fast it was is not asked."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
MAX_SECONDS = 100.0
ENGINES = ("onhook", "rtpengine")
"""Those that are installed without the peers of `make bench`."""
SHAPES = ("playing", "bridged", "in threes")


async def run(script: str, *arguments: str) -> tuple[int, str, str]:
    """Exit status, result, progress."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(BENCH / script),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, progress = await asyncio.wait_for(process.communicate(), MAX_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(), progress.decode()


@pytest.mark.interop
async def test_whole_calls_beside_sipp_without_a_failure() -> None:
    status, said, progress = await run("calls.py", "--quick", "--json", "--calls", "60")
    assert status == 0, progress
    result: dict[str, Any] = json.loads(said)
    assert result["failures"] == 0
    assert result["reasons"] == []
    assert result["calls"] >= 200
    for figure in ("cpu_ms_a_call", "full_load_calls_a_second", "start_up_seconds", "idle_memory_mb"):
        assert result[figure] > 0
    for spread in ("last_sip_to_verdict_stored_ms", "last_sip_to_event_out_ms", "last_sip_to_event_taken_ms"):
        assert 0 < result[spread]["p50"] <= result[spread]["p99"]
    assert "warmed up with 60 calls, 0 failed" in progress


@pytest.mark.interop
async def test_calls_that_come_in_are_answered_and_hung_up_without_a_failure() -> None:
    status, said, progress = await run("incoming.py", "--quick", "--json", "--calls", "60")
    assert status == 0, progress
    result: dict[str, Any] = json.loads(said)
    assert result["failures"] == 0
    assert result["reasons"] == []
    assert result["endings"] == {"0/7000": result["calls"]}
    assert result["calls"] >= 200
    for load in ("full_load", "reused_tokens"):
        assert all(figure > 0 for figure in result[load].values())
    for spread in ("invite_to_incoming_call_ms", "invite_to_incoming_call_out_ms", "invite_to_answer_ms"):
        assert 0 < result[spread]["p50"] <= result[spread]["p99"] <= result[spread]["most"]
    assert "warmed up with 50 calls, 0 failed" in progress


async def test_single_steps_are_measured() -> None:
    status, said, progress = await run("micro.py", "--json", "--rounds", "1")
    assert status == 0, progress
    took: dict[str, float] = json.loads(said)
    assert {"parse a 200 with SDP", "judge", "check a signature", "post an event"} <= took.keys()
    assert all(us > 0 for us in took.values())


@pytest.mark.interop
async def test_legs_of_every_engine_are_served_and_measured() -> None:
    status, said, progress = await run("media.py", "--quick", "--json", "--engines", ",".join(ENGINES))
    assert status == 0, progress
    rows: list[dict[str, Any]] = json.loads(said)["rows"]
    shapes = {
        name: [(row["shape"], row["encrypted"]) for row in rows if row["engine"] == name] for name in ENGINES
    }
    assert shapes == {
        "onhook": [*((shape, False) for shape in SHAPES), *((shape, True) for shape in SHAPES)],
        "rtpengine": [("playing", False), ("bridged", False), ("playing", True), ("bridged", True)],
    }
    for row in rows:
        assert row["easy"]["cpu_ms"] > 0
        assert row["easy"]["came"] >= 0.5 * row["easy"]["legs"] * 50, row  # a busy machine may lose some
    assert all(row["easy"]["loop_ms"]["most"] > 0 for row in rows if row["engine"] == "onhook")


async def test_one_voice_is_recognised_and_counted() -> None:
    status, said, progress = await run("recognition.py", "--quick", "--json")
    assert status == 0, progress
    told: dict[str, Any] = json.loads(said)
    (score,) = told["scores"]
    assert (score["menu"], score["voices"], score["said"]) == ("three choices", "eSpeak", 3)
    assert score["right"] + score["wrong"] + score["rejected"] == pytest.approx(1, abs=0.01)
    assert score["right"] > 0.5
    assert told["noises"]["played"] == 8
