"""How many calls a second Onhook takes on one core, and what a call costs; beside it, Sippy B2BUA.

    python bench/calls.py [--calls N] [--rate R] [--quick] [--json]

One call is the whole path: createCall over HTTPS (keep-alive, HMAC signed) -> INVITE, 180, 200, ACK over
UDP with SIPp -> CallConnected and ParticipantsUpdated taken by the application -> hangUp over HTTPS -> BYE,
200 -> verdict stored -> CallDisconnected taken. The server runs alone on one core; application and SIPp
share the other. Everything is on loopback, and stops by itself. Run it on an idle machine.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from application import Application, CallFailed
from onhook.config.schema import DEVELOPMENT_KEY
from onhook.facts import EventAttempted, SipSeen
from onhook.store.sqlite import SqliteStore
from processes import (
    Cores,
    allow_open_files,
    cpu_beside_main,
    cpu_of,
    memory_mb,
    percentile,
    say,
)
from results import Result, as_json, as_text
from sides import Onhook, StartFailed, sipp_caller, sipp_far_end, sippy, sippy_is_installed

MAX_CALLS: Final = 100_000
MAX_RATE: Final = 5_000
CONNECTIONS: Final = 32
AT_A_TIME: Final = 100
TOKEN_REUSE_SECONDS: Final = 60
WARM_UP_CALLS: Final = 200
DRAIN_SECONDS: Final = 1.0
"""A rate is sustained if its last call is over so soon after it was begun."""
STEPS: Final = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1)
"""Offered rates tried, as parts of the rate under full load."""


@dataclass(slots=True)
class Plan:
    calls: int = 3000
    rate: int = 200
    step_seconds: float = 5.0
    steps: tuple[float, ...] = STEPS
    held: int = 400
    held_seconds: float = 5.0
    starts: int = 3


QUICK: Final = Plan(calls=150, rate=75, step_seconds=1.0, steps=(0.3,), held=20, held_seconds=1.0, starts=1)


@dataclass(slots=True)
class Load:
    """What one stretch of load came to."""

    offered_a_second: float
    calls: int
    failures: int
    reasons: list[str]
    seconds: float
    drain_seconds: float
    """From the last call begun to the last call over."""
    call_ids: list[str]


async def offer(application: Application, calls: int, rate: float) -> Load:
    """Begin `calls` at `rate` a second, whatever becomes of those before, and wait for all."""
    reasons: list[str] = []
    call_ids: list[str] = []
    open_calls: set[asyncio.Task[None]] = set()

    async def place() -> None:
        try:
            call_ids.append(await application.call())
        except CallFailed as error:
            reasons.append(str(error))
        except TimeoutError:
            reasons.append("not over in time")

    began = time.monotonic()
    for number in range(calls):
        if (wait := began + number / rate - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(place())
        open_calls.add(task)
        task.add_done_callback(open_calls.discard)
        if not number % 16:
            await asyncio.sleep(0)  # behind time: let the others have their turn all the same
    last = time.monotonic()
    await asyncio.gather(*open_calls)
    over = time.monotonic()
    return Load(rate, calls, len(reasons), reasons[:10], over - began, over - last, call_ids)


async def keep_busy(application: Application, calls: int, at_a_time: int) -> Load:
    """`calls` calls, `at_a_time` open at every moment: as fast as the server can."""
    reasons: list[str] = []
    numbers = iter(range(calls))

    async def place_one_after_the_other() -> None:
        for _ in numbers:
            try:
                await application.call()
            except (CallFailed, TimeoutError) as error:
                reasons.append(str(error) or "not over in time")

    began = time.monotonic()
    await asyncio.gather(*(place_one_after_the_other() for _ in range(at_a_time)))
    return Load(0.0, calls, len(reasons), reasons[:10], time.monotonic() - began, 0.0, [])


async def hold(application: Application, pid: int, plan: Plan, result: Result) -> Load:
    """Keep calls open for a while: memory and media."""
    release = asyncio.Event()
    before = memory_mb(pid)
    tasks: list[asyncio.Task[str]] = []
    for _ in range(plan.held):
        tasks.append(asyncio.create_task(application.call(release)))
        await asyncio.sleep(1 / plan.rate)
    await asyncio.sleep(1.0)
    cpu, began = cpu_of(pid), time.monotonic()
    await asyncio.sleep(plan.held_seconds)
    used, seconds = cpu_of(pid).since(cpu).total, time.monotonic() - began
    result.held_calls = plan.held
    result.memory_kb_a_held_call = (memory_mb(pid) - before) * 1000 / plan.held
    result.cpu_percent_a_hundred_held_calls = used / seconds * 100 * 100 / plan.held
    release.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    reasons = [repr(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
    return Load(plan.rate, plan.held, len(reasons), reasons[:10], seconds, 0.0, [])


async def drive(server: Onhook, pid: int, plan: Plan, result: Result) -> Load:
    """All load on a running server; the stretch whose cost was taken."""
    application = Application(server.port, DEVELOPMENT_KEY, server.trust, CONNECTIONS)
    await application.start()
    try:
        warm = await offer(application, min(WARM_UP_CALLS, plan.calls), plan.rate)
        say(f"warmed up with {warm.calls} calls, {warm.failures} failed")
        _add_failures(result, await hold(application, pid, plan, result))
        say(f"{plan.held} calls held: {result.memory_kb_a_held_call:.0f} kB each")
        cpu, media = cpu_of(pid), cpu_beside_main(pid)
        load = await offer(application, plan.calls, plan.rate)
        used, used_by_media = cpu_of(pid).since(cpu), cpu_beside_main(pid) - media
        result.cpu_ms_a_call = used.total * 1000 / load.calls
        result.user_ms_a_call, result.system_ms_a_call = (part * 1000 / load.calls for part in used)
        result.media_thread_ms_a_call = used_by_media * 1000 / load.calls
        result.calls_a_second_a_core = load.calls / used.total
        say(f"{load.calls} calls at {plan.rate}/s: {result.cpu_ms_a_call:.2f} ms of CPU a call")
        _add_failures(result, load)
        full, cpu_ms = await _under_full_load(application, pid, plan)
        result.full_load_calls_a_second, result.full_load_cpu_ms_a_call = full.calls / full.seconds, cpu_ms
        _add_failures(result, full)
        await _find_sustained_rate(application, plan, result)
    finally:
        await application.stop()
    return load


async def _under_full_load(application: Application, pid: int, plan: Plan) -> tuple[Load, float]:
    """The load, and ms of CPU of a call."""
    cpu = cpu_of(pid)
    load = await keep_busy(application, plan.calls, AT_A_TIME)
    cpu_ms = cpu_of(pid).since(cpu).total * 1000 / load.calls
    rate = load.calls / load.seconds
    say(f"{load.calls} calls, {AT_A_TIME} at a time: {rate:.0f}/s, {cpu_ms:.2f} ms of CPU a call")
    return load, cpu_ms


async def drive_hard(server: Onhook, pid: int, plan: Plan, result: Result) -> None:
    """Full load only, on a server that signs one token a minute."""
    application = Application(server.port, DEVELOPMENT_KEY, server.trust, CONNECTIONS)
    await application.start()
    try:
        await offer(application, min(WARM_UP_CALLS, plan.calls), plan.rate)
        load, cpu_ms = await _under_full_load(application, pid, plan)
    finally:
        await application.stop()
    result.reused_tokens_calls_a_second, result.reused_tokens_cpu_ms_a_call = (
        load.calls / load.seconds,
        cpu_ms,
    )
    _add_failures(result, load)


async def _find_sustained_rate(application: Application, plan: Plan, result: Result) -> None:
    """Step by step up, until calls fail or pile up. That is the search's end, and no failure of the run."""
    for part in plan.steps:
        rate = part * result.full_load_calls_a_second
        load = await offer(application, max(20, int(rate * plan.step_seconds)), rate)
        sustained = not load.failures and load.drain_seconds <= DRAIN_SECONDS
        result.steps.append(
            {"offered": round(rate, 1), "failures": load.failures, "drain": round(load.drain_seconds, 2)}
        )
        say(f"offered {rate:.0f}/s: {load.failures} failed, last over after {load.drain_seconds:.2f} s")
        if not sustained:
            return
        result.sustained_calls_a_second = rate


def _add_failures(result: Result, load: Load) -> None:
    result.calls += load.calls
    result.failures += load.failures
    result.reasons += load.reasons


def read_latencies(server: Onhook, call_ids: list[str], result: Result) -> None:
    """From the last SIP message of a call, by its facts."""
    stored_at: dict[str, float] = json.loads(server.notes.read_text())
    store = SqliteStore(server.store, read_only=True)
    stored: list[float] = []
    out: list[float] = []
    taken: list[float] = []
    for call_id in call_ids:
        facts = store.facts(call_id)
        last = max(fact.at for fact in facts if isinstance(fact, SipSeen))
        told = [f for f in facts if isinstance(f, EventAttempted) and f.event_type == "CallDisconnected"]
        stored.append((stored_at[call_id] - last) * 1000)
        out.append((told[0].at - last) * 1000 - told[0].elapsed_ms)
        taken.append((told[-1].at - last) * 1000)
    store.close()
    result.last_sip_to_verdict_stored_ms = _spread(stored)
    result.last_sip_to_event_out_ms = _spread(out)
    result.last_sip_to_event_taken_ms = _spread(taken)


def _spread(values_ms: list[float]) -> dict[str, float]:
    return {"p50": round(percentile(values_ms, 0.5), 3), "p99": round(percentile(values_ms, 0.99), 3)}


def measure_onhook(folder: Path, cores: Cores, far_end: int, plan: Plan, result: Result) -> None:
    server = Onhook(folder, cores, far_end)
    with server.running(server.as_shipped):
        say(f"first start, local CA made: {server.start_up_seconds:.2f} s")
    starts: list[float] = []
    for _ in range(plan.starts):
        with server.running(server.as_shipped) as process:
            starts.append(server.start_up_seconds)
            result.idle_memory_mb = memory_mb(process.pid)
    result.start_up_seconds = percentile(starts, 0.5)
    say(f"start-up {result.start_up_seconds:.2f} s, {result.idle_memory_mb:.0f} MB idle")
    with server.running(server.observed) as process:
        load = uvloop.run(drive(server, process.pid, plan, result))
    read_latencies(server, load.call_ids, result)
    hasty = Onhook(folder / "tokens-reused", cores, far_end, token_reuse_seconds=TOKEN_REUSE_SECONDS)
    with hasty.running(hasty.observed) as process:
        uvloop.run(drive_hard(hasty, process.pid, plan, result))


def measure_sippy(folder: Path, cores: Cores, far_end: int, plan: Plan, result: Result) -> None:
    """The same SIP calls through a back-to-back user agent: SIPp -> Sippy -> SIPp."""
    with sippy(folder, cores, far_end) as (port, process):
        sipp_caller(folder, cores, port, calls=min(WARM_UP_CALLS, plan.calls), rate=plan.rate)
        cpu = cpu_of(process.pid)
        failures = sipp_caller(folder, cores, port, calls=plan.calls, rate=plan.rate)
        used = cpu_of(process.pid).since(cpu)
        cpu, began = cpu_of(process.pid), time.monotonic()
        full_failures = sipp_caller(folder, cores, port, calls=plan.calls, rate=MAX_RATE, at_a_time=AT_A_TIME)
        full_used, full_seconds = cpu_of(process.pid).since(cpu).total, time.monotonic() - began
        result.sippy = {
            "calls": plan.calls,
            "failures": failures,
            "cpu_ms_a_call": round(used.total * 1000 / plan.calls, 3),
            "user_ms_a_call": round(used.user * 1000 / plan.calls, 3),
            "system_ms_a_call": round(used.system * 1000 / plan.calls, 3),
            "full_load_calls_a_second": round(plan.calls / full_seconds, 1),
            "full_load_cpu_ms_a_call": round(full_used * 1000 / plan.calls, 3),
            "full_load_failures": full_failures,
            "memory_mb": round(memory_mb(process.pid), 1),
        }
    result.sippy_to_onhook_ratio = round(result.sippy["cpu_ms_a_call"] / result.cpu_ms_a_call, 2)
    result.full_load_sippy_to_onhook_ratio = round(
        result.sippy["full_load_cpu_ms_a_call"] / result.full_load_cpu_ms_a_call, 2
    )
    result.reused_tokens_sippy_to_onhook_ratio = round(
        result.sippy["full_load_cpu_ms_a_call"] / result.reused_tokens_cpu_ms_a_call, 2
    )
    say(f"Sippy: {result.sippy['cpu_ms_a_call']:.2f} ms of CPU a call, {failures} failed")


def read_arguments(
    given: list[str] | None = None, description: str = "Calls a second a core, and CPU a call."
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--calls", type=_whole(MAX_CALLS), default=0, help="calls whose cost is taken (3000)")
    parser.add_argument("--rate", type=_whole(MAX_RATE), default=0, help="calls begun a second (200)")
    parser.add_argument("--quick", action="store_true", help="does it run at all? half a minute; no figures")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--keep", metavar="DIR", help="leave logs and store in this directory")
    return parser.parse_args(given)


def _whole(largest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= largest:
            raise argparse.ArgumentTypeError(f"expected a whole number 1 to {largest}, got {text!r}")
        return int(text)

    return read


def main() -> int:
    arguments = read_arguments()
    plan = QUICK if arguments.quick else Plan()
    plan.calls, plan.rate = arguments.calls or plan.calls, arguments.rate or plan.rate
    result = Result(offered_a_second=plan.rate)
    allow_open_files()
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.rest})
    with tempfile.TemporaryDirectory(prefix="onhook-bench-") as temporary:
        folder = Path(arguments.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with sipp_far_end(folder, cores) as far_end:
                measure_onhook(folder, cores, far_end, plan, result)
                if sippy_is_installed():
                    measure_sippy(folder, cores, far_end, plan, result)
        except StartFailed as error:
            print(error, file=sys.stderr)
            return 2
    print(as_json(result) if arguments.json else as_text(result))
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
