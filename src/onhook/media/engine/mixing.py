"""The sound of one tick: each hears all others of its room, and what is played to it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import g711
from onhook.media.engine.feeds import PRIME_TICKS, EngineFeed, FeedRows
from onhook.media.engine.jitter import Heard
from onhook.media.engine.rooms import Room, Roster, listeners
from onhook.media.engine.rows import FRAME, TICK_SECONDS, Rows
from onhook.media.parts import Frame, Samples

Sums = NDArray[np.int32]


def mixed(roster: Roster, heard: Heard) -> Sums:
    """For each leg of the roster the sum of the others' voices."""
    sums = np.zeros(heard.frames.shape, np.int32)
    if len(roster.crowd):
        voices = heard.frames[roster.crowd]
        voices[roster.silent] = 0
        totals = np.add.reduceat(voices, roster.starts, axis=0, dtype=np.int32)
        sums[roster.crowd] = totals[roster.room_of] - voices
        sums[roster.deaf] = 0
    return sums


class Playing:
    """Takes 20 ms of each feed."""

    def __init__(
        self,
        feeds: FeedRows,
        *,
        ended: Callable[[EngineFeed], None],
        tell: Callable[[Callable[[], None]], None],
    ) -> None:
        """`tell` has what it is given called on the event loop; `ended` takes feeds that played out."""
        self._feeds, self._ended, self._tell = feeds, ended, tell

    def frames(self, roster: Roster) -> Samples:
        """20 ms of each feed of the roster, silent where nothing plays now."""
        feeds, which, frame = self._feeds, roster.feed_rows, FRAME * roster.scale
        short = np.flatnonzero(feeds.fill[which] - feeds.place[which] < frame)
        playing = np.ones(len(which), np.bool_)
        for number in short.tolist():
            playing[number] = self._ready(roster.feeds[number], int(which[number]), frame)
        for number in np.flatnonzero(playing & (feeds.played[which] == 0)).tolist():
            self._tell(roster.feeds[number].started)
        size = feeds.samples.shape[1]
        slots = feeds.samples.reshape(len(feeds.samples), size // frame, frame)
        frames: Samples = slots[which, feeds.place[which] // frame]
        frames[~playing] = 0
        feeds.place[which] += np.where(playing, frame, 0)
        feeds.played[which] += playing
        return frames

    def _ready(self, feed: EngineFeed, row: int, frame: int) -> bool:
        """Less than a frame is there: fetch more. Whether a frame can be played."""
        feeds = self._feeds
        stock = feeds.stocks[row]
        there = feeds.fill_up(row, frame)
        if not there:
            stock.flowing = False
            if feed.finished:
                self._ended(feed)
            return False
        stock.waits += 1
        enough = there >= PRIME_TICKS * frame or feed.finished or stock.waits > PRIME_TICKS
        if enough and not stock.flowing:
            stock.flowing, stock.waits = True, 0
        return stock.flowing


def add_feeds(sums: Sums, roster: Roster, frames: Samples) -> None:
    for places, numbers in roster.fed:
        sums[places] += frames[numbers]


class Sound(NamedTuple):
    heard: Heard
    played: Samples
    """20 ms of each feed of the roster."""


def frame_of(room: Room, roster: Roster, rows: Rows, sound: Sound, at: float) -> Frame:
    """How a room sounded, for its taps."""
    heard, played = sound
    voices: dict[str, Samples] = {}
    for leg, row in room.members.items():
        place = roster.place_of.get(row)
        if place is None or not heard.audible[place] or rows.muted[row] or rows.held[row]:
            continue
        voices[leg] = heard.frames[place]
    playing = [
        (feed, played[number]) for feed, number in roster.feeds_of.get(room.name, ()) if played[number].any()
    ]
    together = [*voices.values(), *(frame for feed, frame in playing if feed.to_all)]
    prompts: dict[str, Any] = {}
    names = {row: leg for leg, row in room.members.items()} if playing else {}
    for feed, frame in playing:
        for row in listeners(room, feed, rows):
            before = prompts.get(names[row])
            prompts[names[row]] = frame if before is None else before.astype(np.int32) + frame
    return Frame(
        at,
        FRAME * roster.scale * round(1 / TICK_SECONDS),
        _together(together, FRAME * roster.scale),
        voices,
        {leg: g711.softly_limited(sound) for leg, sound in prompts.items()},
    )


def _together(frames: list[Samples], size: int) -> Samples:
    """One alone is what it is; most rooms have one voice at a time."""
    if len(frames) < 2:
        return frames[0] if frames else np.zeros(size, np.int16)
    total = frames[0].astype(np.int32)
    for frame in frames[1:]:
        total += frame
    return g711.softly_limited(total)
