"""A voicemail: greet, record until the caller presses # or hangs up, and say where the message lies.

    eval "$(onhook env)"            # connection string, and trust in the local CA
    python examples/voicemail.py    # needs: pip install azure-communication-callautomation aiohttp
    onhook events subscribe voicemail --endpoint http://127.0.0.1:8000/incoming

Then call +14255550100. The message is an ordinary ACS recording: Event Grid tells by
RecordingFileStatusUpdated when its file can be fetched, and this program fetches it into --folder.
"""

import argparse
import base64
import email.utils
import hashlib
import hmac
import os
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from azure.communication.callautomation import (
    DtmfTone,
    PhoneNumberIdentifier,
    RecognizeInputType,
    RecordingChannel,
    RecordingContent,
    RecordingFormat,
    TextSource,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.exceptions import HttpResponseError

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
INCOMING_CALL = "Microsoft.Communication.IncomingCall"
FILE_READY = "Microsoft.Communication.RecordingFileStatusUpdated"
GREETING = "Nobody is here. Please speak, and press the pound key when you are done."
LONGEST_SECONDS = 120
SIGNED = "x-ms-date;host;x-ms-content-sha256"


class Voicemail:
    """`address` is where this application is reached; messages go into `folder`."""

    def __init__(self, client: CallAutomationClient, connection: str, address: str, folder: Path) -> None:
        self.client, self.address, self.folder = client, address, folder
        self.key = base64.b64decode(connection.partition("accesskey=")[2])
        self.callers: dict[str, str] = {}
        """The caller's number by callConnectionId."""

    async def incoming(self, request: web.Request) -> web.Response:
        """Event Grid: calls that ring, and files that are ready."""
        for event in await request.json():
            match event["eventType"]:
                case _ if event["eventType"] == VALIDATION:
                    return web.json_response({"validationResponse": event["data"]["validationCode"]})
                case _ if event["eventType"] == INCOMING_CALL:
                    await self.answer(event["data"])
                case _ if event["eventType"] == FILE_READY:
                    await self.fetch(event["data"])
        return web.Response()

    async def answer(self, call: dict[str, Any]) -> None:
        try:
            answered = await self.client.answer_call(call["incomingCallContext"], f"{self.address}/events")
        except HttpResponseError as error:
            say(f"could not answer: {reason(error)}")
            return
        self.callers[str(answered.call_connection_id)] = call["from"]["phoneNumber"]["value"]

    async def events(self, request: web.Request) -> web.Response:
        for event in await request.json():
            try:
                await self.take(event["type"].rpartition(".")[2], event["data"])
            except HttpResponseError as error:  # the caller hung up in this moment
                say(f"too late: {reason(error)}")
        return web.Response()

    async def take(self, kind: str, data: dict[str, Any]) -> None:
        name = data["callConnectionId"]
        call = self.client.get_call_connection(name)
        if kind == "CallConnected":
            await call.play_media(TextSource(text=GREETING, voice_name="en-US-NancyNeural"))
        elif kind in {"PlayCompleted", "PlayFailed"}:
            await self.record(name, data["serverCallId"])
        elif kind in {"RecognizeCompleted", "RecognizeFailed"}:  # the pound key, or time is up
            await call.hang_up(is_for_everyone=True)
        elif kind == "CallDisconnected":
            say(f"{name} is over, from {self.callers.pop(name, 'nobody')}")

    async def record(self, name: str, server_call_id: str) -> None:
        await self.client.start_recording(
            server_call_id=server_call_id,
            recording_content_type=RecordingContent.AUDIO,
            recording_channel_type=RecordingChannel.MIXED,
            recording_format_type=RecordingFormat.WAV,
        )
        say(f"{name} is recorded")
        await self.client.get_call_connection(name).start_recognizing_media(
            RecognizeInputType.DTMF,
            PhoneNumberIdentifier(self.callers[name]),
            dtmf_max_tones_to_collect=1,
            dtmf_stop_tones=[DtmfTone.POUND],
            initial_silence_timeout=LONGEST_SECONDS,
        )

    async def fetch(self, data: dict[str, Any]) -> None:
        """A plain signed GET: the SDK downloads from Microsoft's hosts only (docs/guides/recording.md)."""
        trust = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http:
            for chunk in data["recordingStorageInfo"]["recordingChunks"]:
                url = chunk["contentLocation"]
                async with http.get(url, headers=self.signed("GET", url)) as answer:
                    file = self.folder / f"{chunk['documentId']}.wav"
                    file.write_bytes(await answer.read())
                    say(f"{answer.status} message of {data['recordingDurationMs']} ms in {file}")

    def signed(self, method: str, url: str) -> dict[str, str]:
        """The HMAC headers that every ACS request bears."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        date = email.utils.formatdate(usegmt=True)
        content = base64.b64encode(hashlib.sha256(b"").digest()).decode()
        text = f"{method}\n{target}\n{date};{parts.netloc};{content}"
        signature = base64.b64encode(hmac.digest(self.key, text.encode(), "sha256")).decode()
        return {
            "x-ms-date": date,
            "x-ms-content-sha256": content,
            "Authorization": f"HMAC-SHA256 SignedHeaders={SIGNED}&Signature={signature}",
        }


def reason(error: HttpResponseError) -> str:
    return str(error.message).partition("\n")[0]


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Take messages by telephone.")
    parser.add_argument("--port", type=int, default=8000, help="where to listen on this machine")
    parser.add_argument("--folder", type=Path, default=Path(), help="where messages go")
    arguments = parser.parse_args()
    connection = os.environ.get("COMMUNICATION_SERVICES_CONNECTION_STRING", "")
    if not connection:
        print('COMMUNICATION_SERVICES_CONNECTION_STRING is not set: eval "$(onhook env)"', file=sys.stderr)
        return 2
    client = CallAutomationClient.from_connection_string(connection)
    voicemail = Voicemail(client, connection, f"http://127.0.0.1:{arguments.port}", arguments.folder)
    application = web.Application()
    application.router.add_post("/incoming", voicemail.incoming)
    application.router.add_post("/events", voicemail.events)
    web.run_app(application, host="127.0.0.1", port=arguments.port, print=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
