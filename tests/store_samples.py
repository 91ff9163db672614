"""What stores are filled with in tests: records, events and facts, plain ones and any that could be."""

from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord
from onhook.endings.verdict import Proof, Verdict
from onhook.facts import ApiRequested, Fact

FACT_KINDS: tuple[type[Any], ...] = get_args(Fact)
TIMES = st.floats(0, 4e9)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


def record(call_id: str = "call-1", **changes: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "id": call_id,
        "server_call_id": "server-call",
        "correlation_id": "correlation",
        "resource": "dev",
        "direction": "outbound",
        "source": "+14255550100",
        "target": "+14255550200",
        "callback_uri": "https://app.example/events",
        "api_version": "2026-03-12",
        "seed": "00000001" * 4,
        "started_at": 100.0,
    }
    return CallRecord(**(fields | changes))


def verdict(ending: str = "callee-busy") -> Verdict:
    return Verdict(
        ending=ending,
        code=486,
        subcode=560486,
        event_code=486,
        message="busy",
        category="Unknown",
        fault="callee",
        evidence=(Proof(3, "it was busy"),),
    )


def event(event_id: str, call_id: str = "call-1", **changes: Any) -> OutboxEvent:
    fields: dict[str, Any] = {
        "id": event_id,
        "call_id": call_id,
        "type": "CallConnected",
        "uri": "https://app.example/events?key=1",
        "body": b'[{"id":"1"}]',
        "created_at": 100.0,
        "due": 100.0,
    }
    return OutboxEvent(**(fields | changes))


def asked(at: float = 100.0, operation: str = "createCall") -> ApiRequested:
    return ApiRequested(at=at, operation=operation, status=201)


def any_value(hint: Any) -> "st.SearchStrategy[Any]":
    """Values of an annotated field, of the sizes that MessagePack can hold."""
    if hint in {float, int}:
        return TIMES if hint is float else NUMBERS
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return any_struct(hint)
    origin, inside = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return st.one_of(*(any_value(each) for each in inside))
    if origin is list:
        return st.lists(any_value(inside[0]), max_size=3)
    if origin is tuple and inside[1:] == (...,):
        return st.lists(any_value(inside[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(any_value(each) for each in inside))
    return st.from_type(hint)


def any_struct(kind: type[Any]) -> "st.SearchStrategy[Any]":
    """Instances of a msgspec struct, every field drawn."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: any_value(hints[name]) for name in kind.__struct_fields__})
