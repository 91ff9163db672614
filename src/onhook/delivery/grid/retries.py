"""When an event is offered again, and when it is given up.

documented ("Event Grid message delivery and retry"): the pauses, the small randomisation of each, the
statuses that are never tried again, the least pauses after 408 and 503, the 30 s for an answer, time to
live checked only when the next attempt is due, five minutes until the dead letter is written, four hours
of trying to. assumed: how small the randomisation is, and that it only ever adds. Not imitated: probation
and delayed delivery to failing endpoints, whose rules are not documented.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

DELAYS_SECONDS = (10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 10_800.0, 21_600.0, 43_200.0)
"""After the first, second … failure; the last one repeats."""
NEVER_AGAIN = frozenset({400, 401, 403, 413})
"""For webhooks."""
TAKEN = range(200, 205)
LEAST_SECONDS = ((408, 120.0), (503, 30.0))
"""Pauses after these statuses are at least so long."""

GiveUp: TypeAlias = Literal["MaxDeliveryAttemptsExceeded", "TimeToLiveExceeded", "NonRetryableError"]
"""deadLetterReason. The first is documented; the others are assumed after its pattern."""


class Again(NamedTuple):
    due: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How long Event Grid waits for what. The defaults are Microsoft's; tests take shorter ones."""

    delays_seconds: tuple[float, ...] = DELAYS_SECONDS
    least_seconds: tuple[tuple[int, float], ...] = LEAST_SECONDS
    jitter: float = 0.1
    """A pause grows by at most this part of itself."""
    answer_seconds: float = 30.0
    dead_letter_delay_seconds: float = 300.0
    dead_letter_retry_seconds: float = 300.0
    dead_letter_patience_seconds: float = 4 * 3600.0
    validation_pause_seconds: float = 5.0
    validation_attempts: int = 3
    """assumed: the page says that attempts are repeated, not how often."""
    validation_url_seconds: float = 600.0
    """10 minutes on the page of the handshake; other pages say 5."""

    def after_failure(
        self, *, attempts: int, max_attempts: int, status: int | None, now: float, jitter: float
    ) -> Again | GiveUp:
        """What follows the failure of attempt number `attempts`; `jitter` is a random number 0 to 1."""
        if status in NEVER_AGAIN:
            return "NonRetryableError"
        if attempts >= max_attempts:
            return "MaxDeliveryAttemptsExceeded"
        pause = self.delays_seconds[min(attempts, len(self.delays_seconds)) - 1]
        least = next((seconds for its, seconds in self.least_seconds if its == status), 0.0)
        return Again(now + max(pause, least) * (1 + self.jitter * jitter))


def is_expired(published_at: float, ttl_minutes: int, now: float) -> bool:
    """Asked when an attempt is due, not before."""
    return now - published_at > ttl_minutes * 60.0
