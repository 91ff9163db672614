"""Requests as an SDK would sign them, and the way to put them to an ASGI application in process."""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Scope

KEY = b64encode(b"a key for tests, sixty-four bytes or not: any length signs well.").decode()
OTHER_KEY = b64encode(b"another key for tests").decode()
HOST = "localhost:8443"
NOW = 1_795_433_981.0
VERSION = "api-version=2026-03-12"


def http_date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def signature_of(method: str, target: str, host: str, date: str, body: bytes, *, key: str = KEY) -> str:
    content_hash = b64encode(sha256(body).digest()).decode()
    text = f"{method}\n{target}\n{date};{host};{content_hash}"
    return b64encode(hmac.digest(b64decode(key), text.encode(), "sha256")).decode()


def signed(
    method: str,
    target: str,
    body: bytes = b"",
    *,
    key: str = KEY,
    at: float = NOW,
    host: str = HOST,
    signed_target: str | None = None,
    signed_host: str | None = None,
) -> dict[str, str]:
    """Headers, names in lower case."""
    date = http_date(at)
    made = signature_of(method, signed_target or target, signed_host or host, date, body, key=key)
    return {
        "host": host,
        "x-ms-date": date,
        "x-ms-content-sha256": b64encode(sha256(body).digest()).decode(),
        "authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={made}",
    }


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json()["error"]
        return error


async def put(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    client: str = "127.0.0.1",
) -> Answered:
    """One exchange; the target reaches the application as raw as a client sent it."""
    path, _, query = target.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": (client, 50000),
        "server": ("127.0.0.1", 8443),
    }
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    answer_headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answered(start["status"], answer_headers, b"".join(part["body"] for part in parts))


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: str = VERSION,
    key: str = KEY,
) -> Answered:
    """A well signed request; `body` is bytes, or an object to write as JSON."""
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    target = f"{path}?{query}" if query else path
    return await put(app, method, target, {**signed(method, target, raw, key=key), **(headers or {})}, raw)
