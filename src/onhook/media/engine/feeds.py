"""Sound on its way to legs: prompts, music, voices of machines.

A playing feed has a row of samples, of which each tick takes 20 ms for all feeds at once; it is filled up
from the clips that wait, twice a second or so.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from onhook.media.engine.resampling import PIECE, Cache, Resampler, to_samples
from onhook.media.engine.rows import TICK_SECONDS
from onhook.media.parts import Clip, Samples

RATES: Final = (8000, 16_000, 24_000, 48_000)
PRIME_TICKS: Final = 3
"""A stream of small clips begins when 60 ms wait or were waited for: the next may come a little late."""
BUFFERED_FRAMES: Final = 25
"""Half a second."""
BUFFERED_SAMPLES: Final = 13_440
"""Half a second at 16 kHz and a piece of a resampled clip more; whole frames at both rates."""
LONG_CLIP: Final = 2 * PIECE
"""Clips of so many samples are resampled in pieces, which all feeds share that play them."""
TICKS_A_SECOND: Final = 50
_NOTHING: Final = np.zeros(0, np.int16)


class EngineFeed:
    """`parts.Feed`. The event loop adds; the media thread takes.

    Each side writes fields of its own; what both touch is a deque, whose ends are safe to use by two threads.
    """

    def __init__(
        self,
        room: str,
        legs: tuple[str, ...],
        *,
        started: Callable[[], None],
        ended: Callable[[int], None],
        loop: bool,
        to_all: bool,
        changed: Callable[["EngineFeed"], None],
    ) -> None:
        self.room, self.legs, self.to_all, self.loop = room, legs, to_all, loop
        self.started, self.ended = started, ended
        self._changed = changed
        self._waiting: deque[Clip] = deque()
        self._kept: list[Clip] = []
        self.finished = self.stopped = self.over = False
        self._rows: FeedRows | None = None
        self._row = 0
        self._frames = 0
        """20 ms each."""
        self._stopped_ms: int | None = None
        self._added_seconds = 0.0

    def add(self, clip: Clip) -> None:
        """Played after what was added before. Raises ValueError for a rate that is none of ours."""
        if clip.rate not in RATES:
            raise ValueError(f"a clip's rate is one of {RATES} Hz, not {clip.rate}")
        if self.stopped or self.finished or not len(clip.samples):
            return
        if self.loop:
            self._kept.append(clip)
        self._added_seconds += len(clip.samples) / clip.rate
        self._waiting.append(clip)

    def finish(self) -> None:
        self.finished = True

    def clear(self) -> None:
        self._waiting.clear()
        self._kept.clear()
        self._added_seconds = self._played_seconds
        self._changed(self)

    def stop(self) -> int:
        if self._stopped_ms is None:
            self._stopped_ms = self.played_ms
            self.stopped = True
            self._waiting.clear()
            self._changed(self)
        return self._stopped_ms

    @property
    def waiting_seconds(self) -> float:
        return max(0.0, self._added_seconds - self._played_seconds)

    @property
    def played_ms(self) -> int:
        return round(self._played_seconds * 1000)

    @property
    def _played_seconds(self) -> float:
        rows = self._rows
        return (self._frames if rows is None else int(rows.played[self._row])) * TICK_SECONDS

    def attach(self, rows: "FeedRows", row: int) -> None:
        """Played frames are counted in `rows` now."""
        self._rows, self._row = rows, row

    def detach(self) -> None:
        if self._rows is not None:
            self._frames, self._rows = int(self._rows.played[self._row]), None

    def tell_end(self, played_ms: int) -> None:
        """On the event loop, so whoever stopped it before is told nothing."""
        if not self.stopped:
            self.ended(played_ms)

    def next_clip(self) -> Clip | None:
        """For the media thread. A loop begins again once it is finished."""
        try:
            return self._waiting.popleft()
        except IndexError:
            pass
        if not (self.loop and self.finished and self._kept):
            return None
        self._waiting.extend(self._kept[1:])
        return self._kept[0]


class Stock:
    """A feed's sound at one rate, on the media thread."""

    def __init__(self, feed: EngineFeed, cache: Cache) -> None:
        self.feed, self._cache = feed, cache
        self.flowing = False
        """Something was played at the last tick, so go on with however little there is."""
        self.waits = 0
        """Ticks for which there was too little to begin with."""
        self._clip: Clip | None = None
        self._place = 0
        self._resampler: Resampler | None = None
        self._rates = (0, 0)

    def drop(self) -> None:
        """Forget what is under way."""
        self._clip = self._resampler = None
        self.flowing = False

    def take(self, most: int, rate: int) -> Samples:
        """The next samples at `rate`, `most` or somewhat more; empty if nothing waits."""
        pieces: list[Samples] = []
        length = 0
        while length < most and (piece := self._piece(most - length, rate)) is not None:
            pieces.append(piece)
            length += len(piece)
        return np.concatenate(pieces) if pieces else _NOTHING

    def _piece(self, most: int, rate: int) -> Samples | None:
        if self._clip is None:
            self._clip, self._place = self.feed.next_clip(), 0
            if self._clip is None:
                return self._tail()
        clip = self._clip
        if clip.rate == rate:
            part = clip.samples[self._place : self._place + most]
            self._place += len(part)
            if self._place >= len(clip.samples):
                self._clip = None
            return part
        if self._rates != (clip.rate, rate) or self._resampler is None:
            self._rates = clip.rate, rate
            self._resampler = Resampler(clip.rate, rate)
        if len(clip.samples) >= LONG_CLIP:
            return self._long_piece(clip, self._resampler)
        self._clip = None
        return to_samples(self._resampler.push(clip.samples))

    def _long_piece(self, clip: Clip, resampler: Resampler) -> Samples:
        """Made for all who play it; only its begin is ours, as it follows on what we played before."""
        begin = self._place
        if begin >= len(clip.samples):
            self._clip = None
            resampler.follow(clip.samples)
            return _NOTHING
        number = begin // PIECE
        self._place = (number + 1) * PIECE
        if begin % PIECE or (begin == 0 and resampler.past.any()):
            return to_samples(resampler.push(clip.samples[begin : self._place]))
        return self._cache.get(clip, self._rates[1]).piece(number)

    def _tail(self) -> Samples | None:
        """The end of the last clip, which is still in the filter."""
        resampler, self._resampler = self._resampler, None
        if resampler is None or not self.feed.finished:
            self._resampler = resampler
            return None
        return to_samples(resampler.tail())


class FeedRows:
    """The samples of all feeds that play, one row each."""

    def __init__(self) -> None:
        self._cache = Cache()
        self.stocks: dict[int, Stock] = {}
        self._free: list[int] = []
        self.samples = np.zeros((0, BUFFERED_SAMPLES), np.int16)
        self.place = np.zeros(0, np.int64)
        self.fill = np.zeros(0, np.int64)
        self.played = np.zeros(0, np.int64)
        """Frames."""

    def open(self, feed: EngineFeed) -> int:
        if not self._free:
            self._grow()
        row = self._free.pop()
        self.stocks[row] = Stock(feed, self._cache)
        self.place[row] = self.fill[row] = self.played[row] = 0
        feed.attach(self, row)
        return row

    def close(self, row: int) -> None:
        stock = self.stocks.pop(row, None)
        if stock:
            stock.feed.detach()
            self._free.append(row)

    def empty(self, row: int) -> None:
        self.stocks[row].drop()
        self.place[row] = self.fill[row] = 0

    def convert(self, row: int, rate: int, wanted: int) -> None:
        """What is ready to be played, at another rate from now on."""
        left = self.samples[row, self.place[row] : self.fill[row]]
        made = to_samples(Resampler(rate, wanted).push(left))[:BUFFERED_SAMPLES]
        self.samples[row] = 0
        self.samples[row, : len(made)] = made
        self.place[row], self.fill[row] = 0, len(made)

    def fill_up(self, row: int, frame: int) -> int:
        """Fetch what waits, at most a second; the samples that are then there."""
        left = max(0, int(self.fill[row] - self.place[row]))
        samples = self.samples[row]
        if left:
            samples[:left] = samples[self.place[row] : self.fill[row]].copy()
        fresh = self.stocks[row].take(BUFFERED_FRAMES * frame - left, frame * TICKS_A_SECOND)
        room = min(len(fresh), BUFFERED_SAMPLES - left)
        samples[left : left + room] = fresh[:room]
        samples[left + room : left + room + frame] = 0  # the last frame may be a short one
        self.place[row], self.fill[row] = 0, left + room
        return left + room

    def _grow(self) -> None:
        count = len(self.place)
        more = max(16, count)
        self.samples = np.concatenate((self.samples, np.zeros((more, BUFFERED_SAMPLES), np.int16)))
        self.place = np.concatenate((self.place, np.zeros(more, np.int64)))
        self.fill = np.concatenate((self.fill, np.zeros(more, np.int64)))
        self.played = np.concatenate((self.played, np.zeros(more, np.int64)))
        self._free += range(count + more - 1, count - 1, -1)
