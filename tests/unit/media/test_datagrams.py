"""Both ways of sending and receiving do the same."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from onhook.media.datagrams import (
    MAX_PACKET_BYTES,
    Datagrams,
    LibcDatagrams,
    Outgoing,
    SocketDatagrams,
    make_datagrams,
)

WAYS = pytest.mark.parametrize("make", [LibcDatagrams, SocketDatagrams])
FAMILIES = pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["ipv4", "ipv6"]
)
Make = Callable[[], Datagrams]


@contextmanager
def pair(family: socket.AddressFamily, host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as other:
        for opened in (one, other):
            opened.settimeout(0)
            opened.bind((host, 0))
        yield one, other


@WAYS
@FAMILIES
def test_what_is_sent_is_received(make: Make, family: socket.AddressFamily, host: str) -> None:
    way = make()
    with pair(family, host) as (here, there):
        packet = Outgoing(bytearray(b"silence \xff\x00"))
        to = way.address(host, there.getsockname()[1])
        assert way.send(here, packet, to)
        packet.data[:7] = b"SILENCE"  # the same memory, changed and sent again
        assert way.send(here, packet, to)
        assert way.receive(there) == 10
        assert way.buffer[:10] == b"silence \xff\x00"
        assert way.receive(there) == 10
        assert way.buffer[:10] == b"SILENCE \xff\x00"


@WAYS
def test_nothing_to_read_is_told_at_once(make: Make) -> None:
    way = make()
    with pair(socket.AF_INET, "127.0.0.1") as (here, _):
        assert way.receive(here) == -1


@WAYS
def test_an_empty_datagram_is_not_nothing(make: Make) -> None:
    way = make()
    with pair(socket.AF_INET, "127.0.0.1") as (here, there):
        here.sendto(b"", there.getsockname())
        assert way.receive(there) == 0
        assert way.receive(there) == -1


@WAYS
def test_a_long_datagram_is_cut(make: Make) -> None:
    way = make()
    with pair(socket.AF_INET, "127.0.0.1") as (here, there):
        here.sendto(b"x" * 3000, there.getsockname())
        here.sendto(b"next", there.getsockname())
        assert way.receive(there) == MAX_PACKET_BYTES
        assert way.receive(there) == 4


@WAYS
def test_what_the_kernel_refuses_is_false(make: Make) -> None:
    way = make()
    with pair(socket.AF_INET, "127.0.0.1") as (here, _):
        assert not way.send(here, Outgoing(bytearray(70_000)), way.address("127.0.0.1", 9))
        here.close()
        assert not way.send(here, Outgoing(bytearray(10)), way.address("127.0.0.1", 9))
        assert way.receive(here) == -1


@WAYS
@pytest.mark.parametrize("host", ["trunk.example", "", "1.2.3", "::g"])
def test_only_addresses_are_addresses(make: Make, host: str) -> None:
    with pytest.raises(OSError, match="illegal IP address"):
        make().address(host, 9)


def test_linux_gets_the_way_that_keeps_the_lock() -> None:
    assert isinstance(make_datagrams(), LibcDatagrams if sys.platform == "linux" else SocketDatagrams)


def test_without_libc_the_sockets_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_libc(_name: object) -> object:
        raise OSError("no such library")

    monkeypatch.setattr("onhook.media.datagrams.ctypes.PyDLL", no_libc)
    assert isinstance(make_datagrams(), SocketDatagrams)


def test_elsewhere_the_sockets_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.media.datagrams.sys.platform", "darwin")
    assert isinstance(make_datagrams(), SocketDatagrams)
