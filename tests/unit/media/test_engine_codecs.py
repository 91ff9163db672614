"""Codecs that need an object a leg, wideband rooms, and packets of other lengths than 20 ms."""

import random
import struct
from itertools import pairwise

import numpy as np
import pytest

from by_hand import EVENTS, TYPES, ByHand, Phone, amplitude, by_hand, impurity_db, tone
from onhook.effects import SendDigits
from onhook.facts import DigitHeard
from onhook.media.engine.codecs import make_decoder, make_encoder
from onhook.media.engine.rows import A_LAW, DIGIT, G722, MU_LAW, OPUS, OTHER
from onhook.media.parts import Clip, Frame

WIDEBAND = ["G722", "opus"]
NOISE = {"PCMU": -33, "PCMA": -33, "G722": -33, "opus": -20}
"""dB: what the codec itself makes of a tone."""


def say(hand: ByHand, name: str, codec: str, hertz: float, **how: int) -> Phone:
    rate = 16_000 if codec in WIDEBAND else 8000
    return hand.phone(name, codec=codec, voice=tone(hertz, 1, 6000, rate), **how)  # type: ignore[arg-type]  # options of phone


def last_second(phone: Phone) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    return phone.heard()[-phone.rate :]


@pytest.mark.parametrize("one", ["PCMU", *WIDEBAND])
@pytest.mark.parametrize("two", WIDEBAND)
def test_legs_of_any_codecs_hear_each_other(one: str, two: str) -> None:
    with by_hand() as hand:
        a, b = say(hand, "a", one, 500), say(hand, "b", two, 1000)
        hand.room("room", "a", "b")
        hand.run(2)
        for phone, hertz, other in ((a, 1000, two), (b, 500, one)):
            heard = last_second(phone)
            assert amplitude(heard, hertz, phone.rate) == pytest.approx(6000, rel=0.1)
            worst = max(NOISE[phone.codec], NOISE[other]) + 3
            assert impurity_db(heard, [hertz], phone.rate) < worst
        assert hand.engine.close("a").lost == 0
        assert hand.engine.close("b").late == 0


@pytest.mark.parametrize("codec", WIDEBAND)
def test_wideband_legs_hear_what_telephones_cannot(codec: str) -> None:
    with by_hand() as hand:
        a, b = say(hand, "a", codec, 500), say(hand, "b", codec, 5500)
        c = say(hand, "c", "PCMA", 700)
        hand.room("room", "a", "b", "c")
        hand.run(2)
        assert amplitude(last_second(a), 5500, 16_000) == pytest.approx(6000, rel=0.2)
        assert amplitude(last_second(a), 700, 16_000) == pytest.approx(6000, rel=0.1)
        assert amplitude(last_second(b), 500, 16_000) == pytest.approx(6000, rel=0.1)
        assert amplitude(last_second(c), 2500, 8000) < 60  # nothing of 5500 Hz is folded down
        assert amplitude(last_second(c), 500, 8000) == pytest.approx(6000, rel=0.1)


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
def test_what_is_played_to_a_wideband_leg_is_wide(rate: int) -> None:
    with by_hand() as hand:
        a = say(hand, "a", "G722", 500)
        hand.room("room", "a")
        ended: list[int] = []
        feed = hand.engine.feed("room", ("a",), started=lambda: None, ended=ended.append)
        hertz = 3000 if rate == 8000 else 6000
        feed.add(Clip(tone(hertz, 2, 6000, rate), rate))
        feed.finish()
        hand.run(1.8)
        assert amplitude(last_second(a), hertz, 16_000) == pytest.approx(6000, rel=0.1)
        hand.run(0.4)
        assert ended in ([2000], [2020])


def test_a_room_becomes_wide_and_narrow_again_while_something_plays() -> None:
    with by_hand() as hand:
        a = say(hand, "a", "PCMU", 500)
        hand.room("room", "a")
        frames: list[Frame] = []
        hand.engine.tap("room", frames.append)
        feed = hand.engine.feed("room", (), started=lambda: None, ended=lambda _: None, to_all=True)
        feed.add(Clip(tone(1000, 6, 6000, 16_000), 16_000))
        hand.run(1)
        b = say(hand, "b", "G722", 700)
        hand.room("room", "a", "b")
        hand.run(2)
        assert {frame.rate for frame in frames[:40]} == {8000}
        assert {frame.rate for frame in frames[60:140]} == {16_000}
        assert {len(frame.mixed) for frame in frames[60:140]} == {320}
        for phone in (a, b):
            assert amplitude(last_second(phone), 1000, phone.rate) == pytest.approx(6000, rel=0.1)
        hand.engine.close("b")
        hand.room("room", "a")
        b.talks = False
        hand.run(1.5)
        assert frames[-1].rate == 8000
        heard = last_second(a)
        assert amplitude(heard, 1000) == pytest.approx(6000, rel=0.05)
        assert impurity_db(heard, [1000]) < -30


@pytest.mark.parametrize("codec", WIDEBAND)
def test_loss_is_concealed_in_wideband_too(codec: str) -> None:
    with by_hand() as hand:
        drawn = random.Random(7)
        a = say(hand, "a", codec, 500)
        a.lose = lambda _: drawn.random() < 0.05
        b = say(hand, "b", "G722", 1000)
        hand.room("room", "a", "b")
        hand.run(5)
        heard = b.heard()[16_000:]
        assert impurity_db(heard, [500], 16_000) < -13
        assert hand.engine.close("a").lost > 5


@pytest.mark.parametrize("drift", [-1e-3, 1e-3])
def test_another_clock_is_followed_in_wideband_too(drift: float) -> None:
    with by_hand() as hand:
        a = say(hand, "a", "G722", 500)
        a.drift = drift
        b = say(hand, "b", "G722", 1000)
        hand.room("room", "a", "b")
        hand.run(25)
        heard = b.heard()[32_000:].astype(np.int32)
        assert np.abs(np.diff(heard)).max() < 2 * 2 * np.pi * 500 / 16_000 * 6000
        loud = np.abs(heard[: len(heard) // 160 * 160].reshape(-1, 160)).max(axis=1)
        assert loud.min() > 3500
        assert hand.engine.rows.delay[0] < 500


def test_digits_go_beside_opus_by_its_clock() -> None:
    with by_hand() as hand:
        a = hand.phone("a", codec="opus", started=False, voice=tone(500, 1, 6000, 16_000))
        hand.start(a, event_clock=48_000)
        hand.run(0.3)
        hand.engine.send_digits(SendDigits("action", "room", "a", "5"))
        hand.run(0.5)
        events = [packet for packet in a.packets if packet.payload_type == EVENTS]
        assert len(events) == 15
        assert len({packet.timestamp for packet in events}) == 1
        assert struct.unpack("!H", events[-1].payload[2:])[0] == 12_000  # 250 ms
        voices = [packet.timestamp for packet in a.packets if packet.payload_type == TYPES["opus"]]
        steps = {(after - before) & 0xFFFFFFFF for before, after in pairwise(voices)}
        assert steps == {960, 960 * 16}  # and the 15 ticks of the digit
        a.talks = False
        for number in range(3):
            a.sequence += 1
            a.send(struct.pack("!BBH", 7, 0x8A, 4800), EVENTS, marker=number == 0, timestamp=48_000)
        hand.run()
        assert [(fact.digit, fact.duration_ms) for fact in hand.told(DigitHeard)] == [("7", 100)]


def test_a_far_end_may_change_between_the_codecs_that_were_agreed_on() -> None:
    with by_hand() as hand:
        a = say(hand, "a", "G722", 500)
        b = say(hand, "b", "G722", 1000)
        hand.room("room", "a", "b")
        hand.run(1)
        encoder = make_encoder(MU_LAW, 20)
        assert encoder
        voice = tone(500, 1, 6000)
        a.encoded = lambda place: encoder.encode(voice[(place + np.arange(160)) % 8000])  # type: ignore[method-assign]  # another codec
        TYPES["G722"], before = TYPES["PCMU"], TYPES["G722"]
        try:
            for _ in range(75):
                a.speak()
                for group in range(4):
                    hand.engine.tick(group, hand.number, hand.now)
                hand.number += 1
                hand.now += 0.02
                b.listen()
        finally:
            TYPES["G722"] = before
        heard = b.heard()[-16_000:]
        assert amplitude(heard, 500, 16_000) == pytest.approx(6000, rel=0.1)
        assert hand.engine.close("a").wrong_codec == 0


def test_a_narrow_leg_may_be_spoken_to_in_a_wide_codec() -> None:
    with by_hand() as hand:
        a = hand.phone("a", codec="G722", started=False, voice=tone(500, 1, 6000, 16_000))
        hand.start(a, codec="PCMU", payload_type=0)
        b = say(hand, "b", "PCMU", 1000)
        hand.room("room", "a", "b")
        hand.run(2)
        assert amplitude(last_second(b), 500) == pytest.approx(6000, rel=0.1)


def test_another_codec_is_agreed_on_in_the_middle() -> None:
    with by_hand() as hand:
        a = say(hand, "a", "PCMU", 500)
        b = say(hand, "b", "PCMU", 1000)
        hand.room("room", "a", "b")
        hand.run(1)
        a.codec, a.voice = "G722", tone(500, 1, 6000, 16_000)
        a.encoder, a.decoder, a.rate = make_encoder(G722, 20), make_decoder(G722), 16_000  # type: ignore[assignment]  # there are some
        a.packets.clear()
        a._decoded, a._heard = 0, []
        hand.start(a)
        hand.run(2)
        assert amplitude(last_second(a), 1000, 16_000) == pytest.approx(6000, rel=0.1)
        assert amplitude(last_second(b), 500) == pytest.approx(6000, rel=0.1)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", *WIDEBAND])
@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_packets_have_the_length_that_was_agreed_on(codec: str, ptime_ms: int) -> None:
    if (codec, ptime_ms) == ("opus", 30):
        ptime_ms = 40  # Opus has none of 30 ms
    with by_hand() as hand:
        rate = 16_000 if codec in WIDEBAND else 8000
        a = hand.phone("a", codec=codec, started=False, voice=tone(500, 1, 6000, rate), frame=ptime_ms * 8)
        hand.start(a, ptime_ms=ptime_ms)
        b = say(hand, "b", "PCMU", 1000)
        hand.room("room", "a", "b")
        hand.run(3)
        heard = last_second(a)
        assert amplitude(heard, 1000, rate) == pytest.approx(6000, rel=0.1)
        assert impurity_db(heard, [1000], rate) < NOISE[codec] + 3
        assert amplitude(last_second(b), 500) == pytest.approx(6000, rel=0.1)
        step = ptime_ms * (48 if codec == "opus" else 8)
        for before, after in pairwise(a.packets):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == step
        assert len(a.packets) == pytest.approx(3000 / ptime_ms, abs=2)
        assert a.packets[0].marker
        assert not a.packets[1].marker


def test_a_codec_that_nobody_can_decode_is_counted_only() -> None:
    with by_hand() as hand:
        a = hand.phone("a", started=False)
        hand.start(a, codec="G729", payload_type=0, hears=((0, "G729"),))
        hand.run(0.5)
        measured = hand.engine.close("a")
        assert measured.received == 25
        assert (measured.sent, measured.loudest_dbov, measured.late) == (0, None, 0)


# codecs by themselves


@pytest.mark.parametrize("kind", [G722, OPUS, MU_LAW, A_LAW])
def test_junk_does_not_break_a_decoder(kind: int) -> None:
    drawn = random.Random(kind)
    decoder = make_decoder(kind)
    assert decoder
    for length in (0, 1, 2, 3, 50, 160, 1275, 2000):
        sound = decoder.decode(drawn.randbytes(length))
        assert sound.dtype == np.int16
    encoder = make_encoder(kind, 20)
    assert encoder
    assert len(decoder.decode(encoder.encode(np.zeros(encoder.rate // 50, np.int16)))) == encoder.rate // 50


def test_there_is_no_codec_for_what_is_none() -> None:
    for kind in (DIGIT, OTHER):
        assert make_decoder(kind) is None
        assert make_encoder(kind, 20) is None
