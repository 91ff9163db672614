"""A client of rtpengine's ng protocol: bencoded dictionaries over UDP, each behind a cookie.

UDP loses datagrams, so a request is repeated under the same cookie until its answer comes; rtpengine knows
a cookie that it has seen and repeats its answer without doing the thing twice (documented: ng control
protocol).
"""

import asyncio
import itertools
import secrets
from collections.abc import Mapping
from typing import Any, Final, cast

from onhook.media.rtpengine.bencode import Dictionary, Unreadable, Value, decode, encode

REPEAT_SECONDS: Final = (0.25, 0.5, 1.0, 1.25)
"""Waits before a request is sent again; after the last one it has failed: 3 s in all."""
MAX_UNANSWERED: Final = 4096
"""Requests under way to one rtpengine."""
MAX_REASON_CHARACTERS: Final = 200


class EngineFailed(RuntimeError):
    """An rtpengine did not do what it was asked. `address` is host:port of its ng socket."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"rtpengine {address}: {why}")
        self.address, self.why = address, why


class EngineSilent(EngineFailed):
    """It did not answer in time, or cannot be reached."""


class EngineRefused(EngineFailed):
    """It answered with an error, or with what cannot be read."""


class NgClient:
    """Speaks to one rtpengine. `open` first; then `ask` as often, and as much at once, as wanted."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.repeats = 0
        """Requests sent again because no answer had come."""
        self.strays = 0
        """Datagrams that answer nothing."""
        self._cookies = itertools.count(1)
        self._prefix = secrets.token_hex(6)
        self._waiting: dict[bytes, asyncio.Future[Dictionary]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._trouble = ""

    async def open(self) -> None:
        """Look its name up and make a socket; nothing is sent. Raises EngineSilent."""
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Protocol(self), remote_addr=(self.host, self.port)
            )
        except OSError as error:
            raise EngineSilent(self.address, error.strerror or str(error)) from error

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def ask(self, command: str, keys: Mapping[str, Value] | None = None) -> Dictionary:
        """Its answer to `command`. Raises EngineSilent and EngineRefused."""
        if len(self._waiting) >= MAX_UNANSWERED:
            raise EngineRefused(self.address, f"{MAX_UNANSWERED} requests wait for an answer, the limit")
        cookie, data = self._request(command, keys)
        answered = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = answered
        self._trouble = ""
        try:
            for number, seconds in enumerate(REPEAT_SECONDS):
                self.repeats += number > 0
                self._send(data)
                await asyncio.wait([answered], timeout=seconds)
                if answered.done():
                    return self._accepted(command, await answered)
        finally:
            del self._waiting[cookie]
        trouble = f" ({self._trouble})" if self._trouble else ""
        raise EngineSilent(self.address, f"no answer to {command} in {sum(REPEAT_SECONDS):g} s{trouble}")

    def tell(self, command: str, keys: Mapping[str, Value]) -> None:
        """Send it once and wait for nothing: for the very end."""
        self._send(self._request(command, keys)[1])

    def close(self) -> None:
        """Those who wait are told so."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(EngineSilent(self.address, "the client was closed"))
                answered.exception()  # whoever waited may have been cancelled: then nobody fetches it

    def _request(self, command: str, keys: Mapping[str, Value] | None) -> tuple[bytes, bytes]:
        cookie = f"{self._prefix}_{next(self._cookies)}".encode()
        return cookie, cookie + b" " + encode({"command": command, **(keys or {})})

    def _send(self, data: bytes) -> None:
        if self._transport is None:
            raise EngineSilent(self.address, "it is not connected to")
        self._transport.sendto(data)

    def _accepted(self, command: str, answer: Dictionary) -> Dictionary:
        result = answer.get("result")
        if result in {"ok", "pong"} or (command == "statistics" and "statistics" in answer):
            return answer
        reason = answer.get("error-reason") or answer.get("message") or f"result {result!r}"
        raise EngineRefused(self.address, f"{command} refused: {str(reason)[:MAX_REASON_CHARACTERS]}")

    def receive(self, data: bytes) -> None:
        cookie, _, body = data.partition(b" ")
        answered = self._waiting.get(cookie)
        if answered is None or answered.done():
            self.strays += 1
            return
        try:
            value = decode(body)
        except Unreadable as error:
            answered.set_exception(EngineRefused(self.address, f"its answer is no bencode: {error}"))
            return
        if isinstance(value, dict):
            answered.set_result(cast("dict[str, Any]", value))
        else:
            answered.set_exception(EngineRefused(self.address, "its answer is no dictionary"))

    def trouble(self, error: Exception) -> None:
        """The system says why nothing may come: told with the failure, if it is one."""
        self._trouble = getattr(error, "strerror", None) or str(error)


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, client: NgClient) -> None:
        self._client = client

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        del addr  # the socket is connected: nobody else is heard
        self._client.receive(data)

    def error_received(self, exc: Exception) -> None:
        self._client.trouble(exc)
