"""Far ends of many legs for bench/media.py: each says a tone, and notes when each packet comes.

One thread for all, with one system call for many packets, so that the load takes less than what is measured.
The kernel stamps each packet's arrival: how late they are read does not matter.
"""

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.effects import Srtp
from onhook.media.engine import g711, srtp
from onhook.media.engine.uring import UringWire
from onhook.media.engine.wires import (
    IN_BYTES,
    OUT_BYTES,
    SLOTS,
    LibcWire,
    Lines,
    Messages,
    make_wire,
    name_words,
    packed_name,
)

HOST = "127.0.0.1"
ENGINE_HOST = "127.77.0.1"
"""Apart from servers that run on the same machine."""
FRAME_SECONDS, FRAME = 0.02, 160
GROUPS = 8
"""Legs speak in so many groups, one after the other within 20 ms, as telephones would."""
MOST_READS = 4
"""Packets of one leg that are read at one turn, of which there are eight in 20 ms."""
LATE_SECONDS = 0.005
SUITE = "AES_CM_128_HMAC_SHA1_80"
_TIMESTAMP = 35  # SO_TIMESTAMPNS, asm-generic/socket.h
_BUFFER_BYTES = 1 << 18
_HEADER_BYTES = 12


class Keys(NamedTuple):
    """Of one leg's far end."""

    says: bytes
    hears: bytes


@dataclass(slots=True)
class Came:
    """Packets that came, one an entry."""

    leg: NDArray[np.int64]
    at: NDArray[np.float64]
    """Unix seconds, by the kernel."""
    timestamp: NDArray[np.int64]


@dataclass(slots=True)
class Lateness:
    """Of all packets that were due."""

    due: int
    came: int
    late: int
    """Later than 5 ms, or never."""
    p99_ms: float

    @property
    def share(self) -> float:
        whole = max(self.due, self.came)
        return self.late / whole if whole else 1.0


class FarEnd:
    """`count` legs; `encrypted` if they speak SRTP. `close` it at the end."""

    def __init__(self, count: int, *, encrypted: bool = False) -> None:
        self.count, self.encrypted = count, encrypted
        self.keys: list[Keys] = []
        self.ports: list[int] = []
        self._wire = make_wire((UringWire, LibcWire))
        self._lines = Lines(self.count)
        for row in range(self.count):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.settimeout(0)
            opened.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            opened.bind((HOST, 0))
            self._lines.put(row, opened)
            self.ports.append(opened.getsockname()[1])
        self._in = Messages(SLOTS, IN_BYTES, control=True)
        self._out = Messages(SLOTS, OUT_BYTES, control=False)
        self._words = np.zeros((self.count, self._out.words.shape[1]), np.uint64)
        self.begins = np.random.default_rng(1).integers(0, 1 << 31, self.count)
        """Timestamp of each leg's first packet."""
        self._ssrc = np.random.default_rng(2).integers(1, 1 << 32, self.count).astype(np.uint32)
        self._groups = [np.arange(group, self.count, GROUPS) for group in range(GROUPS)]
        self._payload = _tone()
        self._secrecies: list[srtp.Secrecy] = []
        self._lengths = srtp.Lengths(SLOTS)
        if self.encrypted:
            self.keys = [Keys(secrets.token_bytes(30), secrets.token_bytes(30)) for _ in range(self.count)]
            self._secrecies = [srtp.Secrecy(Srtp(SUITE, key.says, key.hears)) for key in self.keys]
        self._sent_at: list[list[float]] = [[] for _ in range(GROUPS)]
        """By group, of each packet, Unix seconds."""
        self._behind: list[float] = []
        self._came = [(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))]

    def aim(self, addresses: list[tuple[str, int]]) -> None:
        """Where each leg's RTP goes; port 0: it says nothing."""
        for row, (host, port) in enumerate(addresses):
            self._words[row] = name_words(packed_name(host, port, socket.AF_INET))

    def run(self, seconds: float) -> None:
        """Talk and listen for so long; said again, the streams go on."""
        begun = time.monotonic()
        for tick in range(round(seconds / FRAME_SECONDS)):
            for group, rows in enumerate(self._groups):
                wait = begun + (tick + group / GROUPS) * FRAME_SECONDS - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                self._behind.append(max(0.0, -wait))
                self._sent_at[group].append(time.time())
                if len(rows):
                    self._say(rows, len(self._sent_at[group]) - 1)
                    self._listen(self._groups[(group + GROUPS // 2) % GROUPS])
        for rows in self._groups:
            self._listen(rows)

    @property
    def behind_share(self) -> float:
        """Turns at which the far ends themselves spoke more than 5 ms late."""
        return float(np.mean(np.array(self._behind) > LATE_SECONDS)) if self._behind else 0.0

    def came(self) -> Came:
        legs = [legs for legs, _, _ in self._came]
        arrivals = [at for _, at, _ in self._came]
        stamps = [stamp for _, _, stamp in self._came]
        return Came(np.concatenate(legs), np.concatenate(arrivals), np.concatenate(stamps))

    def _say(self, which: NDArray[np.intp], tick: int) -> None:
        out = self._out
        for start in range(0, len(which), SLOTS):
            rows = which[start : start + SLOTS]
            count = len(rows)
            head = out.data[:count]
            head[:, 0], head[:, 1] = 0x80, 0
            head[:, 2:4] = _big(np.full(count, tick & 0xFFFF), ">u2")
            head[:, 4:8] = _big(self.begins[rows] + tick * FRAME & 0xFFFFFFFF, ">u4")
            head[:, 8:12] = _big(self._ssrc[rows], ">u4")
            head[:, _HEADER_BYTES : _HEADER_BYTES + FRAME] = self._payload
            out.lengths[:count] = _HEADER_BYTES + FRAME
            out.words[:count] = self._words[rows]
            if self.encrypted:
                legs = [self._secrecies[row] for row in rows.tolist()]
                self._lengths.values[:count] = _HEADER_BYTES + FRAME
                srtp.protect(legs, out.data_places[:count], self._lengths)
                out.lengths[:count] = self._lengths.values[:count]
            self._wire.send(self._lines, rows, out, np.arange(count))

    def _listen(self, which: NDArray[np.intp]) -> None:
        for start in range(0, len(which), SLOTS):
            rows = which[start : start + SLOTS]
            for _ in range(MOST_READS):
                if not len(rows):
                    break
                at = self._wire.receive(self._lines, rows, self._in)
                got = self._in.lengths[: len(rows)] >= _HEADER_BYTES
                self._note(rows, at, got)
                rows = rows[got]

    def _note(self, rows: NDArray[np.intp], at: NDArray[np.float64], got: NDArray[np.bool_]) -> None:
        data = self._in.data[: len(rows), :_HEADER_BYTES][got]
        voice = data[:, 1] & 0x7F == 0  # all else is RTCP
        words = np.ascontiguousarray(data[voice]).view(">u4")
        self._came.append((rows[got][voice].astype(np.int64), at[got][voice], words[:, 1].astype(np.int64)))

    def lateness(
        self, came: Came, *, after: float, until: float, relayed: Sequence[int] | None = None
    ) -> Lateness:
        """Of what came between two times. `relayed` names the leg whose packets each leg gets as they are.

        A packet is due as its stream's clock says, from the earliest one on; a relayed one is due when its
        packet was sent. Those that never came are late too.
        """
        inside = (came.at >= after) & (came.at <= until)
        order = np.argsort(came.leg[inside], kind="stable")
        legs, stamps = came.leg[inside][order], came.timestamp[inside][order]
        at = came.at[inside][order]
        edges = np.searchsorted(legs, np.arange(self.count + 1))
        due_each = round((until - after) / FRAME_SECONDS) - 1
        late = 0
        delays = [np.zeros(0)]
        for leg in range(self.count):
            mine = slice(int(edges[leg]), int(edges[leg + 1]))
            late += max(0, due_each - len(at[mine]))
            if not len(at[mine]):
                continue
            due = _by_clock(stamps[mine]) if relayed is None else self._sent(stamps[mine], relayed[leg])
            delay = at[mine] - due
            delays.append(delay - delay.min())
        all_delays = np.concatenate(delays)
        late += int((all_delays > LATE_SECONDS).sum())
        p99 = float(np.percentile(all_delays, 99)) * 1000 if len(all_delays) else 0.0
        return Lateness(due_each * self.count, len(at), late, p99)

    def _sent(self, stamps: NDArray[np.int64], leg: int) -> NDArray[np.float64]:
        """When that leg sent the packets with these timestamps."""
        numbers = (stamps - int(self.begins[leg]) & 0xFFFFFFFF) // FRAME
        known = np.array(self._sent_at[leg % GROUPS])
        sent: NDArray[np.float64] = known[np.minimum(numbers, len(known) - 1)]
        return sent

    def close(self) -> None:
        self._wire.close()
        for opened in self._lines.sockets:
            if opened is not None:
                opened.close()


def _by_clock(stamps: NDArray[np.int64]) -> NDArray[np.float64]:
    steps = (stamps - int(stamps[0]) + 0x80000000 & 0xFFFFFFFF) - 0x80000000
    return steps / FRAME * FRAME_SECONDS


def _tone() -> NDArray[np.uint8]:
    sound = 8_000 * np.sin(2 * np.pi * 400 * np.arange(FRAME) / 8_000)
    codes: NDArray[np.uint8] = g711.encode(np.rint(sound).astype(np.int32)[None, :], np.zeros(1, np.uint8))
    return codes.reshape(-1)


def _big(values: NDArray[Any], kind: str) -> NDArray[np.uint8]:
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)
