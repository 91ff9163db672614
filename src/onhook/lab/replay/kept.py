"""An exported call read back: the JSON that /onhook/calls/{id} gives, with all its facts."""

from typing import Any

import msgspec

from onhook.facts import Fact, Timeline

BYTES = frozenset({"message", "data", "body"})
"""Fields that are bytes; the export shows them as text, with what is no UTF-8 escaped."""
MAX_FACTS = 100_000


class NotAnExport(ValueError):
    """What was given is no exported call; the text says where and why."""


def read_export(exported: Any) -> Timeline:
    """The facts of an export, `{"facts": […]}`. Raises NotAnExport.

    The export leaves out the queries of URLs; SIP messages stand in it as they were.
    """
    try:
        facts = msgspec.convert(exported, _Export).facts
    except msgspec.ValidationError as fault:
        raise NotAnExport(
            f'it has no list "facts" ({fault}): save what /onhook/calls/ID gives as JSON'
        ) from None
    if not 0 < len(facts) <= MAX_FACTS:
        raise NotAnExport(f"it has {len(facts)} facts, not 1 to {MAX_FACTS}")
    return [_fact(number, fields) for number, fields in enumerate(facts, 1)]


class _Export(msgspec.Struct):
    facts: list[dict[str, Any]]


def _fact(number: int, fields: dict[str, Any]) -> Fact:
    whole = {
        key: _as_bytes(value) if key in BYTES and isinstance(value, str) else value
        for key, value in fields.items()
        if key != "number" or isinstance(value, str)  # an export counts its facts by that name
    }
    try:
        fact: Fact = msgspec.convert(whole, Fact, builtin_types=(bytes,))
    except msgspec.ValidationError as fault:
        raise NotAnExport(f"fact {number} cannot be read: {fault}") from None
    return fact


def _as_bytes(text: str) -> bytes:
    r"""Undo backslashreplace: \xNN of a byte that was no UTF-8. Text of a message that looks so changes."""
    if "\\x" not in text:
        return text.encode()
    parts = text.encode().split(b"\\x")
    joined = parts[0]
    for part in parts[1:]:
        try:
            joined += bytes.fromhex(part[:2].decode()) + part[2:]
        except ValueError:
            joined += b"\\x" + part
    return joined
