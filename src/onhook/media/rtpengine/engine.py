"""The engine with a fleet of rtpengines as its outer side.

Towards telephones an rtpengine has the addresses, ports, SRTP and codecs of a leg; between it and the
embedded engine goes plain RTP. Prompts, mixes, digits, recordings and counts stay with the embedded engine.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from onhook.effects import Mix, SendDigits, StartMedia
from onhook.facts import Fact, MediaMeasured, RelayFailed, RtpStopped
from onhook.media.parts import Engine, FactHandler, Feed, Tap
from onhook.media.rtpengine.descriptions import ENCODINGS
from onhook.media.rtpengine.fleet import Fleet, Member
from onhook.media.rtpengine.ng import EngineFailed, EngineSilent
from onhook.media.rtpengine.relay import Counts, Relay

log = logging.getLogger(__name__)

FIRST_COUNT_SECONDS: Final = 2.0
"""After a leg was connected: short calls have a count too."""
COUNTED_AT_ONCE: Final = 16


class _Leg:
    """`wanted` is what rtpengine is still to be told; `task` tells it, one thing after the other."""

    __slots__ = (
        "agreed",
        "counts",
        "failure",
        "member",
        "name",
        "next_count",
        "relay",
        "task",
        "wanted",
    )

    def __init__(self, name: str, member: Member, relay: Relay) -> None:
        self.name, self.member, self.relay = name, member, relay
        self.wanted: StartMedia | None = None
        self.agreed: StartMedia | None = None
        self.task: asyncio.Task[None] | None = None
        self.counts = Counts(0, 0, "")
        self.next_count = 0.0
        self.failure = ""


class RtpengineEngine:
    """`embedded` is the inner side, which `stop` stops too; `now` gives Unix seconds."""

    def __init__(self, embedded: Engine, fleet: Fleet, now: Callable[[], float]) -> None:
        self.embedded, self.fleet = embedded, fleet
        self._now = now
        self._legs: dict[str, _Leg] = {}
        self._handler: FactHandler = lambda _owner, _fact: None
        embedded.on_fact(self._pass_on)
        fleet.on_change = self._engine_changed

    async def start_fleet(self) -> None:
        """Before the first leg: reach the engines, and keep reading their counts."""
        await self.fleet.start()
        self.fleet.spawn(self._keep_counting())

    def open(self, leg: str) -> tuple[str, int]:
        """Host and port of an rtpengine. Raises PortsUsedUp: there, here, or no engine answers."""
        known = self._legs.get(leg)
        if known is None:
            inner = self.embedded.open(leg)
            try:
                member, relay = self.fleet.take()
            except RuntimeError:
                self.embedded.close(leg)
                raise
            relay.inner = inner
            known = self._legs[leg] = _Leg(leg, member, relay)
            known.task = asyncio.ensure_future(self._signal(known))
        return known.relay.outer

    def start(self, effect: StartMedia) -> None:
        """What cannot be done is told as `RelayFailed`."""
        leg = self._legs.get(effect.leg)
        if leg is None:
            return
        leg.wanted = effect
        if leg.task is None or leg.task.done():
            leg.task = asyncio.ensure_future(self._signal(leg))

    def close(self, leg: str) -> MediaMeasured:
        counted = self.embedded.close(leg)
        known = self._legs.pop(leg, None)
        if known is None:
            return counted
        if known.task:
            known.task.cancel()
        self.fleet.give_back(known.member, known.relay)
        return _seen_outside(counted, known)

    def mix(self, effect: Mix) -> None:
        self.embedded.mix(effect)

    def feed(
        self,
        room: str,
        legs: tuple[str, ...],
        *,
        started: Callable[[], None],
        ended: Callable[[int], None],
        loop: bool = False,
        to_all: bool = False,
    ) -> Feed:
        return self.embedded.feed(room, legs, started=started, ended=ended, loop=loop, to_all=to_all)

    def send_digits(self, effect: SendDigits) -> None:
        self.embedded.send_digits(effect)

    def tap(self, room: str, tap: Tap) -> None:
        self.embedded.tap(room, tap)

    def untap(self, room: str, tap: Tap) -> None:
        self.embedded.untap(room, tap)

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler

    def stop(self) -> None:
        """Ends the embedded engine and leaves the fleet; its sessions are deleted without waiting."""
        self.embedded.stop()
        for leg in self._legs.values():
            if leg.task:
                leg.task.cancel()
            with contextlib.suppress(EngineFailed):
                leg.relay.abandon()
        self._legs.clear()
        self.fleet.stop()

    @property
    def legs(self) -> int:
        return len(self._legs)

    def counts(self, leg: str) -> Counts:
        """What rtpengine counted of an open leg when it was last asked."""
        return self._legs[leg].counts

    async def settled(self) -> None:
        """Return when rtpengine has been told all that is wanted by now, or could not be."""
        tasks = [leg.task for leg in self._legs.values() if leg.task]
        await asyncio.gather(*tasks, return_exceptions=True)

    # Telling rtpengine

    async def _signal(self, leg: _Leg) -> None:
        """Tell it all that is wanted, until nothing is; a failure is told once for each."""
        try:
            if leg.agreed is None and (leg.wanted is None or not _relayed(leg.wanted)):
                await leg.relay.expect()
            while leg.wanted is not None:
                effect = leg.wanted
                await self._connect(leg, effect)
                leg.wanted = None if leg.wanted is effect else leg.wanted
        except EngineSilent as error:  # what is wanted is told again when it is there again
            self.fleet.failed(error)
            self._fail(leg, error.why)
        except EngineFailed as error:
            leg.wanted = None
            self._fail(leg, error.why)
        except OSError as error:
            self._fail(leg, f"the far end's address: {error.strerror or error}")

    async def _connect(self, leg: _Leg, effect: StartMedia) -> None:
        if _relayed(effect):
            inside = await leg.relay.connect(effect, await _address(effect.host))
        else:  # nothing can be sent there; what comes is counted as it is
            inside = msgspec.structs.replace(effect, host=leg.relay.inner[0], port=0)
        leg.agreed, leg.failure = effect, ""
        leg.next_count = asyncio.get_running_loop().time() + FIRST_COUNT_SECONDS
        self.embedded.start(inside)

    def _fail(self, leg: _Leg, why: str) -> None:
        """Tell it once, until something succeeds."""
        if not leg.failure and self._legs.get(leg.name) is leg:
            leg.failure = why
            log.error("leg %s: rtpengine %s: %s", leg.name, leg.member.address, why)
            engine = leg.member.address
            self._handler(leg.name, RelayFailed(at=self._now(), leg=leg.name, engine=engine, why=why))

    def _engine_changed(self, address: str, failure: str) -> None:
        """All its legs have lost their outer side, or may have it again; then the next count tells."""
        for leg in tuple(self._legs.values()):
            if leg.member.address != address:
                continue
            if failure:
                self._fail(leg, failure)
            elif leg.wanted is not None:
                self.start(leg.wanted)

    # What is seen

    def _pass_on(self, owner: str, fact: Fact) -> None:
        leg = self._legs.get(owner)
        if leg is not None and isinstance(fact, MediaMeasured):
            fact = _seen_outside(fact, leg)
        elif leg is not None and isinstance(fact, RtpStopped):
            self.fleet.spawn(self._count([leg]))  # is rtpengine still there, and does it know the leg?
        self._handler(owner, fact)

    async def _keep_counting(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            due = [leg for leg in self._legs.values() if leg.agreed and leg.next_count <= loop.time()]
            for first in range(0, len(due), COUNTED_AT_ONCE):
                await self._count(due[first : first + COUNTED_AT_ONCE])

    async def _count(self, legs: Iterable[_Leg]) -> None:
        asked = [leg for leg in legs if not leg.member.failure]
        done = await asyncio.gather(*(leg.relay.count() for leg in asked), return_exceptions=True)
        next_count = asyncio.get_running_loop().time() + self.fleet.settings.count_seconds
        for leg, counts in zip(asked, done, strict=True):
            leg.next_count = next_count
            if isinstance(counts, Counts):
                leg.counts, leg.failure = counts, ""
            elif isinstance(counts, EngineFailed):
                self.fleet.failed(counts)
                self._fail(leg, counts.why)


def _seen_outside(counted: MediaMeasured, leg: _Leg) -> MediaMeasured:
    """What the embedded engine counted, in terms of the far end: it only ever sees rtpengine."""
    if leg.agreed is None:
        return msgspec.structs.replace(counted, codec="", remote="")
    agreed = leg.agreed
    there = f"[{agreed.host}]:{agreed.port}" if ":" in agreed.host else f"{agreed.host}:{agreed.port}"
    return msgspec.structs.replace(
        counted,
        codec=agreed.codec,
        remote=leg.counts.remote or there,
        undecipherable=leg.counts.errors if agreed.srtp else counted.undecipherable,
    )


def _relayed(effect: StartMedia) -> bool:
    """Is there something that rtpengine could send to the far end?"""
    return bool(effect.port) and effect.codec in ENCODINGS


async def _address(host: str) -> str:
    """An address for rtpengine; the far end may have given a name (RFC 8866 5.7). Raises OSError."""
    if ":" in host or host.replace(".", "").isdigit():
        return host
    found = await asyncio.get_running_loop().getaddrinfo(host, None)
    return str(found[0][4][0])
