"""How many legs of audio one core carries, beside aiortp, aiortc and rtpengine in the same run.

    python bench/media.py [--engines onhook,…] [--shapes playing,…] [--seconds S] [--quick] [--json]

G.711 in packets of 20 ms. Each engine runs alone on one core, the far ends of its legs on the other; each far
end talks all the time. Measured are the processor's time for a leg and second, at a number of legs that is
easy for the engine, and the largest number of legs with which less than 1 % of packets come more than 5 ms
late, or never; and how late Onhook's event loop is then. A busy machine makes lateness worse, and leaves
processor time nearly as it is: what else ran is told by the load and by the far ends' own lateness. Far ends
run before all others where the system allows it (SCHED_RR), as Onhook's media thread does by itself.
"""

import argparse
import contextlib
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import media_rtpengine
from media_far_end import FarEnd
from media_plan import BRIDGED, FIGURES, PLAYING, READY, SIZES, Plan, addresses, wait_for
from processes import Cores, allow_open_files, cpu_of, machine, say, start, stop

ONHOOK, AIORTP, AIORTC, RTPENGINE = "onhook", "aiortp", "aiortc", "rtpengine"
EASY: Final = {ONHOOK: 480, AIORTP: 60, AIORTC: 18, RTPENGINE: 120}
"""Legs at which processor time is measured."""
OFFERED: Final = {
    ONHOOK: [(shape, encrypted) for encrypted in (False, True) for shape in SIZES],
    AIORTP: [(shape, False) for shape in SIZES],
    AIORTC: [(shape, True) for shape in SIZES],
    RTPENGINE: [(PLAYING, False), (BRIDGED, False), (PLAYING, True), (BRIDGED, True)],
}
"""What each can do: aiortp has no SRTP, aiortc nothing without; rtpengine 10.5 mixes two at the most."""


class Case(NamedTuple):
    engine: str
    shape: str
    encrypted: bool

    @property
    def name(self) -> str:
        return f"{self.engine}, {self.shape}{', SRTP' if self.encrypted else ''}"


MOST_LATE: Final = 0.01
MOST_LEGS: Final = 3_000
LEG_STEP: Final = 6
"""Divisible by the legs of every room."""
FIRST_GUESS, NEXT_GUESS = 0.8, 0.92
"""Of what the processor time is worth: of the easy run, and of a later one that held."""
LARGER, SMALLER = 1.1, 0.8
"""At least, and at most, after a run that held and after one that did not."""
SETTLE_SECONDS: Final = 1.0
BEHIND_SHARE: Final = 0.01
"""Far ends that are late more often are no measure."""


@dataclass(slots=True)
class Run:
    """One number of legs."""

    legs: int
    cpu_ms: float
    """Of one leg, for one second."""
    came: int
    """Packets that the far ends got."""
    late_share: float
    p99_ms: float
    far_end_behind: bool
    loop_ms: dict[str, float] = field(default_factory=dict[str, float])
    """How late the event loop of the engine's process was: p50, p99, most."""

    @property
    def holds(self) -> bool:
        return self.late_share < MOST_LATE


@dataclass(slots=True)
class Row:
    engine: str
    shape: str
    encrypted: bool
    easy: Run
    most: Run | None
    """The largest number of legs that held the limit; None: not even the easy one did, or not looked for."""
    limited_by_far_end: bool = False

    @property
    def worth_legs(self) -> float:
        """What one core could carry by its time alone."""
        return 1000 / self.easy.cpu_ms if self.easy.cpu_ms else math.inf


@dataclass(slots=True)
class Options:
    seconds: float = 2.0
    tries: int = 3
    easy: dict[str, int] = field(default_factory=lambda: dict(EASY))


@contextlib.contextmanager
def engine(name: str, plan: Plan, folder: Path, core: int) -> Iterator[tuple[int, list[int]]]:
    """Its process, and the ports of its legs."""
    if name == RTPENGINE:
        daemon = media_rtpengine.Daemon(folder, core)
        try:
            yield daemon.process.pid, daemon.open(plan)
        finally:
            daemon.process.kill()
            daemon.process.wait()
        return
    plan.write(folder / "plan.json")
    program = Path(__file__).with_name("media_subject.py")
    command = [sys.executable, str(program), name, str(folder / "plan.json")]
    process = start(command, core=core, log=folder / "engine.log")
    try:
        yield process.pid, wait_for(folder / READY, lambda: process.poll() is None)
        process.send_signal(signal.SIGTERM)
        wait_for(folder / FIGURES, lambda: process.poll() is None)
    except TimeoutError as error:
        error.add_note((folder / "engine.log").read_text(errors="replace")[-3000:])
        raise
    finally:
        stop(process)


def measure(case: Case, legs: int, cores: Cores, seconds: float) -> Run:
    """Let it serve so many legs for so long."""
    far = FarEnd(legs, encrypted=case.encrypted)
    keys = [(key.says.hex(), key.hears.hex()) for key in far.keys]
    plan = Plan(case.shape, case.encrypted, far.ports, keys)
    relayed = None
    if case.engine == RTPENGINE and case.shape == BRIDGED:
        relayed = [other for room in plan.rooms for other in reversed(room)]
    try:
        with tempfile.TemporaryDirectory(prefix="onhook-bench-") as made:
            folder = Path(made)
            with engine(case.engine, plan, folder, cores.measured) as (pid, ports):
                far.aim(addresses(ports))
                far.run(SETTLE_SECONDS)
                before, begun, began_at = cpu_of(pid), time.monotonic(), time.time()
                far.run(seconds)
                took, ended_at = time.monotonic() - begun, time.time()
                cpu_seconds = cpu_of(pid).since(before).total
            figures = folder / FIGURES
            loop_ms = json.loads(figures.read_text()) if figures.exists() else {}
        late = far.lateness(far.came(), after=began_at, until=ended_at, relayed=relayed)
        behind = far.behind_share > BEHIND_SHARE
        cpu_ms = 1000 * cpu_seconds / took / legs
        return Run(
            legs, round(cpu_ms, 4), late.came, round(late.share, 4), round(late.p99_ms, 2), behind, loop_ms
        )
    finally:
        far.close()


def search(case: Case, easy: Run, cores: Cores, options: Options) -> Row:
    """The largest number of legs that holds, by a few tries from what processor time is worth."""
    row = Row(*case, easy, easy if easy.holds else None)
    legs = _whole(FIRST_GUESS * row.worth_legs)
    broke = MOST_LEGS + LEG_STEP
    for _ in range(options.tries):
        if legs >= broke or (row.most and legs <= row.most.legs):
            break
        run = measure(case, legs, cores, options.seconds)
        say(f"  {legs} legs: {100 * run.late_share:.2f} % late{_behind(run)}")
        row.limited_by_far_end |= run.far_end_behind and not run.holds
        if run.holds:
            row.most = run
            legs = _whole(max(legs * LARGER, NEXT_GUESS * 1000 / run.cpu_ms))
            legs = legs if legs < broke else _whole((run.legs + broke) / 2)
        else:
            broke = legs
            lower = row.most.legs if row.most else 0
            legs = _whole(max(legs * SMALLER, (legs + lower) / 2 if lower else 0))
    return row


def _whole(legs: float) -> int:
    return min(MOST_LEGS, max(LEG_STEP, int(legs) // LEG_STEP * LEG_STEP))


def _behind(run: Run) -> str:
    return ", far ends late themselves" if run.far_end_behind else ""


def rows(
    engines: Sequence[str], shapes: Sequence[str], cores: Cores, options: Options, failed: list[str]
) -> Iterator[Row]:
    """Of all that these engines can do; what could not be measured is added to `failed`."""
    for name in engines:
        if name == RTPENGINE and not media_rtpengine.is_there():
            say("rtpengine is not installed: left out")
            continue
        for shape, encrypted in OFFERED[name]:
            if shape not in shapes:
                continue
            case = Case(name, shape, encrypted)
            try:
                yield _row(case, cores, options)
            except (OSError, RuntimeError) as error:  # of one peer: the others are measured all the same
                say(f"{case.name}: given up: {error}")
                failed.append(case.name)


def _row(case: Case, cores: Cores, options: Options) -> Row:
    easy = measure(case, options.easy[case.engine], cores, options.seconds)
    say(
        f"{case.name}: {easy.cpu_ms:.3f} ms a leg and second at {easy.legs} legs, "
        f"{100 * easy.late_share:.2f} % late{_behind(easy)}"
    )
    return search(case, easy, cores, options)


def as_text(found: Sequence[Row], load: tuple[float, float, float], cores: Cores) -> str:
    head = (
        f"{machine()}; load before {load[0]:.1f}, after {os.getloadavg()[0]:.1f}; "
        f"engine on core {cores.measured}, far ends on core {cores.rest}"
    )
    titles = "engine     legs           SRTP  ms a leg-second  one core's worth  held  late, p99"
    lines = [head, "", f"{titles:92}loop p99, most"]
    for row in found:
        most = row.most
        held = "-" if most is None else str(most.legs)
        late = "" if most is None else f"{100 * most.late_share:4.2f} %  {most.p99_ms:5.2f} ms"
        loop = (
            ""
            if most is None or not most.loop_ms
            else f"{most.loop_ms['p99']:.1f}, {most.loop_ms['most']:.1f} ms"
        )
        note = "  (far ends late)" if row.limited_by_far_end else ""
        lines.append(
            f"{row.engine:10} {row.shape:14} {'yes' if row.encrypted else 'no':5} {row.easy.cpu_ms:15.3f} "
            f"{row.worth_legs:17.0f} {held:>5}  {late:18} {loop}{note}"
        )
    return "\n".join(lines)


def as_json(found: Sequence[Row], load: tuple[float, float, float]) -> str:
    told: list[dict[str, Any]] = [{**asdict(row), "worth_legs": round(row.worth_legs)} for row in found]
    return json.dumps({"machine": machine(), "load_before": load, "rows": told}, indent=2)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", default=",".join(OFFERED), help="of onhook, aiortp, aiortc, rtpengine")
    parser.add_argument("--shapes", default=",".join(SIZES), help="of playing, bridged, in threes")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--tries", type=int, default=3, help="to find the largest number of legs")
    parser.add_argument("--quick", action="store_true", help="a few legs for a second, no search")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    engines, shapes = asked.engines.split(","), asked.shapes.split(",")
    if unknown := (set(engines) - set(OFFERED)) | (set(shapes) - set(SIZES)):
        parser.error(f"no such engine or shape: {', '.join(sorted(unknown))}")
    options = Options(asked.seconds, asked.tries)
    if asked.quick:
        options = Options(1.0, 0, dict.fromkeys(EASY, 2 * LEG_STEP))
    allow_open_files()
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.rest})
    with contextlib.suppress(
        OSError
    ):  # else a busy machine makes the far ends late, and with them everything
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    load = os.getloadavg()
    failed: list[str] = []
    found = list(rows(engines, shapes, cores, options, failed))
    print(as_json(found, load) if asked.json else as_text(found, load, cores))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
