"""What came on the ports: told apart, counted, and put where it will be played from.

A batch has at most one datagram of a row, so that arrays can be changed by row numbers. What is junk, foreign
or of an unknown type costs an addition to its count and no more.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import packets as rtp
from onhook.media.engine.jitter import JitterBuffer
from onhook.media.engine.packets import Matrix, Packets, Rowed
from onhook.media.engine.rows import NOISE, NOTHING, OPUS, Rows

MAX_DROPOUT: Final = 3000
"""A step of sequence numbers beyond it begins the count anew (RFC 3550 A.1)."""
MAX_MISORDER: Final = 100
SSRC_PAUSE_SECONDS: Final = 0.05
"""After it another SSRC is taken at once; before it, only when its second packet in a row comes."""
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
        name_columns: NDArray[np.intp],
        event: Callable[[Event], None],
        control: Callable[[int, bytes, float], None],
    ) -> None:
        """`name_columns` are those of struct sockaddr that tell addresses apart.

        `event` takes digits and comfort noise, `control` RTCP that came on the port of RTP.
        """
        self._rows, self._buffer, self._columns = rows, buffer, name_columns
        self._event, self._control = event, control
        self.first: list[int] = []

    def take(
        self, rows: Rowed, data: Matrix, names: Matrix, lengths: NDArray[np.int64], at: NDArray[np.float64]
    ) -> None:
        """Datagrams, one of each row; all arrays have as many entries."""
        starts = rtp.payload_starts(data, lengths)
        control = rtp.control(data, lengths)
        if control.any():
            for entry in np.flatnonzero(control).tolist():
                self._control(int(rows[entry]), data[entry, : lengths[entry]].tobytes(), float(at[entry]))
            starts[control] = -1
        bad = (starts < 0) & ~control
        if bad.any():
            self._rows.junk[rows[bad]] += 1
        good = starts >= 0
        if good.all():
            self._from_far_end(Packets(rows, data, starts, lengths, names, at))
        elif good.any():
            self._from_far_end(Packets(rows, data, starts, lengths, names, at).only(good))

    def _from_far_end(self, packets: Packets) -> None:
        """`size` is still that of the datagram."""
        rows = self._rows
        known = self._known(packets)
        if not known.all():
            rows.foreign[packets.rows[~known]] += 1
            packets = packets.only(known)
        sizes = rtp.payload_sizes(packets.data, packets.size, packets.start)
        kinds = rows.kinds[packets.rows, packets.payload_type]
        packets = packets._replace(size=sizes)
        usable = (kinds != NOTHING) & (sizes >= 0)
        if not usable.all():
            rows.junk[packets.rows[sizes < 0]] += 1
            wrong = (kinds == NOTHING) & (sizes >= 0)
            rows.wrong_codec[packets.rows[wrong]] += 1
            rows.wrong_types[packets.rows[wrong], packets.payload_type[wrong]] = True
            packets, kinds = packets.only(usable), kinds[usable]
        if len(kinds):
            self._latch(packets)
            self._count(packets, kinds)

    def _known(self, packets: Packets) -> NDArray[np.bool_]:
        """From where the far end sends; or nothing is known of that yet."""
        columns = self._columns
        same = (packets.names[:, columns] == self._rows.source[packets.rows][:, columns]).all(axis=1)
        known: NDArray[np.bool_] = same | ~self._rows.latched[packets.rows]
        return known

    def _latch(self, packets: Packets) -> None:
        """The first packet of a started leg says where it really is (RFC 4961): from then on only that."""
        rows = self._rows
        new = ~rows.latched[packets.rows] & rows.started[packets.rows]
        if new.any():
            which, names = packets.rows[new], packets.names[new]
            rows.latched[which] = True
            rows.source[which] = names
            rows.peer[which] = names

    def _count(self, packets: Packets, kinds: NDArray[np.uint8]) -> None:
        rows = self._rows
        ssrc, sequence, at = packets.ssrc, packets.sequence, packets.at
        which = packets.rows
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
                self._count(packets.only(stay), kinds[stay])
                return
        rows.next_ssrc[which] = ssrc
        if unknown.any():
            self._begin(which[unknown], ssrc[unknown], sequence[unknown], packets.timestamp[unknown])
        ahead, fresh = self._order(which, sequence)
        if not fresh.all():
            rows.doubled[which[~fresh]] += 1
            packets, kinds, ahead = packets.only(fresh), kinds[fresh], ahead[fresh]
        if len(kinds):
            self._use(packets, kinds, ahead)

    def _begin(
        self, which: Rowed, ssrc: NDArray[np.int64], sequence: NDArray[np.int64], timestamp: NDArray[np.int64]
    ) -> None:
        rows = self._rows
        rows.far_ssrc[which] = ssrc
        rows.streams[which] += 1
        self._restart(which, sequence)
        self._buffer.begin(which, timestamp)

    def _restart(self, which: Rowed, sequence: NDArray[np.int64]) -> None:
        """Count sequence numbers anew from this one, which is not counted yet."""
        rows = self._rows
        begun = rows.came[which] > 0
        rows.expected_before[which] += np.where(begun, rows.highest[which] - rows.base[which] + 1, 0)
        rows.base[which] = sequence
        rows.highest[which] = sequence - 1
        rows.seen[which] = 0
        rows.transit[which] = np.nan

    def _order(
        self, which: Rowed, sequence: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which packets are ahead of all before; and which were not seen before."""
        rows = self._rows
        step = (sequence - rows.highest[which] + 0x8000 & 0xFFFF) - 0x8000
        jumped = (step >= MAX_DROPOUT) | (step <= -MAX_MISORDER)
        if jumped.any():
            self._restart(which[jumped], sequence[jumped])
            step[jumped] = 1
        ahead = step > 0
        seen = rows.seen[which]
        shift = np.minimum(np.abs(step), _WINDOW - 1).astype(np.uint64)
        one = np.uint64(1)
        moved = np.where(np.abs(step) < _WINDOW, seen << shift, np.uint64(0)) | one
        bit = one << shift
        doubled = ~ahead & (seen & bit != 0)
        rows.seen[which] = np.where(ahead, moved, seen | bit)
        rows.highest[which] += np.maximum(step, 0)
        rows.came[which] += ~doubled
        return ahead, ~doubled

    def _use(self, packets: Packets, kinds: NDArray[np.uint8], ahead: NDArray[np.bool_]) -> None:
        rows, which, at = self._rows, packets.rows, packets.at
        new = rows.first_at[which] == 0
        if new.any():
            rows.first_at[which[new]] = at[new]
            self.first += which[new].tolist()
        rows.last_at[which] = np.maximum(at, rows.last_at[which])
        voice = kinds > NOISE
        if not voice.all():
            self._tell(packets.only(~voice), kinds[~voice])
            packets, kinds, ahead = packets.only(voice), kinds[voice], ahead[voice]
        if len(kinds):
            self._measure_jitter(packets.only(ahead), kinds[ahead])
            self._buffer.put(packets, kinds)

    def _tell(self, packets: Packets, kinds: NDArray[np.uint8]) -> None:
        self._rows.received[packets.rows] += 1
        timestamps, markers = packets.timestamp.tolist(), packets.marker.tolist()
        for entry, kind in enumerate(kinds.tolist()):
            row, at = int(packets.rows[entry]), float(packets.at[entry])
            self._event(Event(row, kind, timestamps[entry], markers[entry], packets.payload(entry), at))

    def _measure_jitter(self, packets: Packets, kinds: NDArray[np.uint8]) -> None:
        """RFC 3550 A.8, in seconds."""
        rows, which = self._rows, packets.rows
        clock: Any = np.where(kinds == OPUS, 48_000.0, 8_000.0)
        transit = packets.at - packets.timestamp / clock
        step = np.abs(transit - rows.transit[which])
        step[~(step < 10.0)] = 0.0  # the first, or a jump of the far end's clock
        rows.jitter[which] += (step - rows.jitter[which]) * _JITTER_GAIN
        rows.transit[which] = transit
