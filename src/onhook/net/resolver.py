"""Turns host names into addresses without holding up the calls that know theirs already.

The system's resolver is asked (loop.getaddrinfo): A and AAAA records and /etc/hosts; or, with `dns_servers`
in the settings, those servers alone. Where to find a domain without a port is locating.py's matter.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import TypeAlias

from onhook.effects import Destination
from onhook.net.answers import Answers, Unresolved
from onhook.net.dns_questions import Questions
from onhook.net.failures import describe, failure
from onhook.net.settings import NetworkSettings

Answer: TypeAlias = str | Unresolved
Tell: TypeAlias = Callable[[Answer], None]


class Resolver(Answers[str]):
    """The address of a host."""

    def __init__(self, settings: NetworkSettings, questions: Questions | None = None) -> None:
        super().__init__(settings)
        self._questions = questions or Questions(settings)

    def immediate(self, key: str) -> str | None:
        """A literal, or "localhost"."""
        return literal(key)

    async def question(self, key: str) -> tuple[Answer, float]:
        if self._settings.dns_servers:
            found = await self._questions.addresses(key)
            if isinstance(found.records, Unresolved):
                return found.records, found.seconds
            return found.records[0], found.seconds
        answer = await self._system(key)
        if isinstance(answer, Unresolved):
            return answer, self._settings.unknown_name_lifetime_seconds
        return answer, self._settings.name_lifetime_seconds

    async def _system(self, host: str) -> Answer:
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


def literal(host: str) -> str | None:
    """The address that `host` is already."""
    if host.lower() == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
