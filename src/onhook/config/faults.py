"""What is wrong with a configuration, said so that it can be mended at once."""

import difflib
from collections.abc import Iterable
from typing import NamedTuple

MAX_SHOWN = 60
"""Characters of a wrong value that an error repeats."""


class Place(NamedTuple):
    """Where a value was given: a line of the file, or an environment variable; or nowhere (a default)."""

    file: str = ""
    line: int = 0
    variable: str = ""

    def __str__(self) -> str:
        return self.variable or (f"{self.file}:{self.line}" if self.line else self.file)


class Fault(NamedTuple):
    """One thing to mend. `setting` is the dotted name, empty if the place says it all."""

    place: Place
    setting: str
    problem: str

    def __str__(self) -> str:
        named = "" if self.place.variable or not self.setting else f"{self.setting}: "
        where = f"{self.place}: " if str(self.place) else ""
        return f"{where}{named}{self.problem}"


class ConfigError(Exception):
    """The configuration cannot be used. The text has one line per fault, in the order of the file."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(
            sorted(faults, key=lambda fault: (fault.place.line or 1 << 30, fault.place.variable))
        )
        super().__init__("\n".join(map(str, self.faults)))


def shown(value: object) -> str:
    """A wrong value as an error repeats it: as TOML would write it, cut when long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        cut = value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "…"
        return (
            '"' + cut.encode("unicode_escape").decode().replace('"', '\\"') + '"'
            if not cut.isprintable()
            else f'"{cut}"'
        )
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return str(value)[:MAX_SHOWN]


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """A second sentence that names the nearest known word, or `otherwise`."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else otherwise
