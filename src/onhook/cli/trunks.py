"""`onhook trunks`: how the trunks of the running server are."""

from datetime import UTC, datetime
from typing import Any

from onhook.cli.configuring import read_config
from onhook.cli.events import ask
from onhook.cli.outcome import Exit
from onhook.cli.output import print_json, print_table, say

HEADINGS = ("trunk", "where", "state", "since", "last heard", "calls", "why")


def trunks(config: str | None, *, json: bool) -> int:
    """Exit.DONE if there is a trunk and none is offline, else Exit.NO."""
    told: list[dict[str, Any]] = ask(read_config(config), "GET", "/onhook/trunks?format=json")["trunks"]
    if json:
        print_json({"trunks": told})
    elif not told:
        say("There is no trunk: every call to a phone fails. Add a [trunk.NAME] section.")
    else:
        print_table(HEADINGS, [_line(each) for each in told])
    fine = bool(told) and all(each["state"] != "offline" for each in told)
    return Exit.DONE if fine else Exit.NO


def _line(trunk: dict[str, Any]) -> tuple[str, ...]:
    rest = trunk["rests_for_seconds"]
    return (
        trunk["name"],
        f"{trunk['transport']} {trunk['host']}:{trunk['port']}",
        trunk["state"] + (f" (rests {rest:.0f} s)" if rest else ""),
        _local(trunk["since"]),
        _local(trunk["last_heard_at"]),
        f"{trunk['calls']} of {trunk['max_calls']}",
        trunk["reason"],
    )


def _local(at: float | None) -> str:
    return "never" if at is None else f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
