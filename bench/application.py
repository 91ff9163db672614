"""An ACS application as lean as it can be: signed requests over HTTPS keep-alive, events over HTTP.

`Application` places calls, `Answering` takes those that come in. It must cost little, because it shares its
core with SIPp: fixed bytes are made once, HTTP is read no further than its lengths. What it sends is what the
Python SDK sends, header by header.
"""

import asyncio
import base64
import hmac
import ssl
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import sha256
from typing import TypeAlias, cast

import msgspec

API_VERSION = "2025-05-15"
SIGNED = "SignedHeaders=x-ms-date;host;x-ms-content-sha256"
CALLER = "+14255550100"
CALL_SECONDS = 20.0
"""A call that takes longer has failed."""
CONNECTED = frozenset({"CallConnected", "ParticipantsUpdated"})
OVER = frozenset({"CallDisconnected"})
FAILED = "CreateCallFailed"
FAILURES = frozenset({FAILED, "AnswerFailed"})
INCOMING_CALL = "Microsoft.Communication.IncomingCall"
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class _Data(msgspec.Struct, rename="camel"):
    call_connection_id: str


class _Event(msgspec.Struct):
    type: str
    data: _Data


class _GridData(msgspec.Struct, rename="camel"):
    validation_code: str = ""
    incoming_call_context: str = ""


class _GridEvent(msgspec.Struct, rename="camel"):
    event_type: str
    data: _GridData


class _Created(msgspec.Struct, rename="camel"):
    call_connection_id: str


_read_events = msgspec.json.Decoder(list[_Event]).decode
_read_grid_events = msgspec.json.Decoder(list[_GridEvent]).decode
_read_created = msgspec.json.Decoder(_Created).decode


Hear: TypeAlias = Callable[[str, str], None]
"""Call id, event type."""


class CallFailed(Exception):
    """The call did not go as planned; the text says at which step."""


@dataclass(slots=True)
class Heard:
    """The events of one call so far, and who waits for which."""

    types: set[str] = field(default_factory=set[str])
    wanted: frozenset[str] = frozenset()
    waiting: "asyncio.Future[None] | None" = None

    def add(self, event: str) -> None:
        self.types.add(event)
        if self.waiting and not self.waiting.done() and (self.wanted <= self.types or self.types & FAILURES):
            self.waiting.set_result(None)

    async def wait(self, wanted: frozenset[str]) -> None:
        """Return when all of `wanted` have come; raises CallFailed if the call failed instead."""
        if not wanted <= self.types and not self.types & FAILURES:
            self.wanted, self.waiting = wanted, asyncio.get_running_loop().create_future()
            await self.waiting
        if failed := self.types & FAILURES:
            raise CallFailed(failed.pop())


class _HttpBytes(asyncio.Protocol):
    """HTTP messages with Content-Length, one after the other."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            _, found, value = head.partition(b"\r\ncontent-length:")
            size = int(value.split(b"\r\n", 1)[0]) if found else 0
            if len(self._buffer) < end + 4 + size:
                return
            body = self._buffer[end + 4 : end + 4 + size]
            self._buffer = self._buffer[end + 4 + size :]
            self.message(head, body)

    def message(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError


class _Callbacks(_HttpBytes):
    """One connection on which events come."""

    def __init__(self, hear: Hear) -> None:
        super().__init__()
        self._hear = hear

    def message(self, head: bytes, body: bytes) -> None:  # noqa: ARG002  # every event has the same address
        self.transport.write(TAKEN)
        for event in _read_events(body):
            self._hear(event.data.call_connection_id, event.type.rpartition(".")[2])


class _Grid(_HttpBytes):
    """One connection on which Event Grid asks whether the endpoint agrees, and brings calls."""

    def __init__(self, ring: Callable[[str], None]) -> None:
        super().__init__()
        self._ring = ring

    def message(self, head: bytes, body: bytes) -> None:  # noqa: ARG002  # every event has the same address
        answer = b""
        for event in _read_grid_events(body):
            if event.event_type == VALIDATION:
                answer = msgspec.json.encode({"validationResponse": event.data.validation_code})
            elif event.event_type == INCOMING_CALL:
                self._ring(event.data.incoming_call_context)
        kind = b"Content-Type: application/json\r\n" if answer else b""
        self.transport.write(
            b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (kind, len(answer), answer)
        )


async def _listen(protocol: Callable[[], _HttpBytes]) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=1024)


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


class GridListener:
    """An Event Grid endpoint that agrees at once. `ring` is given the incomingCallContext of each call."""

    def __init__(self, ring: Callable[[str], None]) -> None:
        self._ring = ring

    async def start(self) -> int:
        """Its port."""
        self._server = await _listen(lambda: _Grid(self._ring))
        return _port(self._server)

    def stop(self) -> None:
        self._server.close()


class Listener:
    """Takes every event, and says of which call and type it was."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear

    async def start(self) -> int:
        """Its port."""
        self._server = await _listen(lambda: _Callbacks(self._hear))
        return _port(self._server)

    def stop(self) -> None:
        self._server.close()


class _Requests(_HttpBytes):
    """One connection on which requests are made, one at a time."""

    answer: "asyncio.Future[tuple[int, bytes]] | None" = None

    def message(self, head: bytes, body: bytes) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_exception(CallFailed(f"connection lost: {exc}"))


class Application:
    """`port` is the HTTPS port of the server; `trust` its certificate authority; `key` base64."""

    def __init__(self, port: int, key: str, trust: ssl.SSLContext, connections: int) -> None:
        self._port, self._key, self._trust = port, base64.b64decode(key), trust
        self._connections = connections
        self._listening = 0
        self._idle: deque[_Requests] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._heard: dict[str, Heard] = {}
        self._listener = Listener(lambda call_id, event: self._of(call_id).add(event))
        self._second, self._date = 0, ""
        self._host = f"localhost:{port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._listening = await self._listener.start()
        for _ in range(self._connections):
            _, made = await loop.create_connection(
                _Requests, "127.0.0.1", self._port, ssl=self._trust, server_hostname="localhost"
            )
            self._idle.append(made)
        self._create = self.creation(self._listening)

    @staticmethod
    def creation(listening: int) -> bytes:
        """The body of createCall; events are to come to the port `listening`."""
        return msgspec.json.encode(
            {
                "targets": [{"kind": "phoneNumber", "phoneNumber": {"value": "+4930123456"}}],
                "sourceCallerIdNumber": {"value": CALLER},
                "callbackUri": f"http://127.0.0.1:{listening}/events",
            }
        )

    async def stop(self) -> None:
        for connection in self._idle:
            connection.transport.close()
        self._listener.stop()
        await asyncio.sleep(0)

    def _of(self, call_id: str) -> Heard:
        known = self._heard.get(call_id)
        if known is None:
            known = self._heard[call_id] = Heard()
        return known

    async def call(self, hold: "asyncio.Event | None" = None) -> str:
        """Place one call and hang it up, after `hold` if given; its id. Raises CallFailed."""
        async with asyncio.timeout(None) as limit:
            limit.reschedule(asyncio.get_running_loop().time() + CALL_SECONDS)
            call_id = await self._create_call()
            heard = self._of(call_id)
            await heard.wait(CONNECTED)
            if hold is not None:
                limit.reschedule(None)
                await hold.wait()
                limit.reschedule(asyncio.get_running_loop().time() + CALL_SECONDS)
            await self._hang_up(call_id)
            return call_id

    async def _hang_up(self, call_id: str) -> None:
        """Until the last event has come."""
        status, body = await self._ask("DELETE", f"/calling/callConnections/{call_id}", b"")
        if status != 204:
            raise CallFailed(f"hangUp: {status} {body[:200]!r}")
        await self._of(call_id).wait(OVER)
        del self._heard[call_id]

    async def _create_call(self) -> str:
        status, body = await self._ask("POST", "/calling/callConnections", self._create)
        if status != 201:
            raise CallFailed(f"createCall: {status} {body[:200]!r}")
        return _read_created(body).call_connection_id

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        while not self._idle:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        connection = self._idle.popleft()
        try:
            connection.answer = asyncio.get_running_loop().create_future()
            connection.transport.write(self._request(method, path, body))
            return await connection.answer
        finally:
            self._idle.append(connection)
            if self._waiting:
                self._waiting.popleft().set_result(None)

    def _request(self, method: str, path: str, body: bytes) -> bytes:
        now = int(time.time())
        if now != self._second:
            self._second, self._date = now, formatdate(now, usegmt=True)
        target = f"{path}?api-version={API_VERSION}"
        content_hash = base64.b64encode(sha256(body).digest()).decode()
        text = f"{method}\n{target}\n{self._date};{self._host};{content_hash}"
        signature = base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()
        lines = [
            f"{method} {target} HTTP/1.1",
            f"Host: {self._host}",
            "User-Agent: azsdk-python-communication-callautomation/1.6.0 Python/3.11.2 (Linux)",
            "Accept-Encoding: gzip, deflate",
            "Accept: application/json",
            "Connection: keep-alive",
            f"x-ms-client-request-id: {uuid.uuid1()}",
            f"x-ms-date: {self._date}",
            f"x-ms-content-sha256: {content_hash}",
            "x-ms-return-client-request-id: true",
            f"Authorization: HMAC-SHA256 {SIGNED}&Signature={signature}",
        ]
        if method == "POST":
            lines += [
                "Content-Type: application/json",
                f"Repeatability-Request-ID: {uuid.uuid4()}",
                f"Repeatability-First-Sent: {self._date}",
            ]
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


@dataclass(slots=True)
class Taken:
    """What became of the calls that came in since the start of a stretch. Times are Unix seconds."""

    heard_at: dict[str, float] = field(default_factory=dict[str, float])
    """When IncomingCall was read, by callConnectionId; of calls that were answered."""
    over: list[str] = field(default_factory=list[str])
    reasons: list[str] = field(default_factory=list[str])
    first_at: float = 0.0
    last_at: float = 0.0
    """When the first was heard of, and the last one over."""


class Answering(Application):
    """Answers every call that comes in, and hangs it up when it is connected. `taken` may be replaced."""

    def __init__(self, port: int, key: str, trust: ssl.SSLContext, connections: int) -> None:
        super().__init__(port, key, trust, connections)
        self.taken = Taken()
        self._tasks: set[asyncio.Task[None]] = set()

    def ring(self, context: str) -> None:
        heard_at = time.time()
        self.taken.first_at = self.taken.first_at or heard_at
        task = asyncio.create_task(self._take(context, heard_at))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Until every call that was heard of is over or has failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _take(self, context: str, heard_at: float) -> None:
        taken = self.taken
        try:
            async with asyncio.timeout(CALL_SECONDS):
                call_id = await self._answer(context)
                taken.heard_at[call_id] = heard_at
                await self._of(call_id).wait(CONNECTED)
                await self._hang_up(call_id)
        except (CallFailed, TimeoutError) as error:
            taken.reasons.append(str(error) or "not over in time")
        else:
            taken.over.append(call_id)
        taken.last_at = time.time()

    async def _answer(self, context: str) -> str:
        status, body = await self._ask("POST", "/calling/callConnections:answer", self.acceptance(context))
        if status != 200:
            raise CallFailed(f"answerCall: {status} {body[:200]!r}")
        return _read_created(body).call_connection_id

    def acceptance(self, context: str) -> bytes:
        """The body of answerCall."""
        callback = f"http://127.0.0.1:{self._listening}/events"
        return msgspec.json.encode({"incomingCallContext": context, "callbackUri": callback})
