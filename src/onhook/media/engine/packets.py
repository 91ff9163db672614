"""Datagrams read as RTP, many at a time (RFC 3550 section 5.1)."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES: Final = 12
Matrix = NDArray[np.uint8]
Rowed = NDArray[np.intp]


class Packets(NamedTuple):
    """RTP packets: columns, one packet an entry."""

    rows: Rowed
    data: Matrix
    start: NDArray[np.int64]
    """Where the payload begins."""
    size: NDArray[np.int64]
    """Bytes of payload."""
    names: Matrix
    """Where from: struct sockaddr."""
    at: NDArray[np.float64]
    """Unix seconds."""

    def only(self, which: NDArray[Any]) -> "Packets":
        rows, data, start, size, names, at = self
        return Packets(rows[which], data[which], start[which], size[which], names[which], at[which])

    @property
    def payload_type(self) -> NDArray[np.intp]:
        return self.data[:, 1].astype(np.intp) & 0x7F

    @property
    def marker(self) -> NDArray[np.bool_]:
        return self.data[:, 1] >= 0x80

    @property
    def sequence(self) -> NDArray[np.int64]:
        return big_endian(self.data, 2, 4)

    @property
    def timestamp(self) -> NDArray[np.int64]:
        return big_endian(self.data, 4, 8)

    @property
    def ssrc(self) -> NDArray[np.int64]:
        return big_endian(self.data, 8, 12)

    def payload(self, entry: int) -> bytes:
        start = int(self.start[entry])
        return self.data[entry, start : start + int(self.size[entry])].tobytes()


def big_endian(data: Matrix, start: int, stop: int) -> NDArray[np.int64]:
    value = data[:, start].astype(np.int64)
    for column in range(start + 1, stop):
        value = value << 8 | data[:, column]
    return value


def control(data: Matrix, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which are RTCP on the port of RTP (RFC 5761 section 4: types 192 to 223)."""
    kind = data[:, 1]
    found: NDArray[np.bool_] = (data[:, 0] >> 6 == 2) & (kind >= 192) & (kind <= 223) & (lengths >= 8)
    return found


def payload_starts(data: Matrix, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Behind header, sources and extension; -1 if this is no RTP, as far as one packet can show (A.1)."""
    first = data[:, 0]
    starts = HEADER_BYTES + 4 * (first & 0x0F).astype(np.int64)
    bad = (lengths < HEADER_BYTES) | (first >> 6 != 2)
    extended = np.flatnonzero((first & 0x10 != 0) & ~bad & (starts + 4 <= lengths))
    bad |= (first & 0x10 != 0) & (starts + 4 > lengths)
    if len(extended):
        place = starts[extended]
        words = data[extended, place + 2].astype(np.int64) << 8 | data[extended, place + 3]
        starts[extended] += 4 + 4 * words
    bad |= starts > lengths
    return np.where(bad, -1, starts)


def payload_sizes(data: Matrix, lengths: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Without padding, whose length stands in the last byte and counts itself; -1 if that cannot be."""
    sizes = lengths - starts
    padded = np.flatnonzero(data[:, 0] & 0x20)
    if len(padded):
        padding = data[padded, lengths[padded] - 1].astype(np.int64)
        left = sizes[padded] - padding
        sizes[padded] = np.where((padding > 0) & (left >= 0), left, -1)
    return sizes
