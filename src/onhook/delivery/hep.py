"""HEP version 3: every SIP message of a call, copied to a collector such as Homer, as it is seen.

A call never waits for it: messages go into a queue with a limit, what does not fit is dropped and counted,
and a task of its own writes them and sends them, over UDP, or over TCP with a connection that is made anew
when it breaks. The format is that of the HEP/EEP specification (sipcapture): chunks of vendor 0.
"""

import asyncio
import contextlib
import ipaddress
import logging
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from onhook.calls.record import CallRecord, local_addresses
from onhook.endings.packets import Addresses, Packet, packet_of
from onhook.facts import Fact, SipSeen, SipUnreadable

IPV4, IPV6 = 2, 10
PROTOCOLS: Final = {"udp": 17, "tcp": 6, "tls": 6, "ws": 6, "wss": 6}
SIP = 1
MAX_PAYLOAD_BYTES = 60_000
"""A longer message is cut: a packet of HEP must fit into a datagram."""
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.5, 30.0
"""Between tries to connect; doubled each time."""
BATCH = 100
"""Messages that are sent before others get their turn."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HepSettings:
    host: str = ""
    """Of the collector; empty: nothing is sent."""
    port: int = 9060
    transport: str = "udp"
    capture_id: int = 2001
    """By which the collector knows this server."""
    password: str = ""
    """Its authentication key, if it wants one."""
    max_queue: int = 10_000
    """Messages that may wait; those that come on top are dropped and counted."""


def encode(packet: Packet, *, correlation: str, capture_id: int, password: str = "") -> bytes:
    """One packet of HEP 3; `correlation` is one for all legs of a call."""
    version_6 = packet.version == 6
    seconds = int(packet.at)
    source, destination = (
        ipaddress.ip_address(each).packed for each in (packet.source[0], packet.destination[0])
    )
    chunks = [
        _chunk(1, struct.pack("!B", IPV6 if version_6 else IPV4)),
        _chunk(2, struct.pack("!B", PROTOCOLS.get(packet.transport, 17))),
        _chunk(5 if version_6 else 3, source),
        _chunk(6 if version_6 else 4, destination),
        _chunk(7, struct.pack("!H", packet.source[1])),
        _chunk(8, struct.pack("!H", packet.destination[1])),
        _chunk(9, struct.pack("!I", seconds)),
        _chunk(10, struct.pack("!I", int((packet.at - seconds) * 1_000_000))),
        _chunk(11, struct.pack("!B", SIP)),
        _chunk(12, struct.pack("!I", capture_id)),
        _chunk(17, correlation.encode()),
    ]
    if password:
        chunks.append(_chunk(14, password.encode()))
    chunks.append(_chunk(15, packet.data[:MAX_PAYLOAD_BYTES]))
    body = b"".join(chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def _chunk(kind: int, value: bytes) -> bytes:
    return struct.pack("!HHH", 0, kind, 6 + len(value)) + value


class Collector:
    """`take` is called on the event loop for the facts of each turn; `dropped` counts what did not fit."""

    def __init__(self, settings: HepSettings) -> None:
        self.settings = settings
        self.sent = self.dropped = 0
        self._waiting: deque[tuple[Packet, str]] = deque()
        self._addresses = Addresses()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Without waiting for a collector that does not take what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def take(self, record: CallRecord, facts: Sequence[Fact]) -> None:
        """Never waits, never raises for what a stranger sent."""
        for fact in facts:
            if isinstance(fact, SipSeen | SipUnreadable):
                self._add(record, fact)

    def _add(self, record: CallRecord, fact: SipSeen | SipUnreadable) -> None:
        if len(self._waiting) >= self.settings.max_queue:
            if not self.dropped:
                log.warning("the HEP collector is too slow: messages to it are dropped")
            self.dropped += 1
            return
        known = local_addresses(record)
        packet = packet_of(fact, known.get(fact.leg, known[""]), self._addresses)
        self._waiting.append((packet, record.correlation_id))
        self._news.set()

    async def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            before = self.sent
            try:
                send = self._send_datagrams if self.settings.transport == "udp" else self._send_stream
                await send()
            except OSError as error:
                log.warning("the HEP collector at %s cannot be reached: %s", self._where, error)
            pause = FIRST_PAUSE_SECONDS if self.sent > before else min(2 * pause, LAST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    @property
    def _where(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    async def _send_datagrams(self) -> None:
        loop = asyncio.get_running_loop()
        remote = self.settings.host, self.settings.port
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=remote)
        try:
            while True:
                for data in await self._next():
                    transport.sendto(data)
                await asyncio.sleep(0)
        finally:
            transport.close()

    async def _send_stream(self) -> None:
        reader, writer = await asyncio.open_connection(self.settings.host, self.settings.port)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            while not gone.done():
                news = asyncio.ensure_future(self._next())
                await asyncio.wait((news, gone), return_when=asyncio.FIRST_COMPLETED)
                if not news.done():
                    news.cancel()
                    break
                writer.write(b"".join(news.result()))
                await writer.drain()
            raise ConnectionResetError("it closed the connection")
        finally:
            gone.cancel()
            writer.close()

    async def _next(self) -> list[bytes]:
        """What waits, as packets; at most BATCH of them."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        settings = self.settings
        taken = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        self.sent += len(taken)
        return [
            encode(packet, correlation=name, capture_id=settings.capture_id, password=settings.password)
            for packet, name in taken
        ]
