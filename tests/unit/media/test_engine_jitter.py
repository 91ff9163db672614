"""What networks do to packets, and what is heard of it: lost, late, doubled, in disorder, another clock."""

import random
import struct
from typing import Any

import numpy as np
import pytest

from by_hand import ByHand, Phone, Sound, amplitude, by_hand, impurity_db, tone
from onhook.facts import MediaMeasured
from onhook.media.engine.stretching import lengthened, shortened

SECOND = 8000


class Line:
    """A telephone that says a tone, and one that hears it."""

    def __init__(self, hand: ByHand, voice: Sound | None = None, **how: Any) -> None:
        self.hand = hand
        self.talker = hand.phone("talker", voice=tone(400, 1) if voice is None else voice, **how)
        self.listener = hand.phone("listener", talks=False)
        hand.room("room", "talker", "listener")

    def heard(self, seconds: float) -> Sound:
        """What is heard in the next seconds."""
        before = len(self.listener.heard())
        self.hand.run(seconds)
        return self.listener.heard()[before:]

    def measured(self) -> MediaMeasured:
        return self.hand.engine.close("talker")


def steps(sound: Sound) -> int:
    """The largest step between two samples: a click is larger than the tone's own."""
    return int(np.abs(np.diff(sound.astype(np.int32))).max())


TONE_STEP = 2 * np.pi * 400 / SECOND * 8000 + 300
"""Of the tone above, and what G.711 makes of it."""


def delay(line: Line) -> int:
    """Samples from a click at the talker's mouth to the listener's ear, transmission aside."""
    click = np.zeros(2 * SECOND, np.int16)
    click[line.talker.sent * line.talker.frame % len(click) + line.talker.frame :][:1] = 30_000
    line.talker.voice = click
    heard = line.heard(0.6)
    return int(np.argmax(np.abs(heard))) - line.talker.frame


def test_one_in_twenty_lost_is_concealed() -> None:
    with by_hand() as hand:
        drawn = random.Random(7)
        line = Line(hand, lose=lambda _: drawn.random() < 0.05)
        heard = line.heard(20)[SECOND:]
        assert impurity_db(heard, [400]) < -20  # 5 % of silence would be -13 dB
        loud = np.abs(heard[: 15 * SECOND].reshape(-1, 80)).max(axis=1)
        assert (loud < 3000).sum() <= 2  # 10 ms each; where three are lost in a row it fades
        assert steps(heard) < 1.5 * TONE_STEP
        measured = line.measured()
        assert measured.received + measured.lost == pytest.approx(1000, abs=3)
        assert 25 <= measured.lost <= 80
        assert (measured.late, measured.doubled) == (0, 0)


def test_a_long_gap_fades_to_silence_without_a_click_and_comes_back() -> None:
    with by_hand() as hand:
        gone = False
        line = Line(hand, lose=lambda _: gone)
        line.heard(1)
        gone = True
        heard = line.heard(0.5)
        assert np.abs(heard[-1600:]).max() == 0
        assert steps(heard) < 1.5 * TONE_STEP
        gone = False
        line.heard(0.2)
        assert amplitude(line.heard(1), 400) == pytest.approx(8000, rel=0.03)
        assert line.measured().lost == 25


def test_doubled_packets_are_played_once() -> None:
    with by_hand() as hand:
        line = Line(hand)
        send = line.talker.socket.sendto

        class Twice:
            def sendto(self, data: bytes, to: tuple[str, int]) -> None:
                send(data, to)
                send(data, to)

        line.talker.socket, real = Twice(), line.talker.socket  # type: ignore[assignment]  # a network that doubles
        line.talker.listen = lambda: None  # type: ignore[method-assign]  # it hears nothing
        heard = line.heard(3)[SECOND:]
        line.talker.socket = real
        assert impurity_db(heard, [400]) < -33
        measured = line.measured()
        assert measured.received == pytest.approx(150, abs=4)
        assert measured.doubled == pytest.approx(150, abs=4)
        assert measured.lost == 0


def test_reordered_packets_are_put_in_order() -> None:
    with by_hand() as hand:
        line = Line(hand, delay=lambda number: 1.5 if number % 10 == 3 else 0.0)
        heard = line.heard(5)[2 * SECOND :]
        assert impurity_db(heard, [400]) < -33
        measured = line.measured()
        assert (measured.lost, measured.late) == (0, 0)


@pytest.mark.parametrize("most", [1.0, 2.5, 4.0])
def test_the_delay_grows_with_jitter_until_nothing_is_late(most: float) -> None:
    with by_hand() as hand:
        drawn = random.Random(3)
        line = Line(hand, delay=lambda _: drawn.uniform(0, most))
        line.heard(10)
        before = hand.engine.rows.late.sum()
        heard = line.heard(10)
        assert impurity_db(heard, [400]) < -16
        assert hand.engine.rows.late.sum() - before <= 15  # of 500
        measured = line.measured()
        assert measured.lost <= 3  # still under way


def test_the_delay_is_short_without_jitter_and_shrinks_when_jitter_is_over() -> None:
    with by_hand() as hand:
        line = Line(hand)
        line.heard(5)
        assert delay(line) <= 320  # the packet's own 20 ms, and 20 of the buffer
        drawn = random.Random(3)
        line.talker.delay = lambda _: drawn.uniform(0, 4)
        line.heard(10)
        line.talker.delay = lambda _: 0.0
        assert 320 < delay(line) <= 1400
        line.heard(12)
        assert delay(line) <= 320


@pytest.mark.parametrize("drift", [-2e-4, -1e-3, 1e-3])
def test_another_clock_makes_no_growing_delay_and_no_clicks(drift: float) -> None:
    with by_hand() as hand:
        line = Line(hand, drift=drift)
        line.heard(5)
        heard = line.heard(45)
        assert steps(heard) < 1.5 * TONE_STEP
        loud = np.abs(heard[: len(heard) // 80 * 80].reshape(-1, 80)).max(axis=1)
        assert loud.min() > 5000
        assert amplitude(heard[-SECOND:], 400 * (1 + drift)) > 6500
        assert delay(line) <= 640
        measured = line.measured()
        assert measured.late + measured.lost <= 6


def test_a_burst_after_a_stall_does_not_stay_in_the_delay() -> None:
    with by_hand() as hand:
        line = Line(hand)
        line.heard(1)
        line.talker.delay = lambda number, first=line.talker.sent: max(0.0, first + 30 - number)  # type: ignore[misc]  # a method is replaced
        line.heard(0.7)
        line.talker.delay = lambda _: 0.0
        line.heard(20)
        assert delay(line) <= 480
        assert line.measured().lost == 0


def test_another_stream_is_taken_and_counted() -> None:
    with by_hand() as hand:
        line = Line(hand)
        line.heard(1)
        line.talker.ssrc, line.talker.sequence, line.talker.timestamp = 0x2000, 5, 77
        line.heard(0.1)
        assert impurity_db(line.heard(1), [400]) < -33
        measured = line.measured()
        assert measured.streams == 2
        assert measured.lost == 0


def test_a_second_stream_beside_the_first_is_not_taken() -> None:
    with by_hand() as hand:
        line = Line(hand)
        line.heard(0.5)
        for number in range(50):
            line.talker.socket.sendto(
                struct.pack("!BBHII", 0x80, 0, number * 2, number * 160, 0x9999) + bytes(160), line.talker.to
            )
            hand.run()
        assert impurity_db(line.listener.heard()[-6400:], [400]) < -33
        assert line.measured().streams == 1


def test_a_jump_of_sequence_and_timestamp_is_followed() -> None:
    with by_hand() as hand:
        line = Line(hand)
        line.heard(1)
        line.talker.sequence += 20_000
        line.talker.timestamp += 10_000_000
        line.heard(0.2)
        assert impurity_db(line.heard(1), [400]) < -33
        assert line.measured().lost <= 1


@pytest.mark.parametrize("frame", [80, 240, 320, 480, 960, 133])
def test_packets_of_any_length_are_played(frame: int) -> None:
    with by_hand() as hand:
        line = Line(hand, frame=frame)
        line.heard(5)
        heard = line.heard(2)
        assert amplitude(heard, 400) == pytest.approx(8000, rel=0.03)
        assert impurity_db(heard, [400]) < -33
        assert line.measured().late == 0


@pytest.mark.parametrize(("frame", "impurity"), [(80, -16), (240, -18), (480, -11)])
def test_lost_packets_of_any_length_are_concealed(frame: int, impurity: float) -> None:
    with by_hand() as hand:
        drawn = random.Random(8)
        line = Line(hand, frame=frame, lose=lambda _: drawn.random() < 0.03)
        heard = line.heard(10)[SECOND:]
        assert impurity_db(heard, [400]) < impurity
        assert steps(heard) < 2 * TONE_STEP


def test_comfort_noise_is_played_as_noise_and_not_as_loss() -> None:
    with by_hand() as hand:
        line = Line(hand)
        line.heard(1)
        line.talker.talks = False
        line.talker.send(bytes((50, 20)), 13)  # -50 dBov
        line.talker.sequence += 1
        line.heard(0.2)
        heard = line.heard(1).astype(float)
        level = 20 * np.log10(np.sqrt((heard**2).mean()) / 32_767)
        assert level == pytest.approx(-50, abs=1.5)
        line.talker.talks = True
        line.heard(0.2)
        assert impurity_db(line.heard(1), [400]) < -33
        measured = line.measured()
        assert (measured.lost, measured.late, measured.wrong_codec) == (0, 0, 0)


def test_silence_suppression_without_comfort_noise_is_silence() -> None:
    with by_hand() as hand:
        line = Line(hand)
        line.heard(1)
        line.talker.talks = False
        line.heard(0.5)
        assert np.abs(line.heard(5)).max() == 0
        line.talker.talks = True
        line.heard(0.2)
        assert impurity_db(line.heard(1), [400]) < -33
        assert delay(line) <= 480
        assert line.measured().lost == 0


def test_loudness_is_measured() -> None:
    with by_hand() as hand:
        line = Line(hand, voice=tone(400, 1, 10_000))
        line.heard(1)
        expected = 20 * np.log10(10_000 / np.sqrt(2) / 32_768)
        assert line.measured().loudest_dbov == pytest.approx(expected, abs=0.3)


def test_nothing_heard_has_no_loudness() -> None:
    with by_hand() as hand:
        hand.phone("quiet", talks=False)
        hand.run(0.2)
        assert hand.engine.close("quiet").loudest_dbov is None


def test_jitter_is_that_of_rfc_3550() -> None:
    with by_hand() as hand:
        line = Line(hand, delay=lambda number: number % 2)
        line.heard(5)
        assert line.measured().jitter_ms == pytest.approx(
            20, rel=0.15
        )  # each 20 ms nearer or farther than the last


# seams, by themselves


@pytest.mark.parametrize("hertz", [80, 150, 400, 1003])
def test_a_seam_is_not_heard(hertz: float) -> None:
    sound = tone(hertz, 0.2)
    made, moved = shortened(sound[:320])
    assert 40 <= moved <= 160
    joined = np.concatenate((sound[:0], made, sound[160 + moved : 1000]))
    assert steps(joined) < steps(sound) * 1.2
    made, moved = lengthened(sound[400:720], sound[720:880])
    assert 40 <= moved <= 160
    joined = np.concatenate((sound[400:720], made, sound[720 + 160 - moved : 1400]))
    assert steps(joined) < steps(sound) * 1.2
    assert len(made) == 160


def test_what_is_silent_is_moved_by_a_whole_frame() -> None:
    assert shortened(np.zeros(320, np.int16))[1] == 160
    assert lengthened(np.zeros(320, np.int16), np.zeros(160, np.int16))[1] == 160


def test_the_talker_of_these_tests_keeps_time() -> None:
    with by_hand() as hand:
        phone: Phone = hand.phone("a", frame=240)
        hand.run(0.6)
        assert phone.sent == 20
