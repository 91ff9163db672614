"""What came of one request to an endpoint."""

from collections.abc import Mapping
from typing import NamedTuple

from onhook.calls.grid import GridTry
from onhook.delivery.grid.retries import TAKEN

DELIVERED = "Delivered"
OUTCOMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "TimedOut",
    413: "PayloadTooLarge",
    429: "Busy",
    504: "TimedOut",
}


class Answer(NamedTuple):
    """`status` is None if no HTTP answer came; then `error` says why and `outcome` names it.

    Outcomes without an answer: TimedOut, SocketError, ResolutionError; Untrusted for a certificate, Refused
    for a network where no event may go.
    """

    status: int | None
    error: str = ""
    """Reason phrase of a refusal, or what went wrong."""
    outcome: str = ""
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""

    @property
    def taken(self) -> bool:
        return self.status in TAKEN

    @property
    def is_final(self) -> bool:
        """No answer came, and none will come while the endpoint and our settings are as they are."""
        return self.outcome in {"Untrusted", "Refused"}

    @property
    def told(self) -> str:
        return f"{self.status} {self.error}".strip() if self.status is not None else self.error

    def tried(self, at: float, elapsed_seconds: float) -> GridTry:
        """This answer as it is kept."""
        return GridTry(
            at=at,
            status=self.status,
            elapsed_ms=round(elapsed_seconds * 1000, 3),
            outcome=self.last_outcome,
            error=self.error,
        )

    @property
    def last_outcome(self) -> str:
        """As lastDeliveryOutcome. documented: the words; assumed: which status gets which."""
        if self.status is None:
            return "SocketError" if self.is_final else self.outcome
        if self.taken:
            return DELIVERED
        known = OUTCOMES.get(self.status)
        return known or ("Busy" if self.status >= 500 else "BadRequest")
