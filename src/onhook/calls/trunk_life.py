"""How a trunk is: unknown, online, degraded or offline, with the reason and since when, as a table.

What it sends is a sign of life; an OPTIONS without an answer, a 503 or a lost connection speaks against it.
Documented for Direct Routing: an SBC is watched by OPTIONS and skipped while it does not answer. Assumed: how
many may go unanswered, and that every final response but 408, 503 and 504 shows a living trunk.
"""

from enum import Enum, auto

import msgspec

from onhook.machine import Machine, Outputs, nothing, rows

MAX_REASON_CHARACTERS = 200


class State(Enum):
    UNKNOWN = auto()  # nothing was heard of it, and nothing was asked
    ONLINE = auto()
    DEGRADED = auto()  # it failed, and not often enough to be given up
    OFFLINE = auto()  # tried last


class Heard(msgspec.Struct, frozen=True):
    """Input: it answered, or it sent OPTIONS or a call."""


class Faltered(msgspec.Struct, frozen=True):
    """Input: it did not answer, could not be reached, or said that it is out of service."""


class Lost(msgspec.Struct, frozen=True):
    """Input: it faltered as often in a row as is borne."""


class TrunkLife(Machine[State]):
    """`since` and `last_heard_at` are Unix seconds; the latter None before it was heard."""

    def __init__(self, name: str, now: float, *, misses_borne: int) -> None:
        self.state = State.UNKNOWN
        self.name, self.since = name, now
        self.reason = "nothing was heard of it yet"
        self.last_heard_at: float | None = None
        self.misses = 0
        """How often it faltered in a row."""
        self._misses_borne = misses_borne

    def hear(self, reason: str, now: float) -> bool:
        """It lives. Whether its state is another one now."""
        self.misses, self.last_heard_at = 0, now
        return self._take(Heard(), reason, now)

    def falter(self, reason: str, now: float) -> bool:
        self.misses += 1
        return self._take(Lost() if self.misses >= self._misses_borne else Faltered(), reason, now)

    def _take(self, received: Heard | Faltered | Lost, reason: str, now: float) -> bool:
        before = self.state
        self.handle(received)
        self.reason = reason[:MAX_REASON_CHARACTERS]
        if self.state is not before:
            self.since = now
        return self.state is not before

    def keep(self, _: object) -> Outputs:
        """It was given up before: one more sign of that changes nothing."""
        return []

    TABLE = {
        **dict.fromkeys(rows(list(State), Heard), (State.ONLINE, nothing)),
        **dict.fromkeys(rows(list(State)[:3], Faltered), (State.DEGRADED, nothing)),
        **dict.fromkeys(rows(list(State)[:3], Lost), (State.OFFLINE, nothing)),
        (State.OFFLINE, Lost): (State.OFFLINE, keep),
    }
