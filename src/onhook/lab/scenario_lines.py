"""What lines of scenarios are made of, and what is said of one that is wrong."""

import re
from typing import Final

MAX_WAIT_SECONDS: Final = 3_600

_TIME = re.compile(r"(\d{1,7}(?:\.\d{1,3})?) ?(s|ms)")


class ScenarioError(ValueError):
    """`line` counts from 1; `instead` says what to write."""

    def __init__(self, line: int, what: str, instead: str) -> None:
        super().__init__(f"line {line}: {what}. {instead}")
        self.line, self.what, self.instead = line, what, instead


class Wrong(Exception):
    """A line is wrong; whoever reads the lines adds its number."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(what)
        self.what, self.instead = what, instead


def parse_milliseconds(text: str, example: str = "wait 2 s, wait 1.5 s or wait 500 ms") -> int:
    """A time as "2 s", "1.5 s" or "500 ms", at least 1 ms."""
    matched = _TIME.fullmatch(text)
    if matched is None:
        raise Wrong(f"{text[:40]!r} is no time", f"Write {example}.")
    number, unit = matched.groups()
    milliseconds = float(number) * (1000 if unit == "s" else 1)
    if not milliseconds.is_integer() or milliseconds < 1:
        raise Wrong(f"{text} is not a whole number of milliseconds from 1", "Write wait 2 s or wait 500 ms.")
    if milliseconds > MAX_WAIT_SECONDS * 1000:
        raise Wrong(f"{text} is longer than {MAX_WAIT_SECONDS} s", "Write a shorter time.")
    return int(milliseconds)


def duration(milliseconds: int) -> str:
    """The shortest text that `parse_milliseconds` reads as this."""
    return f"{milliseconds} ms" if milliseconds % 1000 else f"{milliseconds // 1000} s"


def unquoted(text: str) -> str:
    """The text, without the quotes around it if there are any."""
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text
