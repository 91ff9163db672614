"""Operations that failed within a call, told as endings are: what happened, why, what to do, with proof."""

from typing import Any

import msgspec

from onhook.endings.explain import Explanation, explain
from onhook.endings.operations import failed_operations
from onhook.facts import Timeline

MAX_FAILURES = 20
"""Failed operations that are told in full; a call that asks for the same in a loop has thousands."""


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """`told` are the first that failed; `left_out` counts those that followed them."""

    told: tuple["Failure", ...] = ()
    left_out: int = 0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One operation that failed. `operation` and `action` are as in its request."""

    operation: str
    action: str
    at_seconds: float
    """From the first fact of the call to the end of the operation."""
    explanation: Explanation

    def as_dict(self) -> dict[str, Any]:
        """Flat, with the keys of an explanation."""
        about: dict[str, Any] = msgspec.to_builtins(self.explanation)
        head = {"operation": self.operation, "action": self.action, "at_seconds": self.at_seconds}
        return head | about


def failures_of(timeline: Timeline) -> Failures:
    """Those of a call, open or over, in the order in which they ended."""
    found = failed_operations(timeline)
    start = timeline[0].at if timeline else 0.0
    return Failures(
        told=tuple(
            Failure(
                operation=ended.operation,
                action=ended.action,
                at_seconds=round(ended.at - start, 3),
                explanation=explain(verdict, timeline),
            )
            for ended, verdict in found[:MAX_FAILURES]
        ),
        left_out=max(0, len(found) - MAX_FAILURES),
    )
