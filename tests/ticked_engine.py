"""An engine without RTP whose 20 ms the test makes: what stands beside an engine is tested against it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from onhook.effects import Mix, SendDigits, StartMedia
from onhook.facts import Fact, MediaMeasured
from onhook.media.parts import Clip, FactHandler, Frame, Samples, Tap

RATE = 16_000
FRAME = RATE // 50
NOTHING = np.zeros(0, np.int16)


@dataclass
class TickedFeed:
    """Plays at 16 kHz only; remembers what went out."""

    room: str
    legs: tuple[str, ...]
    started: Callable[[], None]
    ended: Callable[[int], None]
    loop: bool
    to_all: bool
    heard: list[Samples] = field(default_factory=list[Samples])
    """What went out, frame by frame."""
    added: list[Samples] = field(default_factory=list[Samples])
    position: int = 0
    finished: bool = False
    over: bool = False

    def add(self, clip: Clip) -> None:
        assert clip.rate == RATE, clip.rate
        assert clip.samples.dtype == np.int16
        assert not self.finished, "added after finish"
        self.added.append(clip.samples)

    def finish(self) -> None:
        self.finished = True

    def clear(self) -> None:
        self.added = [np.concatenate(self.added)[: self.position]] if self.added else []

    def stop(self) -> int:
        self.over = True
        return self.played_ms

    @property
    def waiting_seconds(self) -> float:
        return (sum(map(len, self.added)) - self.position) / RATE

    @property
    def played_ms(self) -> int:
        return sum(map(len, self.heard)) * 1000 // RATE

    @property
    def sound(self) -> Samples:
        """All that went out."""
        return np.concatenate(self.heard) if self.heard else NOTHING

    def tick(self) -> Samples:
        """20 ms of it, or nothing while it waits for more."""
        whole = np.concatenate(self.added) if self.added else NOTHING
        out = whole[self.position : self.position + FRAME]
        self.position += len(out)
        while self.loop and self.finished and len(whole) and len(out) < FRAME:
            more = whole[: FRAME - len(out)]
            out, self.position = np.concatenate((out, more)), len(more)
        if len(out):
            first = not self.heard
            self.heard.append(out)
            if first:
                self.started()
        if self.finished and self.position >= len(whole) and not (self.loop and len(whole)):
            self.over = True
            self.ended(self.played_ms)
        return out


class TickedEngine:
    """`parts.Engine`. `tick` plays 20 ms of all feeds and shows them, with `voices`, to the taps."""

    def __init__(self, now: Callable[[], float] = lambda: 1e9) -> None:
        self.now = now
        self.handler: FactHandler = lambda _owner, _fact: None
        self.calls: list[object] = []
        """What it was asked, in order."""
        self.feeds: list[TickedFeed] = []
        self.taps: list[tuple[str, Tap]] = []
        self.rooms: dict[str, Mix] = {}
        self.stopped = False

    def open(self, leg: str) -> tuple[str, int]:
        return "127.0.0.1", 20_000 + len(leg)

    def start(self, effect: StartMedia) -> None:
        self.calls.append(effect)

    def close(self, leg: str) -> MediaMeasured:
        self.calls.append(("close", leg))
        return MediaMeasured(at=self.now(), leg=leg, sent=1, received=2)

    def mix(self, effect: Mix) -> None:
        self.calls.append(effect)
        self.rooms[effect.room] = effect
        if not effect.voices:
            del self.rooms[effect.room]
            self.feeds = [feed for feed in self.feeds if feed.room != effect.room]
            self.taps = [(room, tap) for room, tap in self.taps if room != effect.room]

    def feed(
        self,
        room: str,
        legs: tuple[str, ...],
        *,
        started: Callable[[], None],
        ended: Callable[[int], None],
        loop: bool = False,
        to_all: bool = False,
    ) -> TickedFeed:
        made = TickedFeed(room, legs, started, ended, loop, to_all)
        self.feeds.append(made)
        return made

    def send_digits(self, effect: SendDigits) -> None:
        self.calls.append(effect)

    def tap(self, room: str, tap: Tap) -> None:
        self.taps.append((room, tap))

    def untap(self, room: str, tap: Tap) -> None:
        self.taps.remove((room, tap))

    def on_fact(self, handler: FactHandler) -> None:
        self.handler = handler

    def stop(self) -> None:
        self.stopped = True

    def tell(self, owner: str, fact: Fact) -> None:
        self.handler(owner, fact)

    def tick(self, room: str = "", voices: dict[str, Samples] | None = None) -> None:
        """20 ms: of all feeds, and for the taps of `room` with what its legs say."""
        for feed in tuple(self.feeds):
            if not feed.over:
                feed.tick()
        self.feeds = [feed for feed in self.feeds if not feed.over]
        silence = np.zeros(FRAME, np.int16)
        frame = Frame(self.now(), RATE, silence, voices or {}, {})
        for tapped, tap in tuple(self.taps):
            if tapped == room:
                tap(frame)
