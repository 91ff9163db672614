"""The built-in carrier's RTP: one socket and one timer send silence for every call and count what comes.

The timer runs on the event loop and only while a call is there. A call's packets go out every 20 ms; what
came in between is read at the same tick, so that receiving costs no wake-ups of its own.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from onhook.media.rtp import (
    MARKER,
    PACKET_SECONDS,
    SAMPLES_A_PACKET,
    is_rtp,
    silent_packet,
    write_header,
)
from onhook.sip.offer import Negotiated

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
MAX_PACKETS_A_TICK = 4_096
"""Packets read at one tick; the rest waits in the socket for the next."""
MAX_SOURCES = 8_192
"""Addresses that are counted apart; those seen first are forgotten first."""
MAX_PACKET_BYTES = 2_048

Address = tuple[str, int]


class CarrierAudio:
    """`talking` gives the calls that want RTP, and where; `alive` says if any call is there at all.

    Both are asked at every tick. A call is known by its key alone.
    """

    def __init__(
        self, host: str, talking: Callable[[], Mapping[Any, Negotiated]], alive: Callable[[], bool]
    ) -> None:
        self.heard: dict[Address, int] = {}
        """RTP packets received, by the address they came from."""
        self.sent = self.junk = 0
        """Packets sent, and datagrams received that are no RTP."""
        self._host, self._talking, self._alive = host, talking, alive
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._streams: dict[object, _Stream] = {}
        self._made = 0
        self._buffer = bytearray(MAX_PACKET_BYTES)

    def open(self) -> Address:
        """Bind the socket; returns its address. Raises OSError if none is free."""
        opened = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_DGRAM)
        opened.settimeout(0)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        try:
            opened.bind((self._host, 0))
        except OSError:
            opened.close()
            raise
        self._socket = opened
        return self._host, opened.getsockname()[1]

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._socket:
            self._socket.close()
        self._socket = self._timer = None
        self._streams.clear()

    def wake(self) -> None:
        """There may be a call now: begin to tick if we do not."""
        if self._timer is None and self._socket is not None:
            loop = asyncio.get_running_loop()
            self._due = loop.time()
            self._timer = loop.call_soon(self._tick)  # type: ignore[assignment]  # both can be cancelled

    def _tick(self) -> None:
        """Send and read once; the next tick is due 20 ms after this one was, whatever this one took."""
        self._timer = None
        if self._socket is None:
            return
        self._read(self._socket)
        self._send(self._socket)
        if not self._alive():
            return
        loop = asyncio.get_running_loop()
        self._due += PACKET_SECONDS
        if self._due < loop.time() - 1:  # the loop stood still: go on from now, not all the packets at once
            self._due = loop.time()
        self._timer = loop.call_at(self._due, self._tick)

    def _send(self, sender: socket.socket) -> None:
        streams, talking = self._streams, self._talking()
        if len(streams) > len(talking):
            for key in [key for key in streams if key not in talking]:
                del streams[key]
        for key, wanted in talking.items():
            stream = streams.get(key)
            if stream is None or stream.wanted is not wanted:
                self._made += 1
                stream = streams[key] = _Stream(wanted, self._made)
            try:
                sender.sendto(stream.next(), (wanted.host, wanted.port))
                self.sent += 1
            except OSError:  # a full buffer, a port that is closed: RTP may be lost
                continue

    def _read(self, receiver: socket.socket) -> None:
        buffer, heard = self._buffer, self.heard
        for _ in range(MAX_PACKETS_A_TICK):
            try:
                size, source = receiver.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of something sent before
                continue
            if not is_rtp(buffer, size):
                self.junk += 1
                continue
            key = (source[0], source[1])
            count = heard.get(key)
            if count is None and len(heard) >= MAX_SOURCES:
                del heard[next(iter(heard))]
            heard[key] = (count or 0) + 1


class _Stream:
    """The RTP of one call: silence in the codec agreed on."""

    __slots__ = ("_first", "_packet", "_sequence", "_ssrc", "_timestamp", "wanted")

    def __init__(self, wanted: Negotiated, ssrc: int) -> None:
        self.wanted = wanted
        self._packet = silent_packet(wanted.codec)
        self._ssrc = ssrc & 0xFFFFFFFF
        self._sequence = self._timestamp = 0
        self._first = True

    def next(self) -> bytearray:
        kind = self.wanted.payload_type | (MARKER if self._first else 0)
        write_header(self._packet, kind, self._sequence, self._timestamp, self._ssrc)
        self._first = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + SAMPLES_A_PACKET) & 0xFFFFFFFF
        return self._packet
