"""Networks to which no event is ever sent and from which no prompt is fetched, whatever address is given.

An application that may choose where this server connects to could reach what only this server can: by default
the addresses at which clouds give a machine its credentials. What counts is the address connected to, after
its name was resolved; so no name, redirect or spelling of an address leads around it.
"""

import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Found: TypeAlias = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""A row of getaddrinfo: family, kind, protocol, canonical name, address."""

METADATA_NETWORKS = ("169.254.169.254/32", "fd00:ec2::254/128")
"""Where clouds keep a machine's credentials."""


class AddressRefused(OSError):
    """No connection was made; the text names address, network and setting."""


class RefusedNetworks:
    def __init__(self, networks: Iterable[str] = METADATA_NETWORKS) -> None:
        """Raises ValueError for what is no network like 10.0.0.0/8."""
        self._networks: list[Network] = [ip_network(network) for network in networks]

    def network_of(self, address: str) -> Network | None:
        """The refused network that an address lies in; an IPv4 address written as IPv6 counts as IPv4."""
        read = ip_address(address.partition("%")[0])
        if isinstance(read, IPv6Address) and read.ipv4_mapped is not None:
            read = read.ipv4_mapped
        return next((network for network in self._networks if read in network), None)

    def check(self, address: str) -> None:
        """Raises AddressRefused."""
        network = self.network_of(address)
        if network is not None:
            raise AddressRefused(
                errno.EACCES,
                f"{address} lies in {network}, where nothing may go (delivery.refused_networks)",
            )

    def open_socket(self, found: Found) -> socket.socket:
        """For an aiohttp connector (`socket_factory`), which asks for each address just before it connects.

        Raises AddressRefused.
        """
        family, kind, protocol, _, address = found
        self.check(str(address[0]))
        return socket.socket(family, kind, protocol)
