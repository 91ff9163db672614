"""Datagrams read as RTP, many at a time (RFC 3550 section 5.1)."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES: Final = 12
PLAIN: Final = 0x80
"""The first byte of a packet without padding, extension and contributing sources: of nearly every one."""
Matrix = NDArray[np.uint8]
Rowed = NDArray[np.intp]
Integers = NDArray[np.int64]


class Datagrams(NamedTuple):
    """What was read, one of each row: columns, one datagram an entry."""

    rows: Rowed
    data: Matrix
    names: NDArray[np.uint64]
    """Where from: struct sockaddr, in words of 8 bytes."""
    lengths: Integers
    at: NDArray[np.float64]
    """Unix seconds."""

    def only(self, which: NDArray[Any]) -> "Datagrams":
        rows, data, names, lengths, at = self
        return Datagrams(rows[which], data[which], names[which], lengths[which], at[which])


class Packets(NamedTuple):
    """RTP packets: columns, one packet an entry."""

    rows: Rowed
    data: Matrix
    start: Integers
    """Where the payload begins."""
    size: Integers
    """Bytes of payload."""
    kind: NDArray[np.uint8]
    """What its payload type means to its leg."""
    sequence: Integers
    timestamp: Integers
    ssrc: NDArray[np.uint32]
    at: NDArray[np.float64]
    """Unix seconds."""

    def only(self, which: NDArray[Any]) -> "Packets":
        rows, data, start, size, kind, sequence, timestamp, ssrc, at = self
        return Packets(
            rows[which],
            data[which],
            start[which],
            size[which],
            kind[which],
            sequence[which],
            timestamp[which],
            ssrc[which],
            at[which],
        )

    def payload(self, entry: int) -> bytes:
        start = int(self.start[entry])
        return self.data[entry, start : start + int(self.size[entry])].tobytes()


def control(data: Matrix, lengths: Integers) -> NDArray[np.bool_]:
    """Which are RTCP on the port of RTP (RFC 5761 section 4: types 192 to 223)."""
    kind = data[:, 1]
    found: NDArray[np.bool_] = (kind >= 192) & (kind <= 223) & (data[:, 0] >> 6 == 2) & (lengths >= 8)
    return found


def payload_starts(data: Matrix, lengths: Integers) -> Integers:
    """Behind header, sources and extension; -1 if this is no RTP, as far as one packet can show (A.1)."""
    first = data[:, 0]
    starts = np.full(len(data), HEADER_BYTES)
    if (first == PLAIN).all() and int(lengths.min(initial=HEADER_BYTES)) >= HEADER_BYTES:
        return starts
    starts += 4 * (first & 0x0F).astype(np.int64)
    bad = (lengths < HEADER_BYTES) | (first >> 6 != 2)
    bad |= (first & 0x10 != 0) & (starts + 4 > lengths)
    extended = np.flatnonzero((first & 0x10 != 0) & ~bad)
    if len(extended):
        place = starts[extended]
        words = data[extended, place + 2].astype(np.int64) << 8 | data[extended, place + 3]
        starts[extended] += 4 + 4 * words
    bad |= starts > lengths
    starts[bad] = -1
    return starts


def payload_sizes(data: Matrix, lengths: Integers, starts: Integers) -> Integers:
    """Without padding, whose length stands in the last byte and counts itself; -1 if that cannot be."""
    sizes = lengths - starts
    padded = np.flatnonzero(data[:, 0] & 0x20)
    if len(padded):
        padding = data[padded, lengths[padded] - 1].astype(np.int64)
        left = sizes[padded] - padding
        sizes[padded] = np.where((padding > 0) & (left >= 0), left, -1)
    return sizes


def read(datagrams: Datagrams, starts: Integers, kinds: NDArray[np.uint8]) -> Packets:
    """The headers, of datagrams that are RTP."""
    rows, data, _, lengths, at = datagrams
    head = np.ascontiguousarray(data[:, :HEADER_BYTES])
    words = head.view(">u4")
    return Packets(
        rows,
        data,
        starts,
        payload_sizes(data, lengths, starts),
        kinds,
        head.view(">u2")[:, 1].astype(np.int64),
        words[:, 1].astype(np.int64),
        words[:, 2].astype(np.uint32),
        at,
    )
