"""A clock that is moved on, and media whose facts are told by it."""

from collections.abc import Callable

import pytest

from onhook.effects import MediaEffect, StopPrompt
from onhook.facts import Fact, MediaMeasured, RtpStopped
from onhook.lab.clock import Clock, MediaOnClock


def test_it_goes_with_the_real_one_and_never_back() -> None:
    real = [100.0]
    clock = Clock(lambda: real[0])
    assert clock.now() == 100.0
    clock.skip(15.0)
    real[0] += 2
    assert clock.now() == 117.0
    assert clock.skipped_seconds == 15.0
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="it only goes on"):
            clock.skip(wrong)
    assert clock.now() == 117.0


class Engine:
    def __init__(self) -> None:
        self.performed: list[MediaEffect] = []
        self.handler: Callable[[str, Fact], None] = lambda _owner, _fact: None

    def open(self, leg: str) -> tuple[str, int]:
        return leg, 20_000

    def perform(self, effect: MediaEffect) -> None:
        self.performed.append(effect)

    def close(self, leg: str) -> MediaMeasured:
        return MediaMeasured(
            at=10.0, leg=leg, sent=5, received=4, first_received_at=1.0, last_received_at=9.0
        )

    def on_fact(self, handler: Callable[[str, Fact], None]) -> None:
        self.handler = handler


def test_facts_of_media_are_told_by_the_clock_of_calls() -> None:
    engine, clock = Engine(), Clock(lambda: 10.0)
    media = MediaOnClock(engine, clock)
    told: list[tuple[str, Fact]] = []
    media.on_fact(lambda owner, fact: told.append((owner, fact)))
    stopped = RtpStopped(at=10.0, leg="a", silent_seconds=3.0, received=5, sent=6)
    engine.handler("a", stopped)
    assert told == [("a", stopped)]
    assert media.close("a") == engine.close("a")

    clock.skip(100.0)
    engine.handler("a", stopped)
    assert told[-1] == ("a", RtpStopped(at=110.0, leg="a", silent_seconds=3.0, received=5, sent=6))
    measured = media.close("a")
    assert (measured.at, measured.first_received_at, measured.last_received_at) == (110.0, 101.0, 109.0)
    assert (measured.sent, measured.received) == (5, 4)


def test_what_is_to_be_heard_goes_through() -> None:
    engine = Engine()
    media = MediaOnClock(engine, Clock(lambda: 0.0))
    assert media.open("a") == ("a", 20_000)
    effect = StopPrompt("a")
    media.perform(effect)
    assert engine.performed == [effect]
