"""Sound that is played to legs: what they hear, for how long, and what is told of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from by_hand import ByHand, amplitude, by_hand, impurity_db, tone
from onhook.effects import Voice
from onhook.media.parts import Clip, Feed, Frame

RATES = (8000, 16_000, 24_000, 48_000)


class Played:
    """A feed, and what was told of it."""

    def __init__(self, hand: ByHand, legs: tuple[str, ...] = (), **how: Any) -> None:
        self.started = 0
        self.ended: list[int] = []
        self.feed: Feed = hand.engine.feed("room", legs, started=self.start, ended=self.ended.append, **how)

    def start(self) -> None:
        self.started += 1


@pytest.mark.parametrize("rate", RATES)
def test_a_clip_is_heard_as_it_is(rate: int) -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.room("room", "a")
        played = Played(hand, ("a",))
        played.feed.add(Clip(tone(1000, 2, 6000, rate), rate))
        played.feed.finish()
        assert played.feed.waiting_seconds == pytest.approx(2)
        hand.run(1.9)
        assert played.started == 1
        assert played.ended == []
        hand.run(0.2)
        assert played.ended in ([2000], [2020])  # the filter's end may take a frame more
        assert played.feed.waiting_seconds == 0
        heard = a.heard()[4000:12_000]
        assert amplitude(heard, 1000) == pytest.approx(6000, rel=0.02)
        assert impurity_db(heard, [1000]) < -33
        assert np.abs(a.heard()[-160:]).max() == 0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("size", [160, 333, 1000])
def test_many_small_adds_play_without_a_gap(rate: int, size: int) -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.room("room", "a")
        played = Played(hand, ("a",))
        whole = tone(1000, 2, 6000, rate)
        rest = whole
        while len(rest):
            while len(rest) and played.feed.waiting_seconds < 0.08:
                played.feed.add(Clip(rest[:size], rate))
                rest = rest[size:]
            hand.run(0.02)
        played.feed.finish()
        hand.run(0.3)
        (ended,) = played.ended
        assert 2000 <= ended <= 2040
        first = int(np.argmax(np.abs(a.heard()) > 500))
        assert impurity_db(a.heard()[first + 800 : first + 800 + 12_000], [1000]) < -33


def test_played_to_one_only_that_one_hears_it_with_the_others_voices() -> None:
    with by_hand() as hand:
        a = hand.phone("a", voice=tone(400, 1, 3000))
        b = hand.phone("b", voice=tone(700, 1, 3000))
        hand.room("room", "a", "b")
        Played(hand, ("a",)).feed.add(Clip(tone(1500, 2, 3000), 8000))
        hand.run(1.5)
        assert amplitude(a.heard()[-8000:], 1500) == pytest.approx(3000, rel=0.03)
        assert amplitude(a.heard()[-8000:], 700) == pytest.approx(3000, rel=0.03)
        assert amplitude(b.heard()[-8000:], 1500) < 20
        assert amplitude(b.heard()[-8000:], 400) == pytest.approx(3000, rel=0.03)


def test_played_to_all_those_hear_it_who_come_later_too_but_none_on_hold() -> None:
    with by_hand() as hand:
        a, b, c = hand.phone("a"), hand.phone("b"), hand.phone("c")
        hand.room("room", "a", Voice("c", held=True))
        Played(hand, to_all=True).feed.add(Clip(tone(1500, 3, 3000), 8000))
        hand.run(0.5)
        hand.room("room", "a", "b", Voice("c", held=True))
        hand.run(1.5)
        for phone in (a, b):
            assert amplitude(phone.heard()[-8000:], 1500) == pytest.approx(3000, rel=0.03)
        assert np.abs(c.heard()).max() == 0


def test_a_held_leg_hears_what_is_played_to_it_and_nothing_else() -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.phone("b", voice=tone(700, 1, 3000))
        hand.room("room", Voice("a", held=True), "b")
        music = Played(hand, ("a",), loop=True).feed
        music.add(Clip(tone(1500, 1, 3000), 8000))
        music.finish()
        hand.run(1.2)
        assert amplitude(a.heard()[-8000:], 1500) == pytest.approx(3000, rel=0.03)
        assert amplitude(a.heard()[-8000:], 700) < 20


def test_two_feeds_to_one_leg_are_mixed() -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.room("room", "a")
        for hertz in (500, 1500):
            Played(hand, ("a",)).feed.add(Clip(tone(hertz, 2, 3000), 8000))
        hand.run(1.5)
        for hertz in (500, 1500):
            assert amplitude(a.heard()[-8000:], hertz) == pytest.approx(3000, rel=0.03)


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_a_loop_goes_round_until_it_is_stopped(rate: int) -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.room("room", "a")
        played = Played(hand, ("a",), loop=True)
        played.feed.add(Clip(tone(1000, 0.3, 6000, rate), rate))
        played.feed.finish()
        hand.run(1.8)
        assert impurity_db(a.heard()[4000:12_000], [1000]) < -33
        assert played.feed.stop() == 1800
        hand.run(0.2)
        assert played.feed.stop() == 1800
        assert played.ended == []
        assert np.abs(a.heard()[-1280:]).max() == 0


def test_stopped_before_a_tick_it_is_never_heard() -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.room("room", "a")
        played = Played(hand, ("a",))
        played.feed.add(Clip(tone(1000, 1), 8000))
        assert played.feed.stop() == 0
        hand.run(0.5)
        assert (played.started, played.ended) == (0, [])
        assert np.abs(a.heard()).max() == 0


def test_cleared_it_plays_what_is_added_next() -> None:
    with by_hand() as hand:
        a = hand.phone("a")
        hand.room("room", "a")
        played = Played(hand, ("a",))
        played.feed.add(Clip(tone(1000, 5, 3000), 8000))
        hand.run(0.2)
        played.feed.clear()
        assert played.feed.waiting_seconds == 0
        played.feed.add(Clip(tone(600, 1, 3000), 8000))
        played.feed.finish()
        hand.run(1.5)
        assert played.started == 1
        assert played.ended == [1200]
        assert amplitude(a.heard()[2000:8000], 600) == pytest.approx(3000, rel=0.03)
        assert amplitude(a.heard()[2000:8000], 1000) < 20


def test_finished_without_sound_it_ends_without_having_begun() -> None:
    with by_hand() as hand:
        hand.phone("a")
        hand.room("room", "a")
        played = Played(hand, ("a",))
        played.feed.finish()
        hand.run(0.1)
        assert (played.started, played.ended) == (0, [0])


def test_a_forgotten_room_ends_its_feeds_silently() -> None:
    with by_hand() as hand:
        hand.phone("a")
        hand.room("room", "a")
        played = Played(hand, ("a",))
        played.feed.add(Clip(tone(1000, 1), 8000))
        hand.run(0.1)
        hand.room("room")
        hand.run(1.5)
        assert (played.started, played.ended) == (1, [])
        assert played.feed.stop() == 100


def test_a_leg_may_go_while_it_is_played_to() -> None:
    with by_hand() as hand:
        hand.phone("a")
        hand.phone("b")
        hand.room("room", "a", "b")
        played = Played(hand, ("a",))
        played.feed.add(Clip(tone(1000, 0.5), 8000))
        played.feed.finish()
        hand.run(0.1)
        hand.engine.close("a")
        hand.run(0.6)
        assert played.ended == [500]


def test_a_tap_hears_prompts_to_all_in_the_mix_and_each_leg_s_own() -> None:
    with by_hand() as hand:
        frames: list[Frame] = []
        hand.phone("a")
        hand.phone("b")
        hand.room("room", "a", "b")
        hand.engine.tap("room", frames.append)
        Played(hand, ("a",)).feed.add(Clip(tone(600, 2, 3000), 8000))
        Played(hand, to_all=True).feed.add(Clip(tone(1500, 2, 3000), 8000))
        hand.run(1.2)
        last = frames[-50:]
        mixed = np.concatenate([frame.mixed for frame in last])
        assert amplitude(mixed, 1500) == pytest.approx(3000, rel=0.03)
        assert amplitude(mixed, 600) < 20
        to_a = np.concatenate([frame.prompts["a"] for frame in last])
        to_b = np.concatenate([frame.prompts["b"] for frame in last])
        assert amplitude(to_a, 600) == pytest.approx(3000, rel=0.03)
        assert amplitude(to_a, 1500) == pytest.approx(3000, rel=0.03)
        assert amplitude(to_b, 600) < 20


def test_a_rate_that_is_none_of_ours_is_refused() -> None:
    with by_hand() as hand:
        played = Played(hand)
        with pytest.raises(ValueError, match="44100"):
            played.feed.add(Clip(tone(1000, 1, rate=44_100), 44_100))


def test_one_clip_for_many_is_resampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from onhook.media.engine import resampling  # noqa: PLC0415  # looked into

    pushed: list[int] = []
    push: Callable[..., Any] = resampling.Resampler.push

    def counted(self: resampling.Resampler, samples: Any) -> Any:
        pushed.append(len(samples))
        return push(self, samples)

    monkeypatch.setattr(resampling.Resampler, "push", counted)
    with by_hand() as hand:
        music = Clip(tone(1000, 1, rate=16_000), 16_000)
        for number in range(5):
            hand.phone(f"leg-{number}")
        hand.room("room", *hand.phones)
        for name in hand.phones:
            Played(hand, (name,)).feed.add(music)
        hand.run(1.1)
        assert sum(pushed) == 16_000
