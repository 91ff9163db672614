"""RTP that never came, stopped, or came again: told once each, and only where it was to be expected."""

from dataclasses import replace

import pytest

from by_hand import SETTINGS, ByHand, by_hand
from onhook.facts import MediaMeasured, RtpResumed, RtpStopped

SHORT = replace(SETTINGS, silent_after_seconds=2.0)


def stopped(hand: ByHand) -> list[RtpStopped]:
    return hand.told(RtpStopped)


def test_rtp_that_stops_is_told_once_and_so_is_its_return() -> None:
    with by_hand(SHORT) as hand:
        phone = hand.phone("a")
        hand.run(1)
        phone.talks = False
        hand.run(1.8)
        assert stopped(hand) == []
        hand.run(3)
        (fact,) = stopped(hand)
        assert fact.leg == "a"
        assert fact.silent_seconds == pytest.approx(2.1, abs=0.15)
        assert fact.received == pytest.approx(50, abs=1)
        assert fact.sent >= 140
        assert ("a", fact) in hand.facts
        phone.talks = True
        hand.run(0.4)
        (back,) = hand.told(RtpResumed)
        assert back.silent_seconds == pytest.approx(4.8, abs=0.3)
        phone.talks = False
        hand.run(3)
        assert len(stopped(hand)) == 2


def test_rtp_that_never_came_is_told_from_the_begin_of_media() -> None:
    with by_hand(SHORT) as hand:
        phone = hand.phone("a", talks=False, started=False)
        hand.run(5)
        assert stopped(hand) == []
        hand.start(phone)
        hand.run(1.8)
        assert stopped(hand) == []
        hand.run(0.5)
        (fact,) = stopped(hand)
        assert fact.received == 0
        phone.talks = True
        hand.run(0.4)
        assert len(hand.told(RtpResumed)) == 1
        assert len(hand.told(MediaMeasured)) == 1


def test_from_a_held_leg_nothing_is_expected() -> None:
    with by_hand(SHORT) as hand:
        phone = hand.phone("a")
        hand.run(0.5)
        hand.start(phone, receiving=False)
        phone.talks = False
        hand.run(5)
        assert stopped(hand) == []
        hand.start(phone, receiving=True)
        hand.run(1.8)
        assert stopped(hand) == []
        hand.run(0.5)
        assert len(stopped(hand)) == 1


def test_zero_seconds_is_never() -> None:
    with by_hand(replace(SETTINGS, silent_after_seconds=0)) as hand:
        hand.phone("a", talks=False)
        hand.run(20)
        assert stopped(hand) == []


def test_a_leg_without_far_end_s_address_is_closed_as_quietly_as_it_was_opened() -> None:
    with by_hand(SHORT) as hand:
        hand.phone("a", talks=False, started=False)
        hand.run(0.1)
        measured = hand.engine.close("a")
        assert (measured.sent, measured.received, measured.streams) == (0, 0, 0)
        hand.run(3)
        assert hand.facts == []
