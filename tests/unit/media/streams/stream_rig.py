"""An application's WebSocket, a room whose sound the test makes, and streams between the two."""

import asyncio
import base64
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web

from onhook.effects import Listen, OpenStream
from onhook.facts import Fact, StreamChanged
from onhook.media.parts import Clip, FactHandler, Frame, Samples, Tap
from onhook.media.streams.dialling import OpenSocket, make_session
from onhook.media.streams.settings import StreamSettings
from onhook.media.streams.streams import Streams

PATIENCE_SECONDS = 20.0
BEGIN = 1_700_000_000.0
ANNA, BELA = (
    "4:+14255550101",
    "8:acs:0d0e0f00-0000-4000-8000-000000000001_00000000-0000-0000-0000-000000000001",
)
NAMES = (("a", ANNA), ("b", BELA))
SOCKET = "/socket"

Handler = Callable[[web.WebSocketResponse], Awaitable[None]]


@dataclass
class Application:
    """Takes one WebSocket after the other. `handler` has it, after the first message was read."""

    handler: Handler | None = None
    refusals: list[web.StreamResponse | None] = field(default_factory=list[web.StreamResponse | None])
    """Answers to the first handshakes; None lets one through."""
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    queries: list[str] = field(default_factory=list[str])
    sockets: list[web.WebSocketResponse] = field(default_factory=list[web.WebSocketResponse])
    close_codes: list[int | None] = field(default_factory=list[int | None])
    url: str = ""
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.headers.append(request.headers)
        self.queries.append(request.rel_url.raw_query_string)
        self.happened.set()
        if self.refusals and (refusal := self.refusals.pop(0)) is not None:
            return refusal
        websocket = web.WebSocketResponse(max_msg_size=0)
        await websocket.prepare(request)
        self.sockets.append(websocket)
        self.happened.set()
        if self.handler is not None:
            await self.handler(websocket)
        async for message in websocket:
            self.messages.append(json.loads(message.data))
            self.happened.set()
        self.close_codes.append(websocket.close_code)
        self.happened.set()
        return websocket

    async def until(self, ready: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not ready():
                self.happened.clear()
                await self.happened.wait()

    async def until_messages(self, count: int, kind: str = "") -> list[dict[str, Any]]:
        """The messages of this kind, once so many have come."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if kind in {"", message["kind"]}]

    def sound(self, participant: str | None = None) -> Samples:
        """All audio of somebody, or of a mixed stream."""
        parts = [
            np.frombuffer(base64.b64decode(told["audioData"]["data"]), "<i2")
            for told in self.of("AudioData")
            if told["audioData"].get("participantRawID") == participant
        ]
        return np.concatenate(parts)

    async def say(self, message: object) -> None:
        """To the server: text as it is, or an object as JSON."""
        text = message if isinstance(message, str) else json.dumps(message)
        await self.sockets[-1].send_str(text)


@contextlib.asynccontextmanager
async def application(tls: ssl.SSLContext | None = None, **given: Any) -> AsyncIterator[Application]:
    made = Application(**given)
    runner = web.ServerRunner(web.Server(made), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    scheme, host = ("wss", "localhost") if tls else ("ws", "127.0.0.1")
    made.url = f"{scheme}://{host}:{runner.addresses[0][1]}{SOCKET}"
    try:
        yield made
    finally:
        for websocket in made.sockets:
            await websocket.close()
        await runner.cleanup()


@dataclass
class RoomFeed:
    """A feed that plays when the test says so."""

    legs: tuple[str, ...]
    to_all: bool
    clips: list[Clip] = field(default_factory=list[Clip])
    cleared: int = 0
    stopped: bool = False
    played_seconds: float = 0.0

    def add(self, clip: Clip) -> None:
        assert not self.stopped
        self.clips.append(clip)

    def finish(self) -> None:
        raise AssertionError("a stream goes on until it is closed")

    def clear(self) -> None:
        self.cleared += 1
        self.clips = []

    def stop(self) -> int:
        self.stopped = True
        return 0

    @property
    def waiting_seconds(self) -> float:
        return sum(len(clip.samples) / clip.rate for clip in self.clips) - self.played_seconds


class Room:
    """What streams need of an engine. Its clock goes on 20 ms with each frame."""

    def __init__(self, rate: int = 16_000) -> None:
        self.rate, self.frames = rate, 0
        self.taps: list[tuple[str, Tap]] = []
        self.feeds: list[RoomFeed] = []

    @property
    def now(self) -> float:
        return BEGIN + self.frames / 50

    def tap(self, room: str, tap: Tap) -> None:
        self.taps.append((room, tap))

    def untap(self, room: str, tap: Tap) -> None:
        self.taps.remove((room, tap))

    def feed(self, room: str, legs: tuple[str, ...], **how: Any) -> RoomFeed:
        assert room == "room"
        assert not how.get("loop")
        made = RoomFeed(legs, how["to_all"])
        self.feeds.append(made)
        return made

    def play(self, voices: Mapping[str, Samples], seconds: float = 0.0) -> None:
        """Sound of some legs, at least for so long."""
        size = self.rate // 50
        longest = max([len(each) for each in voices.values()] + [round(seconds * self.rate)])
        for start in range(0, longest, size):
            now = {leg: block for leg, each in voices.items() if len(block := each[start : start + size])}
            frame = Frame(self.now, self.rate, np.zeros(size, np.int16), now, {})
            for _, tap in tuple(self.taps):
                tap(frame)
            self.frames += 1


@dataclass
class Recogniser:
    """Notes what it is to listen to; says what the test says."""

    listening: dict[str, tuple[Listen, FactHandler]] = field(
        default_factory=dict[str, tuple[Listen, FactHandler]]
    )
    stopped: list[str] = field(default_factory=list[str])

    def listen(self, effect: Listen, tell: FactHandler) -> None:
        self.listening[effect.id] = (effect, tell)

    def stop_listening(self, listening: str) -> None:
        del self.listening[listening]
        self.stopped.append(listening)

    def of(self, leg: str) -> tuple[Listen, FactHandler]:
        return next(each for each in self.listening.values() if each[0].leg == leg)


class Scene:
    """Streams of `room`."""

    def __init__(
        self,
        room: Room | None = None,
        *,
        deaf: bool = False,
        now: Callable[[], float] | None = None,
        open_socket: OpenSocket | None = None,
        trust: ssl.SSLContext | None = None,
        **settings: Any,
    ) -> None:
        self.room = room or Room()
        self.recogniser = Recogniser()
        self.facts: list[StreamChanged] = []
        self.tokens: list[str] = []
        self._trust, self._open_socket = trust, open_socket or plain_socket
        self._session: aiohttp.ClientSession | None = None
        self._happened = asyncio.Event()
        quick = {"redial_delays_seconds": (0.01, 0.01, 0.01), "queue_seconds": 60.0}
        self.streams = Streams(
            self.room,
            StreamSettings(**{**quick, **settings}),
            now=now or (lambda: self.room.now),
            session=self.session,
            authorize=self._authorize,
            recognisers=None if deaf else self.recogniser,
        )
        self.streams.on_fact(self._take)

    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = make_session(
                trust=self._trust, open_socket=self._open_socket, user_agent="onhook/test"
            )
        return self._session

    def open(self, url: str, **more: Any) -> None:
        given: dict[str, Any] = {
            "id": "s1",
            "room": "room",
            "kind": "audio",
            "url": url,
            "connection": "connection",
            "correlation_id": "correlation",
            "resource": "shop",
            "names": NAMES,
        }
        self.streams.perform(OpenStream(**(given | more)))

    async def until(self, state: str, count: int = 1, stream: str = "s1") -> StreamChanged:
        """The fact of this state, of which there are `count`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = [fact for fact in self.facts if (fact.state, fact.stream) == (state, stream)]
                if len(found) >= count:
                    return found[count - 1]
                self._happened.clear()
                await self._happened.wait()

    async def until_received(self, count: int, stream: str = "s1") -> None:
        """Until so many audio messages of the application were taken."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.streams._streams[stream].received < count:  # noqa: ASYNC110  # a socket brings them
                await asyncio.sleep(0.01)

    async def until_cleared(self) -> None:
        """Until the application took back what it said."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(feed.cleared for feed in self.room.feeds):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)

    def states(self, stream: str = "s1") -> list[str]:
        return [fact.state for fact in self.facts if fact.stream == stream]

    async def close(self) -> None:
        await self.streams.close()
        if self._session is not None:
            await self._session.close()

    def _authorize(self, resource: str) -> str:
        self.tokens.append(resource)
        return f"Bearer token-{len(self.tokens)}-of-{resource}"

    def _take(self, owner: str, fact: Fact) -> None:
        assert isinstance(fact, StreamChanged)
        assert owner == "room"
        self.facts.append(fact)
        self._happened.set()


def plain_socket(found: Any) -> socket.socket:
    return socket.socket(found[0], found[1], found[2])


@contextlib.asynccontextmanager
async def scene(room: Room | None = None, **given: Any) -> AsyncIterator[Scene]:
    made = Scene(room, **given)
    try:
        yield made
    finally:
        await made.close()


@contextlib.asynccontextmanager
async def raw_server(answer: Any) -> AsyncIterator[str]:
    """A TCP server of a few lines; its WebSocket address."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a handshake by hand (RFC 6455 section 4.2.2)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(
        line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")
    )
    accept = base64.b64encode(sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    await writer.drain()
