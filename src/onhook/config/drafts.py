"""A configuration as it was given: each setting's plain value and the place it came from.

`read_file` and `read_environment` both write into one `Draft`, the second over the first, so that
checks need not care which of them a value came from.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from onhook.config import schema, table
from onhook.config.faults import ConfigError, Fault, Place, did_you_mean, shown
from onhook.config.lines import Path, key_lines

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Longest configuration file."""
MAX_SECTIONS = 10_000
"""Resources, trunks or routes of one kind."""
PREFIX = "ONHOOK_"
OTHER_VARIABLES = frozenset({"ONHOOK_CONFIG"})
"""Variables that are ours but no settings."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

SectionKey: TypeAlias = tuple[str, str | int]
"""("server", ""), ("trunk", "carrier"), ("route", 0)."""


class Given(NamedTuple):
    """A value before it is checked. `raw` is the environment's own text, None for a file's value."""

    value: object
    place: Place
    raw: str | None = None


class Draft:
    """All values given, by section, and the faults found while collecting them."""

    def __init__(self, file: str = "") -> None:
        self.file = file
        self.values: dict[SectionKey, dict[str, Given]] = {}
        self.headers: dict[SectionKey, Place] = {}
        """Where a section begins."""
        self.lines: dict[Path, int] = {}
        """Lines of the file's keys and list values."""
        self.faults: list[Fault] = []

    def names(self, section: str) -> list[str | int]:
        return [name for kind, name in self.values if kind == section]

    def open(self, key: SectionKey, place: Place) -> dict[str, Given]:
        self.headers.setdefault(key, place)
        return self.values.setdefault(key, {})

    def place(self, key: SectionKey, name: str, item: int | None = None) -> Place:
        """Where a setting, or one value of its list, was given; the section's own place if it was not."""
        given = self.values.get(key, {}).get(name)
        if given is None:
            return self.headers.get(key, Place())
        if item is None or not given.place.line:
            return given.place
        path: Path = (key[0], key[1], name, item) if key[1] != "" else (key[0], name, item)
        return given.place._replace(line=self.lines.get(path, given.place.line))

    def fault(self, place: Place, setting: str, problem: str) -> None:
        self.faults.append(Fault(place, setting, problem))


def title(key: SectionKey) -> str:
    """A section as errors name it: server, trunk.carrier, route.0."""
    return key[0] if key[1] == "" else f"{key[0]}.{key[1]}"


def names_of(section: str) -> list[str]:
    """Names of a section's settings."""
    return [setting.name for setting in table.settings(schema.SECTIONS[section])]


def read_file(draft: Draft, text: str) -> None:
    """Add what a TOML text says; raises ConfigError when it is no TOML."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        said = re.sub(r"\s*\(at [^)]*\)$", "", str(error))
        problem = f"not TOML: {said[:1].lower()}{said[1:]}. Mend this line first; the rest was not read."
        raise ConfigError([Fault(Place(draft.file, line), "", problem)]) from None
    draft.lines = key_lines(text)
    for section, content in tree.items():
        _read_section(draft, section, content)


def _read_section(draft: Draft, section: str, content: object) -> None:
    place = Place(draft.file, draft.lines[(section,)])
    if section not in schema.SECTIONS:
        near = did_you_mean(
            section, schema.SECTIONS, otherwise=f" Sections are {', '.join(schema.SECTIONS)}."
        )
        draft.fault(place, section, f"no such section.{near}")
        return
    listed = schema.SECTIONS[section] in schema.LISTED
    named = schema.SECTIONS[section] in schema.NAMED
    wanted = f"[[{section}]]" if listed else f"[{section}.NAME]" if named else f"[{section}]"
    if not isinstance(content, list if listed else dict):
        draft.fault(place, section, f"expected a section, got {shown(content)}. Write {wanted}.")
        return
    parts: list[tuple[str | int, Any]]
    if listed:
        parts = list(enumerate(cast("list[Any]", content)))
    else:
        parts = list(cast("dict[str, Any]", content).items()) if named else [("", content)]
    if len(parts) > MAX_SECTIONS:
        draft.fault(place, section, f"at most {MAX_SECTIONS} of them, here are {len(parts)}.")
        return
    for name, part in parts:
        path: Path = (section,) if name == "" else (section, name)
        header = Place(draft.file, draft.lines[path])
        if not isinstance(part, dict):
            problem = f"expected a section, got {shown(part)}. Write {wanted}."
            draft.fault(header, ".".join(map(str, path)), problem)
        elif isinstance(name, str) and name and not _NAME.fullmatch(name):
            draft.fault(
                header, section, f"{shown(name)} is no name: use 1 to 64 letters, digits, -, _ and dots."
            )
        else:
            _read_keys(draft, (section, name), cast("dict[str, object]", part), path)


def _read_keys(draft: Draft, key: SectionKey, content: dict[str, object], path: Path) -> None:
    known = names_of(key[0])
    given = draft.open(key, Place(draft.file, draft.lines[path]))
    for name, value in content.items():
        place = Place(draft.file, draft.lines[(*path, name)])
        if name in known:
            given[name] = Given(value, place)
        else:
            otherwise = f" [{key[0]}] has {', '.join(known)}."
            draft.fault(
                place,
                f"{title(key)}.{name}",
                f"no such setting.{did_you_mean(name, known, otherwise=otherwise)}",
            )


def read_environment(draft: Draft, environment: Mapping[str, str]) -> None:
    """Add the settings among them: ONHOOK_SERVER__PORT, ONHOOK_TRUNK__CARRIER__PORT, ONHOOK_ROUTE__0__NAME.

    Variables in alphabetical order, so that route 0 comes before route 1. An empty value counts as not set.
    """
    for variable in sorted(environment, key=_by_number):
        if variable.startswith(PREFIX) and variable not in OTHER_VARIABLES and environment[variable]:
            _read_variable(draft, variable, environment[variable])


def _by_number(variable: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else -1, part) for part in variable.split("__")]


def _read_variable(draft: Draft, variable: str, text: str) -> None:
    place = Place(variable=variable)
    section, *rest = variable.removeprefix(PREFIX).lower().split("__")
    if section not in schema.SECTIONS:
        _unknown_variable(draft, place, section, rest)
        return
    kind = schema.SECTIONS[section]
    wanted = 1 if kind in schema.SINGLE else 2
    if len(rest) != wanted or not all(rest):
        middle = "" if wanted == 1 else "0__" if kind in schema.LISTED else "NAME__"
        draft.fault(
            place,
            "",
            f"incomplete. Write {PREFIX}{section.upper()}__{middle}{names_of(section)[0].upper()}=….",
        )
        return
    known = names_of(section)
    if rest[-1] not in known:
        otherwise = f" [{section}] has {', '.join(known)}."
        draft.fault(place, "", f"no such setting.{did_you_mean(rest[-1], known, otherwise=otherwise)}")
        return
    name = _section_name(draft, place, section, rest)
    if name is not None:
        draft.open((section, name), place)[rest[-1]] = Given(plain(text), place, text)


def _section_name(draft: Draft, place: Place, section: str, rest: list[str]) -> str | int | None:
    """The section that a variable means: "" for [server], a name for trunks, a number for routes."""
    if len(rest) == 1:
        return ""
    present = draft.names(section)
    if schema.SECTIONS[section] not in schema.LISTED:
        # variables know neither case nor dashes: a name that is there is meant before a new one
        name = next((name for name in present if re.sub(r"[-.]", "_", str(name)).lower() == rest[0]), rest[0])
        if not _NAME.fullmatch(str(name)):
            draft.fault(
                place, "", f"{shown(rest[0])} is no name: use 1 to 64 letters, digits, -, _ and dots."
            )
            return None
        return name
    if not rest[0].isdecimal() or int(rest[0]) > len(present):
        there = f"routes 0 to {len(present) - 1} are there" if present else "there is none yet"
        draft.fault(
            place, "", f"{rest[0]} is no place in the list: {there}; use {len(present)} for a new one."
        )
        return None
    return int(rest[0])


def _unknown_variable(draft: Draft, place: Place, section: str, rest: list[str]) -> None:
    owner = next((known for known in schema.SECTIONS if section.startswith(f"{known}_")), None)
    if owner and not rest:
        better = f"{PREFIX}{owner.upper()}__{section.removeprefix(f'{owner}_').upper()}"
        draft.fault(place, "", f"no such setting. Did you mean {better}, with two underscores?")
    elif rest:
        near = did_you_mean(
            section, schema.SECTIONS, otherwise=f" Sections are {', '.join(schema.SECTIONS)}."
        )
        draft.fault(place, "", f"no such section.{near}")


def plain(text: str) -> object:
    """A variable's text as TOML reads it; text that is no TOML stands for itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text
