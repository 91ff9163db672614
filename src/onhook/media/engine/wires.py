"""Reading and writing the datagrams of many ports at a time.

A wire reads at most one datagram of each port that it is asked for: whoever wants more asks again. Three of
them, from the fastest: `io_uring` (Linux: one system call for all, and Python's lock is free meanwhile);
`libc` (Linux: a call a packet, with Python's lock kept, see `datagrams`); `sockets` (any system).
"""

import ctypes
import itertools
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine.rows import NAME_WORDS

SLOTS: Final = 1024
"""Packets of one batch."""
IN_BYTES: Final = 2112
"""A packet of Ethernet and more, and not a power of two: else all begin in the same lines of the cache."""
OUT_BYTES: Final = 704
"""60 ms of G.711 or G.722 with everything around it is 512."""
CONTROL_BYTES: Final = 64
DONT_WAIT: Final = 0x40  # MSG_DONTWAIT
SO_TIMESTAMPNS: Final = 35
_HEADER_WORDS: Final = 7
"""struct msghdr: name, its length, iovec, their count, control, its length, flags; 8 bytes each."""


class Lines:
    """One socket a row, and where the far end is."""

    def __init__(self, count: int) -> None:
        self.sockets: list[socket.socket | None] = [None] * count
        self.files = np.full(count, -1, np.int32)

    def at(self, row: int) -> socket.socket:
        """Raises OSError if the row has none."""
        opened = self.sockets[row]
        if opened is None:
            raise OSError(f"row {row} has no socket")
        return opened

    def put(self, row: int, opened: socket.socket) -> None:
        self.sockets[row] = opened
        self.files[row] = opened.fileno()


class Messages:
    """Memory of a batch of datagrams, laid out as the kernel wants it."""

    def __init__(self, slots: int, size: int, *, control: bool) -> None:
        self.slots = slots
        self.data = np.zeros((slots, size), np.uint8)
        self.words = np.zeros((slots, NAME_WORDS), np.uint64)
        """Addresses of the far ends: struct sockaddr, in words of 8 bytes."""
        self.names = self.words.view(np.uint8)
        self.lengths = np.zeros(slots, np.int64)
        """Bytes of each datagram; below 0: none."""
        self.control = np.zeros((slots, CONTROL_BYTES if control else 8), np.uint8)
        self.vectors = np.zeros((slots, 2), np.uint64)
        self.headers = np.zeros((slots, _HEADER_WORDS), np.uint64)
        numbers = np.arange(slots, dtype=np.uint64)
        self.vectors[:, 0] = self.data.ctypes.data + numbers * size
        self.vectors[:, 1] = size
        self._fresh = self.headers.copy()
        self._fresh[:, 0] = self.names.ctypes.data + numbers * (8 * NAME_WORDS)
        self._fresh[:, 1] = 8 * NAME_WORDS
        self._fresh[:, 2] = self.vectors.ctypes.data + numbers * 16
        self._fresh[:, 3] = 1
        if control:
            self._fresh[:, 4] = self.control.ctypes.data + numbers * CONTROL_BYTES
            self._fresh[:, 5] = CONTROL_BYTES
        self.headers[:] = self._fresh
        self.places: list[int] = (self.headers.ctypes.data + np.arange(slots) * 8 * _HEADER_WORDS).tolist()
        self.data_places: list[int] = (self.data.ctypes.data + np.arange(slots) * size).tolist()
        self._times = self.control.view(np.int64)

    def refresh(self, count: int) -> None:
        """Before reading: the kernel wrote lengths over ours."""
        self.headers[:count] = self._fresh[:count]

    def arrivals(self, count: int) -> NDArray[np.float64]:
        """Unix seconds by the kernel's clock (struct timespec behind a cmsghdr)."""
        return self._times[:count, 2] + self._times[:count, 3] * 1e-9


def packed_name(host: str, port: int, family: int) -> bytes:
    """A struct sockaddr_in or sockaddr_in6. Raises OSError if `host` is no address of the family."""
    if family == socket.AF_INET6:
        packed = socket.inet_pton(family, host)
        return struct.pack("=H", family) + struct.pack("!HI16sI", port, 0, packed, 0)
    return struct.pack("=H", family) + struct.pack("!H4s8x", port, socket.inet_pton(family, host))


def name_words(name: bytes) -> NDArray[np.uint64]:
    """A packed name as a row of `Messages.words`."""
    return np.frombuffer(name.ljust(8 * NAME_WORDS, b"\0"), np.uint64)


def unpacked_name(name: bytes) -> tuple[str, int]:
    (family,) = struct.unpack_from("=H", name)
    (port,) = struct.unpack_from("!H", name, 2)
    start, length = (8, 16) if family == socket.AF_INET6 else (4, 4)
    return socket.inet_ntop(family, name[start : start + length]), int(port)


class Wire(Protocol):
    """For one thread."""

    def receive(self, lines: Lines, rows: NDArray[np.intp], into: Messages) -> NDArray[np.float64]:
        """Read one datagram of each row: slot n is of `rows[n]`. When they came, Unix seconds.

        `into` has the lengths, -1 where nothing (more) came. At most `into.slots` rows.
        """
        ...

    def send(
        self, lines: Lines, rows: NDArray[np.intp], out: Messages, slots: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Send these slots, each from its row's port to the slot's name. Which of them the kernel took."""
        ...

    def close(self) -> None: ...


class SocketWire:
    """By the sockets' own methods."""

    def receive(self, lines: Lines, rows: NDArray[np.intp], into: Messages) -> NDArray[np.float64]:
        now = time.time()
        into.lengths[: len(rows)] = -1
        numbers: list[int] = rows.tolist()
        for slot, row in enumerate(numbers):
            try:
                opened = lines.at(row)
                length, address = opened.recvfrom_into(into.data[slot])
            except OSError:
                continue
            into.lengths[slot] = length
            name = packed_name(address[0].partition("%")[0], address[1], opened.family)
            into.names[slot, : len(name)] = np.frombuffer(name, np.uint8)
        return np.full(len(rows), now)

    def send(
        self, lines: Lines, rows: NDArray[np.intp], out: Messages, slots: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        taken = np.zeros(len(rows), np.bool_)
        lengths: list[int] = out.lengths[slots].tolist()
        places: list[int] = slots.tolist()
        numbers: list[int] = rows.tolist()
        for number, (row, slot) in enumerate(zip(numbers, places, strict=True)):
            opened = lines.sockets[row]
            try:
                assert opened is not None
                opened.sendto(
                    out.data[slot, : lengths[number]].data, unpacked_name(out.names[slot].tobytes())
                )
            except (OSError, AssertionError, ValueError):
                continue
            taken[number] = True
        return taken

    def close(self) -> None:
        """Nothing to close."""


class LibcWire:
    """A system call a packet, through libc, with Python's lock kept."""

    def __init__(self) -> None:
        """Raises OSError or AttributeError where there is no such libc."""
        if sys.platform != "linux":
            raise OSError("the layout of messages is Linux's")
        libc = ctypes.PyDLL(None)
        self._sendmsg = _typed(libc.sendmsg)
        self._recvmsg = _typed(libc.recvmsg)

    def receive(self, lines: Lines, rows: NDArray[np.intp], into: Messages) -> NDArray[np.float64]:
        count = len(rows)
        into.refresh(count)
        files: list[int] = lines.files[rows].tolist()
        into.lengths[:count] = list(
            map(self._recvmsg, files, into.places[:count], itertools.repeat(DONT_WAIT))
        )
        return into.arrivals(count)

    def send(
        self, lines: Lines, rows: NDArray[np.intp], out: Messages, slots: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        out.vectors[slots, 1] = out.lengths[slots]
        files: list[int] = lines.files[rows].tolist()
        places, numbers = out.places, list[int](slots.tolist())
        sent = [
            self._sendmsg(file, places[slot], DONT_WAIT) for file, slot in zip(files, numbers, strict=True)
        ]
        return np.array(sent, np.int64) >= 0

    def close(self) -> None:
        """Nothing to close."""


def _typed(function: Any) -> Callable[[int, int, int], int]:
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
    function.restype = ctypes.c_ssize_t
    return function  # type: ignore[no-any-return]  # ctypes knows no better


def make_wire(kinds: Sequence[Callable[[], Wire]]) -> Wire:
    """The first of these that this system lets us make."""
    for kind in kinds[:-1]:
        try:
            return kind()
        except (OSError, AttributeError):
            continue
    return kinds[-1]()
