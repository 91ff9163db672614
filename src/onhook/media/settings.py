"""The settings and limits of the embedded media engine; config.py fills them from `[media]`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MediaSettings:
    host: str = "127.0.0.1"
    """Address to bind; "0.0.0.0" and "::" are every interface."""
    advertised_host: str = ""
    """Written into SDP instead of `host`; needed when that is every interface, or behind NAT."""
    first_port: int = 20_000
    last_port: int = 29_998
    """Even ports of this range are used, one a leg (RFC 3550 section 11: RTCP has the odd one above)."""
    quarantine_seconds: float = 1.0
    """How long a closed leg's port rests, so that late packets of the old far end reach no new leg."""
    silent_after_seconds: float = 10.0
    """RTP that stands still for so long has stopped (`RtpStopped`); 0: it is never said to."""
    max_packets_a_tick: int = 8
    """Read from one leg in one tick (20 ms, so 400 packets/s); the rest waits for the next tick."""
    tone_ms: int = 250
    """How long a digit that we send lasts (RFC 4733) …"""
    tone_gap_ms: int = 100
    """… and how long the pause between two is."""
    first_delay_ms: int = 40
    """Delay of the jitter buffer when a stream begins; it fits itself to the network from there."""
    most_delay_ms: int = 200
    """Packets that come so much too early make the jitter buffer jump instead of growing."""
    realtime: bool = True
    """Ask the system to serve the media thread before all others, where it lets us (SCHED_RR)."""

    def __post_init__(self) -> None:
        """Raises ValueError, naming the setting."""
        if not 1 <= self.first_port <= self.last_port <= 65_535:
            raise ValueError(
                f"media.first_port and last_port: {self.first_port}..{self.last_port} is no range of ports"
            )
        if self.host in {"", "0.0.0.0", "::"} and not self.advertised_host:  # noqa: S104  # compared with, not bound
            raise ValueError(
                f"media.advertised_host: needed when media.host is {self.host!r} (every interface)"
            )

    @property
    def written_host(self) -> str:
        """The host for SDP."""
        return self.advertised_host or self.host

    def ports(self) -> range:
        return range(self.first_port + self.first_port % 2, self.last_port + 1, 2)


class PortsUsedUp(RuntimeError):
    """No RTP port is free: the range is in use, resting, or taken by other programs."""
