"""A network in memory, with the interface of net.Network: peers are objects or functions, faults settings.

Deterministic: the same seed and the same sends give the same losses, delays and order. It runs on any loop;
on a VirtualTimeLoop its delays and its peers' timers cost no time.
"""

import asyncio
import heapq
import ipaddress
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

from onhook.effects import Destination, Effect, Transmit
from onhook.net.failures import failure
from onhook.net.transport import FailureHandler, ReceiveHandler

MAX_IN_FLIGHT: Final = 100_000
"""Messages under way at a time; beyond it they are lost and counted, as in a real queue."""


@runtime_checkable
class Peer(Protocol):
    """A far end with a mind of its own (lab/far_end.py). Only its Transmits are performed."""

    @property
    def deadline(self) -> float | None: ...

    def receive(self, data: bytes, source: Destination, now: float) -> Iterable[Effect]: ...

    def handle_timeout(self, now: float) -> Iterable[Effect]: ...


Reply: TypeAlias = Callable[[bytes], Iterable[bytes]]
"""The simplest far end: what it says to what it hears, at once."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to messages. Shares are 0 to 1, of datagrams; a stream only knows the delay."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    """Share of datagrams held back by `reordering_seconds`, so that later ones overtake them."""
    reordering_seconds: float = 0.05
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    """Added to the delay, drawn evenly from 0 to this."""


class VirtualNetwork:
    """`faults` may be replaced at any time. `now` is the clock that peers are given (default: the loop's)."""

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        host: str = "192.0.2.1",
        port: int = 5070,
        now: Callable[[], float] | None = None,
        transports: tuple[str, ...] = ("udp", "tcp"),
    ) -> None:
        self.faults = faults or Faults()
        self.lost = 0
        """Messages that arrived nowhere."""
        self._random = random.Random(seed)  # noqa: S311  # the seed is the bug report, no secret
        self._host, self._port, self._now, self._transports = host, port, now, transports
        self._peers: dict[Destination, Peer] = {}
        self._refusals: dict[Destination, str] = {}
        self._stream_free_at: dict[tuple[Destination, Destination], float] = {}
        self._wakes: dict[Destination, tuple[float, asyncio.TimerHandle]] = {}
        self._in_flight: list[tuple[float, int, bytes, Destination, Destination]] = []
        """A heap: when it is due, number, data, source, to."""
        self._next_arrival: tuple[float, asyncio.TimerHandle] | None = None
        self._carried = 0
        """Messages so far: each one's number."""
        self._receive: ReceiveHandler = _ignore
        self._failed: FailureHandler = _ignore
        self._started = False

    async def start(self) -> None:
        self._started = True

    async def close(self) -> None:
        self._started = False
        for _, handle in [*self._wakes.values(), *([self._next_arrival] if self._next_arrival else [])]:
            handle.cancel()
        self._next_arrival = None
        self._in_flight.clear()
        self._wakes.clear()

    @property
    def bound(self) -> list[Destination]:
        if not self._started:
            return []
        return [Destination(transport, self._host, self._port) for transport in self._transports]

    def address_of(self, host: str) -> str:
        """As Network.address_of; names have no address here."""
        return host if host[:1].isdigit() or ":" in host else ""

    def serves(self, address: str, domain: Destination) -> bool:
        """As Network.serves."""
        return address == domain.host

    def certified(self, source: Destination, name: str) -> bool | None:  # noqa: ARG002  # as Network.certified
        """Nobody shows certificates here."""
        return None

    def via_address(self, to: Destination) -> tuple[str, int]:  # noqa: ARG002  # one interface leads everywhere
        return self._host, self._port

    def on_receive(self, handler: ReceiveHandler) -> None:
        self._receive = handler

    def on_failure(self, handler: FailureHandler) -> None:
        self._failed = handler

    def add(self, place: Destination, peer: Peer | Reply) -> None:
        """Put a far end at `place`; its host may be a name."""
        self._refusals.pop(place, None)
        self._peers[place] = peer if isinstance(peer, Peer) else _Replying(peer)

    def remove(self, place: Destination, failure_text: str = "") -> None:
        """Take the far end away. Sends to it then fail with `failure_text`, or as for a stranger."""
        self._peers.pop(place, None)
        if failure_text:
            self._refusals[place] = failure_text
        if wake := self._wakes.pop(place, None):
            wake[1].cancel()

    def silence(self, place: Destination) -> None:
        """A place that takes everything and never answers."""
        self.add(place, lambda _data: ())

    def send(self, data: bytes, to: Destination) -> None:
        """As Network.send. A stranger with an address refuses; a stranger's name is unknown."""
        if self._started and to in self._peers:
            self._carry(data, Destination(to.transport, self._host, self._port), to)
        else:
            asyncio.get_running_loop().call_soon(self._tell, to, self._why_not(to))

    def inject(self, data: bytes, source: Destination) -> None:
        """Something arrives for us from `source`, under the same faults as everything else."""
        self._carry(data, source, Destination(source.transport, self._host, self._port))

    def _why_not(self, to: Destination) -> str:
        if not self._started:
            return failure("failed", "not started")
        if to.transport not in self._transports:
            return failure("unsupported", f"transport {to.transport!r} is not switched on")
        if refusal := self._refusals.get(to):
            return refusal
        try:
            ipaddress.ip_address(to.host)
        except ValueError:
            if to.host.lower() != "localhost" and all(place.host != to.host for place in self._peers):
                return failure("name-unknown", f"{to.host} has no address")
        return failure("refused", f"{to.peer} over {to.transport}: nobody listens there")

    def _carry(self, data: bytes, source: Destination, to: Destination) -> None:
        for due in self._fate(source, to):
            if len(self._in_flight) >= MAX_IN_FLIGHT:
                self.lost += 1
            else:  # numbered: what is due at one time arrives in the order of sending
                heapq.heappush(self._in_flight, (due, self._carried, data, source, to))
                self._carried += 1
        self._plan()

    def _plan(self) -> None:
        """Be woken when the next message is due."""
        if not self._in_flight:
            return
        due = self._in_flight[0][0]
        if self._next_arrival:
            if self._next_arrival[0] <= due:
                return
            self._next_arrival[1].cancel()
        self._next_arrival = due, asyncio.get_running_loop().call_at(due, self._arrivals, due)

    def _arrivals(self, due: float) -> None:
        self._next_arrival = None
        now = max(due, asyncio.get_running_loop().time())
        end = self._carried  # answers to these wait for the next turn, so that the loop stays in charge
        try:
            while self._in_flight and self._in_flight[0][0] <= now and self._in_flight[0][1] < end:
                _, _, data, source, to = heapq.heappop(self._in_flight)
                self._arrive(data, source, to)
        finally:  # a handler that fails takes only its own message with it
            self._plan()

    def _fate(self, source: Destination, to: Destination) -> list[float]:
        """When the message arrives, by the loop's clock; none, one or two times."""
        now = asyncio.get_running_loop().time()
        faults, draw = self.faults, self._random.random
        delay = faults.delay_seconds + (draw() * faults.jitter_seconds if faults.jitter_seconds else 0.0)
        if to.transport != "udp":
            return [self._in_order(source, to, now + delay)]
        if faults.loss and draw() < faults.loss:
            self.lost += 1
            return []
        if faults.reordering and draw() < faults.reordering:
            delay += faults.reordering_seconds
        if faults.duplication and draw() < faults.duplication:
            return [now + delay, now + delay]
        return [now + delay]

    def _in_order(self, source: Destination, to: Destination, at: float) -> float:
        at = max(at, self._stream_free_at.get((source, to), 0.0))
        self._stream_free_at[source, to] = at
        return at

    def _arrive(self, data: bytes, source: Destination, to: Destination) -> None:
        if (to.host, to.port) == (self._host, self._port):
            self._receive(data, source)
            return
        peer = self._peers.get(to)
        if peer is None:  # gone while the message was under way
            self.lost += 1
        else:
            self._perform(to, peer.receive(data, source, self._clock()))
            self._wake_on_time(to, peer)

    def _perform(self, place: Destination, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Transmit):
                self._carry(effect.data, place, effect.to)

    def wake(self, place: Destination) -> None:
        """Look at a peer's deadline again: after it was told something from outside the network."""
        self._wake_on_time(place, self._peers[place])

    def _wake_on_time(self, place: Destination, peer: Peer) -> None:
        deadline = peer.deadline
        known = self._wakes.get(place)
        if known:
            if known[0] == deadline:
                return
            known[1].cancel()
            del self._wakes[place]
        if deadline is not None and deadline < math.inf:
            after_seconds = max(0.0, deadline - self._clock())
            handle = asyncio.get_running_loop().call_later(
                after_seconds, self._time_out, place, peer, deadline
            )
            self._wakes[place] = deadline, handle

    def _time_out(self, place: Destination, peer: Peer, deadline: float) -> None:
        self._wakes.pop(place, None)
        self._perform(place, peer.handle_timeout(max(self._clock(), deadline)))
        self._wake_on_time(place, peer)

    def _clock(self) -> float:
        return self._now() if self._now else asyncio.get_running_loop().time()

    def _tell(self, to: Destination, text: str) -> None:
        self._failed(to, text)


class _Replying:
    """A function as a peer."""

    deadline = None

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def receive(self, data: bytes, source: Destination, now: float) -> list[Effect]:  # noqa: ARG002  # as Peer
        return [Transmit(answer, source) for answer in self._reply(data)]

    def handle_timeout(self, now: float) -> list[Effect]:  # noqa: ARG002  # as Peer
        return []


def _ignore(_first: object, _second: object) -> None:
    """Until a handler is set."""
