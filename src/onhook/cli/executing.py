"""`onhook exec -- COMMAND`: a server for as long as a command runs, whatever language its tests are in."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from onhook.calls.record import CallRecord
from onhook.cli.configuring import config_path
from onhook.cli.coverage import judged, write
from onhook.cli.kept import summary as call_summary
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain
from onhook.config import ConfigError
from onhook.endings.coverage import Run, cover, read_run, render_text, summary
from onhook.testing.covering import kept_calls
from onhook.testing.server import Server, ServerFailed

MAX_CALLS = 100_000
"""Reported; of more, the newest."""
OPEN = "(open)"
NOT_EXECUTABLE, SIGNALLED = 126, 128
"""Exit statuses as a shell gives them; a command that died of a signal gives 128 and its number."""
FORWARDED = (signal.SIGINT, signal.SIGTERM)


class Wanted(NamedTuple):
    """What is to be made of the ending coverage; with none of it, nothing is said of it."""

    table: bool = False
    files: Sequence[tuple[str, str]] = ()
    """Forms (html, junit) with paths."""
    github: bool = False
    fail_under: float | None = None

    @property
    def something(self) -> bool:
        return bool(self.table or self.files or self.github or self.fail_under is not None)


NOTHING = Wanted()


def execute(
    command: Sequence[str], config_file: str | None, report: str | None, wanted: Wanted = NOTHING
) -> int:
    """The command's own exit status; 1 if it is 0 and the ending coverage is lower than wanted.

    Raises CommandError if the server or the command cannot be started, or a report cannot be written.
    Settings that neither the file nor the environment has are as tests want them (testing/server.py).
    """
    words = list(command[1:] if command[:1] == ["--"] else command)
    if not words:
        raise CommandError("exec needs a command: onhook exec -- npm test", Exit.USAGE)
    if shutil.which(words[0]) is None:
        raise CommandError(f"exec: {words[0]} is not found, or cannot be executed.", Exit.USAGE)
    with tempfile.TemporaryDirectory(prefix="onhook-exec-") as folder:
        server = Server(Path(folder), config_file=config_path(config_file))
        try:
            server.start()
        except ConfigError as error:
            raise CommandError(str(error), Exit.CONFIG) from None
        except (ServerFailed, OSError) as error:
            raise CommandError(f"exec: {error}", Exit.UNAVAILABLE) from error
        try:
            since = server.ask(server.running.switch.now)
            status = _run(words, {**os.environ, **server.environment})
            records = server.ask(lambda: server.running.store.calls(MAX_CALLS))
            run = _read(server, since) if wanted.something else Run()
        finally:
            server.stop()
    mine = [record for record in reversed(records) if record.started_at >= since]
    complain(told(mine))
    if report:
        _write(Path(report), words, status, mine)
    lower = _cover(run, wanted) if wanted.something else Exit.DONE
    return status or lower


def _read(server: Server, since: float) -> Run:
    return server.ask(lambda: read_run(kept_calls(server.running.store, since)))


def _cover(run: Run, wanted: Wanted) -> int:
    covered = cover([run])
    complain((render_text(covered) if wanted.table else summary(covered)).rstrip("\n"))
    write(covered, wanted.files, github=wanted.github)
    return judged(covered, wanted.fail_under)


def told(records: Sequence[CallRecord]) -> str:
    """The endings that calls met, the most frequent first, and the calls that nobody ended."""
    if not records:
        return "onhook: no call was placed, and none came in."
    counted = Counter(record.verdict.ending if record.verdict else OPEN for record in records)
    endings = len(counted.keys() - {OPEN})
    lines = [f"onhook: {_counted(len(records), 'call')} met {_counted(endings, 'ending')}"]
    lines += [
        f"  {count:>5}  {ending}"
        for ending, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]
    skipped = sum(record.skipped_seconds for record in records)
    if skipped:
        lines.append(f"  {skipped:.0f} s of ringing were not waited for (lab.skip_waits)")
    return "\n".join(lines)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _run(words: Sequence[str], environment: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(words, env=environment)  # noqa: S603  # the very command that was asked for
    except OSError as error:
        complain(f"onhook: {words[0]} cannot be run: {error.strerror}")
        return NOT_EXECUTABLE
    with _forwarding(process):
        status = process.wait()
    return status if status >= 0 else SIGNALLED - status


@contextmanager
def _forwarding(process: "subprocess.Popen[bytes]") -> Generator[None]:
    """Who stops us means the command: it ends, and then we do, in order."""

    def forward(number: int, _frame: object) -> None:
        if number != signal.SIGINT or not sys.stdin.isatty():  # Ctrl-C of a terminal reaches both
            process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write(file: Path, command: Sequence[str], status: int, records: Sequence[CallRecord]) -> None:
    counted = Counter(record.verdict.ending for record in records if record.verdict)
    content = {
        "command": list(command),
        "status": status,
        "endings": dict(sorted(counted.items())),
        "open": sum(record.ended_at is None for record in records),
        "calls": [call_summary(record) for record in records],
    }
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    except OSError as error:
        raise CommandError(
            f"the report cannot be written to {file}: {error.strerror}.", Exit.UNAVAILABLE
        ) from error
