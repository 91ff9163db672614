"""Run the vendor's own live tests, unmodified, against this server: `make vendor-tests`.

They ship in the source package of azure-communication-callautomation. It is downloaded through pip by the
hash in the lock file and unpacked outside the repository: no line of it is kept here. What they need of
the cloud is stood in for: the queue and its dispatcher by vendor_bus.py, the modules that nobody can
install here by vendor_shims/.

    python -m tools.vendor_tests                 # all of them
    python -m tools.vendor_tests -k hangup       # those whose name has it, as pytest's -k
    python -m tools.vendor_tests --need NAME …   # exit 1 unless these passed
"""

import argparse
import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from tools.vendor_bus import GRID_PATH, PROMPT_PATH, Bus

from onhook.app import running
from onhook.config import load

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "azure-communication-callautomation"
SHIMS = Path(__file__).parent / "vendor_shims"
LIVE_TESTS = ("test_e2e_callautomation_client*.py", "test_e2e_media_client*.py")
NOT_BUILT = re.compile(r"(\w+) \([A-Z]+ /\S+\) is not built in Onhook yet")
MAX_SECONDS_A_TEST = 180
MAX_SECONDS = 1800
PROCESSES = 8
"""They wait nearly all the time; one file of tests runs in one process."""
WIDTH = 100


class Outcome(NamedTuple):
    """One test. `why` is empty if it passed."""

    name: str
    why: str = ""

    @property
    def missing(self) -> str:
        """The operation that is not built, if that is what the test failed for."""
        found = NOT_BUILT.search(self.why)
        return found[1] if found else ""


def locked(package: str, lock: Path) -> str:
    """The requirement with its hashes, as the lock file has it. Raises LookupError if it has none."""
    block = re.search(rf"^{re.escape(package)}==.*?(?=^\S|\Z)", lock.read_text(), re.MULTILINE | re.DOTALL)
    if block is None:
        raise LookupError(f"{lock} has no {package}")
    return re.sub(r"^ +#.*\n?", "", block[0], flags=re.MULTILINE)


def fetch(folder: Path) -> Path:
    """The unpacked source package; pip checks its hash."""
    requirement = folder / "requirement.txt"
    requirement.write_text(locked(PACKAGE, ROOT / "locks/dev.txt"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download")
    exactly = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--require-hashes")
    subprocess.run([*pip, *exactly, "-r", requirement, "-d", folder], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def read_results(report: Path) -> list[Outcome]:
    """What pytest's JUnit report says, by file and name of the test."""
    outcomes = []
    for case in ET.parse(report).iter("testcase"):
        module = case.get("classname", "").split(".")[0]
        faults = [case.find(kind) for kind in ("failure", "error", "skipped")]
        why = "\n".join(
            f"{each.get('message', '')}\n{each.text or ''}" for each in faults if each is not None
        )
        outcomes.append(Outcome(f"{module}::{case.get('name', '')}", why.strip()))
    return sorted(outcomes)


def summary(outcomes: list[Outcome]) -> str:
    """n/44, then each test that failed with the operation it misses, or with what went wrong."""
    lines = []
    for outcome in outcomes:
        if not outcome.why:
            lines.append(f"  ok      {outcome.name}")
            continue
        why = f"{outcome.missing} is not built" if outcome.missing else _first_line(outcome.why)
        lines += [f"  FAILED  {outcome.name}", f"          {textwrap.shorten(why, WIDTH)}"]
    passed = sum(not outcome.why for outcome in outcomes)
    missing = sorted({outcome.missing for outcome in outcomes if outcome.missing})
    lines += ["", f"{passed}/{len(outcomes)} of the vendor's live tests pass"]
    if missing:
        lines.append(f"operations that the others miss first: {', '.join(missing)}")
    return "\n".join(lines)


def _first_line(why: str) -> str:
    return next((line for line in why.splitlines() if line.strip()), "it says nothing")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def run_tests(folder: Path, sources: Path, select: str, files: tuple[str, ...]) -> list[Outcome]:
    """Bus, server and pytest, each in its turn; the outcome of every test."""
    tests = sources / "tests"
    (tests / "events").mkdir(exist_ok=True)  # where the live tests write what they received
    report = folder / "report.xml"
    bus = Bus()
    await bus.start()
    try:
        settings = {
            "SERVER__PORT": "0",
            "SERVER__DATA_DIRECTORY": str(folder / "authority"),
            "SIP__PORT": "0",
            "CARRIER__PORT": str(_free_port()),
            "STORE__PATH": str(folder / "onhook.db"),
            "SUBSCRIPTION__VENDOR__ENDPOINT": f"{bus.url}{GRID_PATH}",
        }
        config = load(None, {f"ONHOOK_{name}": value for name, value in settings.items()})
        async with running(config) as server:
            environment = {**os.environ, **server.environment, **_told(bus, server.environment)}
            names = [path.name for pattern in files for path in sorted(tests.glob(pattern))]
            command = [sys.executable, "-m", "pytest", *names, *_pytest_options(report, select)]
            process = await asyncio.create_subprocess_exec(
                *command, cwd=tests, env=environment, stdin=asyncio.subprocess.DEVNULL
            )
            try:
                await asyncio.wait_for(process.wait(), MAX_SECONDS)
            finally:
                if process.returncode is None:
                    process.kill()
    finally:
        await bus.stop()
    return read_results(report)


def _pytest_options(report: Path, select: str) -> list[str]:
    chosen = ["-k", select] if select else []
    quiet = ("-q", "-rN", "--no-header", "--tb=no", "--show-capture=no", "-W", "ignore")
    alone = ("-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    side_by_side = ("-n", str(PROCESSES), "--dist", "worksteal", "--timeout", str(MAX_SECONDS_A_TEST))
    return [*quiet, *alone, *side_by_side, f"--junitxml={report}", *chosen]


def _told(bus: Bus, environment: dict[str, str]) -> dict[str, str]:
    """What the live tests read of their surroundings."""
    return {
        "COMMUNICATION_LIVETEST_STATIC_CONNECTION_STRING": environment[
            "COMMUNICATION_SERVICES_CONNECTION_STRING"
        ],
        "SERVICEBUS_STRING": bus.address,
        "DISPATCHER_ENDPOINT": bus.url,
        "FILE_SOURCE_URL": f"{bus.url}{PROMPT_PATH}",
        "COGNITIVE_SERVICE_ENDPOINT": "https://cognitive.example/",
        "TRANSPORT_URL": bus.stream_url,
        "PYTHONPATH": os.pathsep.join([str(SHIMS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the vendor's live tests against this server.")
    parser.add_argument("-k", dest="select", default="", help="run those whose name has it")
    parser.add_argument("--files", nargs="+", default=LIVE_TESTS, help="files to take the tests from")
    parser.add_argument("--need", nargs="+", default=(), help="names of tests without which to exit 1")
    parser.add_argument("--all", action="store_true", help="exit 1 unless every test passes")
    asked = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="onhook-vendor-tests-"))
    try:
        sources = fetch(folder)
        outcomes = asyncio.run(run_tests(folder, sources, asked.select, tuple(asked.files)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(summary(outcomes))
    passed = {outcome.name.partition("::")[2] for outcome in outcomes if not outcome.why}
    lacking = [name for name in asked.need if name not in passed]
    if asked.all:
        lacking += [outcome.name for outcome in outcomes if outcome.why] or ([] if outcomes else ["any test"])
    if lacking:
        print(f"needed, and not passed: {', '.join(lacking)}", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
