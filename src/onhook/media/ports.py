"""RTP sockets, one a port, kept open and used again: opening a leg must cost no system call where it can."""

import errno
import select
import socket
from collections import deque
from typing import Final

from onhook.media.settings import MediaSettings, PortsUsedUp

MAX_PORTS_TRIED: Final = 256
"""Ports of other programs that one `take` steps over before it gives up."""


class Port:
    """One socket. `leg` is who uses it now, or None while it rests."""

    __slots__ = ("leg", "number", "opened")

    def __init__(self, number: int, opened: socket.socket) -> None:
        self.number, self.opened = number, opened
        self.leg: object | None = None


class Ports:
    """The range of ports. `take` and `give_back` on the event loop; `ready` in the media thread."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._fresh = deque(settings.ports())
        self._resting: deque[tuple[float, Port]] = deque()
        self._by_fd: dict[int, Port] = {}
        self._poller = select.epoll() if hasattr(select, "epoll") else None

    def __len__(self) -> int:
        """Sockets that are open, in use or resting."""
        return len(self._by_fd)

    def take(self, now: float) -> Port:
        """A port that rested long enough, else a fresh one. Raises PortsUsedUp."""
        if self._resting and self._resting[0][0] <= now:
            return self._resting.popleft()[1]
        problem = ""
        for _ in range(min(len(self._fresh), MAX_PORTS_TRIED)):
            number = self._fresh.popleft()
            try:
                return self._open(number)
            except OSError as error:
                problem = f"; port {number}: {error.strerror}"
                self._fresh.append(number)  # another program's now; perhaps not later
                if error.errno in {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL}:
                    break
        settings = self._settings
        raise PortsUsedUp(
            f"no RTP port is free in {settings.first_port}..{settings.last_port} on {settings.host}: "
            f"{len(self._by_fd) - len(self._resting)} in use, {len(self._resting)} resting{problem}. "
            "Widen media.first_port..last_port, or raise the limit of open files (ulimit -n)."
        )

    def give_back(self, port: Port, now: float) -> None:
        port.leg = None
        self._resting.append((now + self._settings.quarantine_seconds, port))

    def ready(self) -> list[Port]:
        """Ports with something to read. Resting ones too: they must be drained."""
        if self._poller is None:
            fds: list[int] = select.select(list(self._by_fd), [], [], 0)[0]
        else:
            fds = [fd for fd, _ in self._poller.poll(0, max(1, len(self._by_fd)))]
        return [port for fd in fds if (port := self._by_fd.get(fd))]

    def close(self) -> None:
        for port in self._by_fd.values():
            port.opened.close()
        if self._poller:
            self._poller.close()
        self._by_fd.clear()
        self._resting.clear()

    def _open(self, number: int) -> Port:
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.settimeout(0)
            opened.bind((self._settings.host, number))
            if self._poller:
                self._poller.register(opened.fileno(), select.EPOLLIN)
        except BaseException:
            opened.close()
            raise
        port = Port(number, opened)
        self._by_fd[opened.fileno()] = port
        return port
