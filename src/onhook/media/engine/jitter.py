"""The jitter buffer: packets go in by their timestamps, 20 ms come out at each tick.

A row's ring holds 1.28 s of samples by position. `play` is the position that the next tick plays. The delay
is what a stream begins with (`depth`), grows when packets come too late, and shrinks when all come far too
early: so it follows jitter, and the clock of the far end, which is never quite ours.

If nothing is left to be played, `play` waits: when the packet then comes, it was late, and the delay has
grown by what we waited. If it never comes, the next one ends the wait where it would have stood.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import concealment, g711
from onhook.media.engine.packets import Packets, Rowed
from onhook.media.engine.rows import A_LAW, EMPTY, FRAME, MU_LAW, RING, RING_FRAMES, Rows
from onhook.media.parts import Samples

LONGEST: Final = 6 * FRAME
"""Samples of a packet that can be played: 120 ms."""
_OFFSETS: Final = np.arange(FRAME)
_FADE: Final = np.linspace(0, 1, 40, dtype=np.float32)
"""5 ms, back from concealment."""


class Depths(NamedTuple):
    """In samples, multiples of a frame."""

    first: int
    least: int
    most: int


class Heard(NamedTuple):
    """What a tick plays of some rows."""

    frames: Samples
    """(rows, 160)"""
    audible: NDArray[np.bool_]
    """Rows whose far end was heard; the frames of others are silent."""


class JitterBuffer:
    def __init__(self, rows: Rows, depths: Depths) -> None:
        self._rows, self._depths = rows, depths
        self._flat = rows.ring.reshape(-1)

    def begin(self, which: Rowed, timestamps: NDArray[np.int64]) -> None:
        """A stream begins: positions count from its first packet."""
        rows = self._rows
        rows.last_timestamp[which] = timestamps
        rows.last_position[which] = 0
        rows.playing[which] = False
        rows.depth[which] = np.maximum(rows.depth[which], self._depths.first)

    def put(self, packets: Packets, kinds: NDArray[np.uint8]) -> None:
        """One packet of voice a row."""
        rows, which, size = self._rows, packets.rows, packets.size
        length = size
        step = (packets.timestamp - rows.last_timestamp[which] + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        position = rows.last_position[which] + step
        rows.last_timestamp[which] = packets.timestamp
        rows.last_position[which] = position
        start = ~rows.playing[which]
        if start.any():
            self._start(which[start], position[start])
        starved = rows.starved[which] > 0
        if starved.any():
            self._end_wait(which[starved], position[starved])
        slack = position - rows.play[which]
        early = slack > self._depths.most + FRAME
        far = early | (slack < -RING)
        if far.any():
            for row, place in zip(which[far].tolist(), position[far].tolist(), strict=True):
                self._skip(row, place - int(rows.depth[row]))
            slack = position - rows.play[which]
        rows.least_slack[which] = np.minimum(rows.least_slack[which], slack)
        rows.window[which] += 1
        late = slack + length <= 0
        usable = ~late & (size > 0) & (length <= LONGEST) & (kinds <= A_LAW)
        rows.late[which] += late
        rows.received[which] += ~late
        rows.quiet[which] = False
        if not usable.all():
            packets, kinds, position = packets.only(usable), kinds[usable], position[usable]
        if len(kinds):
            rows.end[packets.rows] = np.maximum(rows.end[packets.rows], position + packets.size)
            self._write(packets, kinds, position)

    def read(self, which: Rowed, parity: int) -> Heard:
        """20 ms of each of these rows; `parity` changes with every tick."""
        rows = self._rows
        play = rows.play[which]
        frames = self._taken(which, play)
        playing = rows.playing[which]
        frames[~playing] = 0
        rows.play[which] = play + np.where(playing, FRAME, 0)
        audible = playing & ~rows.quiet[which]
        missing = np.flatnonzero(frames.min(axis=1, initial=0) == EMPTY)
        lost = np.flatnonzero(rows.concealed[which])
        if len(missing):
            self._conceal(which, frames, missing, play, parity)
            audible[missing] &= rows.concealed[which[missing]] <= concealment.MOST_FRAMES
        if len(lost):
            self._recover(which, frames, np.setdiff1d(lost, missing), parity)
        rows.history[which, parity] = frames
        return Heard(frames, audible)

    def _taken(self, which: Rowed, play: NDArray[np.int64]) -> Samples:
        """The samples, which are then no longer in the ring."""
        if (play % FRAME).any():
            places = (which * RING)[:, None] + (play[:, None] + _OFFSETS) % RING
            frames: Samples = self._flat.take(places)
            self._flat[places] = EMPTY
            return frames
        slot = (play // FRAME) % RING_FRAMES
        frames = self._rows.ring[which, slot]
        self._rows.ring[which, slot] = EMPTY
        return frames

    def _conceal(
        self, which: Rowed, frames: Samples, missing: Rowed, play: NDArray[np.int64], parity: int
    ) -> None:
        """Fill what is missing of `frames`, and wait where nothing is left to be played."""
        rows = self._rows
        gone = which[missing]
        quiet = rows.quiet[gone]
        wait = ~quiet & (rows.end[gone] <= play[missing]) & (rows.starved[gone] < self._depths.most)
        waiting = gone[wait]
        rows.play[waiting] -= FRAME
        rows.starved[waiting] += FRAME
        run = rows.concealed[gone]
        made = concealment.concealed(
            self._history(gone, parity), np.where(quiet, concealment.MOST_FRAMES, run)
        )
        rows.concealed[gone] = np.where(quiet, 0, run + 1)
        holes = frames[missing]
        frames[missing] = np.where(holes == EMPTY, np.rint(made), holes)

    def _recover(self, which: Rowed, frames: Samples, back: Rowed, parity: int) -> None:
        """Fade from what would have been concealed next to what came."""
        rows = self._rows
        again = which[back]
        made = concealment.concealed(self._history(again, parity), rows.concealed[again])[:, : len(_FADE)]
        real = frames[back, : len(_FADE)]
        frames[back, : len(_FADE)] = np.rint(made + (real - made) * _FADE)
        rows.concealed[again] = 0

    def _history(self, which: Rowed, parity: int) -> Samples:
        """The last 40 ms that were played."""
        past = self._rows.history[which]
        return np.concatenate((past[:, parity], past[:, 1 - parity]), axis=1)

    def _start(self, which: Rowed, position: NDArray[np.int64]) -> None:
        rows = self._rows
        rows.ring[which] = EMPTY
        rows.play[which] = position - rows.depth[which]
        rows.end[which] = position
        rows.playing[which] = True
        rows.starved[which] = 0
        rows.concealed[which] = 0
        self._watch(which)

    def _watch(self, which: Rowed) -> None:
        """Begin a new window in which the least slack is looked for."""
        self._rows.least_slack[which] = RING
        self._rows.window[which] = 0

    def _end_wait(self, which: Rowed, position: NDArray[np.int64]) -> None:
        """Something came at last: go on with it where it stands, at most `depth` before it."""
        rows = self._rows
        waited = np.minimum(position, rows.play[which] + rows.starved[which])
        waited = np.maximum(waited, rows.play[which])
        rows.play[which] = np.maximum(waited, position - rows.depth[which])
        rows.starved[which] = 0

    def _skip(self, row: int, to: int) -> None:
        """Go on at another position; what is jumped over is forgotten."""
        rows = self._rows
        play = int(rows.play[row])
        if to < play or to - play >= RING:
            rows.ring[row] = EMPTY
        else:
            ring = self._flat[row * RING : (row + 1) * RING]
            begin, stop = play % RING, to % RING
            if begin < stop:
                ring[begin:stop] = EMPTY
            elif to != play:
                ring[begin:] = EMPTY
                ring[:stop] = EMPTY
        rows.play[row] = to

    def _write(self, packets: Packets, kinds: NDArray[np.uint8], position: NDArray[np.int64]) -> None:
        whole = (packets.size == FRAME) & (position % FRAME == 0) & (packets.start == 12)
        if whole.all():
            self._write_frames(packets, kinds, position)
            return
        if whole.any():
            self._write_frames(packets.only(whole), kinds[whole], position[whole])
        odd = ~whole
        self._write_any(packets.only(odd), kinds[odd], position[odd])

    def _write_frames(self, packets: Packets, kinds: NDArray[np.uint8], position: NDArray[np.int64]) -> None:
        """The usual: 20 ms behind a plain header."""
        samples = g711.decode(packets.data[:, 12 : 12 + FRAME], kinds - MU_LAW)
        self._rows.ring[packets.rows, (position // FRAME) % RING_FRAMES] = samples

    def _write_any(self, packets: Packets, kinds: NDArray[np.uint8], position: NDArray[np.int64]) -> None:
        longest = int(packets.size.max())
        offsets = np.arange(longest)
        entries = np.arange(len(kinds))[:, None]
        columns = np.minimum(packets.start[:, None] + offsets, packets.data.shape[1] - 1)
        samples = g711.decode(packets.data[entries, columns], kinds - MU_LAW)
        places = (packets.rows * RING)[:, None] + (position[:, None] + offsets) % RING
        inside = (offsets < packets.size[:, None]) & (
            position[:, None] + offsets >= self._rows.play[packets.rows][:, None]
        )
        self._flat[places[inside]] = samples[inside]
