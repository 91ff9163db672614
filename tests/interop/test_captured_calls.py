"""A call that is recorded and streamed, with the official SDK: what was played is in the file it fetches."""

import asyncio
import contextlib
import json
import wave
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from azure.communication.callautomation import (
    AudioFormat,
    FileSource,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    PhoneNumberIdentifier,
    RecordingChannel,
    RecordingContent,
    RecordingFormat,
    StreamingTransportType,
)
from azure.communication.callautomation.aio import CallAutomationClient

from by_hand import amplitude, tone
from interop.sound_chain import wav
from interop.test_js_sdk import told
from interop.whole_server import whole_server
from onhook.app import Running
from onhook.effects import OpenStream
from onhook.facts import SpeechHeard
from onhook.media.streams.messages import dtmf_data, transcription_data, transcription_metadata
from recorded_files import PUBLIC_HOST, public_host_is_here

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

WAIT_SECONDS = 30.0
ANSWERS = PhoneNumberIdentifier("+14255550200")
CALLER = PhoneNumberIdentifier("+14255550100")
READY = "Microsoft.Communication.RecordingFileStatusUpdated"


class Application:
    """Callbacks, Event Grid, a prompt, and a WebSocket that says a tone of 1 kHz when it is opened."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.authorizations: list[str] = []
        self._news = asyncio.Event()
        self.url = ""
        self.prompt_file = wav(tone(440, 2, 8_000, 16_000))

    async def take(self, request: web.Request) -> web.Response:
        for event in await request.json():
            kind = event.get("eventType", event.get("type"))
            if kind == "Microsoft.EventGrid.SubscriptionValidationEvent":
                return web.json_response({"validationResponse": event["data"]["validationCode"]})
            self.events.append({"kind": kind, **event})
        self._news.set()
        return web.Response()

    async def prompt(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.prompt_file, content_type="audio/wav")

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        self.authorizations.append(request.headers["Authorization"])
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for message in websocket:
            self.messages.append(message.data)
        return websocket

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                found = [event for event in self.events if event["kind"].endswith(f".{kind}")]
                if len(found) >= count:
                    return found[count - 1]
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def application() -> AsyncIterator[Application]:
    made = Application()
    site = web.Application()
    site.router.add_post("/events", made.take)
    site.router.add_get("/prompt.wav", made.prompt)
    site.router.add_get("/stream", made.stream)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def client(server: Running) -> CallAutomationClient:
    assert server.certificates is not None
    return CallAutomationClient.from_connection_string(
        server.environment["COMMUNICATION_SERVICES_CONNECTION_STRING"],
        connection_verify=str(server.certificates.bundle),
        retry_total=0,
    )


@pytest.fixture
def as_hosts_file(monkeypatch: pytest.MonkeyPatch) -> None:
    public_host_is_here(monkeypatch)


def streaming(app: Application, channel: MediaStreamingAudioChannelType) -> MediaStreamingOptions:
    return MediaStreamingOptions(
        transport_url=app.url.replace("http", "ws") + "/stream?key=1",
        transport_type=StreamingTransportType.WEBSOCKET,
        content_type=MediaStreamingContentType.AUDIO,
        audio_channel_type=channel,
        start_media_streaming=True,
        enable_bidirectional=True,
        enable_dtmf_tones=True,
        audio_format=AudioFormat.PCM16_K_MONO,
    )


@pytest.mark.usefixtures("as_hosts_file")
async def test_what_was_played_is_in_the_recording_that_the_sdk_fetches(tmp_path: Path) -> None:
    settings = {"recording__public_host": PUBLIC_HOST}
    async with application() as app:
        settings["subscription__app__endpoint"] = f"{app.url}/events"
        async with whole_server(tmp_path, **settings) as server, client(server) as sdk:
            mixed = streaming(app, MediaStreamingAudioChannelType.MIXED)
            call = await sdk.create_call(
                ANSWERS, f"{app.url}/events", source_caller_id_number=CALLER, media_streaming=mixed
            )
            assert call.call_connection_id
            await app.until("CallConnected")
            await app.until("MediaStreamingStarted")
            recording = await sdk.start_recording(
                call_connection_id=call.call_connection_id,
                recording_state_callback_url=f"{app.url}/events",
                recording_content_type=RecordingContent.AUDIO,
                recording_channel_type=RecordingChannel.MIXED,
                recording_format_type=RecordingFormat.WAV,
            )
            assert recording.recording_id
            active = await app.until("RecordingStateChanged")
            assert active["data"]["state"] == "active"
            connection = sdk.get_call_connection(call.call_connection_id)
            await connection.play_media(FileSource(f"{app.url}/prompt.wav"))
            await app.until("PlayCompleted")
            await sdk.stop_recording(recording.recording_id)
            await app.until("RecordingStateChanged", 2)
            ready = await app.until("RecordingFileStatusUpdated")
            (chunk,) = ready["data"]["recordingStorageInfo"]["recordingChunks"]
            sound = await fetched(sdk, chunk["contentLocation"])
            metadata = json.loads(await downloaded(sdk, chunk["metadataLocation"]))
            await sdk.delete_recording(chunk["deleteLocation"])
            await connection.hang_up(is_for_everyone=True)
            await app.until("MediaStreamingStopped")
            await app.until("CallDisconnected")
    assert ready["subject"].endswith(f"/recordingId/{recording.recording_id}")
    assert chunk["contentLocation"].startswith(f"https://{PUBLIC_HOST}:{server.http.port}/v1/objects/")
    length = len(sound) / 16
    assert metadata["chunkDuration"] == ready["data"]["recordingDurationMs"] == pytest.approx(length, abs=1)
    assert {each["participantId"] for each in metadata["participants"]} >= {"4:+14255550200"}
    loud = np.flatnonzero(np.abs(sound) > 1_000)
    middle = sound[loud[0] + 4_000 : loud[0] + 28_000]
    parts = [amplitude(part, 440, 16_000) for part in np.split(middle, 12)]
    assert np.median(parts) == pytest.approx(8_000, rel=0.05)  # a busy machine may have left a gap
    kinds = [json.loads(message)["kind"] for message in app.messages]
    assert kinds[0] == "AudioMetadata"
    assert len(kinds) > 100
    assert all(each.startswith("Bearer ey") for each in app.authorizations)


async def downloaded(sdk: CallAutomationClient, url: str) -> bytes:
    stream: Any = await sdk.download_recording(url)
    return b"".join([part async for part in stream.iter_bytes()])


async def fetched(sdk: CallAutomationClient, url: str) -> Any:
    with wave.open(BytesIO(await downloaded(sdk, url))) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.mark.parametrize("channel", ["mixed", "unmixed"])
async def test_the_javascript_sdk_reads_what_is_streamed(tmp_path: Path, channel: str) -> None:
    async with application() as app, whole_server(tmp_path / "server") as server, client(server) as sdk:
        options = streaming(app, MediaStreamingAudioChannelType(channel))
        call = await sdk.create_call(
            ANSWERS, f"{app.url}/events", source_caller_id_number=CALLER, media_streaming=options
        )
        assert call.call_connection_id
        await app.until("MediaStreamingStarted")
        async with asyncio.timeout(WAIT_SECONDS):
            while len(app.messages) < 20:  # noqa: ASYNC110  # a WebSocket brings them
                await asyncio.sleep(0.02)
        await sdk.get_call_connection(call.call_connection_id).hang_up(is_for_everyone=True)
        await app.until("MediaStreamingStopped")
    stream = OpenStream("s", "room", "transcription", "wss://x", "c", "x", "shop")
    said = SpeechHeard(at=1.0, listening="l", text="hello there", duration_ms=900)
    others = [transcription_metadata(stream), transcription_data(said, "4:+14255550200", 0), dtmf_data("#")]
    messages = [*app.messages[:20], *(message.decode() for message in others)]
    kept = tmp_path / "messages.json"
    kept.write_text(json.dumps(messages))
    kinds = sorted({json.loads(message)["kind"] for message in messages})
    assert len(kinds) == 5
    await told(tmp_path, "streaming", {"MESSAGES": str(kept), "KINDS": json.dumps(kinds)})
