"""The embedded media engine: one thread and one 20 ms tick for all legs.

Each tick sends one packet of silence a leg and reads what came since the last. So a packet's time is known
to 20 ms, and the event loop is woken only once a tick, for first packets. The tick does not drift: tick n is
due at start + n * 20 ms, and an RTP timestamp follows from its tick, so that a late or missed tick shifts
nothing after it.
"""

import asyncio
import logging
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from onhook.effects import MediaEffect, StartMedia
from onhook.facts import Fact, MediaMeasured
from onhook.media.datagrams import Datagrams, Outgoing, make_datagrams
from onhook.media.ports import Port, Ports
from onhook.media.rtp import PACKET_SECONDS, SAMPLES_A_PACKET, SILENCE, is_rtp, silent_packet, write_header
from onhook.media.settings import MediaSettings

log = logging.getLogger(__name__)

MAX_LATENESSES: Final = 3000
"""Ticks whose lateness is remembered: one minute."""
SWITCH_INTERVAL_SECONDS: Final = 0.0002
"""Python's, while the thread lives. A busy event loop lets go of Python's lock for microseconds at each
system call; with the default of 5 ms the thread never gets it, and was seen to miss a second of ticks. With
this it is 2 ms late at 100 legs beside a loop that never rests, and the loop loses 5 %."""
MAX_DRAINED: Final = 1024
"""Packets thrown away at once at a resting port: more than its receive buffer holds."""
_MARKER: Final = 0x80

FactHandler = Callable[[str, Fact], None]


class _Leg:
    """The media of one leg. The thread alone counts; the event loop sets where to send."""

    __slots__ = (
        "address", "codec", "first_received_at", "last_received_at", "marker", "name", "payload_type", "port",
        "received", "remote", "sent", "sequence", "ssrc", "tick", "timestamp",
    )  # fmt: skip

    def __init__(self, name: str, port: Port) -> None:
        self.name, self.port = name, port
        self.address: Any = None
        self.codec = self.remote = ""
        self.payload_type = 0
        self.sent = self.received = 0
        self.first_received_at: float | None = None
        self.last_received_at: float | None = None
        drawn = secrets.randbits(80)  # RFC 3550 5.1: SSRC, first sequence number and timestamp are random
        self.ssrc, self.timestamp, self.sequence = drawn & 0xFFFFFFFF, drawn >> 32 & 0xFFFFFFFF, drawn >> 64
        self.tick = -1
        """The tick of the last packet sent."""
        self.marker = _MARKER

    def measured(self, at: float) -> MediaMeasured:
        return MediaMeasured(
            at=at,
            leg=self.name,
            sent=self.sent,
            received=self.received,
            first_received_at=self.first_received_at,
            last_received_at=self.last_received_at,
            codec=self.codec,
            remote=self.remote,
        )


class RtpMedia:
    """Real RTP. All methods are for the event loop's thread; only `stop` waits.

    `now` gives Unix seconds. The thread starts with the first leg, rests while there are none, and ends with
    `stop`. A packet that the thread takes in at the very moment of `close` may be missed in the counts.
    """

    def __init__(
        self,
        settings: MediaSettings | None = None,
        *,
        now: Callable[[], float] = time.time,
        make: Callable[[], Datagrams] = make_datagrams,
    ) -> None:
        self._settings = settings or MediaSettings()
        self._now = now
        self._ports = Ports(self._settings)
        self._legs: dict[str, _Leg] = {}
        self._sending: dict[str, _Leg] = {}
        self._handler: FactHandler | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._switch_interval = 0.0
        self._work = threading.Event()
        self._stopping = False
        self._datagrams = make()
        self._closing = make()  # the event loop's own: it reads what is left when a leg is closed
        self._packets = {codec: Outgoing(silent_packet(codec)) for codec in SILENCE}
        self._latenesses: deque[float] = deque(maxlen=MAX_LATENESSES)
        self.junk = 0
        """Packets that were no RTP, or came to a port at rest."""
        self.ticks_missed = 0

    def open(self, leg: str) -> tuple[str, int]:
        """Reserve a port for `leg`; host and port are for SDP. Again for the same leg: the same.

        Raises PortsUsedUp.
        """
        known = self._legs.get(leg)
        if known is None:
            port = self._ports.take(time.monotonic())
            self._read(None, port, self._closing, 0.0)  # while all legs rest nobody drains the ports
            known = _Leg(leg, port)
            port.leg = known
            self._legs[leg] = known
            self._begin()
        return self._settings.written_host, known.port.number

    def perform(self, effect: MediaEffect) -> None:
        if isinstance(effect, StartMedia):
            self.start(effect)

    def start(self, effect: StartMedia) -> None:
        """Send silence from the next tick on, or stop sending if the effect says so.

        A codec other than PCMU and PCMA is received and counted, and nothing is sent. An unknown leg is
        ignored: it was closed while the effect was under way.
        """
        leg = self._legs.get(effect.leg)
        if leg is None:
            return
        leg.codec, leg.payload_type = effect.codec, effect.payload_type & 0x7F
        leg.remote = (
            f"[{effect.host}]:{effect.port}" if ":" in effect.host else f"{effect.host}:{effect.port}"
        )
        if self._sending.pop(effect.leg, None) is None:
            leg.marker = _MARKER  # RFC 3551 section 4.1: the first packet after a pause is marked
        if not effect.sending or effect.codec not in SILENCE or not effect.port:
            return
        host = "127.0.0.1" if effect.host.lower() == "localhost" else effect.host
        try:
            leg.address = self._datagrams.address(host, effect.port)
        except (OSError, ValueError):
            self._look_up(leg, effect)
            return
        self._sending[effect.leg] = leg

    def close(self, leg: str) -> MediaMeasured:
        """End the media of `leg`: its port rests, its counts are final. An unknown leg counted nothing."""
        known = self._legs.pop(leg, None)
        at = self._now()
        if known is None:
            return MediaMeasured(at=at, leg=leg, sent=0, received=0)
        self._sending.pop(leg, None)
        known.port.leg = None
        self._read(known, known.port, self._closing, at)  # what came since the last tick
        self._ports.give_back(known.port, time.monotonic())
        return known.measured(at)

    def on_fact(self, handler: FactHandler) -> None:
        """`handler(leg, measured)` on the event loop at a leg's first packet. The last handler wins."""
        self._handler = handler

    def stop(self) -> None:
        """End the thread and free all ports; legs that were open are forgotten."""
        self._stopping = True
        self._work.set()
        if self._thread:
            self._thread.join()
            self._thread = None
            sys.setswitchinterval(self._switch_interval)
        self._legs.clear()
        self._sending.clear()
        self._ports.close()

    @property
    def legs(self) -> int:
        return len(self._legs)

    def latenesses_ms(self) -> list[float]:
        """How late the ticks of the last minute began."""
        return [seconds * 1000 for seconds in list(self._latenesses)]

    def _begin(self) -> None:
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._switch_interval = sys.getswitchinterval()
            sys.setswitchinterval(min(self._switch_interval, SWITCH_INTERVAL_SECONDS))
            self._thread = threading.Thread(target=self._run, name="onhook media", daemon=True)
            self._thread.start()
        if not self._work.is_set():
            self._work.set()

    def _look_up(self, leg: _Leg, effect: StartMedia) -> None:
        """The far end gave a host name (RFC 8866 section 5.7 allows it): rare, so a lookup is fine."""
        asking = asyncio.ensure_future(asyncio.get_running_loop().getaddrinfo(effect.host, effect.port))
        asking.add_done_callback(partial(self._found, leg, effect))

    def _found(self, leg: _Leg, effect: StartMedia, asking: "asyncio.Future[list[Any]]") -> None:
        if asking.cancelled() or asking.exception() or self._legs.get(leg.name) is not leg:
            return
        version_6 = ":" in self._settings.host
        for *_, address in asking.result():
            if (":" in address[0]) == version_6:
                leg.address = self._datagrams.address(address[0], effect.port)
                self._sending[leg.name] = leg
                return

    def _run(self) -> None:
        """The thread."""
        while not self._stopping:
            self._work.wait()
            self._work.clear()
            begun = time.monotonic()
            tick = 0
            while self._legs and not self._stopping:
                due = begun + tick * PACKET_SECONDS
                wait_seconds = due - time.monotonic()
                if wait_seconds > 0:
                    time.sleep(wait_seconds)
                late = time.monotonic() - due
                self._latenesses.append(late)
                try:
                    self._tick(tick)
                except Exception:  # one bad tick must not silence every call
                    log.exception("media: tick %d failed", tick)
                missed = int(late / PACKET_SECONDS)
                self.ticks_missed += missed
                tick += 1 + missed

    def _tick(self, tick: int) -> None:
        self._send_silence(tick)
        at = self._now()
        heard: list[MediaMeasured] = []
        for port in self._ports.ready():
            leg = port.leg
            if leg is None:
                self._read(None, port, self._datagrams, at)
            elif isinstance(leg, _Leg) and self._read(leg, port, self._datagrams, at):
                heard.append(leg.measured(at))
        if heard and self._loop and not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._tell, heard)
            except RuntimeError:  # the loop closed in this moment: nobody is left to be told
                self._stopping = True

    def _send_silence(self, tick: int) -> None:
        send, packets = self._datagrams.send, self._packets
        for leg in tuple(self._sending.values()):
            packet = packets[leg.codec]
            if leg.tick >= 0:
                leg.timestamp = (leg.timestamp + (tick - leg.tick) * SAMPLES_A_PACKET) & 0xFFFFFFFF
            leg.tick = tick
            write_header(packet.data, leg.marker | leg.payload_type, leg.sequence, leg.timestamp, leg.ssrc)
            leg.sequence = (leg.sequence + 1) & 0xFFFF
            if send(leg.port.opened, packet, leg.address):
                leg.sent += 1
                leg.marker = 0

    def _read(self, leg: _Leg | None, port: Port, datagrams: Datagrams, at: float) -> bool:
        """Take in what came; whether it was the leg's first."""
        received, junk, buffer = 0, 0, datagrams.buffer
        limit = MAX_DRAINED if leg is None else self._settings.max_packets_a_tick
        for _ in range(limit):
            length = datagrams.receive(port.opened)
            if length < 0:
                break
            if leg is not None and is_rtp(buffer, length):
                received += 1
            else:
                junk += 1
        self.junk += junk
        if leg is None or not received:
            return False
        leg.received += received
        leg.last_received_at = at
        if leg.first_received_at is None:
            leg.first_received_at = at
            return True
        return False

    def _tell(self, heard: list[MediaMeasured]) -> None:
        for measured in heard:
            if self._handler:
                try:
                    self._handler(measured.leg, measured)
                except Exception as error:  # noqa: BLE001  # one leg's fault is not the next one's
                    asyncio.get_running_loop().call_exception_handler(
                        {"message": "a leg's first RTP packet", "exception": error}
                    )
