"""Digits through the engine: sent to telephones, and heard from them, whatever the network loses."""

import random
import struct
from itertools import pairwise

import numpy as np
import pytest

from by_hand import EVENTS, ByHand, Phone, amplitude, by_hand, tone
from onhook.effects import SendDigits
from onhook.facts import DigitHeard, DigitsSent
from onhook.media.engine.digits_in import GONE_SECONDS, KEYS, DigitsIn, Press
from onhook.media.engine.digits_out import DigitsOut, Tones

END = 0x80


def event(key: str, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", KEYS.index(key), (END if end else 0) | 10, duration)


def press(hand: ByHand, phone: Phone, key: str, ticks: int, pause: int = 3) -> None:
    """As a telephone does it: an update each 20 ms, the end three times, then voice again."""
    phone.talks = False
    began = phone.timestamp
    for tick in range(ticks + 2):
        phone.sequence = (phone.sequence + 1) & 0xFFFF
        duration = min(tick + 1, ticks) * 160
        end = tick + 1 >= ticks
        phone.send(event(key, duration, end=end), EVENTS, marker=tick == 0, timestamp=began)
        hand.run()
    phone.talks = True
    hand.run(pause * 0.02)


def heard(hand: ByHand) -> list[tuple[str, int]]:
    return [(fact.digit, fact.duration_ms) for fact in hand.told(DigitHeard)]


def test_every_key_is_heard_once_and_as_long_as_it_was_pressed() -> None:
    with by_hand() as hand:
        phone = hand.phone("a", voice=tone(400, 1))
        hand.run(0.1)
        for number, key in enumerate(KEYS):
            press(hand, phone, key, 3 + number)
        assert heard(hand) == [(key, (3 + number) * 20) for number, key in enumerate(KEYS)]
        assert {owner for owner, fact in hand.facts if isinstance(fact, DigitHeard)} == {"a"}
        assert hand.engine.close("a").digits == len(KEYS)


def test_the_same_key_twice_is_two_presses() -> None:
    with by_hand() as hand:
        phone = hand.phone("a")
        press(hand, phone, "5", 5, pause=0)
        press(hand, phone, "5", 5, pause=0)
        assert heard(hand) == [("5", 100), ("5", 100)]


def test_a_thousand_digits_with_a_twentieth_lost_arrive_whole_and_once() -> None:
    drawn = random.Random(20_261_130)
    digits = "".join(drawn.choices(KEYS, k=1000))
    with by_hand() as hand:
        phone = hand.phone("a", lose=lambda _: drawn.random() < 0.05)
        for key in digits:
            press(hand, phone, key, drawn.randint(2, 6), pause=drawn.randint(1, 3))
        hand.run(0.3)
        assert "".join(digit for digit, _ in heard(hand)) == digits


def test_a_press_is_told_though_its_end_is_lost() -> None:
    with by_hand() as hand:
        phone = hand.phone("a")
        lost = False
        phone.lose = lambda _: lost
        hand.run(0.1)
        phone.talks = False
        for duration in (160, 320, 480):
            phone.sequence += 1
            phone.send(event("7", duration), EVENTS, timestamp=9999)
            hand.run()
        lost = True
        hand.run(0.08)
        assert heard(hand) == []
        hand.run(0.1)
        assert heard(hand) == [("7", 60)]


def test_no_voice_is_made_up_while_a_key_is_pressed() -> None:
    with by_hand() as hand:
        phone = hand.phone("a", voice=tone(400, 1))
        other = hand.phone("b")
        hand.room("room", "a", "b")
        hand.run(0.5)
        phone.voice = np.zeros(160, np.int16)
        before = len(other.heard())
        press(hand, phone, "1", 25)
        assert np.abs(other.heard()[before + 800 : before + 4000]).max() == 0


def test_what_is_played_goes_out_as_events_in_the_middle_of_voice() -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.phone("b", voice=tone(400, 1))
        hand.room("room", "a", "b")
        hand.run(0.5)
        hand.engine.send_digits(SendDigits("action", "room", "a", "1#"))
        hand.run(1)
        (sent,) = hand.told(DigitsSent)
        assert (sent.action, sent.digits, sent.fault, sent.leg) == ("action", "1#", "", "a")
        assert ("room", sent) in hand.facts
        events = [packet for packet in a.packets if packet.payload_type == EVENTS]
        assert [packet.marker for packet in events].count(True) == 2
        for key in (1, 11):
            of_key = [packet for packet in events if packet.payload[0] == key]
            assert len({packet.timestamp for packet in of_key}) == 1
            durations = [struct.unpack("!H", packet.payload[2:])[0] for packet in of_key]
            assert durations == [*range(160, 2000, 160), 2000, 2000, 2000]
            assert [bool(packet.payload[1] & END) for packet in of_key] == [False] * 12 + [True] * 3
        sequences = [packet.sequence for packet in a.packets]
        assert all((after - before) & 0xFFFF == 1 for before, after in pairwise(sequences))
        assert amplitude(a.heard()[-3200:], 400) == pytest.approx(8000, rel=0.05)  # voice goes on


def test_digits_that_we_send_are_those_that_we_hear() -> None:
    digits = "".join(random.Random(4).choices(KEYS, k=60))
    with by_hand() as hand:
        near, far = hand.phone("near", talks=False), hand.phone("far", talks=False)
        hand.engine.send_digits(SendDigits("one", "room", "near", digits[:30]))
        hand.engine.send_digits(SendDigits("two", "room", "near", digits[30:]))
        done = 0
        for _ in range(60 * 20):
            hand.run()
            for packet in near.packets[done:]:
                if packet.payload_type == EVENTS:
                    far.sequence = packet.sequence
                    far.send(packet.payload, EVENTS, marker=packet.marker, timestamp=packet.timestamp)
            done = len(near.packets)
        assert [fact.action for fact in hand.told(DigitsSent)] == ["one", "two"]
        assert heard(hand) == [(digit, 250) for digit in digits]


@pytest.mark.parametrize(
    ("how", "digits", "fault"),
    [
        ({"telephone_event": None}, "1", "RFC 4733"),
        ({}, "1x", "'X' cannot be sent"),
    ],
)
def test_digits_that_cannot_be_sent_say_why(how: dict[str, None], digits: str, fault: str) -> None:
    with by_hand() as hand:
        hand.start(hand.phone("a", started=False), **how)
        hand.engine.send_digits(SendDigits("action", "room", "a", digits))
        hand.run(0.1)
        (sent,) = hand.told(DigitsSent)
        assert fault in sent.fault


def test_digits_to_a_leg_that_goes_say_how_far_they_came() -> None:
    with by_hand() as hand:
        hand.phone("a")
        hand.engine.send_digits(SendDigits("action", "room", "a", "123"))
        hand.engine.send_digits(SendDigits("next", "room", "nobody", "1"))
        hand.run(0.4)
        hand.engine.close("a")
        hand.run(0.04)
        faults = {fact.action: fact.fault for fact in hand.told(DigitsSent)}
        assert "when 1 digits were sent" in faults["action"]
        assert "not open" in faults["next"]


# the parts by themselves


def take(*packets: tuple[str, int, int, bool]) -> list[Press]:
    digits, presses = DigitsIn(), list[Press]()
    for number, (key, timestamp, duration, end) in enumerate(packets):
        presses += digits.take(event(key, duration, end=end), timestamp, number * 0.02)
    return presses + digits.expire(1e6)


def test_a_long_press_comes_in_segments_and_is_one() -> None:
    assert take(("1", 0, 0xFFFF, False), ("1", 0xFFFF, 800, False), ("1", 0xFFFF, 1600, True)) == [
        Press("1", round((0xFFFF + 1600) / 8))
    ]


def test_a_late_packet_of_an_old_press_is_nothing_new() -> None:
    assert take(
        ("1", 1000, 800, True), ("2", 9000, 800, True), ("1", 1000, 800, True), ("2", 9000, 800, True)
    ) == [Press("1", 100), Press("2", 100)]


def test_a_press_whose_end_was_lost_is_told_when_the_next_begins() -> None:
    assert take(("1", 1000, 640, False), ("2", 9000, 800, True)) == [Press("1", 80), Press("2", 100)]


def test_senders_whose_timestamps_run_on_press_once() -> None:
    assert take(("4", 160, 160, False), ("4", 320, 320, False), ("4", 480, 480, True)) == [Press("4", 60)]


def test_repeats_of_an_end_with_timestamps_of_their_own_are_the_same_press() -> None:
    """As rtpengine 10.5 sends them where it transcodes the voice."""
    digits = DigitsIn()
    presses = digits.take(event("1", 160), 5800, 0.0) + digits.take(event("1", 960, end=True), 5800, 0.1)
    for late in (5960, 6120, 6280):
        presses += digits.take(event("1", 960, end=True), late, 0.12)
    assert presses == [Press("1", 120)]
    assert digits.take(event("1", 160), 5800 + 960, 0.2) == []
    assert digits.take(event("1", 960, end=True), 5800 + 960, 0.3) == [Press("1", 120)]


def test_timestamps_wrap_around() -> None:
    assert take(("1", 0xFFFFFF00, 800, True), ("2", 0x00000900, 800, True)) == [
        Press("1", 100),
        Press("2", 100),
    ]


@pytest.mark.parametrize("payload", [b"", b"\x01\x8a", bytes((16, END, 0, 80)), bytes((255, END, 0, 80))])
def test_what_is_no_key_is_passed_over(payload: bytes) -> None:
    digits = DigitsIn()
    assert digits.take(payload, 0, 0.0) == []
    assert not digits.pressed


def test_it_waits_a_while_for_more() -> None:
    digits = DigitsIn()
    digits.take(event("1", 160), 0, 100.0)
    assert digits.pressed
    assert digits.expire(100.0 + GONE_SECONDS * 0.9) == []
    assert digits.expire(100.0 + GONE_SECONDS * 1.1) == [Press("1", 20)]
    assert not digits.pressed


@pytest.mark.parametrize(("tone_samples", "updates"), [(80, 3), (160, 3), (400, 5), (2000, 15)])
def test_a_tone_of_any_length_ends_three_times(tone_samples: int, updates: int) -> None:
    out = DigitsOut("9", Tones(tone_samples, 800))
    sent = []
    while not out.over:
        sent.append(out.tick())
    assert len(sent) == updates
    assert all(update is not None for update in sent)
    assert [update.first for update in sent if update] == [True] + [False] * (updates - 1)
    assert out.sent == 1


def test_between_two_tones_is_a_gap() -> None:
    out = DigitsOut("99", Tones(800, 1600))
    ticks = []
    while not out.over:
        ticks.append(out.tick())
    starts = [number for number, update in enumerate(ticks) if update and update.first]
    assert starts == [0, 15]  # 100 ms of tone and 200 of gap
