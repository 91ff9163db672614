"""The API caller's mistakes and refusals: raised anywhere, rendered once at the edge.

Body: `{"error": {"code", "message", "target", "details", "innererror"}}` (CommunicationErrorResponse;
both SDKs read it, validated). `code` is the ACS subcode as text where a refusal has one: observed on
the real service for 401 (`"7509"`, Azure-Samples/communication-services-dotnet-quickstarts issue 220),
assumed by analogy for the others, whose numbers are documented. Other refusals carry a name.
"""

from collections.abc import Sequence

import msgspec

from onhook.acs.models_common import CommunicationError, CommunicationErrorResponse

INVALID_BODY = "8523"
CALL_NOT_FOUND = "8522"
CALL_TERMINATED = "8528"
NOT_VALID_IN_STATE = "8585"
THROTTLED = "8516"
SIGNATURE_REFUSED = "7509"
MAX_ECHO_CHARACTERS = 200
"""What a caller sent is repeated in messages up to this length."""


class ApiError(Exception):
    """`status` is the HTTP status; `target` says where: a JSON path (`$.targets[0]`) or a header's name.

    `retry_after_seconds` is sent for 429 and 503 only: the Python SDK repeats any refusal that has a
    Retry-After, 400 and 404 included (validated).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[CommunicationError] = (),
        inner: CommunicationError | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.inner = inner
        self.retry_after_seconds = retry_after_seconds if status in {429, 503} else None

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}" + (f" ({self.target})" if self.target else "")

    def body(self) -> bytes:
        """The ACS error body, JSON."""
        error = CommunicationError(
            code=self.code,
            message=self.message,
            target=self.target,
            details=list(self.details) or None,
            innererror=self.inner,
        )
        return msgspec.json.encode(CommunicationErrorResponse(error=error))


def call_not_found(call_connection_id: str) -> ApiError:
    """404/8522, documented for every operation on a call that is not there."""
    return ApiError(
        404,
        CALL_NOT_FOUND,
        f"Call not found: no call of this resource has the id {shown(call_connection_id)}. It never"
        " existed, ended, or belongs to another resource.",
        target="callConnectionId",
    )


def invalid_body(message: str, *, target: str = "$") -> ApiError:
    """400/8523, documented for a body that does not fit; `target` is the JSON path."""
    return ApiError(400, INVALID_BODY, message, target=target)


def participant_not_in_call(raw_id: str, target: str) -> ApiError:
    """400/8523 for an operation on somebody who is not in the call; `target` is the JSON path (assumed)."""
    return invalid_body(
        f"{shown(raw_id)} is not in the call: name a participant that getParticipants lists.", target=target
    )


def shown(text: str) -> str:
    """What the caller sent, safe and short enough to stand in a message."""
    return repr(text) if len(text) <= MAX_ECHO_CHARACTERS else f"{text[:MAX_ECHO_CHARACTERS]!r}…"
