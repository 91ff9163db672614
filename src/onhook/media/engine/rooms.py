"""Who hears whom: rooms of legs, and the order in which a tick works through them."""

from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.effects import Voice
from onhook.media.engine.feeds import EngineFeed
from onhook.media.engine.rows import Rows
from onhook.media.parts import Tap

Rowed = NDArray[np.intp]
GROUPS: Final = 4
"""Legs are served in so many groups, one after the other within a tick: bursts are a quarter as long."""


@dataclass(slots=True)
class Room:
    name: str
    number: int
    group: int
    voices: tuple[Voice, ...] = ()
    taps: list[Tap] = field(default_factory=list[Tap])
    feeds: dict[EngineFeed, int] = field(default_factory=dict[EngineFeed, int])
    """Each with its row of samples."""
    members: dict[str, int] = field(default_factory=dict[str, int])
    """Rows of the legs that are here now."""
    scale: int = 1
    """Of what its feeds hold ready: 1 is 8 kHz, 2 is 16 kHz."""


class Roster(NamedTuple):
    """The legs of a group whose rooms have one rate, by rooms. `places` are indices into `rows`."""

    scale: int
    """1: 8 kHz, 2: 16 kHz."""
    rooms: list[Room]
    rows: Rowed
    wide: Rowed
    """Places of legs with wideband codecs …"""
    narrow: Rowed
    """… and of the others."""
    spoken: NDArray[np.bool_]
    """For each of `rows`: it has a codec, or a length of packets, of its own."""
    crowd: Rowed
    """Places of legs in rooms of two and more."""
    starts: Rowed
    """Where in `crowd` each such room begins."""
    room_of: Rowed
    """For each of `crowd`: which of those rooms."""
    silent: NDArray[np.bool_]
    """For each of `crowd`: not heard, muted or held."""
    deaf: Rowed
    """Places of held legs."""
    feeds: list[EngineFeed]
    feed_rows: Rowed
    fed: list[tuple[Rowed, Rowed]]
    """Rounds of (place, index of feed), each place at most once in a round."""
    place_of: dict[int, int]
    """By row, only for rooms with taps."""
    feeds_of: dict[str, list[tuple[EngineFeed, int]]]
    """By room, only of those with taps: its feeds, and their indices in `feeds`."""
    tapped: list[Room]


def make_rosters(rows: Rows, group: int, rooms: list[Room]) -> list[Roster]:
    """`rooms` are those of the group. A room with a wideband leg has 16 kHz, so that this leg hears more."""
    members = np.flatnonzero(rows.open & (rows.group == group))
    wide = rows.wide[members]
    wide_rooms = np.unique(rows.room[members[wide]])
    in_wide = wide | (np.isin(rows.room[members], wide_rooms) & (rows.room[members] >= 0))
    numbers = set(wide_rooms.tolist())
    rosters: list[Roster] = []
    for scale, which in ((1, members[~in_wide]), (2, members[in_wide])):
        here = [room for room in rooms if (room.number in numbers) == (scale == 2)]
        if len(which) or any(room.feeds or room.taps for room in here):
            rosters.append(_make_roster(rows, scale, which, here))
    return rosters


def _make_roster(rows: Rows, scale: int, members: Rowed, rooms: list[Room]) -> Roster:
    members = members[np.argsort(rows.room[members], kind="stable")]
    room = rows.room[members]
    _, inverse, sizes = np.unique(room, return_inverse=True, return_counts=True)
    together = (sizes[inverse] > 1) & (room >= 0)
    crowd = np.flatnonzero(together)
    crowd_rooms = room[crowd]
    starts = np.flatnonzero(np.diff(crowd_rooms, prepend=-1))
    room_of = np.cumsum(np.diff(crowd_rooms, prepend=-1) != 0) - 1
    held = rows.held[members]
    place_of = dict(zip(members.tolist(), range(len(members)), strict=True))
    feeds = [feed for each in rooms for feed in each.feeds]
    feed_rows = [row for each in rooms for row in each.feeds.values()]
    return Roster(
        scale=scale,
        rooms=rooms,
        rows=members,
        wide=np.flatnonzero(rows.wide[members]),
        narrow=np.flatnonzero(~rows.wide[members]),
        spoken=rows.spoken[members],
        crowd=crowd,
        starts=starts,
        room_of=room_of,
        silent=(rows.muted[members] | held)[crowd],
        deaf=np.flatnonzero(held),
        feeds=feeds,
        feed_rows=np.array(feed_rows, np.intp),
        fed=_rounds(rooms, rows, place_of),
        place_of=place_of,
        feeds_of=_feeds_of(rooms),
        tapped=[each for each in rooms if each.taps],
    )


def _feeds_of(rooms: list[Room]) -> dict[str, list[tuple[EngineFeed, int]]]:
    """In the order of the roster's feeds. A tap looks at those of its own room, however many there are."""
    numbers = count()
    found = {room.name: [(feed, next(numbers)) for feed in room.feeds] for room in rooms}
    return {room.name: found[room.name] for room in rooms if room.taps}


def _rounds(rooms: list[Room], rows: Rows, place_of: dict[int, int]) -> list[tuple[Rowed, Rowed]]:
    """Who hears which feed. A leg that hears several is served in as many rounds."""
    rounds: list[tuple[list[int], list[int]]] = []
    heard: dict[int, int] = {}
    number = -1
    for room in rooms:
        for feed in room.feeds:
            number += 1
            for row in listeners(room, feed, rows):
                place = place_of.get(row)
                if place is None:
                    continue
                turn = heard[place] = heard.get(place, -1) + 1
                if turn == len(rounds):
                    rounds.append(([], []))
                rounds[turn][0].append(place)
                rounds[turn][1].append(number)
    return [(np.array(places, np.intp), np.array(feeds, np.intp)) for places, feeds in rounds]


def listeners(room: Room, feed: EngineFeed, rows: Rows) -> list[int]:
    """Rows that hear it: those named, or all that are not held."""
    if feed.to_all:
        return [row for row in room.members.values() if not rows.held[row]]
    return [room.members[leg] for leg in feed.legs if leg in room.members]
