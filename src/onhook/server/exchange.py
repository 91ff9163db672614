"""One HTTP exchange as ASGI hands it over: its head, its body, its answer."""

from collections.abc import Mapping
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from onhook.acs.errors import ApiError


class ClientGone(Exception):
    """The client closed the connection before its body was complete: nobody waits for an answer."""


class Head(NamedTuple):
    method: str
    raw_path: str
    """Percent-encoded as it came."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""

    @property
    def target(self) -> str:
        return f"{self.raw_path}?{self.query}" if self.query else self.raw_path


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json; charset=utf-8"


def head_of(scope: Scope) -> Head:
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return Head(
        scope["method"],
        raw_path.decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
    )


async def read_whole_body(receive: Receive, headers: Mapping[str, str], limit_bytes: int) -> bytes:
    """Raises ApiError 413 as soon as the body is known to be longer than the limit."""
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise _too_long(limit_bytes)
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        length += len(part)
        if length > limit_bytes:
            raise _too_long(limit_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


async def send_answer(send: Send, answer: Answer) -> None:
    """204 leaves without body and content headers: SDKs require that (validated)."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if answer.status != 204:
        headers.append((b"content-type", answer.content_type.encode()))
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _too_long(limit_bytes: int) -> ApiError:
    return ApiError(
        413,
        "RequestEntityTooLarge",
        f"The body is longer than {limit_bytes} bytes, the limit of this server.",
    )
