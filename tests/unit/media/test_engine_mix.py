"""Who hears whom, and how well: tones from telephones through the engine to telephones."""

import numpy as np
import pytest

from by_hand import amplitude, by_hand, impurity_db, tone
from onhook.effects import Voice
from onhook.media.parts import Frame

SECOND = 8000


@pytest.mark.parametrize("codecs", [("PCMU", "PCMU"), ("PCMA", "PCMU"), ("PCMA", "PCMA")])
def test_two_hear_each_other_and_not_themselves(codecs: tuple[str, str]) -> None:
    with by_hand() as hand:
        one = hand.phone("one", codec=codecs[0], voice=tone(440, 1))
        two = hand.phone("two", codec=codecs[1], voice=tone(1000, 1, 4000))
        hand.room("room", "one", "two")
        hand.run(1.5)
        heard = one.heard()[-SECOND:]
        assert amplitude(heard, 1000) == pytest.approx(4000, rel=0.03)
        assert amplitude(heard, 440) < 20
        assert impurity_db(heard, [1000]) < -33  # the noise of G.711
        assert amplitude(two.heard()[-SECOND:], 440) == pytest.approx(8000, rel=0.03)
        assert impurity_db(two.heard()[-SECOND:], [440]) < -33


def test_each_of_a_conference_hears_all_others() -> None:
    hertz = {"a": 400, "b": 700, "c": 1100, "d": 1900}
    with by_hand() as hand:
        for name, each in hertz.items():
            hand.phone(name, voice=tone(each, 1, 3000))
        hand.room("room", *hertz)
        hand.run(1.5)
        for name, phone in hand.phones.items():
            heard = phone.heard()[-SECOND:]
            others = [each for other, each in hertz.items() if other != name]
            for each in others:
                assert amplitude(heard, each) == pytest.approx(3000, rel=0.03)
            assert amplitude(heard, hertz[name]) < 40  # what G.711 makes of the others
            assert impurity_db(heard, others) < -30


def test_muted_hears_and_is_not_heard_and_held_does_neither() -> None:
    with by_hand() as hand:
        a = hand.phone("a", voice=tone(400, 1, 3000))
        b = hand.phone("b", voice=tone(700, 1, 3000))
        c = hand.phone("c", voice=tone(1100, 1, 3000))
        hand.room("room", "a", Voice("b", muted=True), Voice("c", held=True))
        hand.run(1.5)
        assert np.abs(a.heard()[-SECOND:]).max() == 0
        assert amplitude(b.heard()[-SECOND:], 400) == pytest.approx(3000, rel=0.03)
        assert amplitude(b.heard()[-SECOND:], 1100) < 20
        assert np.abs(c.heard()[-SECOND:]).max() == 0
        hand.room("room", "a", "b", "c")
        hand.run(1.5)
        for each in (700, 1100):
            assert amplitude(a.heard()[-SECOND:], each) == pytest.approx(3000, rel=0.03)


def test_rooms_do_not_hear_each_other_and_a_leg_is_in_the_last_that_named_it() -> None:
    with by_hand() as hand:
        a = hand.phone("a", voice=tone(400, 1, 3000))
        b = hand.phone("b", voice=tone(700, 1, 3000))
        c = hand.phone("c", voice=tone(1100, 1, 3000))
        hand.room("first", "a", "b")
        hand.room("second", "c")
        hand.run(1)
        assert amplitude(a.heard()[-4000:], 700) == pytest.approx(3000, rel=0.03)
        assert np.abs(c.heard()[-4000:]).max() == 0
        hand.room("second", "c", "b")
        hand.run(1)
        assert np.abs(a.heard()[-4000:]).max() == 0
        assert amplitude(c.heard()[-4000:], 700) == pytest.approx(3000, rel=0.03)
        assert amplitude(b.heard()[-4000:], 1100) == pytest.approx(3000, rel=0.03)
        hand.room("second")
        hand.run(1)
        assert np.abs(b.heard()[-4000:]).max() == 0


def test_loud_voices_do_not_clip() -> None:
    with by_hand() as hand:
        for name, each in {"a": 400, "b": 700, "c": 1100}.items():
            hand.phone(name, voice=tone(each, 1, 20_000))
        listener = hand.phone("listener")
        hand.room("room", "a", "b", "c", "listener")
        hand.run(1.5)
        heard = listener.heard()[-SECOND:].astype(np.int32)
        assert np.abs(heard).max() > 30_000
        assert (np.diff(heard) == 0).mean() < 0.2  # a clipped wave stands still at its tops
        assert impurity_db(heard, [400, 700, 1100]) < -9


def test_the_delay_through_the_engine_is_bounded() -> None:
    with by_hand() as hand:
        click = np.zeros(SECOND, np.int16)
        click[2000] = 30_000
        hand.phone("one", voice=click)
        two = hand.phone("two")
        hand.room("room", "one", "two")
        hand.run(1)
        place = int(np.argmax(np.abs(two.heard())))
        assert 2000 < place <= 2000 + 8 * 60  # 60 ms: the packet's own 20, and 40 of the jitter buffer


def test_a_leg_that_is_closed_is_heard_no_more() -> None:
    with by_hand() as hand:
        a = hand.phone("a", voice=tone(400, 1, 3000))
        hand.phone("b", voice=tone(700, 1, 3000))
        hand.room("room", "a", "b")
        hand.run(0.5)
        measured = hand.engine.close("b")
        assert measured.received >= 24
        assert measured.lost == 0
        hand.phones["b"].talks = False
        hand.run(1)
        assert np.abs(a.heard()[-4000:]).max() == 0


def test_a_tap_gets_each_voice_and_the_mix() -> None:
    with by_hand() as hand:
        frames: list[Frame] = []
        hand.phone("a", voice=tone(400, 1, 3000))
        hand.phone("b", voice=tone(700, 1, 3000))
        hand.phone("mute", voice=tone(1500, 1, 3000))
        hand.engine.tap("room", frames.append)
        hand.room("room", "a", "b", Voice("mute", muted=True))
        hand.run(1.2)
        last = frames[-50:]
        assert {frame.rate for frame in frames} == {8000}
        assert all(frame.voices.keys() == {"a", "b"} for frame in last)
        whole = np.concatenate([frame.mixed for frame in last])
        assert len(whole) == SECOND
        for hertz, leg in ((400, "a"), (700, "b")):
            alone = np.concatenate([frame.voices[leg] for frame in last])
            assert amplitude(alone, hertz) == pytest.approx(3000, rel=0.03)
            assert amplitude(whole, hertz) == pytest.approx(3000, rel=0.03)
        assert amplitude(whole, 1500) < 20
        assert last[-1].at - last[0].at == pytest.approx(0.98)
        hand.engine.untap("room", frames.append)
        hand.run(0.1)
        assert len(frames) == 60


def test_a_tap_of_a_silent_room_hears_silence_and_nobody() -> None:
    with by_hand() as hand:
        frames: list[Frame] = []
        hand.phone("a", talks=False)
        hand.room("room", "a")
        hand.engine.tap("room", frames.append)
        hand.run(0.2)
        assert len(frames) == 10
        assert not any(frame.voices or frame.mixed.any() for frame in frames)
