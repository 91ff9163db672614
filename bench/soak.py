"""Many calls with everything going on, for hours: does memory, or anything else that is counted, grow?

    python bench/soak.py --calls 100 --minutes 120

A server of its own, the built-in carrier in a second process as the far end, and one application of the
official SDK. Each call draws what happens in it: prompts, keys, recordings, streams, hold, further parties,
with pauses as between people (--pace). Once a minute the kernel is asked what the server holds. The last
lines say by how much each figure grew from the second quarter to the last, and what went wrong by kind.
Exit status 1: calls failed, or something grew.
"""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

import argparse
import asyncio
import collections
import contextlib
import json
import random
import re
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector, WSMsgType, web
from azure.communication.callautomation import (
    AudioFormat,
    DtmfTone,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    PhoneNumberIdentifier,
    RecognizeInputType,
    RecordingChannel,
    RecordingContent,
    RecordingFormat,
    StreamingTransportType,
    TextSource,
)
from azure.communication.callautomation.aio import CallAutomationClient, CallConnectionClient
from azure.core.pipeline.transport import AioHttpTransport

from onhook.config.schema import DEVELOPMENT_KEY, DEVELOPMENT_NUMBERS, DEVELOPMENT_RESOURCE_ID
from onhook.server.certificates import CertificatePaths
from processes import cpu_of, free_port, free_sip_port, memory_mb, say, stop

CONFIG = """
[server]
port = {https}
data_directory = "{folder}/data"
[sip]
port = {sip}
max_calls_per_number = 100000  # one caller id for all
[store]
path = "{folder}/onhook.db"
[carrier]
enabled = false
port = {carrier}
[delivery]
token_reuse_seconds = 60
[resource.soak]
id = "{resource}"
access_keys = ["{key}"]
numbers = {numbers}
[trunk.far]
host = "127.0.0.1"
port = {carrier}
max_calls = 100000
"""
FAR_END = """
[server]
port = {https}
data_directory = "{folder}/far"
[sip]
port = {sip}
[store]
path = "{folder}/far.db"
[carrier]
port = {carrier}
"""
"""A second process: what the far end's sound costs is not the server's."""
ANSWERS = "+14255550200"
"""A test number that answers and stays."""
PRESSES = "+14255550211"
"""A test number that answers and presses keys."""
START_SECONDS = 60.0
EVENT_SECONDS = 40.0
"""An event that takes longer is missing."""
GROWTH_PERCENT = {"memory MB": 5.0, "threads": 10.0, "files": 5.0, "sockets": 5.0}
"""From the second quarter of the run to its last: beyond it is growth."""
MIN_SAMPLES = 8
FICKLE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}")
"""What differs from fault to fault of one kind."""
VOICE = "en-US-NancyNeural"


class Missing(Exception):
    """What should have happened in a call did not."""


@dataclass
class Tally:
    """What is counted, by kind."""

    began: float = field(default_factory=time.monotonic)
    calls: int = 0
    open: int = 0
    done: collections.Counter[str] = field(default_factory=collections.Counter[str])
    faults: collections.Counter[str] = field(default_factory=collections.Counter[str])
    frames: int = 0
    samples: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


class Call:
    """The events of one call, and how to wait for the next."""

    def __init__(self, handle: CallConnectionClient, number: str) -> None:
        self.handle, self.phone = handle, PhoneNumberIdentifier(number)
        self.server_call_id = ""
        self._events: collections.deque[tuple[str, dict[str, Any]]] = collections.deque()
        self._news = asyncio.Event()

    def hear(self, kind: str, data: dict[str, Any]) -> None:
        self.server_call_id = data.get("serverCallId") or self.server_call_id
        self._events.append((kind, data))
        self._news.set()

    async def until(self, *kinds: str) -> tuple[str, dict[str, Any]]:
        """The first event of these kinds that was not waited for yet. Raises Missing."""
        try:
            async with asyncio.timeout(EVENT_SECONDS):
                while True:
                    for event in list(self._events):
                        if event[0] in kinds:
                            self._events.remove(event)
                            return event
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise Missing(f"no {'/'.join(kinds)}") from None

    async def completed(self, good: str, bad: str) -> None:
        kind, data = await self.until(good, bad)
        if kind != good:
            told = data["resultInformation"]
            raise Missing(f"{kind} {told['code']}/{told['subCode']}")


class Soak:
    def __init__(
        self, client: CallAutomationClient, port: int, tally: Tally, *, seed: int, pace: float
    ) -> None:
        self.client, self.port, self.tally, self.pace = client, port, tally, pace
        self.draw = random.Random(seed)
        self.calls: dict[str, Call] = {}
        self.stopping = False
        self.activities: list[Callable[[Call], Awaitable[None]]] = [
            self.plays,
            self.collects,
            self.records,
            self.holds,
            self.adds,
            self.sends_digits,
            self.follows_digits,
            self.streams,
        ]

    # The application's server side

    async def events(self, request: web.Request) -> web.Response:
        for event in await request.json():
            data = event["data"]
            call = self.calls.get(data.get("callConnectionId", ""))
            if call is not None:
                call.hear(event["type"].rpartition(".")[2], data)
        return web.Response()

    async def audio(self, request: web.Request) -> web.WebSocketResponse:
        """Echo every tenth frame of the stream."""
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        async for message in stream:
            if message.type is not WSMsgType.TEXT:
                continue
            told = json.loads(message.data)
            if told["kind"] == "AudioData":
                self.tally.frames += 1
                if self.tally.frames % 10 == 0:
                    data = told["audioData"]["data"]
                    await stream.send_json({"kind": "AudioData", "audioData": {"data": data}})
        return stream

    # Calls

    async def keep_calling(self) -> None:
        while not self.stopping:
            try:
                await self.one_call()
                self.tally.done["call"] += 1
            except Exception as error:  # noqa: BLE001  # whatever it is, it is counted and the soak goes on
                told = FICKLE.sub("…", str(error).splitlines()[0] if str(error) else "")
                self.tally.faults[f"{type(error).__name__}: {told[:100]}"] += 1
                await asyncio.sleep(1)

    async def one_call(self) -> None:
        number = self.draw.choice((ANSWERS, PRESSES))
        self.tally.calls += 1
        made = await self.client.create_call(
            PhoneNumberIdentifier(number),
            f"http://127.0.0.1:{self.port}/events",
            source_caller_id_number=PhoneNumberIdentifier(self.draw.choice(DEVELOPMENT_NUMBERS)),
            media_streaming=self.streaming() if self.draw.random() < 0.3 else None,
        )
        name = str(made.call_connection_id)
        call = self.calls[name] = Call(self.client.get_call_connection(name), number)
        self.tally.open += 1
        try:
            await call.completed("CallConnected", "CreateCallFailed")
            for activity in self.draw.sample(self.activities, self.draw.randint(1, 4)):
                await activity(call)
                self.tally.done[activity.__name__] += 1
                await self.pause(self.pace)
            await call.handle.hang_up(is_for_everyone=True)
            await call.until("CallDisconnected")
        except Exception:
            with contextlib.suppress(Exception):  # a call that went wrong must not stay for ever
                await call.handle.hang_up(is_for_everyone=True)
            raise
        finally:
            del self.calls[name]
            self.tally.open -= 1

    def streaming(self) -> MediaStreamingOptions:
        return MediaStreamingOptions(
            transport_url=f"ws://127.0.0.1:{self.port}/audio",
            transport_type=StreamingTransportType.WEBSOCKET,
            content_type=MediaStreamingContentType.AUDIO,
            audio_channel_type=MediaStreamingAudioChannelType.MIXED,
            start_media_streaming=False,
            enable_bidirectional=True,
            audio_format=AudioFormat.PCM16_K_MONO,
        )

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(self.draw.uniform(seconds / 2, seconds * 1.5))

    # What happens in them

    async def plays(self, call: Call) -> None:
        words = TextSource(text=f"This is prompt number {self.draw.randrange(20)}.", voice_name=VOICE)
        await call.handle.play_media(words)
        await call.until("PlayStarted")
        await call.completed("PlayCompleted", "PlayFailed")

    async def collects(self, call: Call) -> None:
        await call.handle.start_recognizing_media(
            RecognizeInputType.DTMF,
            call.phone,
            dtmf_max_tones_to_collect=1,
            initial_silence_timeout=2,
            play_prompt=TextSource(text="Press a key.", voice_name=VOICE),
            interrupt_prompt=True,
        )
        await call.until("RecognizeCompleted", "RecognizeFailed")  # who presses none is no fault

    async def records(self, call: Call) -> None:
        wav = self.draw.random() < 0.5
        recording = await self.client.start_recording(
            server_call_id=call.server_call_id,
            recording_content_type=RecordingContent.AUDIO,
            recording_channel_type=RecordingChannel.UNMIXED if wav else RecordingChannel.MIXED,
            recording_format_type=RecordingFormat.WAV if wav else RecordingFormat.MP3,
        )
        await self.pause(3)
        await self.client.pause_recording(str(recording.recording_id))
        await self.pause(1)
        await self.client.resume_recording(str(recording.recording_id))
        await self.pause(3)
        await self.client.stop_recording(str(recording.recording_id))

    async def holds(self, call: Call) -> None:
        await call.handle.hold(call.phone)
        await self.pause(2)
        await call.handle.unhold(call.phone)

    async def adds(self, call: Call) -> None:
        guest = PhoneNumberIdentifier("+14255551200")
        await call.handle.add_participant(
            guest, source_caller_id_number=PhoneNumberIdentifier(DEVELOPMENT_NUMBERS[0])
        )
        await call.completed("AddParticipantSucceeded", "AddParticipantFailed")
        await self.pause(3)
        await call.handle.remove_participant(guest)
        await call.completed("RemoveParticipantSucceeded", "RemoveParticipantFailed")

    async def sends_digits(self, call: Call) -> None:
        tones = [DtmfTone.ONE, DtmfTone.TWO, DtmfTone.POUND]
        await call.handle.send_dtmf_tones(tones, call.phone)
        await call.completed("SendDtmfTonesCompleted", "SendDtmfTonesFailed")

    async def follows_digits(self, call: Call) -> None:
        await call.handle.start_continuous_dtmf_recognition(call.phone)
        await self.pause(2)
        await call.handle.stop_continuous_dtmf_recognition(call.phone)
        await call.until("ContinuousDtmfRecognitionStopped")

    async def streams(self, call: Call) -> None:
        properties = await call.handle.get_call_properties()
        if properties.media_streaming_subscription is None:
            return
        await call.handle.start_media_streaming()
        await call.completed("MediaStreamingStarted", "MediaStreamingFailed")
        await self.pause(5)
        await call.handle.stop_media_streaming()
        await call.completed("MediaStreamingStopped", "MediaStreamingFailed")


def holdings(pid: int) -> dict[str, float]:
    """What the kernel says that a process holds (proc(5))."""
    links: list[str] = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(descriptor.readlink()))
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return {
        "memory MB": memory_mb(pid),
        "workers MB": sum(memory_mb(child) for child in children),
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
        "files": len(links),
        "sockets": sum(link.startswith("socket:") for link in links),
    }


async def sample(pid: int, tally: Tally, every_seconds: float) -> None:
    cpu, at = cpu_of(pid).total, time.monotonic()
    while True:
        await asyncio.sleep(every_seconds)
        now, used = time.monotonic(), cpu_of(pid).total
        seen = holdings(pid) | {"CPU %": (used - cpu) / (now - at) * 100, "open": tally.open}
        cpu, at = used, now
        tally.samples.append(seen)
        figures = ", ".join(f"{name} {value:.0f}" for name, value in seen.items())
        minutes = (now - tally.began) / 60
        say(f"{minutes:.0f} min, {tally.calls} calls, {tally.faults.total()} faults: {figures}")


def growth(samples: list[dict[str, float]]) -> dict[str, float]:
    """Percent by which the median of each figure grew, from the second quarter of the run to the last."""
    quarter = len(samples) // 4
    grown: dict[str, float] = {}
    for name in GROWTH_PERCENT:
        before = statistics.median(each[name] for each in samples[quarter : 2 * quarter])
        after = statistics.median(each[name] for each in samples[-quarter:])
        grown[name] = (after - before) / before * 100 if before else 0.0
    return grown


@contextlib.asynccontextmanager
async def server(folder: Path) -> AsyncGenerator[tuple[int, str, Path]]:
    """A server process and its far end: its pid, a connection string, and the certificates to trust."""
    https, carrier = free_port(socket.SOCK_STREAM), free_sip_port()
    far = {"https": free_port(socket.SOCK_STREAM), "sip": free_sip_port()}
    processes = [
        process("far", folder, FAR_END.format(**far, carrier=carrier, folder=folder)),
        process(
            "near",
            folder,
            CONFIG.format(
                https=https,
                sip=free_sip_port(),
                carrier=carrier,
                folder=folder,
                resource=DEVELOPMENT_RESOURCE_ID,
                key=DEVELOPMENT_KEY,
                numbers=json.dumps(list(DEVELOPMENT_NUMBERS)),
            ),
        ),
    ]
    try:
        await answers(far["https"], processes[0], CertificatePaths(folder / "far").bundle)
        bundle = CertificatePaths(folder / "data").bundle
        await answers(https, processes[1], bundle)
        connection = f"endpoint=https://localhost:{https}/;accesskey={DEVELOPMENT_KEY}"
        yield processes[1].pid, connection, bundle
    finally:
        for each in reversed(processes):
            stop(each)


def process(name: str, folder: Path, config: str) -> "subprocess.Popen[bytes]":
    (folder / f"{name}.toml").write_text(config)
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "onhook", "run", "--config", str(folder / f"{name}.toml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


async def answers(port: int, process: "subprocess.Popen[bytes]", bundle: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            trust = ssl.create_default_context(cafile=str(bundle))
            _, writer = await asyncio.open_connection("localhost", port, ssl=trust)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the server did not start; see its log")


def verdict(tally: Tally) -> tuple[str, bool]:
    """What is to be told at the end, and whether it is good."""
    lines = [f"{tally.calls} calls, {tally.done['call']} whole, {tally.frames} frames streamed"]
    lines += [f"  did     {count:6} {name}" for name, count in sorted(tally.done.items())]
    lines += [f"  FAULT   {count:6} {name}" for name, count in tally.faults.most_common()]
    good = tally.done["call"] > 0 and not tally.faults
    if len(tally.samples) < MIN_SAMPLES:
        lines.append(f"too short to tell growth: {len(tally.samples)} samples of {MIN_SAMPLES}")
        return "\n".join(lines), good
    for name, percent in growth(tally.samples).items():
        grew = percent > GROWTH_PERCENT[name]
        good = good and not grew
        lines.append(f"  {'GREW' if grew else 'steady'}  {name}: {percent:+.1f} %")
    return "\n".join(lines), good


async def run(options: argparse.Namespace) -> bool:
    tally, port = Tally(), free_port(socket.SOCK_STREAM)
    with tempfile.TemporaryDirectory(prefix="onhook-soak-") as place:
        async with server(Path(place)) as (pid, connection, bundle):
            # given as connection_verify, azure-core reads the certificates anew for each request, and no
            # connection serves a second one
            trust = ssl.create_default_context(cafile=str(bundle))
            session = ClientSession(connector=TCPConnector(ssl=trust))
            client = CallAutomationClient.from_connection_string(
                connection, transport=AioHttpTransport(session=session, session_owner=False)
            )
            soak = Soak(client, port, tally, seed=options.seed, pace=options.pace)
            application = web.Application()
            application.router.add_post("/events", soak.events)
            application.router.add_get("/audio", soak.audio)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            watching = asyncio.create_task(sample(pid, tally, options.sample_seconds))
            callers = []
            for _ in range(options.calls):
                callers.append(asyncio.create_task(soak.keep_calling()))
                await asyncio.sleep(options.spread_seconds / options.calls)
            await asyncio.sleep(options.minutes * 60)
            soak.stopping = True
            watching.cancel()
            await asyncio.gather(*callers)
            await client.close()
            await session.close()
            await runner.cleanup()
    told, good = verdict(tally)
    print(told)
    if options.json:
        with open(options.json, "w") as file:  # noqa: ASYNC230, PTH123  # all is over
            json.dump(tally.samples, file, indent=1)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description="Many calls with everything going on, for hours.")
    parser.add_argument("--calls", type=int, default=100, help="how many at a time")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample-seconds", type=float, default=60.0)
    parser.add_argument("--pace", type=float, default=10.0, help="seconds between two things, about")
    parser.add_argument("--spread-seconds", type=float, default=20.0, help="over which the calls begin")
    parser.add_argument("--json", default="", help="a file for all samples")
    return 0 if asyncio.run(run(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
