"""`onhook replay`: a recorded call's far end meets the application again (server/replays_api.py)."""

import time
from pathlib import Path
from typing import Any

import msgspec

from onhook.cli.configuring import read_config
from onhook.cli.events import ask
from onhook.cli.kept import find, opened
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain, print_json, say
from onhook.config import Config

ROOT = "/onhook/lab/replays"
POLL_SECONDS = 0.2
MAX_FILE_BYTES = 16 * 1024 * 1024


def replay(call: str, number: str, timeout_seconds: float, config_file: str | None, *, json: bool) -> int:
    """Exit.DONE if the call of today ended as the recorded one did, with the same messages."""
    config = read_config(config_file)
    told = ask(config, "POST", ROOT, _order(call, config_file) | {"number": number})
    if not json:
        say("\n".join(_armed(told)))
    told = _until_over(config, told, timeout_seconds)
    if json:
        print_json(told)
    else:
        say("\n".join(_compared(told)))
    return Exit.DONE if told["comparison"]["same_ending"] else Exit.NO


def _order(call: str, config_file: str | None) -> dict[str, Any]:
    path = Path(call)
    if not path.is_file():
        with opened(config_file) as store:
            return {"call": find(store, call).id}
    if path.stat().st_size > MAX_FILE_BYTES:
        raise CommandError(f"{call} is larger than {MAX_FILE_BYTES} bytes.", Exit.USAGE)
    try:
        exported: Any = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, OSError) as fault:
        raise CommandError(f"{call} is no exported call: {fault}.", Exit.USAGE) from None
    facts: Any = exported.get("facts") if isinstance(exported, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON of any kind
    if not facts:
        raise CommandError(f"{call} has no facts: save what /onhook/calls/ID gives as JSON.", Exit.USAGE)
    return {"facts": facts}


def _until_over(config: Config, told: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """Raises CommandError, with everything disarmed, if no call came, or it did not end, in time."""
    path = f"{ROOT}/{told['id']}"
    ends = time.monotonic() + timeout_seconds
    over = False
    try:
        while not (over := told["state"] == "over") and time.monotonic() < ends:
            time.sleep(POLL_SECONDS)
            told = ask(config, "GET", path)
    finally:
        if not over:
            _disarm(config, path)
    if over:
        return told
    what = "no call came" if told["state"] == "waiting" else "the call is not over"
    raise CommandError(f"{what} after {timeout_seconds:g} s; the replay is disarmed.", Exit.UNAVAILABLE)


def _disarm(config: Config, path: str) -> None:
    try:
        ask(config, "DELETE", path)
    except CommandError as error:
        complain(f"{error}")


def _armed(told: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for part in told["parts"]:
        inbound = part["direction"] == "inbound"
        lines.append(
            f"The carrier calls {part['number']} again:"
            if inbound
            else f"The next call to {part['number']} through the carrier meets:"
        )
        lines += [f"  {line}" for line in part["script"]]
    lines += [f"Not replayed: {line}" for line in told["not_replayed"]]
    return lines


def _compared(told: dict[str, Any]) -> list[str]:
    first, *rest = told["result"]
    lines = [f"Call {told['call']}: {first}", *(f"  {line}" for line in rest)]
    lines += [f"  went another way: {how}" for how in told["departures"]]
    return lines + [f"  not played: {what}" for what in told["unplayed"]]
