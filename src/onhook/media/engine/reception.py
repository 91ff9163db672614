"""What came on the ports: told apart, counted, and put where it will be played from.

A batch has at most one datagram of a row, so that arrays can be changed by row numbers. What is junk, foreign
or of an unknown type costs an addition to its count and no more.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import packets as rtp
from onhook.media.engine import srtp
from onhook.media.engine.jitter import JitterBuffer
from onhook.media.engine.packets import Datagrams, Integers, Packets, Rowed
from onhook.media.engine.rows import A_LAW, NOISE, NOTHING, OPUS, Rows
from onhook.media.engine.wires import SLOTS

MAX_DROPOUT: Final = 3000
"""A step of sequence numbers beyond it begins the count anew (RFC 3550 A.1)."""
MAX_MISORDER: Final = 100
SSRC_PAUSE_SECONDS: Final = 0.05
"""After it another SSRC is taken at once; before it, only when its second packet in a row comes."""
V4_WORDS: Final = 1
V6_WORDS: Final = 3
"""Of struct sockaddr, in 8 bytes: family, port and address; the zone of an address is not compared."""
_JITTER_GAIN: Final = 1 / 16
_WINDOW: Final = 64


class Event(NamedTuple):
    """A packet that Python looks at by itself: of a digit, or of comfort noise."""

    row: int
    kind: int
    timestamp: int
    marker: bool
    payload: bytes
    at: float


class Reception:
    """`first` are rows whose first packet came; the engine empties it."""

    def __init__(
        self,
        rows: Rows,
        buffer: JitterBuffer,
        *,
        coded: Callable[[Packets], None],
        name_words: int,
        secrecies: dict[int, srtp.Secrecy],
        event: Callable[[Event], None],
        control: Callable[[int, bytes, float], None],
    ) -> None:
        """`name_words` is how much of struct sockaddr tells addresses apart.

        `secrecies` are those of rows with SRTP. `event` takes digits and comfort noise, `control` RTCP that
        came on the port of RTP, from the leg's far end as far as that is known; `coded` takes voice that
        needs a codec object, and that of wide rows.
        """
        self._rows, self._buffer, self._words = rows, buffer, name_words
        self._secrecies, self._lengths = secrecies, srtp.Lengths(SLOTS)
        self._event, self._control, self._coded = event, control, coded
        self.first: list[int] = []

    def take(self, datagrams: Datagrams) -> None:
        rows = self._rows
        known = self._known(datagrams)
        starts = rtp.payload_starts(datagrams.data, datagrams.lengths)
        control = rtp.control(datagrams.data, datagrams.lengths)
        good = (starts > 0) & known
        if control.any():
            for entry in np.flatnonzero(control & known).tolist():
                data = datagrams.data[entry, : datagrams.lengths[entry]].tobytes()
                self._control(int(datagrams.rows[entry]), data, float(datagrams.at[entry]))
            good &= ~control
        if not good.all():
            rows.junk[datagrams.rows[(starts < 0) & ~control]] += 1
            rows.foreign[datagrams.rows[((starts > 0) | control) & ~known]] += 1
            datagrams, starts = datagrams.only(good), starts[good]
        if rows.srtp[datagrams.rows].any():
            datagrams, starts = self._opened(datagrams, starts)
        if len(datagrams.rows):
            self._sort(datagrams, starts)

    def _known(self, datagrams: Datagrams) -> NDArray[np.bool_]:
        """From where the far end sends; or nothing is known of that yet."""
        rows = self._rows
        known: NDArray[np.bool_] = datagrams.names[:, 0] == rows.source[datagrams.rows, 0]
        for word in range(1, self._words):
            known &= datagrams.names[:, word] == rows.source[datagrams.rows, word]
        known |= ~rows.latched[datagrams.rows]
        return known

    def _opened(self, datagrams: Datagrams, starts: Integers) -> tuple[Datagrams, Integers]:
        """Decrypt what is of legs with SRTP (RFC 3711); those that the keys do not open are left out."""
        rows, which = self._rows, datagrams.rows
        entries = np.flatnonzero(rows.srtp[which])
        secret = which[entries]
        legs = [self._secrecies[row] for row in secret.tolist()]
        places = datagrams.data.ctypes.data + entries * datagrams.data.strides[0]
        lengths = self._lengths.values[: len(entries)]
        lengths[:] = datagrams.lengths[entries]
        status = srtp.unprotect(legs, places.tolist(), self._lengths)
        datagrams.lengths[entries] = lengths
        bad = status != 0
        if bad.any():
            again = np.isin(status, srtp.REPLAYED)
            rows.doubled[secret[again]] += 1
            rows.undecipherable[secret[bad & ~again]] += 1
            good = np.ones(len(which), np.bool_)
            good[entries[bad]] = False
            datagrams, starts = datagrams.only(good), starts[good]
        return datagrams, starts

    def _sort(self, datagrams: Datagrams, starts: Integers) -> None:
        """By payload types."""
        rows, which = self._rows, datagrams.rows
        types = datagrams.data[:, 1] & np.uint8(0x7F)
        packets = rtp.read(datagrams, starts, rows.kinds[which, types])
        names = datagrams.names
        usable = (packets.kind != NOTHING) & (packets.size >= 0)
        if not usable.all():
            wrong = (packets.kind == NOTHING) & (packets.size >= 0)
            rows.junk[which[packets.size < 0]] += 1
            rows.wrong_codec[which[wrong]] += 1
            rows.wrong_types[which[wrong], types[wrong]] = True
            packets, names = packets.only(usable), names[usable]
        if len(packets.rows):
            self._latch(packets.rows, names)
            self._count(packets)

    def _latch(self, which: Rowed, names: NDArray[np.uint64]) -> None:
        """The first packet of a started leg says where it really is (RFC 4961): from then on only that."""
        rows = self._rows
        new = ~rows.latched[which] & rows.started[which]
        if new.any():
            rows.latched[which[new]] = True
            rows.source[which[new]] = names[new]
            rows.peer[which[new]] = names[new]

    def _count(self, packets: Packets) -> None:
        rows, which, ssrc, at = self._rows, packets.rows, packets.ssrc, packets.at
        unknown = rows.streams[which] == 0
        changed = ~unknown & (rows.far_ssrc[which] != ssrc)
        if changed.any():
            taken = changed & (
                (rows.next_ssrc[which] == ssrc) | (at - rows.last_at[which] > SSRC_PAUSE_SECONDS)
            )
            rows.next_ssrc[which[changed]] = ssrc[changed]
            unknown |= taken
            stay = ~changed | taken
            if not stay.all():
                if stay.any():
                    self._count(packets.only(stay))
                return
        rows.next_ssrc[which] = ssrc
        if unknown.any():
            self._begin(packets.only(unknown))
        ahead, fresh = self._order(which, packets.sequence)
        if not fresh.all():
            rows.doubled[which[~fresh]] += 1
            packets, ahead = packets.only(fresh), ahead[fresh]
        if len(packets.rows):
            self._use(packets, ahead)

    def _begin(self, packets: Packets) -> None:
        rows, which = self._rows, packets.rows
        rows.far_ssrc[which] = packets.ssrc
        rows.streams[which] += 1
        self._restart(which, packets.sequence)
        self._buffer.begin(which, packets.timestamp)

    def _restart(self, which: Rowed, sequence: Integers) -> None:
        """Count sequence numbers anew from this one, which is not counted yet."""
        rows = self._rows
        begun = rows.came[which] > 0
        rows.expected_before[which] += np.where(begun, rows.highest[which] - rows.base[which] + 1, 0)
        rows.base[which] = sequence
        rows.highest[which] = sequence - 1
        rows.seen[which] = 0
        rows.transit[which] = np.nan

    def _order(self, which: Rowed, sequence: Integers) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which packets are ahead of all before; and which were not seen before."""
        rows = self._rows
        highest, seen = rows.highest[which], rows.seen[which]
        step = (sequence - highest + 0x8000 & 0xFFFF) - 0x8000
        if (step == 1).all():  # the usual
            rows.highest[which] = highest + 1
            rows.seen[which] = seen << np.uint64(1) | np.uint64(1)
            rows.came[which] += 1
            return (all_of := np.ones(len(which), np.bool_)), all_of
        jumped = (step >= MAX_DROPOUT) | (step <= -MAX_MISORDER)
        if jumped.any():
            self._restart(which[jumped], sequence[jumped])
            step[jumped] = 1
            seen = rows.seen[which]
        ahead = step > 0
        shift = np.minimum(np.abs(step), _WINDOW - 1).astype(np.uint64)
        one = np.uint64(1)
        moved = np.where(np.abs(step) < _WINDOW, seen << shift, np.uint64(0)) | one
        bit = one << shift
        doubled = ~ahead & (seen & bit != 0)
        rows.seen[which] = np.where(ahead, moved, seen | bit)
        rows.highest[which] += np.maximum(step, 0)
        rows.came[which] += ~doubled
        return ahead, ~doubled

    def _use(self, packets: Packets, ahead: NDArray[np.bool_]) -> None:
        rows, which, at = self._rows, packets.rows, packets.at
        new = rows.first_at[which] == 0
        if new.any():
            rows.first_at[which[new]] = at[new]
            self.first += which[new].tolist()
        rows.last_at[which] = np.maximum(at, rows.last_at[which])
        voice = packets.kind > NOISE
        if not voice.all():
            self._tell(packets.only(~voice))
            packets, ahead = packets.only(voice), ahead[voice]
        if len(packets.rows):
            self._measure_jitter(packets if ahead.all() else packets.only(ahead))
            coded = rows.wide[packets.rows] | (packets.kind > A_LAW)
            if coded.any():
                self._coded(packets.only(coded))
                packets = packets.only(~coded)
            self._buffer.put(packets)

    def _tell(self, packets: Packets) -> None:
        self._rows.received[packets.rows] += 1
        for entry, kind in enumerate(packets.kind.tolist()):
            self._event(
                Event(
                    int(packets.rows[entry]),
                    kind,
                    int(packets.timestamp[entry]),
                    bool(packets.data[entry, 1] & 0x80),
                    packets.payload(entry),
                    float(packets.at[entry]),
                )
            )

    def _measure_jitter(self, packets: Packets) -> None:
        """RFC 3550 A.8, in seconds."""
        rows, which = self._rows, packets.rows
        clock: Any = np.where(packets.kind == OPUS, 48_000.0, 8_000.0)
        transit = packets.at - packets.timestamp / clock
        step = np.abs(transit - rows.transit[which])
        step[~(step < 10.0)] = 0.0  # the first, or a jump of the far end's clock
        rows.jitter[which] += (step - rows.jitter[which]) * _JITTER_GAIN
        rows.transit[which] = transit
