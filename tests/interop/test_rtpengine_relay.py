"""One leg through a real rtpengine: ports, codecs, SRTP with our keys, digits, re-negotiation, counts."""

import asyncio
import struct
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec
import pytest

from interop.rtpengine.rtp_end import (
    PACKET_SECONDS,
    RtpEnd,
    decoded,
    encoded,
    level_db,
    loudest_hertz,
    rtp_end,
    tone,
)
from onhook.effects import Srtp, StartMedia
from onhook.media.engine.digits_in import DigitsIn, Press
from onhook.media.rtpengine.ng import EngineRefused, NgClient
from onhook.media.rtpengine.relay import Options, Relay
from rtpengine_daemon import Rtpengine, rtpengine

pytestmark = pytest.mark.interop
OUR_KEY, THEIR_KEY, OTHER_KEY = bytes(range(30)), bytes(range(30, 60)), bytes(range(60, 90))
SUITE_80, SUITE_32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
SILENCE = b"\xff" * 160
MANY = 50
"""Packets: one second."""
_names = count()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rtpengine]:
    with rtpengine(tmp_path_factory.mktemp("rtpengine")) as started:
        yield started


@dataclass
class Scene:
    relay: Relay
    inner: RtpEnd
    """Where our engine would be."""
    far: RtpEnd
    inside: tuple[str, int] = ("", 0)
    """Where our engine sends to."""

    async def connect(self, **effect: Any) -> StartMedia:
        """Both sides are known; what our engine is to do."""
        plain = StartMedia(leg="leg", host=self.far.host, port=self.far.port, payload_type=0, codec="PCMU")
        inside = await self.relay.connect(msgspec.structs.replace(plain, **effect), self.far.host)
        self.inside = inside.host, inside.port
        return inside

    async def both_talk(self, payload_type: int = 0, payload: bytes = SILENCE, clock: int = 160) -> None:
        """20 packets each way, after which each side has most of them."""
        await asyncio.gather(
            self.far.talk(self.relay.outer, payload_type, [payload] * 20, clock=clock),
            self.inner.talk(self.inside, 0, [SILENCE] * 20),
        )


@asynccontextmanager
async def scene_of(
    daemon: Rtpengine, srtp: Srtp | None = None, options: Options | None = None
) -> AsyncGenerator[Scene]:
    client = NgClient(*daemon.ng)
    await client.open()
    relay = Relay(client, f"relay-{next(_names)}", options or Options())
    await relay.reserve()
    async with rtp_end() as inner, rtp_end(srtp) as far:
        relay.inner = inner.host, inner.port
        await relay.expect()
        yield Scene(relay, inner, far)
    await relay.delete()
    client.close()


def play(
    daemon: Rtpengine, act: Callable[[Scene], Coroutine[Any, Any, None]], srtp: Srtp | None = None
) -> None:
    async def playing() -> None:
        async with scene_of(daemon, srtp) as scene:
            await act(scene)

    asyncio.run(playing())


def test_a_reserved_relay_has_an_even_port(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        host, port = scene.relay.outer
        assert host == daemon.host
        assert port % 2 == 0

    play(daemon, act)


def test_what_comes_before_the_far_end_is_known_is_heard(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        await scene.far.talk(scene.relay.outer, 0, [SILENCE] * 5)
        heard = await scene.inner.until_packets(5)
        assert {packet.payload for packet in heard} == {SILENCE}

    play(daemon, act)


@pytest.mark.parametrize(("payload_type", "codec"), [(0, "PCMU"), (8, "PCMA")])
def test_g711_passes_as_it_is(payload_type: int, codec: str, daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        inside = await scene.connect(payload_type=payload_type, codec=codec)
        assert (inside.payload_type, inside.codec) == (payload_type, codec)
        assert (inside.srtp, inside.ptime_ms, inside.telephone_event) == (None, 20, None)
        sound = [bytes((number,)) * 160 for number in range(MANY)]
        await asyncio.gather(
            scene.far.talk(scene.relay.outer, payload_type, sound),
            scene.inner.talk((inside.host, inside.port), payload_type, sound),
        )
        await scene.inner.until_packets(MANY)
        await scene.far.until_packets(MANY)
        assert scene.inner.voice(payload_type) == sound
        assert scene.far.voice(payload_type) == sound
        assert {packet.source for packet in scene.far.packets} == {scene.relay.outer}

    play(daemon, act)


@dataclass(frozen=True)
class Compressed:
    """A codec, its payload type, its name in FFmpeg, its sound in Hz, its clock in a packet of 20 ms."""

    codec: str
    payload_type: int
    ffmpeg: str
    rate: int
    clock: int


@pytest.mark.parametrize(
    "theirs",
    [Compressed("G722", 9, "g722", 16_000, 160), Compressed("opus", 111, "libopus", 48_000, 960)],
    ids=lambda each: each.codec,
)
def test_other_codecs_are_transcoded(theirs: Compressed, daemon: Rtpengine) -> None:
    rate, payload_type = theirs.rate, theirs.payload_type

    async def act(scene: Scene) -> None:
        inside = await scene.connect(payload_type=payload_type, codec=theirs.codec)
        assert inside.codec == "PCMU"
        from_us = encoded("pcm_mulaw", tone(440, 1.0), 8000)
        from_them = encoded(theirs.ffmpeg, tone(1000, 1.0, rate), rate)
        await asyncio.gather(
            scene.far.talk(scene.relay.outer, payload_type, from_them, clock=theirs.clock),
            scene.inner.talk(scene.inside, 0, from_us),
        )
        await scene.inner.until_packets(MANY - 5)
        await scene.far.until_packets(MANY - 5)
        heard_here = decoded("pcm_mulaw", scene.inner.voice(0), 8000)[1600:]
        heard_there = decoded(theirs.ffmpeg, scene.far.voice(payload_type), rate)[rate // 5 :]
        assert abs(loudest_hertz(heard_here, 8000) - 1000) < 5
        assert abs(loudest_hertz(heard_there, rate) - 440) < 5
        for heard in (heard_here, heard_there):
            assert abs(level_db(heard) - level_db(tone(1000, 1.0))) < 1

    play(daemon, act)


@pytest.mark.parametrize("suite", [SUITE_80, SUITE_32])
def test_srtp_ends_at_rtpengine_with_our_key(suite: str, daemon: Rtpengine) -> None:
    srtp = Srtp(suite, OUR_KEY, THEIR_KEY)

    async def act(scene: Scene) -> None:
        inside = await scene.connect(srtp=srtp)
        assert inside.srtp is None
        await scene.both_talk()
        assert {packet.payload for packet in await scene.inner.until_packets(18)} == {SILENCE}
        assert {packet.payload for packet in await scene.far.until_packets(18)} == {SILENCE}
        assert scene.far.sealed == 0
        assert (await scene.relay.count()).errors == 0

    play(daemon, act, srtp)


def test_a_key_may_change_and_srtp_may_begin_and_end(daemon: Rtpengine) -> None:
    async def talk(scene: Scene, srtp: Srtp | None) -> None:
        async with rtp_end(srtp) as far:
            scene.far = far
            await scene.connect(srtp=srtp)
            await scene.both_talk()
            assert {packet.payload for packet in await far.until_packets(18)} == {SILENCE}
            assert far.sealed == 0

    async def act(scene: Scene) -> None:
        await talk(scene, None)
        await talk(scene, Srtp(SUITE_80, OUR_KEY, THEIR_KEY))
        await talk(scene, Srtp(SUITE_80, OTHER_KEY, THEIR_KEY))
        await talk(scene, Srtp(SUITE_32, OTHER_KEY, OUR_KEY))
        await talk(scene, None)
        await talk(scene, Srtp(SUITE_80, OTHER_KEY, THEIR_KEY))

    play(daemon, act)


def test_what_the_keys_do_not_open_is_counted_as_errors(daemon: Rtpengine) -> None:
    agreed = Srtp(SUITE_80, OUR_KEY, THEIR_KEY)

    async def act(scene: Scene) -> None:
        await scene.connect(srtp=agreed)
        await scene.both_talk()
        counts = await scene.relay.count()
        assert counts.errors >= 18
        assert scene.inner.packets == []

    play(daemon, act, Srtp(SUITE_80, OUR_KEY, OTHER_KEY))


def test_digits_pass_both_ways(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        inside = await scene.connect(telephone_event=96, hears=((0, "PCMU"), (96, "telephone-event")))
        assert inside.telephone_event is not None
        for event in (1, 2, 11):
            await scene.far.press(scene.relay.outer, 96, event)
            await scene.inner.press((inside.host, inside.port), inside.telephone_event, event)
        await scene.inner.until_packets(21)
        await scene.far.until_packets(21)
        assert scene.inner.digits(inside.telephone_event) == [1, 2, 11]
        assert scene.far.digits(96) == [1, 2, 11]

    play(daemon, act)


def test_digits_beside_opus_are_heard(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        inside = await scene.connect(
            payload_type=111,
            codec="opus",
            telephone_event=101,
            hears=((111, "opus"), (101, "telephone-event")),
        )
        assert inside.telephone_event is not None
        await scene.far.press(scene.relay.outer, 101, 7)
        await scene.inner.until_packets(7)
        assert scene.inner.digits(inside.telephone_event) == [7]

    play(daemon, act)


async def talk_and_press(scene: Scene, events: tuple[int, ...]) -> None:
    """As baresip does: voice goes on while a key is down, for 120 ms, and its end comes four times."""
    voice, far, to = encoded("g722", tone(700, 1.0, 16_000), 16_000), scene.far, scene.relay.outer
    for event in events:
        began = far.timestamp
        for number, sound in enumerate(voice[:16]):
            far.send(to, 9, sound)
            if number < 9:
                length = min(number + 1, 6)
                end = 0x80 if length == 6 else 0
                voice_at, far.timestamp = far.timestamp, began
                far.send(to, 101, struct.pack("!BBH", event, 10 | end, length * 160), clock=0)
                far.timestamp = voice_at
            await asyncio.sleep(PACKET_SECONDS)


def test_keys_within_voice_that_is_transcoded_are_each_one_press(daemon: Rtpengine) -> None:
    """Though rtpengine 10.5 gives each repeat of an end a timestamp of its own."""

    async def act(scene: Scene) -> None:
        inside = await scene.connect(
            payload_type=9, codec="G722", telephone_event=101, hears=((9, "G722"), (101, "telephone-event"))
        )
        await talk_and_press(scene, (1, 1, 3))
        await scene.inner.until(lambda packets: sum(each.payload_type == 101 for each in packets) == 27)
        assert len(set(scene.inner.digits(101))) < len(scene.inner.digits(101)), (
            "more timestamps than presses"
        )
        digits, presses = DigitsIn(), list[Press]()
        for number, packet in enumerate(scene.inner.packets):
            if packet.payload_type == inside.telephone_event:
                presses += digits.take(packet.payload, packet.timestamp, number * 0.02)
        assert presses == [Press("1", 120), Press("1", 120), Press("3", 120)]

    play(daemon, act)


def test_without_telephone_events_none_are_agreed_on(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        inside = await scene.connect(payload_type=8, codec="PCMA")
        assert inside.telephone_event is None
        assert inside.hears == ((8, "PCMA"),)

    play(daemon, act)


@pytest.mark.parametrize("main", [0, 111])
def test_a_far_end_may_send_any_codec_it_agreed_to(main: int, daemon: Rtpengine) -> None:
    """What was not chosen passes as it is: the embedded engine knows it by its payload type."""

    async def act(scene: Scene) -> None:
        hears = ((0, "PCMU"), (8, "PCMA"), (111, "opus"))
        inside = await scene.connect(payload_type=main, codec=dict(hears)[main], hears=hears)
        assert inside.codec == "PCMU"
        assert dict(inside.hears)[8] == "PCMA"
        sent = encoded("pcm_alaw", tone(1000, 1.0), 8000)
        await scene.far.talk(scene.relay.outer, 8, sent)
        await scene.inner.until_packets(MANY)
        assert scene.inner.voice(8) == sent

    play(daemon, act)


def test_a_moved_far_end_is_followed(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        await scene.connect()
        await scene.both_talk()
        async with rtp_end() as elsewhere:
            before, scene.far = scene.far, elsewhere
            heard_before = len(before.packets)
            await scene.connect()
            await scene.both_talk()
            assert len(await elsewhere.until_packets(18)) >= 18
            assert len(before.packets) - heard_before <= 2
            assert (await scene.relay.count()).remote == f"127.0.0.1:{elsewhere.port}"

    play(daemon, act)


def test_longer_packets_are_cut_to_20_ms_for_us_and_back_for_them(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        for ptime_ms in (20, 40, 20):
            scene.far.packets.clear()
            scene.inner.packets.clear()
            inside = await scene.connect(ptime_ms=ptime_ms)
            there = (inside.host, inside.port)
            sent = b"\xff" * (8 * ptime_ms)
            far_talks = scene.far.talk(scene.relay.outer, 0, [sent] * 20, clock=8 * ptime_ms)
            await asyncio.gather(far_talks, scene.inner.talk(there, 0, [SILENCE] * 20))
            await scene.inner.until_packets(18)
            await scene.far.until_packets(9)
            assert {len(packet.payload) for packet in scene.inner.packets} == {160}
            assert {len(packet.payload) for packet in scene.far.packets[2:-1]} == {8 * ptime_ms}

    play(daemon, act)


def test_what_comes_from_elsewhere_is_not_let_in(daemon: Rtpengine) -> None:
    """Once rtpengine has learnt where the far end is: 3 s after it was connected."""

    async def act(scene: Scene) -> None:
        await scene.connect()
        await scene.far.talk(scene.relay.outer, 0, [SILENCE] * 200)
        async with rtp_end() as stranger:
            stranger.ssrc = 99
            await stranger.talk(scene.relay.outer, 0, [SILENCE] * 20)
            await scene.far.talk(scene.relay.outer, 0, [SILENCE] * 20)
        assert {packet.ssrc for packet in scene.inner.packets} == {scene.inner.packets[0].ssrc}
        assert len(await scene.inner.until_packets(215)) <= 220

    play(daemon, act)


def test_counts_are_of_the_far_end(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        assert (await scene.relay.count())[:2] == (0, 0)
        await scene.connect()
        await scene.far.talk(scene.relay.outer, 0, [SILENCE] * 12)
        await scene.inner.until_packets(12)
        assert await scene.relay.count() == (12, 0, f"127.0.0.1:{scene.far.port}")

    play(daemon, act)


def test_what_is_deleted_is_unknown(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        await scene.relay.delete()
        with pytest.raises(EngineRefused, match="query refused: Unknown call-id"):
            await scene.relay.count()
        await scene.relay.reserve()

    play(daemon, act)


def test_a_codec_that_rtpengine_cannot_speak_is_refused(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(EngineRefused, match="not asked to speak EVS"):
            await scene.connect(payload_type=97, codec="EVS")

    play(daemon, act)


def test_held_ways_are_told(daemon: Rtpengine) -> None:
    async def act(scene: Scene) -> None:
        inside = await scene.connect(sending=False)
        assert (inside.sending, inside.receiving) == (False, True)
        await scene.far.talk(scene.relay.outer, 0, [SILENCE] * 5)
        await scene.inner.until_packets(5)
        again = await scene.connect()
        assert msgspec.structs.replace(again, sending=False) == inside

    play(daemon, act)


def test_each_side_has_the_interface_that_is_meant_for_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def act(daemon: Rtpengine) -> None:
        options = Options(interfaces=("inside", "outside"))
        async with scene_of(daemon, options=options) as scene:
            inside = await scene.connect()
            assert scene.relay.outer[0] == "127.9.9.2"
            assert inside.host == "127.9.9.1"
            await scene.both_talk()
            assert {packet.source[0] for packet in await scene.far.until_packets(15)} == {"127.9.9.2"}
            assert {packet.source[0] for packet in await scene.inner.until_packets(15)} == {"127.9.9.1"}

    named = ("--interface=inside/127.9.9.1", "--interface=outside/127.9.9.2")
    with rtpengine(tmp_path_factory.mktemp("interfaces"), *named) as daemon:
        asyncio.run(act(daemon))
