"""`onhook provoke`: arm, list and disarm endings and faults in the running server (server/lab_api.py)."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from onhook.cli.options import Verbs, add_config, add_json, add_verb
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import print_json, print_table, say

ROOT = "/onhook/lab"
MAX_SCENARIO_BYTES = 100_000
UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def add_provoke(verbs: Verbs) -> None:
    """The verb and its options."""
    parser = add_verb(verbs, "provoke", _run, "make the next call, request or event end as you choose")
    parser.add_argument(
        "ending", nargs="?", default="", metavar="ENDING", help="id of an ending or fault; --list has them"
    )
    parser.add_argument("--number", default="", metavar="N", help="only calls to this number (all)")
    parser.add_argument("--trunk", default="", metavar="T", help="only calls on this trunk (all)")
    parser.add_argument("--operation", default="", metavar="OP", help="only this one, such as createCall")
    parser.add_argument("--scenario", metavar="FILE", help="play your own scenario, from a text file")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="how often; 0 is without end (1)")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="let so many pass first (0)")
    parser.add_argument("--after", type=seconds, default=0.0, metavar="TIME", help="from then on: 10s, 5min")
    parser.add_argument("--until", type=seconds, default=0.0, metavar="TIME", help="until then: 10s, 5min")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--list", action="store_true", help="list what can be provoked and what cannot")
    doing.add_argument("--armed", action="store_true", help="list what is armed and how often it hit")
    doing.add_argument("--disarm", metavar="ID", help="disarm one, or `all`")
    add_config(parser)
    add_json(parser)


def seconds(text: str) -> float:
    """A length of time: 10, 10s, 500ms, 5min, 1h."""
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text.strip()[len(digits) :].strip() or "s"
    try:
        return float(digits) * UNITS[unit]
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no time: write 10s, 500ms or 5min") from None


def _run(arguments: argparse.Namespace) -> int:
    config, json = arguments.config, bool(arguments.json)
    if arguments.list:
        return catalogue(json=json)
    if arguments.disarm:
        return disarm(arguments.disarm, config, json=json)
    if arguments.armed or not (arguments.ending or arguments.scenario):
        return armed(config, json=json)
    wanted = {
        "ending": arguments.ending,
        "number": arguments.number,
        "trunk": arguments.trunk,
        "operation": arguments.operation,
        "scenario": _read(arguments.scenario) if arguments.scenario else "",
        "count": arguments.count,
        "skip": arguments.skip,
        "after_seconds": arguments.after,
        "until_seconds": arguments.until,
    }
    return arm(wanted, config, json=json)


def arm(wanted: dict[str, Any], config: str | None, *, json: bool) -> int:
    told = _ask(config, "POST", f"{ROOT}/provocations", wanted)
    if json:
        print_json(told)
    else:
        say("\n".join(_armed(told)))
    return Exit.DONE


def armed(config: str | None, *, json: bool) -> int:
    told = _ask(config, "GET", f"{ROOT}/provocations")["provocations"]
    if json:
        print_json({"provocations": told})
    elif not told:
        say("Nothing is armed. `onhook provoke --list` lists what can be.")
    else:
        print_table(("id", "provokes", "where", "for", "hits", "state"), [_line(each) for each in told])
    return Exit.DONE


def disarm(name: str, config: str | None, *, json: bool) -> int:
    told = _ask(config, "DELETE", f"{ROOT}/provocations/{quote(name, safe='')}")
    if json:
        print_json(told)
    else:
        say(f"Disarmed: {', '.join(told['disarmed']) or 'nothing was armed'}.")
    return Exit.DONE


def catalogue(*, json: bool) -> int:
    """Needs no server: it is what this version can do."""
    from onhook.server.lab_api import catalogue as whole  # noqa: PLC0415  # only this one needs the pages

    told = whole()
    if json:
        print_json(told)
        return Exit.DONE
    print_table(
        ("provoke", "where", "what happens"),
        [(each["name"], each["arm"], _with_needs(each)) for each in told["provokable"]],
    )
    say("\nWhat a running server cannot be made to meet:")
    print_table(("ending", "why"), [(each["name"], each["why"]) for each in told["not_provokable"]])
    return Exit.DONE


def _armed(told: dict[str, Any]) -> Iterator[str]:
    often = "once" if told["count"] == 1 else f"{told['count']} times" if told["count"] else "without end"
    yield f"{told['id']}: {told['name']} is armed ({told['arm']}) for {_whom(told)}, {often}."
    if told["needs"]:
        yield f"  It needs these settings: {'; '.join(told['needs'])}"
    if told["then"]:
        yield f"  Your application then has to: {'; '.join(told['then'])}"
    yield f"  Take it back with: onhook provoke --disarm {told['id']}"


def _line(told: dict[str, Any]) -> tuple[str, ...]:
    hits = f"{told['hits']} of {told['count']}" if told["count"] else f"{told['hits']}"
    state = "armed" if told["in_force"] else "spent"
    return (told["id"], told["name"], told["arm"], _whom(told), hits, state)


def _whom(told: dict[str, Any]) -> str:
    named = (
        f"{label} {told[field]}"
        for field, label in (("number", "number"), ("trunk", "trunk"), ("operation", "operation"))
        if told[field]
    )
    return ", ".join(named) or "whatever comes next"


def _with_needs(told: dict[str, Any]) -> str:
    parts = [told["text"]]
    if told["needs"]:
        parts.append(f"needs {', '.join(told['needs'])}")
    if told["then"]:
        parts.append(f"your application: {'; '.join(told['then'])}")
    return " · ".join(parts)


def _read(name: str) -> str:
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise CommandError(f"the scenario {name} cannot be read: {fault}.", Exit.USAGE) from None
    if not text.strip() or len(text) > MAX_SCENARIO_BYTES:
        raise CommandError(
            f"the scenario {name} is empty or longer than {MAX_SCENARIO_BYTES} characters.", Exit.USAGE
        )
    return text


def _ask(config: str | None, method: str, path: str, body: object = None) -> Any:
    from onhook.cli.configuring import read_config  # noqa: PLC0415  # `--list` needs no configuration
    from onhook.cli.events import ask  # noqa: PLC0415  # as above

    return ask(read_config(config), method, path, body)
