"""The fastest wire: all packets of a tick in one system call, by io_uring (Linux 5.6 and later).

A request is 64 bytes in a ring that is shared with the kernel (linux/io_uring.h), so numpy writes all of them
at once. The call is made without Python's lock: the event loop runs while the kernel works. Each request is
done or refused (MSG_DONTWAIT) before the call returns; none is left under way. Where administrators or
containers forbid io_uring, making this wire raises OSError, and another is used.
"""

import contextlib
import ctypes
import mmap
import os
import struct
import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine.wires import DONT_WAIT, SLOTS, Lines, Messages

_SETUP, _ENTER = 425, 426  # system calls: the same on every processor that Linux numbers alike since 5.1
_SENDMSG, _RECVMSG = 9, 10
_RING_OFFSET, _REQUESTS_OFFSET = 0, 0x10000000
_SINGLE_MAP: Final = 1
_GET_EVENTS: Final = 1
_NO_DROP: Final = 2
_PARAMETERS: Final = struct.Struct("=10I10I10I")


class _Request:
    """Views of the ring of requests, one column each."""

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        table = memory.reshape(-1, 64)
        self.operation = table[:, 0]
        words = table.view(np.uint32)
        self.file, self.count, self.flags = words[:, 1], words[:, 6], words[:, 7]
        longs = table.view(np.uint64)
        self.place, self.tag = longs[:, 2], longs[:, 4]


class UringWire:
    def __init__(self, slots: int = SLOTS) -> None:
        """Raises OSError where the kernel has no io_uring, or does not let us use it."""
        if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
            raise OSError("io_uring is Linux's, and its layout here that of 64 bits")
        self._libc: Any = ctypes.CDLL(None, use_errno=True)
        parameters = ctypes.create_string_buffer(_PARAMETERS.size)
        self._file: int = self._libc.syscall(_SETUP, slots, parameters)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), f"io_uring: {os.strerror(ctypes.get_errno())}")
        fields = _PARAMETERS.unpack(parameters.raw)
        if not fields[5] & _SINGLE_MAP:
            os.close(self._file)
            raise OSError("io_uring: this kernel is older than 5.4")
        self._map(fields[0], fields[1], fields[10:20], fields[20:30])

    def _map(self, requests: int, answers: int, mine: tuple[int, ...], theirs: tuple[int, ...]) -> None:
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        size = max(mine[6] + 4 * requests, theirs[5] + 16 * answers)
        how = mmap.MAP_SHARED
        self._ring = mmap.mmap(self._file, size, how, protection, offset=_RING_OFFSET)
        self._memory = mmap.mmap(self._file, 64 * requests, how, protection, offset=_REQUESTS_OFFSET)
        words = np.frombuffer(self._ring, np.uint32, size // 4)
        self._words = words
        self._tail, self._answer_head, self._answer_tail = mine[1] // 4, theirs[0] // 4, theirs[1] // 4
        self._order = words[mine[6] // 4 :][:requests]
        self._answers = np.frombuffer(self._ring, np.int32, 4 * answers, offset=theirs[5]).reshape(-1, 4)
        self._request = _Request(np.frombuffer(self._memory, np.uint8))
        self._request.tag[:] = np.arange(requests)
        self._request.count[:] = 1  # iovecs are one each; of SENDMSG and RECVMSG it must be 1
        self._request.flags[:] = DONT_WAIT
        self._most = requests

    def receive(self, lines: Lines, rows: NDArray[np.intp], into: Messages) -> NDArray[np.float64]:
        count = len(rows)
        into.refresh(count)
        slots = np.arange(count)
        into.lengths[:count] = self._do(_RECVMSG, lines.files[rows], into, slots)
        return into.arrivals(count)

    def send(
        self, lines: Lines, rows: NDArray[np.intp], out: Messages, slots: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        out.vectors[slots, 1] = out.lengths[slots]
        return self._do(_SENDMSG, lines.files[rows], out, slots) >= 0

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            with contextlib.suppress(AttributeError):
                del self._words, self._order, self._answers, self._request
            with contextlib.suppress(BufferError):
                self._ring.close()
                self._memory.close()

    def _do(
        self, operation: int, files: NDArray[np.int32], messages: Messages, slots: NDArray[np.intp]
    ) -> NDArray[np.int64]:
        """Results, in the order of `slots`: bytes, or an error number below 0."""
        results = np.full(len(slots), -1, np.int64)
        headers = messages.headers.ctypes.data + slots.astype(np.uint64) * messages.headers.strides[0]
        for start in range(0, len(slots), self._most):
            part = slice(start, min(start + self._most, len(slots)))
            count = part.stop - start
            request = self._request
            request.operation[:count] = operation
            request.file[:count] = files[part]
            request.place[:count] = headers[part]
            self._enter(count, results[part])
        return results

    def _enter(self, count: int, results: NDArray[np.int64]) -> None:
        words = self._words
        tail = int(words[self._tail])
        self._order[(tail + np.arange(count)) % self._most] = np.arange(count)
        words[self._tail] = (tail + count) & 0xFFFFFFFF
        left = count
        while left > 0:
            taken = int(self._libc.syscall(_ENTER, self._file, left, 0, _GET_EVENTS, None, 0))
            if taken <= 0:
                if ctypes.get_errno() == 4:  # EINTR
                    continue
                break
            left -= taken
        self._collect(results)

    def _collect(self, results: NDArray[np.int64]) -> None:
        words = self._words
        head, tail = int(words[self._answer_head]), int(words[self._answer_tail])
        answers = self._answers[(head + np.arange((tail - head) & 0xFFFFFFFF)) % len(self._answers)]
        words[self._answer_head] = tail
        tags = answers[:, 0]
        fit = tags < len(results)
        results[tags[fit]] = answers[fit, 2]
