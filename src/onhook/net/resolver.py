"""Turns host names into addresses without holding up the calls that know theirs already.

The system's resolver is asked (loop.getaddrinfo): A and AAAA records and /etc/hosts. RFC 3263's NAPTR and
SRV records are not read yet: a trunk is named by host and port.
"""

import asyncio
import ipaddress
import math
import socket
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from onhook.effects import Destination
from onhook.net.failures import describe, failure
from onhook.net.settings import NetworkSettings


class Unresolved(NamedTuple):
    """A name without an address; `why` is a failure text (failures.py)."""

    why: str


Answer: TypeAlias = str | Unresolved
Tell: TypeAlias = Callable[[Answer], None]


class Resolver:
    """Remembers good and bad answers for a time; asks once for everybody who waits."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._known: dict[str, tuple[Answer, float]] = {}
        self._waiting: dict[str, list[Tell]] = {}
        self._lookups: set[asyncio.Task[None]] = set()

    def known(self, host: str) -> Answer | None:
        """The address of `host` if no question is needed: a literal, "localhost", or remembered."""
        remembered = self._known.get(host)
        if remembered is None:
            if (address := _immediate(host)) is None:
                return None
            self._remember(host, address, math.inf)
            return address
        answer, until = remembered
        if until < math.inf and until <= asyncio.get_running_loop().time():
            del self._known[host]
            return None
        return answer

    def ask(self, host: str, tell: Tell) -> None:
        """Call `tell` with the answer, at once if known, later otherwise; in the order of asking."""
        if (answer := self.known(host)) is not None:
            tell(answer)
            return
        waiting = self._waiting.get(host)
        if waiting is None:
            self._waiting[host] = [tell]
            task = asyncio.get_running_loop().create_task(self._look_up(host), name=f"look up {host}")
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)
        elif len(waiting) >= self._settings.max_waiting_for_a_name:
            tell(Unresolved(failure("overflow", f"{len(waiting)} messages wait for the address of {host}")))
        else:
            waiting.append(tell)

    def close(self) -> None:
        for task in self._lookups:
            task.cancel()

    async def _look_up(self, host: str) -> None:
        settings, loop = self._settings, asyncio.get_running_loop()
        answer = await self._question(host)
        lifetime = settings.name_lifetime_seconds
        if isinstance(answer, Unresolved):
            lifetime = settings.unknown_name_lifetime_seconds
        self._remember(host, answer, loop.time() + lifetime)
        for tell in self._waiting.pop(host, []):
            try:
                tell(answer)
            except Exception as error:  # noqa: BLE001  # one message's fault is not the next one's
                loop.call_exception_handler({"message": f"telling the address of {host}", "exception": error})

    async def _question(self, host: str) -> Answer:
        loop = asyncio.get_running_loop()
        family = socket.AF_UNSPEC if self._settings.ipv6_host else socket.AF_INET
        if not self._settings.host:
            family = socket.AF_INET6
        try:
            async with asyncio.timeout(self._settings.lookup_timeout_seconds):
                found = await loop.getaddrinfo(host, None, family=family, type=socket.SOCK_DGRAM)
        except TimeoutError:
            seconds = self._settings.lookup_timeout_seconds
            return Unresolved(failure("name-unknown", f"no answer about {host} within {seconds:g} s"))
        except (OSError, UnicodeError) as error:
            if isinstance(error, OSError):
                return Unresolved(describe(error, Destination("", host, 0)))
            return Unresolved(failure("name-unknown", f"{host!r} is no host name ({error})"))
        addresses = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)  # stable: IPv4 first
        if not addresses:
            return Unresolved(failure("name-unknown", f"{host} has no address"))
        return str(addresses[0][4][0])

    def _remember(self, host: str, answer: Answer, until: float) -> None:
        if len(self._known) >= self._settings.max_names:
            self._known.clear()  # refilled by what is in use
        self._known[host] = (answer, until)


def _immediate(host: str) -> str | None:
    if host.lower() == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
