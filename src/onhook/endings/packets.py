"""The SIP of a timeline as packets with both addresses, for captures (pcap.py) and HEP (delivery/hep.py).

A fact names the far end only; our own address of each leg is given. A far end known by its name gets an
address of the documentation's, the same one throughout: a capture has no room for names.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from onhook.facts import SipSeen, SipUnreadable, Timeline

Place: TypeAlias = tuple[str, int]
"""Address and port."""
STAND_IN = "192.0.2.0"
"""The first address of those that stand for names (RFC 5737)."""
STAND_IN_V6 = "2001:db8::"
MAX_NAMES = 250


@dataclass(frozen=True, slots=True)
class Packet:
    """One SIP message, or bytes that are none. `at` is in Unix seconds; addresses are of one family."""

    at: float
    transport: str
    source: Place
    destination: Place
    data: bytes

    @property
    def version(self) -> int:
        """Of IP."""
        return ipaddress.ip_address(self.source[0]).version


@dataclass(slots=True)
class Addresses:
    """Addresses for hosts; `names` are those that stand for a name."""

    names: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, host: str, version: int = 0) -> str:
        """`host` if it is an address of that version (0: of any), else what stands for it."""
        bare = host.strip("[]").partition("%")[0]
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            return self._stand_in(host, version)
        return bare if version in {0, address.version} else self._stand_in(host, version)

    def _stand_in(self, host: str, version: int) -> str:
        key = f"{host}/{version}" if version == 6 else host
        number = min(len(self.names) + 1, MAX_NAMES)
        first = ipaddress.ip_address(STAND_IN_V6 if version == 6 else STAND_IN)
        return self.names.setdefault(key, str(first + number))


def packet_of(fact: SipSeen | SipUnreadable, local: Place, addresses: Addresses) -> Packet:
    """`local` is our address on the fact's leg."""
    host, _, port = fact.peer.rpartition(":")
    far = addresses.of(host or fact.peer)
    near = addresses.of(local[0] or "127.0.0.1", ipaddress.ip_address(far).version)
    ours, theirs = (near, local[1]), (far, int(port) & 0xFFFF if port.isdecimal() and len(port) <= 5 else 0)
    sent = isinstance(fact, SipSeen) and fact.direction == "sent"
    source, destination = (ours, theirs) if sent else (theirs, ours)
    data = fact.message if isinstance(fact, SipSeen) else fact.data
    return Packet(fact.at, fact.transport, source, destination, data)


def packets_of(timeline: Timeline, locals_by_leg: Mapping[str, Place], addresses: Addresses) -> list[Packet]:
    """Every message of the call in the order in which it was seen; "" in the mapping is for other legs."""
    usual = locals_by_leg.get("", ("127.0.0.1", 5060))
    return [
        packet_of(fact, locals_by_leg.get(fact.leg, usual), addresses)
        for fact in timeline
        if isinstance(fact, SipSeen | SipUnreadable)
    ]
