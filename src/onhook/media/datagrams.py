"""Sending and receiving datagrams from a thread beside a busy event loop.

Python gives up its lock around every socket call. While the event loop computes, a thread then waits for the
lock at each packet: 100 µs a packet and more, measured. On Linux we call libc through ctypes.PyDLL, which
keeps the lock for the 1–2 µs that a non-blocking call takes; elsewhere the socket's own methods are used.
"""

import ctypes
import socket
import struct
import sys
from typing import Any, Final, Protocol

MAX_PACKET_BYTES: Final = 2048
"""Longer packets are cut when read: RTP over Ethernet is at most 1,500."""
_DONT_WAIT: Final = 0x40  # MSG_DONTWAIT, linux/socket.h


class Outgoing:
    """Bytes to be sent again and again, changed in between. `place` is their address in memory."""

    __slots__ = ("_held", "data", "place")

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self._held = (ctypes.c_char * len(data)).from_buffer(data)
        self.place = ctypes.addressof(self._held)


class Datagrams(Protocol):
    """One for a thread: what was read stands in `buffer` until the next read."""

    buffer: bytearray

    def address(self, host: str, port: int) -> Any:
        """A value for `send`; `host` is an IP address. Raises OSError if it is none."""
        ...

    def send(self, sender: socket.socket, packet: Outgoing, address: Any) -> bool:
        """False if the kernel did not take it; media does not ask why."""
        ...

    def receive(self, receiver: socket.socket) -> int:
        """Bytes read into `buffer`, or -1 if there is nothing (more)."""
        ...


class SocketDatagrams:
    """By the socket's own methods: any system."""

    def __init__(self) -> None:
        self.buffer = bytearray(MAX_PACKET_BYTES)

    def address(self, host: str, port: int) -> Any:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        return host, port

    def send(self, sender: socket.socket, packet: Outgoing, address: Any) -> bool:
        try:
            sender.sendto(packet.data, address)
        except OSError:
            return False
        return True

    def receive(self, receiver: socket.socket) -> int:
        try:
            return receiver.recv_into(self.buffer)
        except OSError:
            return -1


class LibcDatagrams:
    """By libc, with Python's lock kept. Linux: the layout of addresses is its own (ip(7), ipv6(7))."""

    def __init__(self) -> None:
        """Raises OSError or AttributeError where there is no such libc."""
        libc = ctypes.PyDLL(None)
        size, number, pointer = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p
        self._sendto = libc.sendto
        self._sendto.argtypes = [number, pointer, size, number, ctypes.c_char_p, ctypes.c_uint]
        self._sendto.restype = ctypes.c_ssize_t
        self._recv = libc.recv
        self._recv.argtypes = [number, pointer, size, number]
        self._recv.restype = ctypes.c_ssize_t
        self.buffer = bytearray(MAX_PACKET_BYTES)
        self._incoming = Outgoing(self.buffer)

    def address(self, host: str, port: int) -> Any:
        if ":" in host:
            packed = socket.inet_pton(socket.AF_INET6, host)
            return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", port, 0, packed, 0)
        return struct.pack("=H", socket.AF_INET) + struct.pack(
            "!H4s8x", port, socket.inet_pton(socket.AF_INET, host)
        )

    def send(self, sender: socket.socket, packet: Outgoing, address: Any) -> bool:
        sent = self._sendto(
            sender.fileno(), packet.place, len(packet.data), _DONT_WAIT, address, len(address)
        )
        return bool(sent >= 0)

    def receive(self, receiver: socket.socket) -> int:
        return int(self._recv(receiver.fileno(), self._incoming.place, MAX_PACKET_BYTES, _DONT_WAIT))


def make_datagrams() -> Datagrams:
    """The better one for this system."""
    if sys.platform == "linux":
        try:
            return LibcDatagrams()
        except (OSError, AttributeError):
            pass
    return SocketDatagrams()
