"""A voice agent: the call's audio comes by WebSocket, and what the agent says goes back the same way.

    eval "$(onhook env)"              # connection string, and trust in the local CA
    python examples/voice_agent.py    # needs: pip install azure-communication-callautomation aiohttp
    onhook events subscribe agent --endpoint http://127.0.0.1:8000/incoming

Then call +14255550100. The agent here is an echo: it says after a moment what it heard, and falls silent when
the caller speaks again (stopAudio). Put your model in the place of `Echo`.
"""

import argparse
import array
import base64
import json
import math
import os
import sys
from typing import Any

from aiohttp import WSMsgType, web
from azure.communication.callautomation import (
    AudioFormat,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    StreamingTransportType,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.exceptions import HttpResponseError

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
INCOMING_CALL = "Microsoft.Communication.IncomingCall"
LOUD = 500
"""From which level on 20 ms count as speech; full scale is 32768."""
SILENT_FRAMES = 25
"""Half a second of silence ends what the caller says."""
MAX_FRAMES = 500
"""Ten seconds of one utterance are remembered."""


class Echo:
    """The agent: frames of 20 ms in; frames to say, or the wish to be silent, out."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.silent = 0
        self.speaking = False

    def hear(self, frame: bytes) -> tuple[bool, list[bytes]]:
        """(fall silent now, what to say now)."""
        if level(frame) >= LOUD:
            interrupts, self.speaking = self.speaking, False
            self.silent = 0
            self.heard = [*self.heard[-MAX_FRAMES:], frame]
            return interrupts, []
        self.silent += 1
        if not self.heard or self.silent < SILENT_FRAMES:
            return False, []
        said, self.heard, self.speaking = self.heard, [], True
        return False, said


class Bridge:
    """`address` is where this application is reached over HTTP; its WebSocket is at the same place."""

    def __init__(self, client: CallAutomationClient, address: str) -> None:
        self.client, self.address = client, address

    async def incoming(self, request: web.Request) -> web.Response:
        for event in await request.json():
            if event["eventType"] == VALIDATION:
                return web.json_response({"validationResponse": event["data"]["validationCode"]})
            if event["eventType"] == INCOMING_CALL:
                await self.answer(event["data"])
        return web.Response()

    async def answer(self, call: dict[str, Any]) -> None:
        streaming = MediaStreamingOptions(
            transport_url=f"{self.address.replace('http', 'ws', 1)}/audio",
            transport_type=StreamingTransportType.WEBSOCKET,
            content_type=MediaStreamingContentType.AUDIO,
            audio_channel_type=MediaStreamingAudioChannelType.MIXED,
            start_media_streaming=True,
            enable_bidirectional=True,
            audio_format=AudioFormat.PCM16_K_MONO,
        )
        try:
            await self.client.answer_call(
                call["incomingCallContext"], f"{self.address}/events", media_streaming=streaming
            )
        except HttpResponseError as error:
            say(f"could not answer: {error.message}")

    async def events(self, request: web.Request) -> web.Response:
        for event in await request.json():
            kind, told = event["type"].rpartition(".")[2], event["data"].get("resultInformation") or {}
            if kind in {"MediaStreamingStarted", "MediaStreamingFailed", "CallDisconnected"}:
                say(f"{kind} {told.get('code')}/{told.get('subCode')} {told.get('message', '')}")
        return web.Response()

    async def audio(self, request: web.Request) -> web.WebSocketResponse:
        """The service dials this; one connection a call."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        agent = Echo()
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            told = json.loads(message.data)
            if told["kind"] == "AudioMetadata":
                say(f"audio of {request.headers['x-ms-call-connection-id']}: {told['audioMetadata']}")
            elif told["kind"] == "AudioData":
                stop, frames = agent.hear(base64.b64decode(told["audioData"]["data"]))
                if stop:
                    await socket.send_json({"kind": "StopAudio", "stopAudio": {}})
                if frames:
                    say(f"echoes {len(frames) * 20} ms")
                for frame in frames:
                    data = base64.b64encode(frame).decode()
                    await socket.send_json({"kind": "AudioData", "audioData": {"data": data}})
        return socket


def level(frame: bytes) -> float:
    """Root of the mean square of 16-bit samples."""
    samples = array.array("h", frame)
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="An agent that echoes what it hears.")
    parser.add_argument("--port", type=int, default=8000, help="where to listen on this machine")
    arguments = parser.parse_args()
    connection = os.environ.get("COMMUNICATION_SERVICES_CONNECTION_STRING", "")
    if not connection:
        print('COMMUNICATION_SERVICES_CONNECTION_STRING is not set: eval "$(onhook env)"', file=sys.stderr)
        return 2
    client = CallAutomationClient.from_connection_string(connection)
    bridge = Bridge(client, f"http://127.0.0.1:{arguments.port}")
    application = web.Application()
    application.router.add_post("/incoming", bridge.incoming)
    application.router.add_post("/events", bridge.events)
    application.router.add_get("/audio", bridge.audio)
    web.run_app(application, host="127.0.0.1", port=arguments.port, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
