"""One open WebSocket to an application: a queue towards it, its messages, and how it came to an end.

Nothing here waits for a slow application but the link's own task: the queue has a limit, what does not fit
is refused, and an application that takes nothing for too long is given up.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Self

import aiohttp

NORMAL, REFUSING = 1000, frozenset({1002, 1003, 1007, 1008, 1010})
"""Close codes (RFC 6455 section 7.4.1): the application is done; the application wants none of this."""
NO_CODE: Final = 1005
MAX_REASON_CHARACTERS: Final = 200
CLOSING_SECONDS: Final = 2.0
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""Longer messages end the connection; those up to here are read, and dropped if they are too long for us."""
log = logging.getLogger(__name__)


class Over(NamedTuple):
    """Why the link is over. `again`: dial once more. `normal`: the application closed it as it should."""

    detail: str
    again: bool = False
    normal: bool = False


class Link:
    """`take` is called with each message, or with None for one that is no text; `now` counts seconds."""

    def __init__(
        self,
        websocket: "aiohttp.ClientWebSocketResponse[bool]",
        take: Callable[[bytes | None], None],
        *,
        most_messages: int,
        slow_seconds: float,
        pong_seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._websocket, self._take = websocket, take
        self._most, self._slow_seconds, self._pong_seconds = most_messages, slow_seconds, pong_seconds
        self._now = now
        self._queue: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._took_at = now()
        self._over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.ensure_future(self._send()), asyncio.ensure_future(self._read())]

    def offer(self, message: bytes) -> bool:
        """Put it into the queue; False if that is full, or the link is over."""
        if self._over.done():
            return False
        if len(self._queue) >= self._most:
            idle = self._now() - self._took_at
            if idle > self._slow_seconds:
                self._end(Over(f"the application took nothing for {idle:.0f} s (streaming.slow_seconds)"))
            return False
        self._queue.append(message)
        self._more.set()
        return True

    async def over(self) -> Over:
        """Wait for its end."""
        return await asyncio.shield(self._over)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all of it, and tell the application that it is closed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._websocket.close()

    def _end(self, how: Over) -> None:
        if not self._over.done():
            self._over.set_result(how)

    async def _send(self) -> None:
        try:
            while True:
                while self._queue:
                    await self._websocket.send_frame(self._queue.popleft(), aiohttp.WSMsgType.TEXT)
                    self._took_at = self._now()
                self._more.clear()
                await self._more.wait()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            self._end(Over(f"the connection broke while sending: {error}", again=True))

    async def _read(self) -> None:
        try:
            while not self._over.done():
                message = await self._websocket.receive()
                match message.type:
                    case aiohttp.WSMsgType.TEXT:
                        self._take(message.data)
                    case aiohttp.WSMsgType.BINARY:
                        self._take(None)
                    case _:
                        self._end(self._why(message.type, message.data, message.extra))
        except Exception as error:
            log.exception("a message of an application could not be handled")
            self._end(Over(f"Onhook failed: {type(error).__name__}: {error}"))

    def _why(self, kind: aiohttp.WSMsgType, data: object, extra: object) -> Over:
        """A close frame has a code; all else is a connection that broke."""
        if kind is aiohttp.WSMsgType.CLOSE:
            code, reason = data or NO_CODE, str(extra or "")[:MAX_REASON_CHARACTERS]
            said = f"{code} {reason}".strip()
            if code == NORMAL:
                return Over(f"the application closed it: {said}", normal=True)
            return Over(f"the application closed it: {said}", again=code not in REFUSING)
        error = data if isinstance(data, BaseException) else self._websocket.exception()
        if isinstance(error, aiohttp.ServerTimeoutError):
            silence = f"no pong came within {self._pong_seconds:g} s"
            return Over(f"{silence}: the application or its network is dead", again=True)
        if isinstance(error, aiohttp.WebSocketError):
            return Over(f"the application broke the protocol: {error}", again=True)
        return Over(f"the connection broke{f': {error}' if error else ' without a close frame'}", again=True)
