"""RTP sockets, one a port, kept open and used again: opening a leg must cost no system call where it can."""

import errno
import socket
import sys
from collections import deque
from typing import Final

from onhook.media.settings import MediaSettings, PortsUsedUp

MAX_PORTS_TRIED: Final = 256
"""Ports of other programs that one `take` steps over before it gives up."""
MAX_DRAINED: Final = 1024
"""Packets thrown away at once at a port that rested: more than its receive buffer holds."""
LEAST_REST_SECONDS: Final = 0.05
"""Whatever the setting: a tick that is under way may still write to the row of a leg that was closed."""
_TIMESTAMP: Final = 35  # SO_TIMESTAMPNS, asm-generic/socket.h


class Port:
    """Two sockets: RTP on `number`, RTCP on the one above. `row` counts the ports that were opened: 0, 1 …"""

    __slots__ = ("control", "number", "opened", "row")

    def __init__(self, number: int, opened: socket.socket, control: socket.socket, row: int) -> None:
        self.number, self.opened, self.control, self.row = number, opened, control, row

    def drain(self) -> int:
        """Throw away what came while it rested. How much that was."""
        return _drain(self.opened) + _drain(self.control)

    def close(self) -> None:
        self.opened.close()
        self.control.close()


def _drain(rested: socket.socket) -> int:
    for count in range(MAX_DRAINED):
        try:
            rested.recv(1)
        except OSError:
            return count
    return MAX_DRAINED


class Ports:
    """The range of ports."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._fresh = deque(settings.ports())
        self.most = len(self._fresh)
        """Ports that can be open; rows are below it."""
        self.family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        self._resting: deque[tuple[float, Port]] = deque()
        self._opened: list[Port] = []

    def __len__(self) -> int:
        """Sockets that are open, in use or resting."""
        return len(self._opened)

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
            f"{len(self._opened) - len(self._resting)} in use, {len(self._resting)} resting{problem}. "
            "Widen media.first_port..last_port, or raise the limit of open files (ulimit -n)."
        )

    def give_back(self, port: Port, now: float) -> None:
        rest_seconds = max(self._settings.quarantine_seconds, LEAST_REST_SECONDS)
        self._resting.append((now + rest_seconds, port))

    def close(self) -> None:
        for port in self._opened:
            port.close()
        self._opened.clear()
        self._resting.clear()

    def _open(self, number: int) -> Port:
        opened = self._bound(number)
        try:
            control = self._bound(number + 1)
        except BaseException:
            opened.close()
            raise
        port = Port(number, opened, control, len(self._opened))
        self._opened.append(port)
        return port

    def _bound(self, number: int) -> socket.socket:
        opened = socket.socket(self.family, socket.SOCK_DGRAM)
        try:
            opened.settimeout(0)
            if sys.platform == "linux":
                opened.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
            opened.bind((self._settings.host, number))
        except BaseException:
            opened.close()
            raise
        return opened
