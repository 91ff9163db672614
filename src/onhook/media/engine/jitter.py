"""The jitter buffer: packets go in by their timestamps, 20 ms come out at each tick.

A row's ring holds 1.28 s of sound by position; positions count ticks of 8,000 Hz, at which wide rows have
two samples. `play` is the position that is played next. The delay is what a stream begins with, grows when
packets come too late, and shrinks when all come far too early: so it follows jitter, and the clock of the far
end, which is never quite ours.

If nothing is left to be played, `play` waits: when the packet then comes, it was late, and the delay has
grown by what we waited. If it never comes, the next one ends the wait where it would have stood. After some
60 ms the leg pauses, until something comes.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import concealment, g711
from onhook.media.engine.g711 import FULL_SCALE
from onhook.media.engine.packets import HEADER_BYTES, Integers, Packets, Rowed
from onhook.media.engine.rows import EMPTY, FRAME, MU_LAW, RING, RING_FRAMES, Rows
from onhook.media.engine.stretching import lengthened, shortened
from onhook.media.parts import Samples

LONGEST: Final = 6 * FRAME
"""Ticks of a packet that can be played: 120 ms."""
MARGIN: Final = FRAME // 2 + FRAME // 4
"""15 ms: so early packets may come at least, before the delay is made shorter."""
LATE_IN_WINDOW: Final = 2
"""Packets too late in a window, for which the delay is made longer."""
FITTING_TURNS: Final = 100
"""The delay is reconsidered each 2 s …"""
FITTED_TURNS: Final = 10
"""… and changed by one seam each 200 ms at most, …"""
MOST_FITTED: Final = 16
"""… of so many legs of a group in one tick."""
_DELAY_GAIN: Final = 1 / 64
_OFFSETS: Final = np.arange(FRAME)
_NOISE: Final = np.random.default_rng(3389).standard_normal(100 * FRAME).astype(np.float32)

Ticks = NDArray[Any]
"""Sound, one entry a tick: 16 bits, or the 32 of two samples."""


class Depths(NamedTuple):
    """Delays in ticks: what a stream begins with, and the longest."""

    first: int
    most: int


class Heard(NamedTuple):
    """What a tick plays of some rows."""

    frames: Samples
    """(rows, samples of 20 ms)"""
    audible: NDArray[np.bool_]
    """Rows whose far end was heard; the frames of others are silent, or comfort noise."""


class JitterBuffer:
    """For rows of one rate. `scale` is 1 for 8 kHz, 2 for 16 kHz."""

    def __init__(self, rows: Rows, depths: Depths, scale: int = 1) -> None:
        self._rows, self._depths, self._scale = rows, depths, scale
        kind = np.int16 if scale == 1 else np.int32
        self._empty = np.full(scale, EMPTY, np.int16).view(kind)[0]
        self._ring: Ticks = rows.ring if scale == 1 else rows.wide_ring
        self._past: Ticks = rows.history if scale == 1 else rows.wide_history
        self._flat = self._ring.reshape(-1)
        self._kind = kind

    def begin(self, which: Rowed, timestamps: Integers) -> None:
        """A stream begins: positions count from its first packet."""
        rows = self._rows
        rows.last_timestamp[which] = timestamps
        rows.last_position[which] = 0
        rows.playing[which] = False
        rows.noise[which] = 0

    def put(self, packets: Packets) -> None:
        """One packet of G.711 a row."""
        position, good = self.place(packets, packets.size)
        good &= (packets.size > 0) & (packets.size <= LONGEST)
        if not good.all():
            packets, position = packets.only(good), position[good]
        if len(position):
            self._write(packets, position)

    def put_sound(self, packets: Packets, sounds: list[Samples]) -> None:
        """One packet a row, decoded; empty where it could not be."""
        sizes = np.array([len(sound) // self._scale or FRAME for sound in sounds])
        position, good = self.place(packets, sizes)
        for entry in np.flatnonzero(good).tolist():
            ticks = sounds[entry][: LONGEST * self._scale].view(self._kind)
            row = int(packets.rows[entry])
            positions = int(position[entry]) + np.arange(len(ticks))
            wanted = positions >= self._rows.play[row]
            self._flat[row * RING + positions[wanted] % RING] = ticks[wanted]

    def place(self, packets: Packets, sizes: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Where packets of so many ticks belong, and which come in time to be played; all are counted."""
        rows, which = self._rows, packets.rows
        position = self._position(packets)
        slack = position - rows.play[which]
        rows.least_slack[which] = np.minimum(rows.least_slack[which], slack)
        rows.window[which] += 1
        delay = rows.delay[which]
        rows.delay[which] = delay + (slack - delay) * _DELAY_GAIN
        late = slack + sizes <= 0
        if late.any():
            rows.late[which] += late
            rows.late_in_window[which] += late
        in_time = ~late
        rows.received[which] += in_time
        rows.quiet[which] = False
        rows.noise[which] = 0
        rows.end[which] = np.maximum(rows.end[which], np.where(late, 0, position + sizes))
        return position, in_time

    def hush(self, row: int, payload: bytes) -> None:
        """Comfort noise until voice comes: its level, in -dBov, is the first byte (RFC 3389 section 3.1)."""
        if payload:
            self._rows.quiet[row] = True
            self._rows.noise[row] = FULL_SCALE * 10 ** (-(payload[0] & 0x7F) / 20)

    def read(self, which: Rowed, turn: int) -> Heard:
        """20 ms of each of these rows. `turn` counts the ticks of their group."""
        rows = self._rows
        if turn % FITTED_TURNS == 0:
            self._fit(which, turn)
        play = rows.play[which]
        ticks = self._taken(which, play)
        missing = np.flatnonzero(ticks.min(axis=1, initial=0) == self._empty)
        frames: Samples = ticks.view(np.int16)
        playing = rows.playing[which]
        if not playing.all():
            self._rest(which, frames, ~playing)
            missing = missing[playing[missing]]
        rows.play[which] = play + np.where(playing, FRAME, 0)
        audible = playing & ~rows.quiet[which]
        lost = np.flatnonzero(rows.concealed[which])
        if len(missing):
            self._conceal(which, frames, missing, turn)
            audible[missing] &= rows.playing[which[missing]]
        if len(lost):
            self._recover(which, frames, np.setdiff1d(lost, missing), turn)
        self._past[which, turn & 1] = ticks
        return Heard(frames, audible)

    # in

    def _position(self, packets: Packets) -> Integers:
        """Where the packets belong, after `play` was moved where it must be."""
        rows, which = self._rows, packets.rows
        timestamp = packets.timestamp
        step = (timestamp - rows.last_timestamp[which] + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        fast = rows.clock[which] > 8000
        if fast.any():
            step = np.where(fast, step // 6, step)  # Opus: 48 kHz
        position: Integers = rows.last_position[which] + step
        rows.last_timestamp[which] = timestamp
        rows.last_position[which] = position
        start = ~rows.playing[which]
        if start.any():
            self._start(which[start], position[start])
        starved = rows.starved[which] > 0
        if starved.any():
            self._end_wait(which[starved], position[starved])
        slack = position - rows.play[which]
        far = (slack > self._depths.most) | (slack < -RING)
        if far.any():
            for entry in np.flatnonzero(far).tolist():
                self._skip(int(which[entry]), int(position[entry]) - self._depths.first)
        return position

    def _start(self, which: Rowed, position: Integers) -> None:
        rows = self._rows
        self._ring[which] = self._empty
        rows.play[which] = position - self._depths.first
        rows.end[which] = position
        rows.playing[which] = True
        rows.starved[which] = 0
        rows.concealed[which] = 0
        rows.delay[which] = self._depths.first
        rows.start[which] = position
        self._watch(which)

    def _watch(self, which: Rowed) -> None:
        """Begin a new window in which the least slack is looked for."""
        rows = self._rows
        rows.least_slack[which] = RING
        rows.window[which] = rows.late_in_window[which] = rows.misfit[which] = 0

    def _end_wait(self, which: Rowed, position: Integers) -> None:
        """Something came at last: go on with it where it stands, not later than a stream begins."""
        rows = self._rows
        play = rows.play[which]
        waited = np.maximum(np.minimum(position, play + rows.starved[which]), play)
        rows.play[which] = np.maximum(waited, position - self._depths.first)
        rows.starved[which] = 0

    def _skip(self, row: int, to: int) -> None:
        """Go on at another position; what is jumped over is forgotten."""
        rows = self._rows
        play = int(rows.play[row])
        if to < play or to - play >= RING:
            self._ring[row] = self._empty
        else:
            self._flat[row * RING + np.arange(play, to) % RING] = self._empty
        rows.play[row] = to
        self._watch(np.array([row]))

    def _write(self, packets: Packets, position: Integers) -> None:
        whole = (packets.size == FRAME) & (position % FRAME == 0) & (packets.start == HEADER_BYTES)
        if whole.all():
            self._write_frames(packets, position)
            return
        if whole.any():
            self._write_frames(packets.only(whole), position[whole])
        odd = ~whole
        self._write_any(packets.only(odd), position[odd])

    def _write_frames(self, packets: Packets, position: Integers) -> None:
        """The usual: 20 ms behind a plain header, all of them still to be played."""
        codes = packets.data[:, HEADER_BYTES : HEADER_BYTES + FRAME]
        samples = g711.decode(codes, packets.kind - np.uint8(MU_LAW))
        which = packets.rows
        if (position < self._rows.play[which]).any():
            self._put_samples(which, samples, position, packets.size)
        else:
            self._ring[which, (position // FRAME) % RING_FRAMES] = samples

    def _write_any(self, packets: Packets, position: Integers) -> None:
        offsets = np.arange(int(packets.size.max()))
        columns = np.minimum(packets.start[:, None] + offsets, packets.data.shape[1] - 1)
        codes = np.take_along_axis(packets.data, columns, axis=1)
        samples = g711.decode(codes, packets.kind - np.uint8(MU_LAW))
        self._put_samples(packets.rows, samples, position, packets.size)

    def _put_samples(self, which: Rowed, samples: Samples, position: Integers, size: Integers) -> None:
        """Of each row the first `size` samples, as far as they are still to be played."""
        offsets = np.arange(int(samples.shape[1]))
        positions: Integers = position[:, None] + offsets
        wanted = (offsets < size[:, None]) & (positions >= self._rows.play[which][:, None])
        places = (which * RING)[:, None] + positions % RING
        self._flat[places[wanted]] = samples[wanted]

    # out

    def _taken(self, which: Rowed, play: Integers) -> Ticks:
        """20 ms, which are then no longer in the ring."""
        ring = self._ring
        slot = (play // FRAME) % RING_FRAMES
        ticks: Ticks = ring[which, slot]
        odd = np.flatnonzero(play % FRAME)
        if not len(odd):
            ring[which, slot] = self._empty
            return ticks
        places = (which[odd] * RING)[:, None] + (play[odd][:, None] + _OFFSETS) % RING
        ticks[odd] = self._flat.take(places)
        self._flat[places] = self._empty
        even = play % FRAME == 0
        ring[which[even], slot[even]] = self._empty
        return ticks

    def _rest(self, which: Rowed, frames: Samples, resting: NDArray[np.bool_]) -> None:
        """Silence, or comfort noise (RFC 3389), where nothing plays."""
        frames[resting] = 0
        noisy = np.flatnonzero(resting & (self._rows.noise[which] > 0))
        if len(noisy):
            rows, size = which[noisy], frames.shape[1]
            begin = (self._rows.play[rows] + rows * 1009) % (len(_NOISE) - size)
            self._rows.play[rows] += FRAME  # so that the noise goes on; a stream that begins sets it anew
            noise = _NOISE[begin[:, None] + np.arange(size)]
            frames[noisy] = np.rint(noise * self._rows.noise[rows][:, None])

    def _conceal(self, which: Rowed, frames: Samples, missing: Rowed, turn: int) -> None:
        """Fill what is missing of `frames`, and wait or pause where nothing is left to be played."""
        rows = self._rows
        gone = which[missing]
        before = rows.start[gone] >= rows.play[gone]  # the delay in which a stream begins
        silent = rows.quiet[gone] | before
        run = np.where(silent, concealment.MOST_FRAMES, rows.concealed[gone])
        filled, whole = concealment.filled(self._history(gone, turn), frames[missing], run)
        frames[missing] = filled
        short = rows.play[gone] - rows.end[gone]
        rows.concealed[gone] = np.where(whole & ~silent, rows.concealed[gone] + 1, 0)
        over = (short > 0) & (run >= concealment.MOST_FRAMES)
        rows.playing[gone[over]] = False
        rows.concealed[gone[over]] = 0
        waiting = (short > 0) & ~over
        rows.play[gone[waiting]] -= short[waiting]
        rows.starved[gone[waiting]] += short[waiting]

    def _recover(self, which: Rowed, frames: Samples, back: Rowed, turn: int) -> None:
        """Fade from what would have been concealed next to what came."""
        if not len(back):
            return
        again = which[back]
        run = self._rows.concealed[again]
        frames[back] = concealment.faded(self._history(again, turn), frames[back], run)
        self._rows.concealed[again] = 0

    def _history(self, which: Rowed, turn: int) -> Samples:
        """The last 40 ms that were played."""
        past = self._past[which]
        parity = turn & 1
        return np.concatenate((past[:, parity], past[:, 1 - parity]), axis=1).view(np.int16)

    # fitting the delay

    def _fit(self, which: Rowed, turn: int) -> None:
        rows = self._rows
        if turn % FITTING_TURNS == 0:
            known = which[rows.playing[which] & (rows.window[which] > FITTING_TURNS // 5)]
            least = rows.least_slack[known]
            early = least > MARGIN + FRAME
            late = rows.late_in_window[known] >= LATE_IN_WINDOW
            self._watch(known)
            rows.misfit[known] = np.where(early, least - MARGIN, np.where(late, np.minimum(least, -1), 0))
        for row in which[rows.misfit[which] != 0][:MOST_FITTED].tolist():
            self._move(row, turn)

    def _move(self, row: int, turn: int) -> None:
        """One seam nearer to the delay that fits."""
        rows, empty = self._rows, self._empty
        play, misfit = int(rows.play[row]), int(rows.misfit[row])
        places = row * RING + np.arange(play, play + 2 * FRAME) % RING
        sound = self._flat[places]
        if misfit > 0 and (sound != empty).all():
            made, moved = shortened(sound.view(np.int16))
            nothing = np.full(moved, empty, self._kind)
            self._flat[places] = np.concatenate((nothing, made.view(self._kind), sound[moved + FRAME :]))
            rows.play[row] = play + moved
            rows.misfit[row] = max(0, misfit - moved) if misfit - moved > FRAME else 0
        elif misfit < 0 and (sound[:FRAME] != empty).all():
            history = self._history(np.array([row]), turn)[0]
            made, moved = lengthened(history, sound[:FRAME].view(np.int16))
            places = row * RING + np.arange(play - moved, play - moved + FRAME) % RING
            self._flat[places] = made.view(self._kind)
            rows.play[row] = play - moved
            rows.misfit[row] = min(0, misfit + moved)
