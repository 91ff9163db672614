"""Colours for a person at a terminal: the text itself stays the same, and pipes never see an escape."""

import os
import re
import sys

BOLD, CYAN, GREEN, YELLOW, RED, PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"
CATEGORIES = {
    "Success": GREEN,
    "ExpectedError": YELLOW,
    "UnexpectedClientError": RED,
    "UnexpectedServerError": RED,
}
_CATEGORY = re.compile("|".join(CATEGORIES))
_HEADING = re.compile(r"[A-Z][A-Za-z ]{2,60}:?")
_LABEL = re.compile(r"(  )([A-Za-z][A-Za-z0-9 ]{1,10})( +)(?=\S)")
LABEL_WIDTH = 14


def wanted() -> bool:
    """Does somebody look at standard output, and want colours? (https://no-color.org: NO_COLOR, not empty)"""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


def painted(text: str) -> str:
    """The first line bold, its category in green, yellow or red, headings bold, labels cyan."""
    lines = text.split("\n")
    before = ""
    for number, line in enumerate(lines):
        if number == 0:
            lines[0] = BOLD + _CATEGORY.sub(_in_colour, line) + PLAIN if line else line
        elif not before and _HEADING.fullmatch(line):
            lines[number] = f"{BOLD}{line}{PLAIN}"
        elif (label := _LABEL.match(line)) and label.end() == LABEL_WIDTH:
            lines[number] = f"{label[1]}{CYAN}{label[2]}{PLAIN}{label[3]}{line[LABEL_WIDTH:]}"
        before = line
    return "\n".join(lines)


def _in_colour(found: re.Match[str]) -> str:
    return f"{CATEGORIES[found[0]]}{found[0]}{PLAIN}{BOLD}"
