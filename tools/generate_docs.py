"""Write docs/reference/ and onhook.example.toml from the tables of the code.

python tools/generate_docs.py            write what changed
python tools/generate_docs.py --check    write nothing; exit 1 and name the files that are stale
"""

import argparse
import importlib
import itertools
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onhook
from onhook.cli.outcome import MEANINGS
from onhook.cli.parser import build_parser
from onhook.config.schema import LISTED, NAMED, OPTIONAL, SECTIONS
from onhook.config.table import REQUIRED, Setting, as_toml, settings
from onhook.endings.codes import CodeRow, rows
from onhook.endings.match import pair_text
from onhook.endings.pages import pages
from onhook.endings.reference import signals_and_tips
from onhook.endings.unexplained import unexplained_markdown
from onhook.lab.cards import cards_markdown
from onhook.lab.published_rows import markdown as published_rows
from onhook.machine import Machine, diagram

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = {
    "pstn": "Calls to and from phones",
    "calling-server": "Endings of calls (Calling SDK, logs)",
    "call-automation": "Call Automation",
    "calling-client": "Errors of the Calling SDK's own API",
}


def made_from(source: str) -> str:
    return f"<!-- Made from {source} by tools/generate_docs.py. Change it there. -->\n"


def cell(text: str) -> str:
    """Text as one cell of a table: a bar would end it, an angle bracket would be HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def header_of(section: str) -> str:
    kind = SECTIONS[section]
    return f"[[{section}]]" if kind in LISTED else f"[{section}.NAME]" if kind in NAMED else f"[{section}]"


def variable_of(section: str, name: str) -> str:
    kind = SECTIONS[section]
    middle = "0__" if kind in LISTED else "NAME__" if kind in NAMED else ""
    return f"ONHOOK_{section.upper()}__{middle}{name.upper()}"


def default_of(section: str, setting: Setting) -> str:
    if setting.default is not REQUIRED:
        return f"`{as_toml(setting.default)}`"
    return "derived" if (section, setting.name) in OPTIONAL else "**required**"


def configuration() -> str:
    """docs/reference/configuration.md."""
    parts = [made_from("src/onhook/config/schema.py"), CONFIGURATION]
    for section, kind in SECTIONS.items():
        parts.append(f"\n## {header_of(section)}\n\n{kind.__doc__}\n\n")
        parts.append("| Setting | Is | Default | Meaning | Variable |\n|---|---|---|---|---|\n")
        parts += [
            f"| `{each.name}` | {cell(each.kind.expected)} | {default_of(section, each)} "
            f"| {cell(each.meaning)} | `{variable_of(section, each.name)}` |\n"
            for each in settings(kind)
        ]
    return "".join(parts)


CONFIGURATION = """\
# Configuration

`onhook run` reads `onhook.toml` of the working directory, or the file named by `--config` or `ONHOOK_CONFIG`.
Without a file everything has a default: the resource `dev` with a published key (for development only) and
the numbers +14255550100 to +14255550109, the built-in carrier as the only trunk, and one route to it for
every number from those caller ids. What a file leaves out has its default as well; as soon as it names a
resource, a trunk or a route of its own, the stand-in for that kind is gone.

`onhook config check` reads it as `run` would, and names every fault with its line and what to write instead:

```
onhook.toml:12: trunk.carrier.port: expected a whole number 1–65535, got "abc". Write port = 5060.
```

Every setting can be given by an environment variable too, which stands above the file. Its value is TOML, and
bare text where a text is wanted (`ONHOOK_TRUNK__CARRIER__HOST=sbc.example.com`); lists may be written with
commas. In names of trunks and resources, case does not count, and `_` stands for `-`. Routes are counted
from 0. An empty variable counts as not set.
"""


def example() -> str:
    """onhook.example.toml: every setting, those with a default commented out."""
    lines = [
        "# Every setting of Onhook with its default. Made from src/onhook/config/schema.py by",
        "# tools/generate_docs.py. Copy it to onhook.toml, keep what you change, then: onhook config check",
    ]
    for section, kind in SECTIONS.items():
        name = {"resource": "shop", "trunk": "carrier"}.get(section, "NAME")
        shared = kind in NAMED or kind in LISTED  # lines of such a section are no defaults: leave them out
        lines += [
            "",
            f"# {kind.__doc__}",
            ("# " if shared else "") + header_of(section).replace("NAME", name),
        ]
        for each in settings(kind):
            lines.append(f"# {each.meaning}" if not shared else f"#   {each.meaning}")
            lines.append(f"# {each.name} = {each.example if shared else as_toml(each.default)}")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """docs/reference/commands.md; not from argparse's own help, which differs between Python versions."""
    parts = [
        made_from("src/onhook/cli/parser.py"),
        "# The command\n\n",
        "| Exit status | Means |\n|---|---|\n",
    ]
    parts += [f"| {status.value} | {meaning} |\n" for status, meaning in MEANINGS.items()]
    for parser in _verbs(build_parser()):
        actions = parser._actions  # noqa: SLF001  # argparse lists them nowhere else
        parts.append(f"\n## {parser.prog}\n\n{parser.description}\n\n| Argument | Meaning |\n|---|---|\n")
        parts += [
            f"| `{_argument(each)}` | {cell(each.help or '')} |\n" for each in actions if each.dest != "help"
        ]
    return "".join(parts)


def _verbs(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers that do something, in the order of the help."""
    if parser.get_default("run"):
        yield parser
    for action in parser._actions:  # noqa: SLF001  # as above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # as above
            for each in action.choices.values():
                yield from _verbs(each)


def _argument(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or str(action.metavar)
    value = f" {action.metavar}" if action.option_strings and action.nargs != 0 else ""
    return f"{name}{value}".replace("|", "\\|")


def codes() -> str:
    """docs/reference/codes.md."""
    parts = [made_from("src/onhook/endings/tables/catalogue.csv"), CODES]
    order = list(FAMILIES)
    for family, found in itertools.groupby(
        sorted(rows(), key=lambda row: order.index(row.family)), key=_family
    ):
        parts.append(f"\n## {FAMILIES[family]}\n\n")
        parts.append(
            "| Code/subcode | Name | Category | Meaning | Advice | Source | Basis |\n"
            "|---|---|---|---|---|---|---|\n"
        )
        parts += [_code_line(row) for row in found]
    return "".join(parts)


def _family(row: CodeRow) -> str:
    return row.family


def _code_line(row: CodeRow) -> str:
    category = f"{row.category or '–'}{'*' if row.category_basis == 'inferred' else ''}"
    advice = f"{row.advice or '–'}{'*' if row.advice_basis == 'inferred' else ''}"
    pair = pair_text(row.code, row.subcode)
    cells = (pair, row.name, category, row.meaning, advice, row.source, row.basis)
    return f"| {' | '.join(map(cell, cells))} |\n"


CODES = """\
# Codes

A code is a symptom; which ending it belongs to is told by the evidence (see [endings](endings.md)). The pair
of code and subcode is the key. `*` marks what is inferred by us, – what the sources leave empty. The basis
of a row is a page of Microsoft's (documented), or a table inside a query that Microsoft publishes. What the
wire shows, what the documents dispute and where codes mislead is in [signals and tips](signals-and-tips.md).
To look one up: `onhook why 560486`, or `/codes/486/560486` on the server.
"""


def endings() -> str:
    """docs/reference/endings.md."""
    parts = [made_from("src/onhook/endings/pages/"), ENDINGS]
    for ending, page in pages().items():
        front = page.front
        pair = f"{front.code}/{front.subcode}"
        if front.statuses:
            pair = ", ".join(front.statuses)
        parts.append(
            f"| [{ending}](../../src/onhook/endings/pages/{ending}.md) | {pair} | {cell(front.name)} "
            f"| {front.fault} | {front.basis} |\n"
        )
    return "".join(parts)


ENDINGS = """\
# Endings

An ending is a diagnosis: one page each, with what happened, whose side it is on, how we know, and what to do.

| Ending | Code/subcode, or SIP statuses | Name | Fault | Basis |
|---|---|---|---|---|
"""


def unexplained() -> str:
    """docs/reference/unexplained.md."""
    return made_from("src/onhook/endings/tables/catalogue.csv and the pages") + unexplained_markdown()


def machines() -> list[type[Machine[Any]]]:
    """Every state machine of the house, by name; imports all of its modules to find them."""
    for module in pkgutil.walk_packages(onhook.__path__, "onhook."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[Machine[Any]]] = []
    waiting: list[type[Machine[Any]]] = [Machine]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        found += [machine for machine in below if "TABLE" in vars(machine)]
    return sorted(found, key=lambda machine: machine.__name__)


def diagrams() -> str:
    """docs/reference/machines.md."""
    parts = [made_from("the tables of the state machines"), "# State machines\n"]
    for machine in machines():
        first = (machine.__doc__ or "").strip().split("\n\n")[0]
        summary = " ".join(line.strip() for line in first.splitlines())
        parts.append(f"\n## {machine.__name__}\n\n`{machine.__module__}`\n\n")
        parts.append(f"{summary}\n\n" if summary else "")
        parts.append(f"```mermaid\n{diagram(machine)}\n```\n")
    return "".join(parts)


OUTPUTS: dict[str, Callable[[], str]] = {
    "onhook.example.toml": example,
    "docs/reference/configuration.md": configuration,
    "docs/reference/commands.md": commands,
    "docs/reference/codes.md": codes,
    "docs/reference/signals-and-tips.md": lambda: (
        made_from("src/onhook/endings/tables/") + signals_and_tips()
    ),
    "docs/reference/endings.md": endings,
    "docs/reference/unexplained.md": unexplained,
    "docs/reference/machines.md": diagrams,
    "docs/reference/test-numbers.md": cards_markdown,
    "docs/reference/published-rows.md": published_rows,
}


def stale(*, write: bool) -> list[str]:
    """Names of the files that are not as the code has them now; written anew if `write`."""
    found: list[str] = []
    for name, make in OUTPUTS.items():
        path = ROOT / name
        text = make()
        if not path.exists() or path.read_text() != text:
            found.append(name)
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    return found


def main(arguments: list[str]) -> int:
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__, file=sys.stderr)
        return 2
    found = stale(write=not check)
    print(("stale: " if check else "written: ") + (", ".join(found) or "nothing"))
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
