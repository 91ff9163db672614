"""incomingCallContext: the opaque text that ties answer, reject and redirect to one ringing leg.

Ours is a compact JSON Web Token (RFC 7515, HS256) that says call, leg, resource and expiry, so that it
can be checked without looking anything up, and nobody else can make one. The real one is a token of
several kilobytes (observed); the SDKs hand over any text, and never look inside (validated).

The answers to contexts that do not do are assumed: Microsoft documents the subcodes, not which of them
goes with which fault of a context.

| the context is                        | status/subcode |
|---------------------------------------|----------------|
| no text of ours, changed, or too long | 400/8523       |
| of another resource                   | 404/8522       |
| past its time                         | 404/8522       |
| of a call that ended                  | 400/8528       |
| answered, rejected or redirected      | 400/8585       |
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Literal, TypeAlias

import msgspec

from onhook.acs.errors import (
    CALL_NOT_FOUND,
    CALL_TERMINATED,
    NOT_VALID_IN_STATE,
    ApiError,
    invalid_body,
)

MAX_CONTEXT_LENGTH = 8192
"""Ours have some 300 characters; an application may well hand in one of the real service."""
MIN_KEY_BYTES = 32
"""As RFC 7518 section 3.2 asks of HS256."""
TARGET = "$.incomingCallContext"
HEADER = urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()

Unreadable: TypeAlias = Literal["too long", "not ours", "changed", "expired"]
"""Why a context is refused; `changed` also stands for one that was made with another server's key."""

SAID: dict[Unreadable, str] = {
    "too long": f"it has more than {MAX_CONTEXT_LENGTH} characters",
    "not ours": "it is not of this server's making; pass on the text of the IncomingCall event as it is",
    "changed": "its signature does not fit: it was changed on its way, or another server made it",
}


class Context(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a context says. `expires_at` is Unix seconds; from then on nobody may answer with it."""

    call_id: str = msgspec.field(name="call")
    leg_id: str = msgspec.field(name="leg")
    resource_id: str = msgspec.field(name="aud")
    expires_at: float = msgspec.field(name="exp")


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Context)


def make_context(key: bytes, call_id: str, leg_id: str, resource_id: str, expires_at: float) -> str:
    """The text for an IncomingCall event. Raises ValueError if `key` is shorter than MIN_KEY_BYTES."""
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(
            f"the key of incoming call contexts has {len(key)} bytes, {MIN_KEY_BYTES} are needed"
        )
    context = Context(call_id=call_id, leg_id=leg_id, resource_id=resource_id, expires_at=expires_at)
    said = f"{HEADER}.{_written(_ENCODER.encode(context))}"
    return f"{said}.{_signature(key, said)}"


def read_context(key: bytes, text: str, now: float) -> Context | Unreadable:
    """What `text` says if it was made with `key` and is in time; else why it is refused.

    The signature is compared in constant time, before anything inside is looked at.
    """
    if len(text) > MAX_CONTEXT_LENGTH:
        return "too long"
    said, _, signature = text.rpartition(".")
    header, _, payload = said.partition(".")
    if header != HEADER or not payload:
        return "not ours"
    if not hmac.compare_digest(_signature(key, said).encode(), signature.encode(errors="replace")):
        return "changed"
    try:
        context = _DECODER.decode(_read(payload))
    except (msgspec.DecodeError, NotBase64, ValueError):  # signed by us, so of an older or newer Onhook
        return "not ours"
    return "expired" if context.expires_at <= now else context


def open_context(key: bytes, text: str, resource_id: str, now: float) -> Context:
    """What `text` says, to the resource that asks. Raises ApiError as the table above says."""
    found = read_context(key, text, now)
    if isinstance(found, Context):
        if hmac.compare_digest(found.resource_id.lower().encode(), resource_id.lower().encode()):
            return found
        raise _not_found(
            "it belongs to a call of another resource than the one whose key signed this request"
        )
    if found == "expired":
        raise _not_found("its time to answer is over: the call is no longer offered")
    raise invalid_body(f"incomingCallContext is not valid: {SAID[found]}.", target=TARGET)


def context_of_ended_call() -> ApiError:
    """400/8528: the caller gave up, or the call ended otherwise, before the application asked."""
    return ApiError(
        400, CALL_TERMINATED, "The incoming call of this incomingCallContext ended already.", target=TARGET
    )


def context_used(how: str) -> ApiError:
    """400/8585: the call waits no more; `how` is what became of it ("answered", "rejected" …)."""
    return ApiError(
        400,
        NOT_VALID_IN_STATE,
        f"The incoming call of this incomingCallContext was {how} already; a context is good for one answer.",
        target=TARGET,
    )


def _not_found(why: str) -> ApiError:
    return ApiError(
        404, CALL_NOT_FOUND, f"No incoming call waits under this incomingCallContext: {why}.", target=TARGET
    )


def _signature(key: bytes, said: str) -> str:
    return _written(hmac.digest(key, said.encode(errors="replace"), "sha256"))


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _read(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
