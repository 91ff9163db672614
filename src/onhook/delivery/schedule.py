"""When an event that the application did not take is offered again.

Microsoft documents no retry policy for Call Automation callbacks; this one is assumed: quick first
retries for a restarting application, then slower ones, until `give_up_seconds` have passed.
"""

from dataclasses import dataclass

DEFAULT_DELAYS_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
NEVER_AGAIN = frozenset({410, 413})
"""Statuses that say that no later attempt can succeed: the address is gone, or the event too large."""


@dataclass(frozen=True, slots=True)
class Schedule:
    delays_seconds: tuple[float, ...] = DEFAULT_DELAYS_SECONDS
    """After the first, second, … failure; the last one repeats."""
    give_up_seconds: float = 3600.0
    """An event older than this is abandoned after its next failure."""
    timeout_seconds: float = 30.0
    """How long the application may take to answer one POST."""

    def next_due(self, *, attempts: int, created_at: float, now: float, status: int | None) -> float | None:
        """When to try again after `attempts` failures; None to give up."""
        if status in NEVER_AGAIN:
            return None
        due = now + self.delays_seconds[min(attempts, len(self.delays_seconds)) - 1]
        return due if due - created_at <= self.give_up_seconds else None
