"""Questions to DNS servers, and how long an answer is good for (dnspython does the wire).

Nothing here raises: what DNS cannot say is a failure text with the word `name-unknown`. A name that does not
exist is remembered as its zone asks (RFC 2308), within limits; a server that gives no answer for a moment.
"""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from onhook.net.answers import Unresolved
from onhook.net.failures import failure
from onhook.net.settings import NetworkSettings

T = TypeVar("T")
MAX_LIFETIME_SECONDS: Final = 3_600.0
MAX_NEGATIVE_SECONDS: Final = 300.0
MIN_LIFETIME_SECONDS: Final = 1.0
"""Also of a record with a TTL of 0: a call's messages are many."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """`records`, good for so many seconds; an empty list: the name exists, and has none of the kind."""

    records: list[T] | Unresolved
    seconds: float


class Questions:
    """The servers of the settings, or those of the system (/etc/resolv.conf)."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def records(self, name: str, kind: str) -> Found[Any]:
        """Records of one kind ("SRV"), as dnspython has them; none too for a name that does not exist."""
        brief = self._settings.unknown_name_lifetime_seconds
        try:
            answer = await self._open().resolve(name, kind, search=False)
        except dns.resolver.NoAnswer as none:
            return Found([], self._negative(cast("Any", none).response()))
        except dns.resolver.NXDOMAIN as none:
            return Found([], self._negative(cast("Any", none).response(dns.name.from_text(name))))
        except (dns.exception.DNSException, OSError, ValueError) as error:
            why = f"DNS cannot be asked about {kind} of {name}: {_in_short(error)}"
            return Found(Unresolved(failure("name-unknown", why)), brief)
        ttl = answer.rrset.ttl if answer.rrset is not None else 0
        return Found(list(answer), min(max(float(ttl), MIN_LIFETIME_SECONDS), MAX_LIFETIME_SECONDS))

    async def addresses(self, host: str) -> Found[str]:
        """IPv4 before IPv6, of the families that we are bound to; never empty."""
        settings = self._settings
        kinds = [kind for kind, bound in (("A", settings.host), ("AAAA", settings.ipv6_host)) if bound]
        found = [await self.records(host, kind) for kind in kinds]
        good = [(each.records, each.seconds) for each in found if isinstance(each.records, list)]
        if records := [str(record.address) for some, _ in good for record in some]:
            return Found(records, min(seconds for some, seconds in good if some))
        refused = next((each for each in found if isinstance(each.records, Unresolved)), None)
        if refused is not None:
            return Found(refused.records, refused.seconds)
        seconds = min((each.seconds for each in found), default=settings.unknown_name_lifetime_seconds)
        why = f"{host} has no address ({' or '.join(kinds)} record)"
        return Found(Unresolved(failure("name-unknown", why)), seconds)

    def _open(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            servers = self._settings.dns_servers
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
            self._resolver.lifetime = self._settings.lookup_timeout_seconds
            if servers:
                self._resolver.nameservers = [_server(each) for each in servers]
        return self._resolver

    def _negative(self, response: dns.message.Message | None) -> float:
        """The time that the zone's SOA gives to an answer of "no" (RFC 2308 section 5)."""
        brief = self._settings.unknown_name_lifetime_seconds
        for rrset in response.authority if response is not None else ():
            if rrset.rdtype == dns.rdatatype.SOA:
                records: list[Any] = list(rrset)
                minimum = min(float(each) for each in (rrset.ttl, *(soa.minimum for soa in records)))
                return min(max(minimum, MIN_LIFETIME_SECONDS), MAX_NEGATIVE_SECONDS)
        return brief


def _server(text: str) -> Any:
    host, _, port = text.rpartition(":")
    if not host or "]" in port:
        host, port = text, "53"
    return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _in_short(error: Exception) -> str:
    if isinstance(error, dns.exception.Timeout):
        return "no answer in time"
    if isinstance(error, dns.resolver.NoNameservers):
        return "no server gave a usable answer"
    return str(error) or type(error).__name__
