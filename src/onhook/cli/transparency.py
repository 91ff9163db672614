"""`onhook lab transparency`: what a trunk makes of causes (server/transparency_api.py)."""

import sys
import time
from typing import Any
from urllib.parse import quote

import msgspec

from onhook.cli.configuring import read_config
from onhook.cli.events import ask
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import complain, print_json, print_table, say
from onhook.config import Config
from onhook.lab.transparency import Table, table_lines

ROOT = "/onhook/lab/transparency"
POLL_SECONDS = 0.2
HEADINGS = ("sent at the far side", "arrived here", "after", "")


def transparency(trunk: str, number: str, config_file: str | None, form: str) -> int:
    """Measure if a number is given, else show the kept table; `form` is text, markdown or json."""
    config = read_config(config_file)
    told = _measured(config, trunk, number) if number else ask(config, "GET", f"{ROOT}/{quote(trunk)}")
    if told["table"] is None:
        raise CommandError(f"trunk {trunk} is still being measured: {told['done']} of {told['of']}.", Exit.NO)
    if form == "json":
        print_json(told["table"])
        return Exit.DONE
    table = msgspec.convert(told["table"], Table)
    lines = list(table_lines(table))
    if form == "markdown":
        say("\n".join(_markdown(lines)))
    else:
        print_table(HEADINGS, lines)
    changed = sum(line[3] == "changed" for line in lines)
    say(f"\n{changed} of {len(lines)} causes arrive changed. Calls over {trunk} are judged by this table.")
    return Exit.DONE


def _measured(config: Config, trunk: str, number: str) -> Any:
    told = ask(config, "POST", ROOT, {"trunk": trunk, "number": number})
    shown = ""
    while told["state"] == "measuring":
        progress = f"{told['done']} of {told['of']}: {told['last']}"
        if sys.stderr.isatty() and told["done"] and progress != shown:
            complain(progress)
            shown = progress
        time.sleep(POLL_SECONDS)
        told = ask(config, "GET", f"{ROOT}/{quote(trunk)}")
    if told["state"] == "failed":
        raise CommandError(told["why"], Exit.UNAVAILABLE)
    return told


def _markdown(lines: list[tuple[str, str, str, str]]) -> list[str]:
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return [f"| {' | '.join(HEADINGS)} |", "|---|---|---|---|", *rows]
