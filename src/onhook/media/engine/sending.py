"""RTP packets of one tick, written for all legs at once and handed to the wire."""

import struct
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import g711, srtp
from onhook.media.engine.digits_out import Update
from onhook.media.engine.packets import HEADER_BYTES, Rowed
from onhook.media.engine.rows import FRAME, Rows
from onhook.media.engine.wires import OUT_BYTES, SLOTS, Lines, Messages, Wire

_VERSION_2: Final = 0x80
_MARKER: Final = 0x80
_HEADER: Final = struct.Struct("!BBHII")


class Said(NamedTuple):
    """A packet of one leg."""

    row: int
    payload: bytes
    behind: int = 0
    """Ticks of 8,000 Hz from this tick's begin back to the packet's."""
    update: Update | None = None
    """It is of a digit."""


class Sending:
    def __init__(self, rows: Rows, lines: Lines, wire: Wire, secrecies: dict[int, srtp.Secrecy]) -> None:
        """`secrecies` are those of rows with SRTP."""
        self._rows, self._lines, self._wire = rows, lines, wire
        self._secrecies, self._lengths = secrecies, srtp.Lengths(SLOTS)
        self._out = Messages(SLOTS, OUT_BYTES, control=False)
        self._out.data[:, 0] = _VERSION_2
        self._tone_starts: dict[int, int] = {}
        """Timestamp of the tone under way, by row."""

    def advance(self, which: Rowed, tick: int) -> Rowed:
        """The streams of these rows go on to this tick. Which of them missed some."""
        rows = self._rows
        begun = rows.tick[which]
        elapsed = np.where(begun < 0, 0, np.maximum(tick - begun, 0))
        rows.timestamp[which] += (elapsed * rows.step[which]).astype(np.uint32)
        rows.tick[which] = tick
        return which[elapsed > 1]

    def send(self, which: Rowed, sums: NDArray[np.int32], digits: dict[int, Update]) -> None:
        """20 ms of G.711 to each of these rows: what `sums` hold at 8 kHz, or the update of a digit."""
        for start in range(0, len(which), SLOTS):
            part = slice(start, start + SLOTS)
            self._send(which[part], sums[part], digits)

    def _send(self, which: Rowed, sums: NDArray[np.int32], digits: dict[int, Update]) -> None:
        rows, out, count = self._rows, self._out, len(which)
        out.data[:count, HEADER_BYTES : HEADER_BYTES + FRAME] = g711.encode(sums, rows.law[which])
        out.lengths[:count] = HEADER_BYTES + FRAME
        out.words[:count] = rows.peer[which]
        self._write_headers(which)
        if digits:
            self._write_digits(which.tolist(), digits)
        rows.sequence[which] += np.uint16(1)
        taken = self._dispatch(which)
        rows.sent[which] += taken
        rows.octets[which] += out.lengths[:count] - HEADER_BYTES
        rows.marker[which] = np.where(taken, 0, rows.marker[which])

    def say(self, packets: list[Said]) -> None:
        """Packets of legs with codecs or lengths of their own, and their digits; of a row maybe several."""
        for start in range(0, len(packets), SLOTS):
            self._say(packets[start : start + SLOTS])

    def _say(self, packets: list[Said]) -> None:
        rows, out = self._rows, self._out
        for slot, (row, payload, behind, update) in enumerate(packets):
            timestamp = (int(rows.timestamp[row]) - behind * int(rows.step[row]) // FRAME) & 0xFFFFFFFF
            kind = int(rows.payload_type[row]) | int(rows.marker[row])
            if update is not None:
                kind, timestamp = self._toned(row, update)
            header = _HEADER.pack(_VERSION_2, kind, int(rows.sequence[row]), timestamp, int(rows.ssrc[row]))
            data = (header + payload)[:OUT_BYTES]
            out.data[slot, : len(data)] = np.frombuffer(data, np.uint8)
            out.lengths[slot] = len(data)
            out.words[slot] = rows.peer[row]
            rows.sequence[row] += np.uint16(1)
            rows.marker[row] = 0
        which = np.array([said.row for said in packets], np.intp)
        octets = out.lengths[: len(which)] - HEADER_BYTES
        taken = self._dispatch(which)
        np.add.at(rows.sent, which, taken)
        np.add.at(rows.octets, which, octets)

    def _dispatch(self, which: Rowed) -> NDArray[np.bool_]:
        if self._rows.srtp[which].any():
            self._encrypt(which)
        return self._wire.send(self._lines, which, self._out, np.arange(len(which)))

    def _toned(self, row: int, update: Update) -> tuple[int, int]:
        """Marker and type, and timestamp, of a digit's packet."""
        rows = self._rows
        if update.first:
            self._tone_starts[row] = int(rows.timestamp[row])
        return int(rows.digit_type[row]) | (_MARKER if update.first else 0), self._tone_starts[row]

    def _write_headers(self, which: Rowed) -> None:
        rows, header = self._rows, self._out.data[: len(which)]
        header[:, 1] = rows.payload_type[which] | rows.marker[which]
        header[:, 2:4] = _bytes(rows.sequence[which], ">u2")
        header[:, 4:8] = _bytes(rows.timestamp[which], ">u4")
        header[:, 8:12] = _bytes(rows.ssrc[which], ">u4")

    def _encrypt(self, which: Rowed) -> None:
        out = self._out
        slots = np.flatnonzero(self._rows.srtp[which])
        legs = [self._secrecies[row] for row in which[slots].tolist()]
        lengths = self._lengths.values[: len(slots)]
        lengths[:] = out.lengths[slots]
        places = out.data_places
        srtp.protect(legs, [places[slot] for slot in slots.tolist()], self._lengths)
        out.lengths[slots] = lengths

    def _write_digits(self, which: list[int], digits: dict[int, Update]) -> None:
        out = self._out
        for slot, row in enumerate(which):
            update = digits.get(row)
            if update is None:
                continue
            header = out.data[slot]
            header[1], begun = self._toned(row, update)
            header[4:8] = np.frombuffer(begun.to_bytes(4, "big"), np.uint8)
            header[HEADER_BYTES : HEADER_BYTES + len(update.payload)] = np.frombuffer(
                update.payload, np.uint8
            )
            out.lengths[slot] = HEADER_BYTES + len(update.payload)


def _bytes(values: NDArray[Any], kind: str) -> NDArray[np.uint8]:
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)
