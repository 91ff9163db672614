"""Printing: JSON for programs, tables for people, coloured and boxed on a terminal only."""

import sys
from collections.abc import Sequence

import msgspec


def say(text: str) -> None:
    """To standard output, at once: a person waits, or a program reads along."""
    print(text, flush=True)  # noqa: T201  # the one place where a command speaks


def print_json(value: object) -> None:
    """Indented; any msgspec struct or plain data."""
    say(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """A table with aligned columns; drawn by rich if somebody looks at it."""
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415  # 60 ms that pipes need not wait for
        from rich.table import Table  # noqa: PLC0415  # as above
        from rich.text import Text  # noqa: PLC0415  # as above

        table = Table(*headings)
        for line in lines:
            table.add_row(*map(Text, line))  # Text: brackets in a value are no markup
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    for line in (headings, *lines):
        say("  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip())


def complain(text: str) -> None:
    """To standard error, so that output stays clean for programs."""
    print(text, file=sys.stderr)  # noqa: T201  # as in say
