"""A clock that can be moved on, for calls whose both ends are ours; and media on that clock.

Calls and the built-in carrier go by it. Tokens, signatures and certificates do not: they belong to the world.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from onhook.effects import MediaEffect
from onhook.facts import Fact, MediaMeasured

F = TypeVar("F", bound=Fact)

TIMES = frozenset({"at", "first_received_at", "last_received_at", "began_at"})
"""What is Unix seconds in facts of media."""


class Clock:
    """`now()` is `real()` and all that was skipped so far; it never runs backwards if `real` does not."""

    def __init__(self, real: Callable[[], float]) -> None:
        self.real = real
        self.skipped_seconds = 0.0

    def now(self) -> float:
        return self.real() + self.skipped_seconds

    def skip(self, seconds: float) -> None:
        """Raises ValueError for a step back."""
        if not seconds >= 0:
            raise ValueError(f"a clock cannot be moved by {seconds} s: it only goes on")
        self.skipped_seconds += seconds


class Media(Protocol):
    """As switch.world.Media."""

    def open(self, leg: str) -> tuple[str, int]: ...
    def perform(self, effect: MediaEffect) -> None: ...
    def close(self, leg: str) -> MediaMeasured: ...
    def on_fact(self, handler: Callable[[str, Fact], None]) -> None: ...


class MediaOnClock:
    """Sound takes the time that it takes: media runs by the real clock. Its facts are told by `clock`."""

    def __init__(self, media: Media, clock: Clock) -> None:
        self._media, self._clock = media, clock

    def open(self, leg: str) -> tuple[str, int]:
        return self._media.open(leg)

    def perform(self, effect: MediaEffect) -> None:
        self._media.perform(effect)

    def close(self, leg: str) -> MediaMeasured:
        return self._dated(self._media.close(leg))

    def on_fact(self, handler: Callable[[str, Fact], None]) -> None:
        self._media.on_fact(lambda owner, fact: handler(owner, self._dated(fact)))

    def _dated(self, fact: F) -> F:
        skipped = self._clock.skipped_seconds
        if not skipped:
            return fact
        times = [name for name in fact.__struct_fields__ if name in TIMES]
        known = {name: at for name in times if (at := getattr(fact, name)) is not None}
        return msgspec.structs.replace(fact, **{name: at + skipped for name, at in known.items()})
