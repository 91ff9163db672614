"""Programs under measurement: where they run, and what the kernel says they cost (proc(5))."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 10.0
MAX_OPEN_FILES = 8192
MAX_PORTS_TRIED = 100


class Cpu(NamedTuple):
    """Seconds of processor time, all threads."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def since(self, earlier: "Cpu") -> "Cpu":
        return Cpu(self.user - earlier.user, self.system - earlier.system)


def cpu_of(pid: int) -> Cpu:
    """To the kernel's tick, 10 ms nearly everywhere: measure over seconds."""
    return _cpu(Path(f"/proc/{pid}/stat"))


def cpu_beside_main(pid: int) -> float:
    """Seconds of all threads but the first."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(_cpu(task / "stat").total for task in tasks.iterdir() if task.name != str(pid))


def _cpu(stat: Path) -> Cpu:
    fields = stat.read_text().rpartition(")")[2].split()
    return Cpu(int(fields[11]) / TICKS_A_SECOND, int(fields[12]) / TICKS_A_SECOND)


def memory_mb(pid: int) -> float:
    """Resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class Cores(NamedTuple):
    """One core for what is measured, one for everything else; the same one where there is only one."""

    measured: int
    rest: int

    @classmethod
    def choose(cls) -> "Cores":
        mine = sorted(os.sched_getaffinity(0))
        return cls(mine[0], mine[-1])


def start(
    command: Sequence[str], *, core: int, log: Path, env: dict[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start `command` on one core; what it says goes to the file `log`."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=log.parent,
            env={**os.environ, **(env or {})},
        )
    os.sched_setaffinity(process.pid, {core})  # before it has threads: they inherit it
    return process


def stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_sip_port() -> int:
    """A port that is free for UDP and TCP alike: a connection somewhere may hold it for TCP alone."""
    for _ in range(MAX_PORTS_TRIED):
        port = free_port(socket.SOCK_DGRAM)
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no port is free for UDP and TCP alike, of {MAX_PORTS_TRIED} tried")


def allow_open_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(MAX_OPEN_FILES, hard), hard))


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` (0 to 1) of all are not above; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def machine() -> str:
    """The processor, for the record."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names) or os.cpu_count()} x {names[0] if names else 'unknown processor'}"


def say(text: str) -> None:
    """Progress, beside the result."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
