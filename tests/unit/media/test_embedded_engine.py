"""The RTP engine beyond the contract: what is on the wire, junk, the tick, the thread."""

import asyncio
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

from onhook.effects import Mix, StartMedia
from onhook.facts import Fact
from onhook.media.engine.clockwork import SWITCH_INTERVAL_SECONDS
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.parts import Clip, Frame
from onhook.media.ports import LEAST_REST_SECONDS
from onhook.media.settings import MediaSettings

# Below the ports that systems give out by themselves, and apart from other test processes.
FIRST = 10_060 + os.getpid() % 60 * 160
SETTINGS = MediaSettings(first_port=FIRST, last_port=FIRST + 59, quarantine_seconds=0.0)
RTP = bytes((0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4)) + b"\xff" * 160


def rtp(number: int) -> bytes:
    """Packet `number` of a stream."""
    return struct.pack("!BBHII", 0x80, 0, number, number * 160, 0x01020304) + b"\xff" * 160


PATIENCE_SECONDS = 5.0


class Packet(NamedTuple):
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def read(cls, data: bytes) -> "Packet":
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        assert first == 0x80
        return cls(second >= 0x80, second & 0x7F, sequence, timestamp, ssrc, data[12:])


class FarEnd:
    """A UDP socket that reads packets without holding up the loop."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0)
        self.socket.bind((host, 0))
        self.host, self.port = host, int(self.socket.getsockname()[1])

    async def packets(self, count: int) -> list[Packet]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [Packet.read(await loop.sock_recv(self.socket, 2048)) for _ in range(count)]

    def start(
        self, leg: str, *, codec: str = "PCMU", payload_type: int = 0, sending: bool = True
    ) -> StartMedia:
        return StartMedia(leg, self.host, self.port, payload_type, codec, sending)


@asynccontextmanager
async def engine(
    settings: MediaSettings = SETTINGS, **how: Any
) -> AsyncIterator[tuple[EmbeddedEngine, FarEnd]]:
    media, far_end = EmbeddedEngine(settings, now=time.time, **how), FarEnd(settings.host)
    try:
        yield media, far_end
    finally:
        media.stop()
        far_end.socket.close()


@pytest.mark.parametrize(
    ("codec", "payload_type", "level"), [("PCMU", 0, 0xFF), ("PCMA", 8, 0xD5), ("PCMA", 97, 0xD5)]
)
async def test_silence_on_the_wire(codec: str, payload_type: int, level: int) -> None:
    async with engine() as (media, far_end):
        media.open("a")
        media.start(far_end.start("a", codec=codec, payload_type=payload_type))
        packets = await far_end.packets(5)
        assert [packet.marker for packet in packets] == [True, False, False, False, False]
        assert {packet.payload_type for packet in packets} == {payload_type}
        assert {packet.payload for packet in packets} == {bytes([level]) * 160}
        assert len({packet.ssrc for packet in packets}) == 1
        for before, after in pairwise(packets):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            steps, rest = divmod((after.timestamp - before.timestamp) & 0xFFFFFFFF, 160)
            assert rest == 0
            assert 1 <= steps <= 10  # more than one where the machine made us miss a tick


async def test_it_is_sent_from_the_port_that_was_offered() -> None:
    async with engine() as (media, far_end):
        _, port = media.open("a")
        media.start(far_end.start("a"))
        await far_end.packets(1)
        loop = asyncio.get_running_loop()
        _, source = await asyncio.wait_for(loop.sock_recvfrom(far_end.socket, 2048), PATIENCE_SECONDS)
        assert source == ("127.0.0.1", port)


async def test_legs_differ_in_ssrc_and_begin_anywhere() -> None:
    async with engine() as (media, far_end):
        for number in range(8):
            media.open(f"leg-{number}")
            media.start(far_end.start(f"leg-{number}"))
        packets = [packet for packet in await far_end.packets(30) if packet.marker]
        assert len({packet.ssrc for packet in packets}) == 8
        assert len({packet.sequence for packet in packets}) > 1
        assert len({packet.timestamp for packet in packets}) > 1


async def test_a_pause_keeps_the_stream_and_marks_its_end() -> None:
    async with engine() as (media, far_end):
        media.open("a")
        media.start(far_end.start("a"))
        before = (await far_end.packets(2))[-1]
        media.start(far_end.start("a", sending=False))
        await asyncio.sleep(0.1)
        media.start(far_end.start("a"))
        packets = await far_end.packets(10)
        (resumed,) = [packet for packet in packets if packet.marker]
        assert resumed.ssrc == before.ssrc
        pause = ((resumed.timestamp - before.timestamp) & 0xFFFFFFFF) / 8000
        assert pause >= 0.08  # the clock of the stream went on
        sequences = [packet.sequence for packet in (before, *packets)]
        assert [(number - before.sequence) & 0xFFFF for number in sequences] == list(range(11))


async def test_a_new_address_is_sent_to_in_the_same_stream() -> None:
    async with engine() as (media, first):
        second = FarEnd()
        media.open("a")
        media.start(first.start("a"))
        (before,) = await first.packets(1)
        media.start(second.start("a"))
        (after,) = await second.packets(1)
        assert after.ssrc == before.ssrc
        assert not after.marker
        measured = media.close("a")
        assert measured.remote == f"127.0.0.1:{second.port}"
        second.socket.close()


async def test_sequence_and_timestamp_wrap_around() -> None:
    async with engine() as (media, far_end):
        media.open("a")
        row = media._legs["a"].row
        media.rows.sequence[row], media.rows.timestamp[row] = 0xFFFF, 0xFFFFFFFF - 100
        media.start(far_end.start("a"))
        first, second = await far_end.packets(2)
        assert (first.sequence, second.sequence) == (0xFFFF, 0)
        assert second.timestamp < first.timestamp


async def test_junk_is_dropped_and_counted_and_no_first_packet() -> None:
    async with engine() as (media, far_end):
        told: list[Fact] = []
        media.on_fact(lambda _, fact: told.append(fact))
        place = media.open("a")
        for junk in (b"", b"\x00", b"INVITE sip:x SIP/2.0\r\n\r\n", bytes(172), b"\x9f" + bytes(30)):
            far_end.socket.sendto(junk, place)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while media.junk < 5:  # noqa: ASYNC110  # junk is told to nobody
                await asyncio.sleep(0.005)
        measured = media.close("a")
        assert (measured.received, measured.first_received_at, told) == (0, None, [])
        assert media.junk == 5


async def test_more_than_a_tick_takes_in_is_taken_in_later() -> None:
    async with engine() as (media, far_end):
        place = media.open("a")
        for number in range(30):
            far_end.socket.sendto(rtp(number), place)
        row = media._legs["a"].row
        async with asyncio.timeout(PATIENCE_SECONDS):
            while media.rows.came[row] < 30:  # noqa: ASYNC110  # only the first is told
                await asyncio.sleep(0.005)
        measured = media.close("a")
        assert measured.received + measured.late == 30


async def test_late_packets_for_a_closed_leg_do_not_reach_the_next() -> None:
    async with engine() as (media, far_end):
        place = media.open("a")
        media.close("a")
        for number in range(20):
            far_end.socket.sendto(rtp(number), place)
        await asyncio.sleep(LEAST_REST_SECONDS)
        assert media.open("b") == place
        far_end.socket.sendto(RTP, place)
        measured = media.close("b")
        assert measured.received == 1
        assert media.junk == 20


async def test_a_host_name_in_the_answer_is_looked_up() -> None:
    async with engine() as (media, far_end):

        async def look_up(host: Any, port: Any, **_: Any) -> list[Any]:
            assert (host, port) == ("media.example", far_end.port)
            return [
                (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("::1", far_end.port, 0, 0)),
                (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", far_end.port)),
            ]

        asyncio.get_running_loop().getaddrinfo = look_up  # type: ignore[method-assign]  # the fault that is tested
        media.open("a")
        media.start(StartMedia("a", "media.example", far_end.port, 0, "PCMU"))
        assert (await far_end.packets(1))[0].marker
        assert media.close("a").remote == f"media.example:{far_end.port}"


async def test_a_host_name_that_is_unknown_is_not_sent_to() -> None:
    async with engine() as (media, far_end):
        asked = asyncio.Event()

        async def look_up(*_: Any, **__: Any) -> list[Any]:
            asked.set()
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        asyncio.get_running_loop().getaddrinfo = look_up  # type: ignore[method-assign]  # the fault that is tested
        media.open("a")
        media.start(StartMedia("a", "nowhere.example", far_end.port, 0, "PCMU"))
        await asyncio.wait_for(asked.wait(), PATIENCE_SECONDS)
        await asyncio.sleep(0)
        assert media.close("a").sent == 0


async def test_localhost_needs_no_question() -> None:
    async with engine() as (media, far_end):
        media.open("a")
        media.start(StartMedia("a", "localhost", far_end.port, 0, "PCMU"))
        assert await far_end.packets(1)


async def test_version_6() -> None:
    async with engine(MediaSettings(host="::1", first_port=FIRST + 60, last_port=FIRST + 63)) as (
        media,
        far_end,
    ):
        assert media.open("a") == ("::1", FIRST + 60)
        media.start(far_end.start("a"))
        far_end.socket.sendto(RTP, ("::1", FIRST + 60))
        await far_end.packets(1)
        measured = media.close("a")
        assert (measured.received, measured.remote) == (1, f"[::1]:{far_end.port}")


async def test_an_address_of_the_other_family_is_not_sent_to_and_says_so_in_its_count() -> None:
    async with engine() as (media, far_end):
        media.open("a")
        media.open("b")
        media.start(StartMedia("a", "::1", far_end.port, 0, "PCMU"))
        media.start(far_end.start("b"))
        await far_end.packets(3)
        assert media.close("a").sent == 0


async def test_the_tick_does_not_drift() -> None:
    async with engine() as (media, far_end):
        media.open("a")
        media.start(far_end.start("a"))
        first = (await far_end.packets(1))[0]
        began = time.monotonic()
        last = (await far_end.packets(40))[-1]
        played = ((last.timestamp - first.timestamp) & 0xFFFFFFFF) / 8000
        assert abs(played - (time.monotonic() - began)) < 0.3
        assert len(media.latenesses_ms()) >= 40
        assert min(media.latenesses_ms()) >= 0


async def test_missed_ticks_are_skipped_not_caught_up() -> None:
    async with engine() as (media, far_end):
        media.open("a")
        media.start(far_end.start("a"))
        before = await far_end.packets(2)
        measure, held = media.exchange._measure, threading.Event()

        def stumble(which: Any, heard: Any) -> None:
            if not held.is_set():
                time.sleep(0.11)
                held.set()
            measure(which, heard)

        media.exchange._measure = stumble  # type: ignore[method-assign]  # the fault that is tested
        packets = [*before, *await far_end.packets(8)]
        gaps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)]
        assert max(gaps) >= 5 * 160
        assert media.ticks_missed >= 4
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))


async def test_a_tick_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    async with engine() as (media, far_end):
        media.open("a")
        media.start(far_end.start("a"))
        measure, failed = media.exchange._measure, threading.Event()

        def fail_once(which: Any, heard: Any) -> None:
            if not failed.is_set():
                failed.set()
                raise ZeroDivisionError
            measure(which, heard)

        media.exchange._measure = fail_once  # type: ignore[method-assign]  # the fault that is tested
        await far_end.packets(5)
        assert "ZeroDivisionError" in caplog.text


async def test_a_handler_that_fails_does_not_hide_the_next_leg() -> None:
    faults, told, happened = list[Any](), list[str](), asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def hear(leg: str, _: Fact) -> None:
        told.append(leg)
        if len(told) == 2:
            happened.set()
        raise ZeroDivisionError

    async with engine() as (media, far_end):
        media.on_fact(hear)
        for leg in "ab":
            far_end.socket.sendto(RTP, media.open(leg))
        await asyncio.wait_for(happened.wait(), PATIENCE_SECONDS)
    assert sorted(told) == ["a", "b"]
    assert [type(fault) for fault in faults] == [ZeroDivisionError] * 2


async def test_one_thread_for_all_legs_which_rests_and_ends() -> None:
    def threads() -> int:
        return sum(thread.name == "onhook media" for thread in threading.enumerate())

    before = threads()
    async with engine() as (media, far_end):
        assert threads() == before  # none before the first leg
        for number in range(20):
            media.open(f"leg-{number}")
            media.start(far_end.start(f"leg-{number}"))
        assert threads() == before + 1
        for number in range(20):
            media.close(f"leg-{number}")
        await asyncio.sleep(0.05)
        ticks = len(media.latenesses_ms())
        await asyncio.sleep(0.1)
        assert len(media.latenesses_ms()) == ticks  # it rests
        media.open("again")
        media.start(far_end.start("again"))
        await far_end.packets(2)
    assert threads() == before


async def test_it_can_have_the_lock_beside_a_loop_that_never_rests() -> None:
    before = sys.getswitchinterval()
    async with engine() as (media, far_end):
        media.open("a")
        assert sys.getswitchinterval() == pytest.approx(min(before, SWITCH_INTERVAL_SECONDS))
        media.start(far_end.start("a"))
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            sum(range(2000))
            await asyncio.sleep(0)
        assert media.close("a").sent >= 10  # of 50; with Python's own setting it was seen to be 2
    assert sys.getswitchinterval() == pytest.approx(before)


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_thread_asks_to_be_served_first(monkeypatch: pytest.MonkeyPatch, *, allowed: bool) -> None:
    asked: list[tuple[int, int]] = []

    def schedule(thread: int, policy: int, parameters: os.sched_param) -> None:
        asked.append((thread, policy))
        if not allowed:
            raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", schedule)
    async with engine() as (media, far_end):
        media.open("a")
        media.start(far_end.start("a"))
        await far_end.packets(2)  # whether or not
        assert asked == [(0, os.SCHED_RR)]
        assert media._clockwork.realtime is allowed


async def test_it_does_not_ask_if_it_must_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def schedule(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "sched_setscheduler", schedule)
    async with engine(replace(SETTINGS, realtime=False)) as (media, far_end):
        media.open("a")
        media.start(far_end.start("a"))
        await far_end.packets(2)
        assert not media._clockwork.realtime


async def test_stopping_twice_or_before_any_leg_is_no_fault() -> None:
    media = EmbeddedEngine(SETTINGS)
    media.stop()
    media.stop()
    assert media.legs == 0


async def test_times_are_those_of_the_clock_that_was_given() -> None:
    media, far_end = EmbeddedEngine(SETTINGS, now=lambda: 42.5), FarEnd()
    try:
        place = media.open("a")
        far_end.socket.sendto(RTP, place)
        measured = media.close("a")
        assert measured.at == 42.5
        assert measured.first_received_at == measured.last_received_at == pytest.approx(42.5, abs=1.0)
    finally:
        media.stop()
        far_end.socket.close()


async def test_a_room_without_telephones_is_played_to_and_tapped_in_real_time() -> None:
    """ACS users have no telephone: a prompt to them ends when it would, and a recording is silent."""
    async with engine() as (media, _):
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        frames: list[Frame] = []
        media.tap("room", frames.append)
        threads: list[threading.Thread] = []

        def started() -> None:
            threads.append(threading.current_thread())

        feed = media.feed("room", (), started=started, ended=ended.set_result, to_all=True)
        feed.add(Clip(np.ones(4800, np.int16), 16_000))
        feed.finish()
        begun = time.monotonic()
        assert await asyncio.wait_for(ended, PATIENCE_SECONDS) in range(300, 341)
        assert time.monotonic() - begun > 0.2
        assert threads == [threading.current_thread()]
        assert len(frames) > 10
        assert not frames[0].voices
        media.mix(Mix("room", ()))


async def test_the_thread_rests_when_nothing_is_left_in_a_room_without_telephones() -> None:
    async with engine() as (media, _):
        frames: list[Frame] = []
        media.tap("room", frames.append)
        while not frames:  # noqa: ASYNC110  # the media thread works beside the loop
            await asyncio.sleep(0.01)
        media.mix(Mix("room", ()))
        while not media.exchange.idle:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
        assert media.exchange.idle
