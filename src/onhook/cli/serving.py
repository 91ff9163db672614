"""Verbs that start something: `onhook run`, `onhook first-calls`, `onhook env`."""

import asyncio
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from onhook.cli.configuring import read_config
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import print_json, say
from onhook.config import Config


def run(config_file: str | None, *, first_calls: bool) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    config = read_config(config_file, warn=True)
    from onhook import app  # noqa: PLC0415  # all of the server: only this verb needs it

    async def ready(server: app.Running) -> None:
        say("\n".join(greeting(config, server.url)))
        if first_calls:
            say("")
            await app.place_first_calls(server)
            say(NEXT.format(onhook=command_name()))

    _start(app.serve(config, ready=ready))
    return Exit.DONE


def first_calls(config_file: str | None, *, json: bool) -> int:
    """Exit.DONE only if every ending is the expected one."""
    config = read_config(config_file, warn=not json)
    from onhook import app  # noqa: PLC0415  # as in run

    async def placed() -> int:
        async with app.running(config) as server:
            return await app.place_first_calls(server, json=json)

    status = _start(placed())
    if status is None:
        return Exit.INTERRUPTED
    return Exit.NO if status else Exit.DONE


T = TypeVar("T")

NEXT = """
Still serving; Ctrl-C stops. Now try, in another terminal:
  {onhook} calls              the calls just placed
  {onhook} why last           why the last one ended, with its evidence
  {onhook} ladder last        its signalling, drawn
  {onhook} why 560486         what a code means
  eval "$({onhook} env)"      let your own program talk to this server"""


def command_name() -> str:
    """How a person in this directory calls the command: as it was called now, unless PATH finds it."""
    called = sys.argv[0]
    found = shutil.which("onhook")
    if not called.endswith("onhook") or (found and os.path.realpath(found) == os.path.realpath(called)):
        return "onhook"
    return os.path.relpath(called)


def greeting(config: Config, url: str) -> list[str]:
    """What a person should know when the server takes calls."""
    trunks = ", ".join(
        f"{trunk.name} ({trunk.destination.peer})" for trunk in config.directory.trunks.values()
    )
    lines = [f"Onhook takes calls at {url}", f"  trunks     {trunks or 'none'}"]
    if config.carrier.enabled:
        lines.append("  carrier    built in: the last three digits of a number choose how its call ends")
    lines.append(f"  endings    {url}/onhook/calls")
    return lines


def _reached(host: str) -> str:
    """A name under which this machine's programs reach what listens on `host`; the certificate has it."""
    if host in {"0.0.0.0", "::", "127.0.0.1", "::1"}:  # noqa: S104  # compared with
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _start(work: Coroutine[Any, Any, T]) -> T | None:
    """Run `work` in a loop of its own; a signal ends it in order, and then there is no result."""

    async def until_stopped() -> T | None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(until_stopped())
    except OSError as error:
        raise CommandError(
            f"cannot start: {error.strerror or error}. If a port is taken, another Onhook may be running: "
            "stop it, or choose ports with ONHOOK_SERVER__PORT, ONHOOK_SIP__PORT and ONHOOK_CARRIER__PORT.",
            Exit.UNAVAILABLE,
        ) from error
    except _unavailable() as error:
        raise CommandError(f"cannot start: {error}", Exit.UNAVAILABLE) from error


def _unavailable() -> tuple[type[Exception], ...]:
    from onhook.server.certificates import CertificateError  # noqa: PLC0415  # slow to import
    from onhook.server.keys import KeyFileError  # noqa: PLC0415  # as above
    from onhook.store.batch import StoreFailed  # noqa: PLC0415  # as above

    return (CertificateError, KeyFileError, StoreFailed)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """That of uvloop where it is installed."""
    try:
        import uvloop  # noqa: PLC0415  # not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def env(config_file: str | None, resource: str | None, *, json: bool) -> int:
    """Print shell lines; makes the local CA if there is none yet."""
    config = read_config(config_file)
    found = next((each for each in config.directory.resources if resource in (None, each.name)), None)
    if found is None:
        names = ", ".join(each.name for each in config.directory.resources)
        raise CommandError(f"no resource is named {resource}; there is {names}.", Exit.USAGE)
    from onhook.server.certificates import CertificateError, env_lines, prepare  # noqa: PLC0415  # slow to import

    try:
        paths = prepare(Path(config.server.data_directory), config.server.hostnames, datetime.now(UTC))
    except (CertificateError, OSError) as error:
        raise CommandError(f"no certificate: {error}", Exit.UNAVAILABLE) from error
    lines = env_lines(paths, config.server.port, found.access_keys[0], host=_reached(config.server.host))
    if json:
        words = [shlex.split(line)[-1].partition("=") for line in lines]
        print_json({name: value for name, _, value in words})
    else:
        say("\n".join(lines))
        if sys.stdout.isatty():
            say('# to take these over into this shell: eval "$(onhook env)"')
    return Exit.DONE
