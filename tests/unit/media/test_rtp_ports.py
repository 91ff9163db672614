import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from onhook.media import ports as module
from onhook.media.ports import LEAST_REST_SECONDS, Ports
from onhook.media.settings import MediaSettings, PortsUsedUp

# Below the ports that systems give out by themselves, and apart from other test processes.
FIRST = 10_040 + os.getpid() % 60 * 160


@contextmanager
def ports(count: int, **settings: float) -> Iterator[Ports]:
    made = Ports(MediaSettings(first_port=FIRST, last_port=FIRST + 2 * count - 1, **settings))  # type: ignore[arg-type]  # settings, by name
    try:
        yield made
    finally:
        made.close()


def send_to(number: int, data: bytes = b"late") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, ("127.0.0.1", number))


def test_sockets_are_opened_one_after_the_other_as_they_are_needed() -> None:
    with ports(3) as made:
        assert len(made) == 0
        taken = [made.take(0) for _ in range(3)]
        assert [port.number for port in taken] == [FIRST, FIRST + 2, FIRST + 4]
        assert [port.opened.getsockname() for port in taken] == [("127.0.0.1", port.number) for port in taken]
        assert len(made) == 3


def test_a_rested_socket_is_used_before_a_new_one_is_opened() -> None:
    with ports(3, quarantine_seconds=1.0) as made:
        first = made.take(0)
        made.give_back(first, 10)
        second = made.take(10.9)
        assert second is not first
        assert made.take(11) is first
        assert len(made) == 2


def test_the_longest_rested_comes_first() -> None:
    with ports(2, quarantine_seconds=1.0) as made:
        one, two = made.take(0), made.take(0)
        made.give_back(two, 1)
        made.give_back(one, 2)
        assert made.take(10) is two
        assert made.take(10) is one


def test_even_without_a_quarantine_a_port_rests_while_a_tick_may_be_under_way() -> None:
    with ports(1, quarantine_seconds=0.0) as made:
        port = made.take(0)
        made.give_back(port, 10)
        with pytest.raises(PortsUsedUp):
            made.take(10 + LEAST_REST_SECONDS / 2)
        assert made.take(10 + LEAST_REST_SECONDS) is port


def test_rows_count_the_sockets_from_zero() -> None:
    with ports(3) as made:
        assert made.most == 3
        assert [made.take(0).row for _ in range(3)] == [0, 1, 2]


def test_used_up_says_how_and_what_to_do() -> None:
    with ports(2, quarantine_seconds=5.0) as made:
        made.take(0)
        made.give_back(made.take(0), 0)
        with pytest.raises(PortsUsedUp) as caught:
            made.take(1)
        assert str(caught.value) == (
            f"no RTP port is free in {FIRST}..{FIRST + 3} on 127.0.0.1: 1 in use, 1 resting. "
            "Widen media.first_port..last_port, or raise the limit of open files (ulimit -n)."
        )


def test_ports_of_other_programs_are_stepped_over_and_tried_again_later() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, ports(3) as made:
        other.bind(("127.0.0.1", FIRST))
        assert [made.take(0).number for _ in range(2)] == [FIRST + 2, FIRST + 4]
        with pytest.raises(PortsUsedUp, match=rf"2 in use, 0 resting; port {FIRST}: Address already in use"):
            made.take(0)
        other.close()
        assert made.take(0).number == FIRST


def test_only_so_many_are_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def taken(number: int) -> None:
        tried.append(number)
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(module, "MAX_PORTS_TRIED", 4)
    with ports(10) as made:
        monkeypatch.setattr(made, "_open", taken)
        with pytest.raises(PortsUsedUp):
            made.take(0)
    assert tried == [FIRST, FIRST + 2, FIRST + 4, FIRST + 6]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL])
def test_where_no_port_can_help_it_stops_at_once(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def fail(port: int) -> None:
        tried.append(port)
        raise OSError(number, "no more")

    with ports(10) as made:
        monkeypatch.setattr(made, "_open", fail)
        with pytest.raises(PortsUsedUp, match=r"no more.*ulimit"):
            made.take(0)
    assert len(tried) == 1


def test_draining_throws_away_what_came_and_counts_it() -> None:
    with ports(2) as made:
        one, two = made.take(0), made.take(0)
        for _ in range(5):
            send_to(one.number)
        assert (one.drain(), one.drain(), two.drain()) == (5, 0, 0)


def test_draining_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DRAINED", 3)
    with ports(1) as made:
        port = made.take(0)
        for _ in range(5):
            send_to(port.number)
        assert (port.drain(), port.drain()) == (3, 2)


def test_closing_closes_the_sockets() -> None:
    with ports(2) as made:
        port = made.take(0)
        made.close()
        assert port.opened.fileno() == -1
        assert len(made) == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", FIRST))
