"""Events between their publication and the application, and what became of each attempt."""

from typing import Literal, TypeAlias

import msgspec


class OutboxEvent(msgspec.Struct, kw_only=True):
    """An event on its way to the application. Times are Unix seconds."""

    id: str
    call_id: str
    type: str
    uri: str
    body: bytes
    """The JSON array as it goes out."""
    created_at: float
    due: float
    attempts: int = 0


Fate: TypeAlias = Literal["delivered", "retry", "abandoned"]


class Settlement(msgspec.Struct, frozen=True):
    """What became of one delivery attempt. `due` counts for "retry" only."""

    event_id: str
    fate: Fate
    attempts: int
    due: float = 0.0
