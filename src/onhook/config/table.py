"""What a setting is: a field of a section's dataclass, with its kind, its default and its meaning."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from onhook.config.kinds import Kind

T = TypeVar("T")

REQUIRED: Any = object()
"""The default of a setting that has none."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `default` is the typed value, `REQUIRED` if there is none."""

    name: str
    kind: Kind[Any]
    default: Any
    meaning: str
    secret: bool

    @property
    def example(self) -> str:
        """TOML that would do: the default where it says something, else the kind's own example."""
        return self.kind.example if self.default in (REQUIRED, "", ()) else as_toml(self.default)


def as_toml(value: object) -> str:
    """A setting's value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(as_toml, value))}]"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # any values
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else str(int(value))
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def setting(kind: Kind[T], default: T, meaning: str, *, secret: bool = False) -> T:
    """A field of a section; to the type checker just its default."""
    return dataclasses.field(default=default, metadata={"kind": kind, "meaning": meaning, "secret": secret})


def settings(section: type[Any]) -> Iterator[Setting]:
    """The rows of a section, in the order in which they are written down."""
    for field in dataclasses.fields(section):
        meta = field.metadata
        yield Setting(field.name, meta["kind"], field.default, meta["meaning"], meta["secret"])


def defaults(part: type[Any]) -> dict[str, Any]:
    """The defaults that a part of the house has for its own settings: said there, and only there."""
    return {field.name: field.default for field in dataclasses.fields(part)}
