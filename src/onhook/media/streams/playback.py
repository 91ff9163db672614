"""The application's own voice: what it sends is played to everyone in the room, and can be taken back."""

from collections.abc import Callable
from typing import Protocol

from onhook.media.parts import Clip, Feed, Samples


class Feeds(Protocol):
    """What playback needs of an engine."""

    def feed(
        self,
        room: str,
        legs: tuple[str, ...],
        *,
        started: Callable[[], None],
        ended: Callable[[int], None],
        loop: bool = False,
        to_all: bool = False,
    ) -> Feed: ...


class Playback:
    """Opens a feed with the first sound. More than `most_seconds` waiting is refused."""

    def __init__(self, engine: Feeds, room: str, rate: int, most_seconds: float) -> None:
        self._engine, self._room, self._rate, self._most = engine, room, rate, most_seconds
        self._feed: Feed | None = None

    def add(self, samples: Samples) -> bool:
        """False if so much waits to be played that these samples are dropped."""
        if not len(samples):
            return True
        if self._feed is None:
            self._feed = self._engine.feed(self._room, (), started=_started, ended=_ended, to_all=True)
        if self._feed.waiting_seconds + len(samples) / self._rate > self._most:
            return False
        self._feed.add(Clip(samples, self._rate))
        return True

    def clear(self) -> None:
        """Be silent at once; what is added from now on is played."""
        if self._feed is not None:
            self._feed.clear()

    def close(self) -> None:
        if self._feed is not None:
            self._feed.stop()
            self._feed = None


def _started() -> None:
    """Nobody asks."""


def _ended(_played_ms: int) -> None:
    """It is never finished, so it never ends by itself."""
