"""WebSockets to applications that are slow or dead, those that we close, and how a stream lives."""

import asyncio
import json
import socket
import time
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from onhook.effects import CloseStream, OpenStream, UpdateStream
from onhook.facts import DigitHeard
from onhook.media.parts import Frame
from onhook.media.streams import pump as pumping
from onhook.media.streams.dialling import Dialler
from onhook.media.streams.pump import Pump
from onhook.media.streams.settings import StreamSettings
from onhook.media.streams.stream import Finished, GivenUp, Lost, Opened, State, Stream
from unit.media.recordings.recording_rig import tone
from unit.media.streams.stream_rig import BEGIN, NAMES, Scene, application, handshake, raw_server, scene

# Dead and slow


async def test_an_application_that_is_dead_is_noticed_by_its_missing_pong() -> None:
    async def dead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handshake(reader, writer)
        while await reader.read(65_536):
            pass

    async with (
        raw_server(dead) as url,
        scene(ping_seconds=0.2, redial_delays_seconds=(0.01,)) as streams,
    ):
        streams.open(url)
        lost = await streams.until("lost")
        failed = await streams.until("failed")
    assert lost.detail == "no pong came within 0.1 s: the application or its network is dead"
    assert failed.detail == f"{lost.detail} (try 2)"


async def test_an_application_that_reads_nothing_loses_audio_and_is_given_up() -> None:
    stuck = asyncio.Event()

    async def deaf(websocket: web.WebSocketResponse) -> None:
        assert websocket._req is not None
        transport = websocket._req.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await stuck.wait()

    began = time.monotonic()
    async with (
        application(handler=deaf) as app,
        scene(queue_seconds=1.0, slow_seconds=0.5, now=time.monotonic) as streams,
    ):
        streams.open(app.url)
        await streams.until("opened")
        warned = None
        while not streams.room.frames > 200_000:
            streams.room.play({"a": tone(440, 1)})
            await asyncio.sleep(0.01)
            if "failed" in streams.states():
                break
        failed = await streams.until("failed")
        warned = await streams.until("warned")
        stuck.set()
    assert warned.detail.startswith(
        "the application is too slow: what exceeds streaming.queue_seconds is lost"
    )
    assert failed.detail.startswith("the application took nothing for ")
    assert "streaming.slow_seconds" in failed.detail
    assert failed.dropped > 50
    assert failed.sent < 10_000  # little is buffered by the system
    assert streams.states() == ["opened", "warned", "failed"]
    assert time.monotonic() - began < 20


async def test_a_slow_application_that_reads_again_goes_on() -> None:
    gate = asyncio.Event()

    async def slow(websocket: web.WebSocketResponse) -> None:
        assert websocket._req is not None
        transport = websocket._req.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        await gate.wait()
        transport.resume_reading()

    async with application(handler=slow) as app, scene(queue_seconds=0.5, now=time.monotonic) as streams:
        streams.open(app.url)
        await streams.until("opened")
        while "warned" not in streams.states():
            streams.room.play({"a": tone(440, 0.2)})
            await asyncio.sleep(0.001)
        gate.set()
        held_back = streams.streams._streams["s1"].sent
        await app.until_messages(held_back)
        streams.room.play({"a": tone(440, 0.2)})
        await app.until_messages(held_back + 10)
        streams.streams.perform(CloseStream("s1"))
        closed = await streams.until("closed")
    assert closed.dropped > 0
    assert closed.sent == held_back + 10


async def test_a_message_beyond_all_measure_breaks_the_connection_only() -> None:
    sent: list[bool] = []

    async def shout(websocket: web.WebSocketResponse) -> None:
        if not sent:
            sent.append(True)
            await websocket.send_str("A" * 17_000_000)

    async with application(handler=shout) as app, scene() as streams:
        streams.open(app.url)
        lost = await streams.until("lost")
        await streams.until("reopened")
    assert lost.detail.startswith("the application broke the protocol: ")


# We close


async def test_closing_while_it_is_dialled() -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with raw_server(silent) as url, scene() as streams:
        streams.open(url)
        await asyncio.sleep(0)
        streams.streams.perform(CloseStream("s1"))
        streams.streams.perform(CloseStream("s1"))  # again
        streams.streams.perform(UpdateStream("s1", ()))
        streams.streams.hear(DigitHeard(at=BEGIN, leg="a", digit="1"))
        assert streams.states() == ["closed"]


async def test_closing_while_it_waits_to_dial_again() -> None:
    refusals: list[Any] = [web.Response(status=503) for _ in range(9)]
    async with application(refusals=refusals) as app, scene(redial_delays_seconds=(60.0,)) as streams:
        streams.open(app.url)
        await app.until(lambda: app.headers)
        streams.streams.perform(CloseStream("s1"))
        assert streams.states() == ["closed"]


async def test_a_room_that_closes_closes_its_streams_and_no_others() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url)
        await streams.until("opened")
        streams.streams.leave("elsewhere")
        assert streams.states() == ["opened"]
        streams.streams.leave("room")
        assert (await streams.until("closed")).detail == "the call ended"
        await app.until(lambda: app.close_codes)
        streams.streams.perform(CloseStream("s1"))
    assert app.close_codes == [1000]
    assert streams.states() == ["opened", "closed"]


async def test_a_server_that_stops_closes_its_streams() -> None:
    async with application() as app:
        async with scene() as streams:
            streams.open(app.url)
            await streams.until("opened")
        assert streams.states() == ["opened", "closed"]
        assert streams.facts[-1].detail == "the server stops"
        assert streams.streams.under_way == 0
        await app.until(lambda: app.close_codes)
    assert app.close_codes == [1000]


async def test_an_application_that_does_not_close_keeps_nobody_waiting() -> None:
    async def stubborn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handshake(reader, writer)
        await asyncio.sleep(30)

    began = time.monotonic()
    async with raw_server(stubborn) as url, scene() as streams:
        streams.open(url)
        await streams.until("opened")
        streams.streams.perform(CloseStream("s1"))
        assert streams.states() == ["opened", "closed"]  # told at once
    assert time.monotonic() - began < 8


async def test_a_fault_of_ours_is_the_streams_end() -> None:
    async with application() as app, scene() as streams:

        def broken(_resource: str) -> str:
            raise ZeroDivisionError("no such number")

        streams.streams._dialler._authorize = broken
        streams.open(app.url)
        failed = await streams.until("failed")
    assert failed.detail == "Onhook failed: ZeroDivisionError: no such number"


async def test_a_fault_of_ours_in_a_message_is_the_streams_end() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url, bidirectional=True)
        await streams.until("opened")
        content = streams.streams._streams["s1"].content
        assert content is not None
        streams.room.feed = None  # type: ignore[method-assign, assignment]  # it cannot be called
        await app.until(lambda: app.sockets)
        await app.say(json.dumps({"kind": "AudioData", "audioData": {"data": "AAA="}}))
        failed = await streams.until("failed")
    assert failed.detail.startswith("Onhook failed: TypeError")


# By themselves


def a_stream(facts: list[Any]) -> Stream:
    effect = OpenStream("s1", "room", "audio", "wss://app.example", "c", "x", "shop", NAMES)
    dialler = Dialler(Scene.session, StreamSettings(), str)  # type: ignore[arg-type]  # never dialled
    return Stream(effect, dialler, StreamSettings(), tell=facts.append, now=lambda: BEGIN)


@pytest.mark.parametrize(
    ("inputs", "states"),
    [
        ([Opened(), Lost("gone"), Opened(), Finished()], ["opened", "lost", "reopened", "closed"]),
        ([Opened(), Lost("gone"), GivenUp("no")], ["opened", "lost", "failed"]),
        ([Opened(), Lost("gone"), Finished()], ["opened", "lost", "closed"]),
        ([Opened(), GivenUp("slow")], ["opened", "failed"]),
        ([GivenUp("no", 404)], ["failed"]),
        ([Finished()], ["closed"]),
    ],
)
def test_every_row_of_a_stream(inputs: list[object], states: list[str]) -> None:
    facts: list[Any] = []
    stream = a_stream(facts)
    for each in inputs:
        stream.handle(each)
    assert [fact.state for fact in facts] == states
    over = stream.state is State.OVER
    assert over
    stream.warn("slow", "too late")
    stream.offer(b"too late")
    stream.give_up("too late")
    assert [fact.state for fact in facts] == states


async def test_the_pump_wakes_the_loop_once_a_tick_and_survives_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pumping, "MOST_FRAMES", 3)
    loop = asyncio.get_running_loop()
    taken, wakes = list[Any](), list[Any]()

    def take(frames: Any) -> None:
        taken.append(frames)
        if len(taken) == 1:
            raise ValueError("the first time")

    pump = Pump[str](loop, take)
    wake = loop.call_soon_threadsafe

    def counted(act: Any) -> None:
        wakes.append(act)
        wake(act)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    frame: Any = "frame"
    for whose in ("a", "b", "c", "d"):
        pump.put(whose, frame)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert taken == [[("a", frame), ("b", frame), ("c", frame)]]
    assert pump.lost == 1
    assert len(wakes) == 1
    pump.put("d", frame)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert taken[1:] == [[("d", frame)]]


def test_the_pump_of_a_loop_that_is_closed() -> None:
    loop = asyncio.new_event_loop()
    pump = Pump[str](loop, print)
    loop.close()
    pump.put("nobody", frame_of_nobody())
    assert not pump._waiting


def frame_of_nobody() -> Frame:
    return Frame(BEGIN, 16_000, np.zeros(320, np.int16), {}, {})
