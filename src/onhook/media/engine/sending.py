"""RTP packets of one tick, written for all legs at once and handed to the wire."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine import g711, srtp
from onhook.media.engine.digits_out import Update
from onhook.media.engine.packets import HEADER_BYTES, Rowed
from onhook.media.engine.rows import FRAME, Rows
from onhook.media.engine.wires import OUT_BYTES, SLOTS, Lines, Messages, Wire

_VERSION_2: Final = 0x80
_MARKER: Final = 0x80


class Sending:
    def __init__(self, rows: Rows, lines: Lines, wire: Wire, secrecies: dict[int, srtp.Secrecy]) -> None:
        """`secrecies` are those of rows with SRTP."""
        self._rows, self._lines, self._wire = rows, lines, wire
        self._secrecies, self._lengths = secrecies, srtp.Lengths(SLOTS)
        self._out = Messages(SLOTS, OUT_BYTES, control=False)
        self._out.data[:, 0] = _VERSION_2
        self._tone_starts: dict[int, int] = {}
        """Timestamp of the tone under way, by row."""

    def send(self, which: Rowed, sums: NDArray[np.int32], tick: int, digits: dict[int, Update]) -> None:
        """20 ms to each of these rows: what `sums` hold, or the update of a digit."""
        for start in range(0, len(which), SLOTS):
            part = slice(start, start + SLOTS)
            self._send(which[part], sums[part], tick, digits)

    def _send(self, which: Rowed, sums: NDArray[np.int32], tick: int, digits: dict[int, Update]) -> None:
        rows, out, count = self._rows, self._out, len(which)
        begun = rows.tick[which]
        elapsed = np.where(begun < 0, 0, np.maximum(tick - begun, 0))
        rows.timestamp[which] += (elapsed * FRAME).astype(np.uint32)
        rows.tick[which] = tick
        out.data[:count, HEADER_BYTES : HEADER_BYTES + FRAME] = g711.encode(sums, rows.law[which])
        out.lengths[:count] = HEADER_BYTES + FRAME
        out.words[:count] = rows.peer[which]
        self._write_headers(which)
        if digits:
            self._write_digits(which.tolist(), digits)
        if rows.srtp[which].any():
            self._encrypt(which)
        rows.sequence[which] += np.uint16(1)
        rows.octets[which] += out.lengths[:count] - HEADER_BYTES
        taken = self._wire.send(self._lines, which, out, np.arange(count))
        rows.sent[which] += taken
        rows.marker[which] = np.where(taken, 0, rows.marker[which])

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
        rows, out = self._rows, self._out
        for slot, row in enumerate(which):
            update = digits.get(row)
            if update is None:
                continue
            if update.first:
                self._tone_starts[row] = int(rows.timestamp[row])
            header = out.data[slot]
            header[1] = int(rows.digit_type[row]) | (_MARKER if update.first else 0)
            header[4:8] = np.frombuffer(self._tone_starts[row].to_bytes(4, "big"), np.uint8)
            header[HEADER_BYTES : HEADER_BYTES + len(update.payload)] = np.frombuffer(
                update.payload, np.uint8
            )
            out.lengths[slot] = HEADER_BYTES + len(update.payload)


def _bytes(values: NDArray[Any], kind: str) -> NDArray[np.uint8]:
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)
