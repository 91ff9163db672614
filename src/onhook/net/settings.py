"""The settings and limits of the SIP transports; config.py fills them from `[sip]`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

Asking: TypeAlias = Literal["never", "optional", "required"]
ASKINGS: tuple[Asking, ...] = get_args(Asking)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files in PEM. `authorities` are all whom we trust, for servers and clients alike."""

    certificate: Path
    """Ours, with the chain behind it: shown to who calls us, and to whom we call, if asked."""
    key: Path
    authorities: Path
    clients: Asking = "never"
    """Whether who connects to us is asked for a certificate of its own."""
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    """The name that a certificate must have, by the host of a trunk; without an entry the host itself."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Where we listen, what we call ourselves, and how much we bear."""

    host: str = "127.0.0.1"
    """IPv4 address to bind; "0.0.0.0" is every interface."""
    port: int = 5070
    """The same port for every transport but tls; 0 lets the system choose one."""
    ipv6_host: str = ""
    """IPv6 address to bind as well; empty is none."""
    advertised_host: str = ""
    """Written into Via and Contact instead of the local address: for a machine behind NAT."""
    advertised: Mapping[str, str] = field(default_factory=dict[str, str])
    """The same towards single trunks, by their hosts: for a machine in several networks."""
    transports: tuple[str, ...] = ("udp", "tcp")
    tls_port: int = 5071
    """Beside `port`, for tls; 0 lets the system choose one."""
    tls: TlsSettings | None = None
    """Needed for the transport tls."""

    receive_buffer_bytes: int = 4 * 1024 * 1024
    """Asked of the kernel for the UDP socket; a burst of SIP must not be lost while Python is busy."""
    max_unsent_bytes: int = 1024 * 1024
    """Waiting to be sent: per connection on TCP, over all destinations on UDP."""
    connect_timeout_seconds: float = 5.0
    idle_seconds: float = 600.0
    """A connection that carried nothing for so long is closed."""
    keepalive_seconds: float = 100.0
    """How often a connection that we opened is pinged (RFC 5626 section 4.4.1); 0: never."""
    pong_seconds: float = 10.0
    """How long a peer that has answered pings before may take to answer one."""
    max_connections: int = 4096
    max_connections_per_peer: int = 1024
    """From one address, so that one broken peer leaves room for the others."""

    dns_servers: tuple[str, ...] = ()
    """host:port of servers to ask; empty: the system's resolver and those of /etc/resolv.conf."""
    target_rests_seconds: float = 30.0
    """A server of a domain that could not be reached is tried last for this long (RFC 3263 section 4.3)."""
    lookup_timeout_seconds: float = 5.0
    name_lifetime_seconds: float = 60.0
    """The system's resolver tells no TTL, so every answer is believed for this long."""
    unknown_name_lifetime_seconds: float = 5.0
    max_names: int = 4096
    max_waiting_for_a_name: int = 1024
    """Messages that may wait for one lookup."""
