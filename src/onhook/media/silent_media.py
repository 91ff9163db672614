"""Media without sockets: ports are numbers, packets are arithmetic. For tests and for virtual time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from onhook.effects import MediaEffect, StartMedia
from onhook.facts import Fact, MediaMeasured
from onhook.media.rtp import PACKET_SECONDS, SILENCE
from onhook.media.settings import MediaSettings, PortsUsedUp

FactHandler: TypeAlias = Callable[[str, Fact], None]


class _Leg:
    def __init__(self, port: int) -> None:
        self.port = port
        self.codec = self.remote = ""
        self.sent = 0
        self.sending_since: float | None = None
        self.received = 0
        self.hearing_since: float | None = None
        self.first_received_at: float | None = None
        self.last_received_at: float | None = None


class SilentMedia:
    """As RtpMedia, told and not heard. `now` gives Unix seconds.

    While `far_end_talks`, every started leg receives a packet each 20 ms; else only what `hear` says.
    """

    def __init__(
        self, settings: MediaSettings | None = None, *, now: Callable[[], float], far_end_talks: bool = True
    ) -> None:
        self._settings = settings or MediaSettings()
        self._now, self._far_end_talks = now, far_end_talks
        self._free = deque(self._settings.ports())
        self._resting: deque[tuple[float, int]] = deque()
        self._legs: dict[str, _Leg] = {}
        self._handler: FactHandler | None = None

    def open(self, leg: str) -> tuple[str, int]:
        """Reserve a port number for `leg`. Raises PortsUsedUp."""
        known = self._legs.get(leg)
        if known is None:
            known = self._legs[leg] = _Leg(self._take())
        return self._settings.written_host, known.port

    def perform(self, effect: MediaEffect) -> None:
        if isinstance(effect, StartMedia):
            self.start(effect)

    def start(self, effect: StartMedia) -> None:
        leg = self._legs.get(effect.leg)
        if leg is None:
            return
        self._count(leg)
        leg.codec = effect.codec
        leg.remote = (
            f"[{effect.host}]:{effect.port}" if ":" in effect.host else f"{effect.host}:{effect.port}"
        )
        sending = effect.sending and effect.codec in SILENCE and effect.port
        leg.sending_since = self._now() if sending else None
        if self._far_end_talks and leg.hearing_since is None:
            leg.hearing_since = self._now()
            self.hear(effect.leg)

    def close(self, leg: str) -> MediaMeasured:
        """The counts of `leg`, and its port rests. An unknown leg has counted nothing."""
        known = self._legs.pop(leg, None)
        if known is None:
            return MediaMeasured(at=self._now(), leg=leg, sent=0, received=0)
        self._resting.append((self._now() + self._settings.quarantine_seconds, known.port))
        return self._measure(leg, known)

    def hear(self, leg: str, packets: int = 1) -> None:
        """Let `packets` arrive for `leg` now; for an unknown leg they are lost."""
        known = self._legs.get(leg)
        if known is None or packets < 1:
            return
        known.received += packets
        known.last_received_at = self._now()
        if known.first_received_at is None:
            known.first_received_at = known.last_received_at
            asyncio.get_running_loop().call_soon(self._tell, self._measure(leg, known))

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler

    def stop(self) -> None:
        self._legs.clear()

    @property
    def legs(self) -> int:
        return len(self._legs)

    def _take(self) -> int:
        if self._resting and self._resting[0][0] <= self._now():
            return self._resting.popleft()[1]
        if self._free:
            return self._free.popleft()
        settings = self._settings
        raise PortsUsedUp(
            f"no RTP port is free in {settings.first_port}..{settings.last_port} on {settings.host}: "
            f"{len(self._legs)} in use, {len(self._resting)} resting. Widen media.first_port..last_port."
        )

    def _measure(self, name: str, leg: _Leg) -> MediaMeasured:
        self._count(leg)
        return MediaMeasured(
            at=self._now(),
            leg=name,
            sent=leg.sent,
            received=leg.received,
            first_received_at=leg.first_received_at,
            last_received_at=leg.last_received_at,
            codec=leg.codec,
            remote=leg.remote,
        )

    def _count(self, leg: _Leg) -> None:
        """Bring the counts up to now."""
        now = self._now()
        if leg.sending_since is not None:
            packets = _packets(now - leg.sending_since)
            leg.sent += packets
            leg.sending_since += packets * PACKET_SECONDS
        if leg.hearing_since is not None and (packets := _packets(now - leg.hearing_since)):
            leg.received += packets
            leg.hearing_since += packets * PACKET_SECONDS
            leg.last_received_at = leg.hearing_since

    def _tell(self, measured: MediaMeasured) -> None:
        if self._handler:
            self._handler(measured.leg, measured)


def _packets(seconds: float) -> int:
    """Whole packets in a time; a hair of rounding does not lose one."""
    return int(seconds / PACKET_SECONDS + 1e-4)
