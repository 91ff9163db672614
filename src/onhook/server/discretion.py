"""What Onhook's own pages leave out of a call: secrets, and the queries of URLs, where keys stand."""

import re
from typing import Any

import msgspec

from onhook.calls.record import CallRecord
from onhook.endings.quality import as_dict as leg_as_dict
from onhook.facts import ApiRequested, Fact

SECRETS = ("secret",)
"""From it follow the keys of the call's sound."""
WITH_QUERY = re.compile(r"((?:https?|wss?)://[^\s?\"']+)\?[^\s\"']*", re.IGNORECASE)


def call_fields(record: CallRecord) -> dict[str, Any]:
    """The record as JSON shows it."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    fields["quality"] = [leg_as_dict(leg) for leg in record.quality]
    for name in SECRETS:
        fields.pop(name, None)
    shown: dict[str, Any] = without_queries(fields)
    return shown


def fact_fields(fact: Fact) -> dict[str, Any]:
    """A fact as JSON shows it: bytes as text, what is no UTF-8 escaped. SIP messages stay as they were."""
    fields: dict[str, Any] = msgspec.to_builtins(fact, builtin_types=(bytes,))
    for name, value in fields.items():
        if isinstance(value, bytes):
            text = value.decode(errors="backslashreplace")
            fields[name] = without_queries(text) if isinstance(fact, ApiRequested) else text
        else:
            fields[name] = without_queries(value)
    return fields


def without_queries(value: Any) -> Any:
    """The same, with `…` for the query of each URL in it."""
    if isinstance(value, str):
        return WITH_QUERY.sub(r"\1?…", value)
    if isinstance(value, dict):
        return {key: without_queries(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]  # of any kind
    if isinstance(value, list | tuple):
        return [without_queries(each) for each in value]  # pyright: ignore[reportUnknownVariableType]  # of any kind
    return value
