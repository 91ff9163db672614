"""The bus between our server and the vendor's live tests: what their dispatcher in the cloud does.

validated (the contract as the tests use it):

| Request                                           | What happens                                   |
|---------------------------------------------------|------------------------------------------------|
| POST /api/servicebuscallback/subscribe?q=ID       | a queue ID is there from now on                |
| POST /api/servicebuscallback/events?q=ID          | the body becomes one message of queue ID       |
| POST /api/servicebuscallback/events               | taken and dropped: the answering side's events |
| POST /api/grid                                    | Event Grid: handshake; IncomingCall's `data`   |
| GET /queues/ID?wait=SECONDS                       | all messages of the queue, or [] after a while |
| GET /stream                                       | a WebSocket that takes whatever is streamed    |

An IncomingCall's `data`, and nothing around it, goes to the queue named by the raw ids of caller and
callee, written without their colons.
"""

import asyncio
import io
import json
import wave
from collections import defaultdict
from typing import Any

from aiohttp import web

EVENTS_PATH = "/api/servicebuscallback/events"
SUBSCRIBE_PATH = "/api/servicebuscallback/subscribe"
GRID_PATH = "/api/grid"
PROMPT_PATH = "/prompt.wav"
STREAM_PATH = "/stream"
MAX_WAIT_SECONDS = 30.0
MAX_QUEUES = 1000
MAX_MESSAGES = 1000
"""In one queue, while nobody reads it."""
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
INCOMING_CALL = "Microsoft.Communication.IncomingCall"


def queue_of(incoming_call: dict[str, Any]) -> str:
    """The queue that an IncomingCall belongs to."""
    return "".join(incoming_call[side]["rawId"].replace(":", "") for side in ("from", "to"))


def one_second_of_silence() -> bytes:
    """A prompt as Call Automation wants it: WAV, mono, 16 kHz, 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(32_000))
    return file.getvalue()


class Bus:
    """Listens on a free port of loopback between `start` and `stop`."""

    def __init__(self) -> None:
        self.port = 0
        self.dropped = 0
        """Messages for queues that nobody subscribed to, or that are full."""
        self.streams = self.streamed = 0
        """WebSockets that were opened, and messages that came by them."""
        self._queues: dict[str, list[str]] = {}
        self._news: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post(SUBSCRIBE_PATH, self._subscribe)
        application.router.add_post(EVENTS_PATH, self._take_event)
        application.router.add_post(GRID_PATH, self._take_from_grid)
        application.router.add_get("/queues/{queue}", self._receive)
        application.router.add_get(PROMPT_PATH, self._prompt)
        application.router.add_get(STREAM_PATH, self._stream)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    @property
    def stream_url(self) -> str:
        return f"ws://{self.address}{STREAM_PATH}"

    def _put(self, queue: str, message: str) -> None:
        messages = self._queues.get(queue)
        if messages is None or len(messages) >= MAX_MESSAGES:
            self.dropped += 1
            return
        messages.append(message)
        self._news[queue].set()

    async def _subscribe(self, request: web.Request) -> web.Response:
        queue = request.query.get("q", "")
        if not queue or len(self._queues) >= MAX_QUEUES:
            return web.Response(status=400, text="q is missing, or there are too many queues")
        self._queues.setdefault(queue, [])
        return web.Response()

    async def _take_event(self, request: web.Request) -> web.Response:
        queue = request.query.get("q")
        if queue is not None:
            self._put(queue, await request.text())
        return web.Response()

    async def _take_from_grid(self, request: web.Request) -> web.Response:
        for event in await request.json():
            if event["eventType"] == VALIDATION:
                return web.json_response({"validationResponse": event["data"]["validationCode"]})
            if event["eventType"] == INCOMING_CALL:
                self._put(queue_of(event["data"]), json.dumps(event["data"]))
        return web.Response()

    async def _receive(self, request: web.Request) -> web.Response:
        queue = request.match_info["queue"]
        wait = min(float(request.query.get("wait", "0")), MAX_WAIT_SECONDS)
        if not self._queues.get(queue):
            news = self._news[queue]
            news.clear()
            try:
                await asyncio.wait_for(news.wait(), wait)
            except TimeoutError:
                return web.json_response([])
        messages = self._queues.get(queue, [])
        taken, messages[:] = list(messages), []
        return web.json_response(taken)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        self.streams += 1
        async for _ in websocket:
            self.streamed += 1
        return websocket

    async def _prompt(self, _: web.Request) -> web.Response:
        return web.Response(body=one_second_of_silence(), content_type="audio/wav")
