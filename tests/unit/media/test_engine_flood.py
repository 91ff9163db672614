"""Hostile RTP, much of it: what a tick reads has a bound, only the flooded leg suffers, and it comes back."""

import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from by_hand import SETTINGS, ByHand, Phone, amplitude, by_hand, impurity_db, tone
from onhook.effects import Srtp
from onhook.facts import DigitHeard, MediaMeasured
from onhook.media.engine.intake import Intake
from onhook.media.engine.packets import Rowed

MOST = SETTINGS.max_packets_a_tick
FLOOD = 5 * MOST
"""Packets in each tick: 2,000 a second."""
LEAST_SECONDS_TO_DRAIN = 1.0
"""The system's buffer of a port holds no more than that, at what a tick reads."""
RTP_BYTES = 12 + 160
Make = Callable[[random.Random, int], bytes]


def voice(drawn: random.Random, number: int) -> bytes:
    """RTP that looks right, of a stream that nobody agreed on."""
    header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160 & 0xFFFFFFFF, 0xBAD)
    return header + drawn.randbytes(160)


def any_bytes(drawn: random.Random, _number: int) -> bytes:
    return drawn.randbytes(drawn.randint(0, 300))


def odd_header(drawn: random.Random, number: int) -> bytes:
    """Version 2, and then sources, extensions and padding that reach beyond the end."""
    first = 0x80 | drawn.randrange(64)
    return struct.pack("!BBHII", first, drawn.randrange(256), number & 0xFFFF, number, 7) + drawn.randbytes(
        drawn.randint(0, 40)
    )


def control(drawn: random.Random, _number: int) -> bytes:
    return struct.pack("!BBH", 0x81, drawn.randint(192, 223), drawn.randrange(9)) + drawn.randbytes(28)


def huge(drawn: random.Random, number: int) -> bytes:
    return voice(drawn, number) + bytes(1_800)


def digits(drawn: random.Random, number: int) -> bytes:
    """Keys that nobody pressed."""
    header = struct.pack("!BBHII", 0x80, 101 | 0x80, number & 0xFFFF, number, 0xBAD)
    return header + struct.pack("!BBH", drawn.randrange(16), 0x8A, 800)


KINDS: dict[str, Make] = {
    made.__name__: made for made in (voice, any_bytes, odd_header, control, huge, digits)
}


class Flood:
    """Somebody else, who sends from an address of their own."""

    def __init__(self, to: tuple[str, int], make: Make) -> None:
        self._to, self._make, self._drawn = to, make, random.Random(11)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.66", 0))
        self.sent = 0

    def tick(self, packets: int = FLOOD) -> None:
        for _ in range(packets):
            self._socket.sendto(self._make(self._drawn, self.sent), self._to)
            self.sent += 1

    def close(self) -> None:
        self._socket.close()


@contextmanager
def attacked(make: Make) -> Iterator[tuple[ByHand, Phone, Phone, Flood]]:
    """Two who talk, two more beside them, and a flood that is aimed at one of the first two."""
    with by_hand() as hand:
        one, two = hand.phone("one", voice=tone(440, 1)), hand.phone("two", voice=tone(1000, 1))
        hand.phone("three", voice=tone(600, 1))
        hand.phone("four", voice=tone(800, 1))
        hand.room("attacked", "one", "two")
        hand.room("beside", "three", "four")
        hand.run(0.5)
        flood = Flood(one.to, make)
        try:
            yield hand, one, two, flood
        finally:
            flood.close()


@pytest.mark.parametrize("kind", KINDS)
def test_others_hear_each_other_as_if_nothing_was(kind: str) -> None:
    with attacked(KINDS[kind]) as (hand, one, _, flood):
        for _ in range(50):
            flood.tick()
            hand.run()
        three, four = hand.phones["three"], hand.phones["four"]
        assert amplitude(three.heard()[-7000:], 800) == pytest.approx(8000, rel=0.03)
        assert amplitude(four.heard()[-7000:], 600) == pytest.approx(8000, rel=0.03)
        assert impurity_db(four.heard()[-7000:], [600]) < -30
        # who is attacked still hears: what is sent to it does not wait behind the flood
        assert amplitude(one.heard()[-7000:], 1000) == pytest.approx(8000, rel=0.03)
        beside = hand.engine.close("three")
        assert (beside.lost, beside.late, beside.foreign, beside.junk) == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_of_a_flood_is_counted_and_nothing_of_it_is_taken(kind: str) -> None:
    with attacked(KINDS[kind]) as (hand, one, _, flood):
        before = len(hand.facts)
        for _ in range(50):
            flood.tick()
            hand.run()
        assert hand.told(DigitHeard) == []
        assert len(hand.facts) - before <= 1  # that its RTP stopped, at most: not a fact a packet
        assert one.packets[-1].payload_type == 0
        measured: MediaMeasured = hand.engine.close("one")
        assert measured.streams == 1
        assert FLOOD < measured.foreign + measured.junk <= flood.sent
        assert measured.digits == 0


def test_a_tick_reads_no_more_of_a_leg_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = Intake._read

    def counted(self: Intake, which: Rowed) -> object:
        got = read(self, which)
        reads.append(int(got.sum()))
        return got

    with attacked(voice) as (hand, _, _, flood):
        monkeypatch.setattr(Intake, "_read", counted)
        for _ in range(20):
            flood.tick()
            reads.clear()
            hand.run()
            assert sum(reads) <= MOST + 3 * 2  # the others have one packet each, or two


def test_fewer_than_a_tick_reads_do_no_harm() -> None:
    with attacked(voice) as (hand, _, two, flood):
        for _ in range(100):
            flood.tick(MOST - 2)
            hand.run()
        assert amplitude(two.heard()[-7000:], 440) == pytest.approx(8000, rel=0.03)
        assert impurity_db(two.heard()[-7000:], [440]) < -30
        measured = hand.engine.close("one")
        assert (measured.lost, measured.late) == (0, 0)
        assert measured.foreign == flood.sent


@pytest.mark.parametrize("kind", KINDS)
def test_when_the_flood_is_over_the_leg_is_heard_again(kind: str) -> None:
    with attacked(KINDS[kind]) as (hand, _, two, flood):
        for _ in range(100):
            flood.tick()
            hand.run()
        hand.run(LEAST_SECONDS_TO_DRAIN + 1)
        two.heard()
        hand.run(1)
        assert amplitude(two.heard()[-7000:], 440) == pytest.approx(8000, rel=0.03)


def test_a_flood_before_the_far_end_spoke_is_not_latched_to_if_keys_were_agreed() -> None:
    """Without keys the first packet says where the far end is, whoever sent it (RFC 4961)."""
    with by_hand() as hand:
        one = hand.phone("one", started=False, talks=False)
        keys = Srtp("AES_CM_128_HMAC_SHA1_80", bytes(range(30)), bytes(range(100, 130)))
        hand.start(one, srtp=keys)
        flood = Flood(one.to, voice)
        for _ in range(20):
            flood.tick()
            hand.run()
        assert not hand.engine.rows.latched.any()
        measured = hand.engine.close("one")
        assert measured.received == 0
        assert measured.undecipherable > FLOOD
        flood.close()


def test_no_memory_is_taken_by_packets_that_are_nobody_s() -> None:
    with attacked(voice) as (hand, _, _, flood):
        exchange = hand.engine.exchange
        for _ in range(50):
            flood.tick()
            hand.run()
        assert len(exchange.intake.legs) == 4
        assert exchange.intake._digits == {}
        assert exchange.intake._ears == {}
        assert not exchange._posted
