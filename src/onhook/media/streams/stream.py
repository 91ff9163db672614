"""One stream, from its first dialling to its end: opened, lost and dialled again, closed or given up.

What goes through it is its content's business (audio.py, transcription.py); this is about the WebSocket.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import ClassVar, Final, NamedTuple, Protocol

import aiohttp
import msgspec

from onhook.effects import OpenStream, UpdateStream
from onhook.facts import StreamChanged, StreamState
from onhook.machine import Machine, Outputs, Table
from onhook.media.streams.dialling import Dialler, Missed, bare
from onhook.media.streams.link import Link, Over
from onhook.media.streams.settings import StreamSettings

STEADY_SECONDS: Final = 10.0
"""A connection that held for so long is no sign of one that cannot hold: tries are counted anew."""
log = logging.getLogger(__name__)


class State(Enum):
    DIALLING = auto()
    OPEN = auto()
    REDIALLING = auto()
    OVER = auto()


class Opened(NamedTuple):
    """The handshake was answered."""


class Lost(NamedTuple):
    """It broke, and will be dialled again."""

    detail: str


class GivenUp(NamedTuple):
    """It cannot be opened, or not again, or the application takes nothing."""

    detail: str
    http_status: int | None = None


class Finished(NamedTuple):
    """We or the application closed it."""

    detail: str = ""


class Content(Protocol):
    """What a stream carries. All methods are for the event loop."""

    def first(self, effect: OpenStream) -> bytes:
        """The first message of each connection."""
        ...

    def begin(self) -> None:
        """The stream is open for the first time."""
        ...

    def take(self, message: bytes | None) -> str:
        """A message of the application, None if it is no text; what is wrong with it, or nothing."""
        ...

    def update(self, effect: UpdateStream, stream: OpenStream) -> None:
        """`stream` is the stream as it is from now on."""
        ...

    def end(self) -> None:
        """Nothing is sent any more."""
        ...


class Stream(Machine[State]):
    """`tell` is told each change; `now` gives Unix seconds. `begin` starts it, within a running loop."""

    def __init__(
        self,
        effect: OpenStream,
        dialler: Dialler,
        settings: StreamSettings,
        *,
        tell: Callable[[StreamChanged], None],
        now: Callable[[], float],
    ) -> None:
        self.state = State.DIALLING
        self.effect = effect
        self.content: Content | None = None
        """Given before `begin`."""
        self.sent = self.received = self.dropped = 0
        self._dialler, self._settings, self._tell, self.now = dialler, settings, tell, now
        self._link: Link | None = None
        self._warned: set[str] = set()
        self._running: asyncio.Task[None] | None = None

    # For its content

    def offer(self, message: bytes) -> None:
        """Send it, if the WebSocket is open and the application takes it."""
        if self._link is None:
            return
        if self._link.offer(message):
            self.sent += 1
            return
        self.dropped += 1
        self.warn("slow", "the application is too slow: what exceeds streaming.queue_seconds is lost")

    def warn(self, kind: str, detail: str) -> None:
        """Tell it the first time that this kind of thing happens."""
        if kind not in self._warned and self.state is not State.OVER:
            self._warned.add(kind)
            self._tell(self._changed("warned", detail))

    def give_up(self, detail: str, http_status: int | None = None) -> None:
        """Its content cannot go on."""
        self._finish(GivenUp(detail, http_status))

    # For the part

    def begin(self) -> asyncio.Task[None]:
        """The task is done when all of it is closed."""
        self._running = asyncio.get_running_loop().create_task(self._run(), name=f"stream {self.effect.id}")
        return self._running

    def update(self, effect: UpdateStream) -> None:
        changes = {"names": effect.names}
        more = {name: value for name in ("locale", "model") if (value := getattr(effect, name))}
        self.effect = msgspec.structs.replace(self.effect, **changes, **more)
        if self.content is not None and self.state is not State.OVER:
            self.content.update(effect, self.effect)

    def close(self, detail: str = "") -> None:
        self._finish(Finished(detail))

    # Its life

    def _finish(self, how: GivenUp | Finished) -> None:
        if self.state is State.OVER:
            return
        self.handle(how)
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        try:
            how = await self._connections()
            if self.state is not State.OVER:
                self.handle(how)
        except asyncio.CancelledError:
            if self.state is not State.OVER:
                raise
        except Exception as error:
            log.exception("stream %s failed", self.effect.id)
            if self.state is not State.OVER:
                self.handle(GivenUp(f"Onhook failed: {type(error).__name__}: {error}"))

    async def _connections(self) -> GivenUp | Finished:
        """One after the other, as long as it is worth while."""
        pauses = self._settings.redial_delays_seconds
        misses = 0
        while True:
            opened = await self._dialler.dial(self.effect)
            if isinstance(opened, Missed):
                over, status = Over(opened.detail, again=opened.again), opened.http_status
            else:
                began = self.now()
                over, status = await self._hold(opened), None
                if self.now() - began >= STEADY_SECONDS:
                    misses = 0
            if over.normal:
                return Finished(over.detail)
            if not over.again or misses == len(pauses):
                times = f" (try {misses + 1})" if misses else ""
                return GivenUp(over.detail + times, status)
            if self.state is State.OPEN:
                self.handle(Lost(over.detail))
            await asyncio.sleep(pauses[misses])
            misses += 1

    async def _hold(self, websocket: "aiohttp.ClientWebSocketResponse[bool]") -> Over:
        settings, content = self._settings, self.content
        assert content is not None, "content is given before it begins"
        link = Link(
            websocket,
            self._take,
            most_messages=most_messages(settings.queue_seconds),
            slow_seconds=settings.slow_seconds,
            pong_seconds=settings.ping_seconds / 2,
            now=self.now,
        )
        async with link:
            link.offer(content.first(self.effect))
            self._link = link
            try:
                self.handle(Opened())
                return await link.over()
            finally:
                self._link = None

    def _take(self, message: bytes | None) -> None:
        assert self.content is not None, "content is given before it begins"
        if message is not None and len(message) > self._settings.max_message_bytes:
            most = self._settings.max_message_bytes
            fault = f"it has {len(message)} bytes; {most} are read (streaming.max_message_bytes)"
        else:
            fault = self.content.take(message)
        if fault:
            self.warn("unreadable", f"a message of the application was not used: {fault}")

    # Actions

    def _changed(self, state: StreamState, detail: str = "", status: int | None = None) -> StreamChanged:
        return StreamChanged(
            at=self.now(),
            stream=self.effect.id,
            state=state,
            url=bare(self.effect.url),
            detail=detail,
            http_status=status,
            sent=self.sent,
            received=self.received,
            dropped=self.dropped,
        )

    def _open(self, _: Opened) -> Outputs:
        self._tell(self._changed("opened"))
        if self.content is not None:
            self.content.begin()
        return []

    def _reopen(self, _: Opened) -> Outputs:
        self._tell(self._changed("reopened"))
        return []

    def _lose(self, lost: Lost) -> Outputs:
        self._tell(self._changed("lost", lost.detail))
        return []

    def _fail(self, given_up: GivenUp) -> Outputs:
        return self._end(self._changed("failed", given_up.detail, given_up.http_status))

    def _close(self, finished: Finished) -> Outputs:
        return self._end(self._changed("closed", finished.detail))

    def _end(self, fact: StreamChanged) -> Outputs:
        if self.content is not None:
            self.content.end()
        self._tell(fact)
        return []

    TABLE: ClassVar[Table] = {
        (State.DIALLING, Opened): (State.OPEN, _open),
        (State.DIALLING, GivenUp): (State.OVER, _fail),
        (State.DIALLING, Finished): (State.OVER, _close),
        (State.OPEN, Lost): (State.REDIALLING, _lose),
        (State.OPEN, GivenUp): (State.OVER, _fail),
        (State.OPEN, Finished): (State.OVER, _close),
        (State.REDIALLING, Opened): (State.OPEN, _reopen),
        (State.REDIALLING, GivenUp): (State.OVER, _fail),
        (State.REDIALLING, Finished): (State.OVER, _close),
    }


def most_messages(queue_seconds: float) -> int:
    """Fifty a second; of an unmixed stream four times as many, which then wait for a shorter time."""
    return max(1, round(queue_seconds * 50))
