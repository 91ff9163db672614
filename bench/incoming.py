"""How many calls a second come in on one core, what one costs, and how soon the application hears of it.

    python bench/incoming.py [--calls N] [--rate R] [--quick] [--json]

One call is the whole path: SIPp's INVITE to an owned number over UDP -> 100, 180, IncomingCall posted by
Event Grid to the application -> answerCall over HTTPS (keep-alive, HMAC signed) -> 200, ACK -> CallConnected
and ParticipantsUpdated taken -> hangUp over HTTPS -> BYE, 200 -> verdict stored -> CallDisconnected taken.
The server runs alone on one core; application and SIPp share the other. Everything is on loopback, and stops
by itself. Run it on an idle machine.
"""

import asyncio
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from application import Answering, GridListener, Taken
from calls import AT_A_TIME, CONNECTIONS, DRAIN_SECONDS, MAX_RATE, TOKEN_REUSE_SECONDS, read_arguments
from incoming_results import Burden, IncomingResult, incoming_as_text
from onhook.config.schema import DEVELOPMENT_KEY, DEVELOPMENT_NUMBERS
from onhook.facts import GridAttempted, SipSeen, Timeline
from onhook.store.sqlite import SqliteStore
from processes import Cores, allow_open_files, cpu_of, percentile, say
from results import as_json
from sides import CALLS_IN, Onhook, StartFailed, sipp_caller

VALIDATION_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
MAX_REASONS: Final = 10
ENDING: Final = "0/7000"
"""code/subcode of a call that the application hung up."""
SENT_BY_SIPP: Final = re.compile(rb"\r\nSent: [^\r]*?(\d+\.\d+)\r\n")


@dataclass(slots=True)
class Plan:
    calls: int = 3000
    rate: int = 200
    warm_up_calls: int = 200
    step_seconds: float = 5.0
    steps: tuple[float, ...] = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05)
    """Offered rates tried, as parts of the rate under full load."""


QUICK: Final = Plan(calls=100, rate=75, warm_up_calls=50, step_seconds=1.0, steps=(0.3,))


class Stretch(NamedTuple):
    """What one stretch of load came to."""

    calls: int
    failures: int
    reasons: list[str]
    taken: Taken
    drain_seconds: float
    """From the planned beginning of the last call to the last one over."""

    @property
    def calls_a_second(self) -> float:
        return self.calls / max(self.taken.last_at - self.taken.first_at, 1e-6)


class Run:
    """One server that is called, and the application that answers."""

    def __init__(self, folder: Path, cores: Cores, server: Onhook, pid: int, application: Answering) -> None:
        self._folder, self._cores, self._server = folder, cores, server
        self.pid, self.application = pid, application

    async def calls(self, calls: int, rate: float, at_a_time: int = 20_000) -> Stretch:
        """SIPp places `calls`; back when all of them are over."""
        taken = self.application.taken = Taken()
        failed = await asyncio.to_thread(
            sipp_caller,
            self._folder,
            self._cores,
            self._server.sip_port,
            calls=calls,
            rate=max(1, round(rate)),
            at_a_time=at_a_time,
            number=DEVELOPMENT_NUMBERS[0],
            scenario=CALLS_IN,
        )
        await self.application.settle()
        reasons = taken.reasons[:MAX_REASONS]
        if failed:
            reasons.append(f"SIPp counts {failed} failed calls")
        if unheard := calls - len(taken.over) - len(taken.reasons):
            reasons.append(f"{unheard} calls the application never heard of")
        failures = max(failed, calls - len(taken.over))
        return Stretch(
            calls, failures, reasons, taken, max(0.0, taken.last_at - taken.first_at - calls / rate)
        )

    async def full_load(self, plan: Plan) -> tuple[Stretch, Burden]:
        cpu = cpu_of(self.pid)
        stretch = await self.calls(plan.calls, MAX_RATE, AT_A_TIME)
        used = cpu_of(self.pid).since(cpu).total
        burden = Burden(stretch.calls_a_second, used * 1000 / stretch.calls, stretch.calls / used)
        say(
            f"{stretch.calls} calls, {AT_A_TIME} at a time: {burden.calls_a_second:.0f}/s,"
            f" {burden.cpu_ms_a_call:.2f} ms of CPU a call, {stretch.failures} failed"
        )
        return stretch, burden


@asynccontextmanager
async def started(folder: Path, cores: Cores, token_reuse_seconds: int) -> AsyncGenerator[tuple[Run, Onhook]]:
    """A server whose subscription is validated, and its application."""
    application: Answering | None = None

    def ring(context: str) -> None:
        assert application, "nobody calls before the application is there"
        application.ring(context)

    grid = GridListener(ring)
    grid_port = await grid.start()
    server = Onhook(
        folder, cores, far_end=9, token_reuse_seconds=token_reuse_seconds, grid_port=grid_port
    )  # port 9, discard: nothing is sent to the trunk but answers
    with server.running(server.observed) as process:
        application = Answering(server.port, DEVELOPMENT_KEY, server.trust, CONNECTIONS)
        await application.start()
        try:
            await _validated(server)
            yield Run(folder, cores, server, process.pid, application), server
        finally:
            await application.stop()
            grid.stop()


async def _validated(server: Onhook) -> None:
    try:
        async with asyncio.timeout(VALIDATION_SECONDS):
            while not await asyncio.to_thread(server.is_listened_to):  # noqa: ASYNC110  # in another process
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise StartFailed("the Event Grid subscription was not validated in time") from None


async def drive(folder: Path, cores: Cores, plan: Plan, result: IncomingResult) -> None:
    """All load on a server as it is shipped."""
    counted: list[Stretch] = []
    async with started(folder, cores, token_reuse_seconds=0) as (run, server):
        counted.append(await run.calls(plan.warm_up_calls, plan.rate))
        say(f"warmed up with {plan.warm_up_calls} calls, {counted[0].failures} failed")
        cpu = cpu_of(run.pid)
        offered = await run.calls(plan.calls, plan.rate)
        used = cpu_of(run.pid).since(cpu)
        counted.append(offered)
        result.cpu_ms_a_call = used.total * 1000 / plan.calls
        result.user_ms_a_call, result.system_ms_a_call = (part * 1000 / plan.calls for part in used)
        say(f"{plan.calls} calls at {plan.rate}/s: {result.cpu_ms_a_call:.2f} ms of CPU a call")
        stretch, result.full_load = await run.full_load(plan)
        counted.append(stretch)
        await _find_sustained_rate(run, plan, result)
    judge(server, counted, result)
    read_latencies(server, offered.taken, result)


async def drive_hard(folder: Path, cores: Cores, plan: Plan, result: IncomingResult) -> None:
    """Full load only, on a server that signs one token a minute."""
    async with started(folder, cores, TOKEN_REUSE_SECONDS) as (run, server):
        warm = await run.calls(plan.warm_up_calls, plan.rate)
        stretch, result.reused_tokens = await run.full_load(plan)
    judge(server, [warm, stretch], result)


async def _find_sustained_rate(run: Run, plan: Plan, result: IncomingResult) -> None:
    """Step by step up, until calls fail or pile up. That is the search's end, and no failure of the run."""
    for part in plan.steps:
        rate = round(part * result.full_load.calls_a_second)
        stretch = await run.calls(max(20, int(rate * plan.step_seconds)), rate)
        result.steps.append(
            {"offered": rate, "failures": stretch.failures, "drain": round(stretch.drain_seconds, 2)}
        )
        say(f"offered {rate}/s: {stretch.failures} failed, last over {stretch.drain_seconds:.2f} s late")
        if stretch.failures or stretch.drain_seconds > DRAIN_SECONDS:
            return
        result.sustained_calls_a_second = rate


def judge(server: Onhook, stretches: list[Stretch], result: IncomingResult) -> None:
    """Count what failed, also calls that came to an end without the verdict that they should have."""
    store = SqliteStore(server.store, read_only=True)
    endings: Counter[str] = Counter(result.endings)
    for stretch in stretches:
        result.calls += stretch.calls
        result.failures += stretch.failures
        result.reasons += stretch.reasons
        for call_id in stretch.taken.over:
            record = store.call(call_id)
            verdict = record.verdict if record else None
            ending = f"{verdict.code}/{verdict.subcode}" if verdict else "none stored"
            endings[ending] += 1
            if ending != ENDING:
                result.failures += 1
                result.reasons.append(f"{call_id}: verdict {ending}, not {ENDING}")
    store.close()
    result.endings, result.reasons = dict(endings), result.reasons[:MAX_REASONS]


def read_latencies(server: Onhook, taken: Taken, result: IncomingResult) -> None:
    """By the clock of SIPp, written into its INVITE and ACK, and by the facts."""
    store = SqliteStore(server.store, read_only=True)
    heard: list[float] = []
    out: list[float] = []
    answered: list[float] = []
    for call_id in taken.over:
        record = store.call(call_id)
        facts = store.facts(record.id) if record else []
        invite, invited = sent_by_sipp(facts, b"INVITE")
        _, acknowledged = sent_by_sipp(facts, b"ACK")
        told = next(fact for fact in facts if isinstance(fact, GridAttempted))
        heard.append((taken.heard_at[call_id] - invited) * 1000)
        out.append((told.at - invite.at) * 1000 - told.elapsed_ms)
        answered.append((acknowledged - invited) * 1000)
    store.close()
    result.invite_to_incoming_call_ms = spread(heard)
    result.invite_to_incoming_call_out_ms = spread(out)
    result.invite_to_answer_ms = spread(answered)


def sent_by_sipp(facts: Timeline, method: bytes) -> tuple[SipSeen, float]:
    """The first request of a method that came, and when SIPp sent it: Unix seconds."""
    for fact in facts:
        if isinstance(fact, SipSeen) and fact.direction == "received" and fact.message.startswith(method):
            stamp = SENT_BY_SIPP.search(fact.message)
            if stamp:
                return fact, float(stamp[1])
    raise ValueError(f"no {method.decode()} with the time of its sending among {len(facts)} facts")


def spread(values_ms: list[float]) -> dict[str, float]:
    parts = {"p50": percentile(values_ms, 0.5), "p99": percentile(values_ms, 0.99)}
    return {name: round(value, 3) for name, value in (*parts.items(), ("most", max(values_ms, default=0.0)))}


def main() -> int:
    arguments = read_arguments(description="Calls that come in: calls a second a core, CPU a call, delay.")
    plan = QUICK if arguments.quick else Plan()
    plan.calls, plan.rate = arguments.calls or plan.calls, arguments.rate or plan.rate
    result = IncomingResult(offered_a_second=plan.rate)
    allow_open_files()
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.rest})
    with tempfile.TemporaryDirectory(prefix="onhook-bench-") as temporary:
        folder = Path(arguments.keep or temporary).resolve()
        try:
            uvloop.run(drive(folder / "as-shipped", cores, plan, result))
            uvloop.run(drive_hard(folder / "tokens-reused", cores, plan, result))
        except StartFailed as error:
            print(error, file=sys.stderr)
            return 2
    print(as_json(result) if arguments.json else incoming_as_text(result))
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
