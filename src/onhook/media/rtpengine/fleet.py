"""Several rtpengines: which are there, which takes the next leg, and ports kept ready at each.

Legs are spread by load: the next goes to the engine that carries the fewest, others' sessions included. A
leg stays where it is. An engine that does not answer gets no new legs until it answers again.
"""

import asyncio
import contextlib
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, cast

import msgspec

from onhook.effects import Srtp, StartMedia
from onhook.media.rtpengine.ng import EngineFailed, EngineRefused, EngineSilent, NgClient
from onhook.media.rtpengine.relay import DISCARD_PORT, Options, Relay
from onhook.media.rtpengine.settings import FleetSettings
from onhook.media.settings import PortsUsedUp

log = logging.getLogger(__name__)

RESERVED_AT_ONCE: Final = 8
"""Requests under way to fill up what is kept ready."""
UNASKED: Final = "it has not been asked yet"
TRIED: Final = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 96}
"""Codecs that each engine is tried with, and payload types for them."""
SUITES: Final = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine is, as /onhook/health shows it."""

    engine: str
    up: bool
    failure: str = ""
    legs: int
    """Of this server."""
    ready: int
    sessions: int
    """Of everybody who uses it, when last asked."""
    cannot: tuple[str, ...] = ()
    """Codecs and SRTP suites that it was tried with and does not do."""
    repeats: int
    """Requests sent again because no answer had come."""


class _Ready(NamedTuple):
    relay: Relay
    until: float


class Member:
    """One engine. `failure` is empty while it answers; `refusal` says why it gives no more ports."""

    def __init__(self, client: NgClient, settings: FleetSettings) -> None:
        self.client = client
        self.failure, self.refusal = UNASKED, ""
        self.legs = self.others = 0
        self.cannot: tuple[str, ...] = ()
        self.wake = asyncio.Event()
        self.asked = asyncio.Event()
        """It was asked for the first time, whatever came of it."""
        self._settings = settings
        self._options = Options(settings.interfaces, settings.codecs)
        self._prefix = f"onhook-{secrets.token_hex(6)}"
        self._names = 0
        self._ready: deque[_Ready] = deque()
        self._asked: list[Relay] = []
        """Being reserved."""

    @property
    def address(self) -> str:
        return self.client.address

    @property
    def ready(self) -> int:
        return len(self._ready)

    def make(self) -> Relay:
        self._names += 1
        return Relay(self.client, f"{self._prefix}-{self._names}", self._options)

    def take(self) -> Relay:
        self.legs += 1
        self.wake.set()
        return self._ready.popleft().relay

    def drop_ready(self) -> list[Relay]:
        dropped = [each.relay for each in self._ready] + self._asked
        self._ready.clear()
        return dropped

    async def refill(self) -> None:
        """Replace what waited too long, and reserve what is missing. Raises EngineSilent."""
        now = time.monotonic()
        while self._ready and self._ready[0].until <= now:
            await self._ready.popleft().relay.delete()
        while (missing := self._settings.ready - len(self._ready)) > 0:
            made = [self.make() for _ in range(min(missing, RESERVED_AT_ONCE))]
            self._asked = made
            done = await asyncio.gather(*(each.reserve() for each in made), return_exceptions=True)
            self._asked = []
            until = time.monotonic() + self._settings.ready_seconds
            self._ready += [
                _Ready(each, until) for each, failed in zip(made, done, strict=True) if not failed
            ]
            failures = [each for each in done if each is not None]
            self.refusal = ""
            for failure in failures:
                if not isinstance(failure, EngineRefused):
                    raise failure
                self.refusal = failure.why
            if failures:
                return

    async def ping(self) -> None:
        await self.client.ask("ping")

    async def count(self) -> None:
        """How many sessions others have there, by its statistics."""
        before = self._own
        answer = cast("Any", await self.client.ask("statistics"))
        with contextlib.suppress(KeyError, TypeError, ValueError):
            total = int(answer["statistics"]["currentstatistics"]["sessionstotal"])
            self.others = max(0, total - max(before, self._own))

    @property
    def _own(self) -> int:
        return self.legs + len(self._ready) + len(self._asked)

    async def probe(self) -> None:
        """Try every codec and suite once. Raises EngineSilent."""
        tried = [(codec, codec, "") for codec in TRIED] + [(suite, "PCMU", suite) for suite in SUITES]
        self.cannot = tuple([name for name, codec, suite in tried if not await self._can(codec, suite)])

    async def _can(self, codec: str, suite: str) -> bool:
        relay, key = self.make(), secrets.token_bytes(30)
        srtp = Srtp(suite, key, key) if suite else None
        effect = StartMedia("", "127.0.0.1", DISCARD_PORT, TRIED[codec], codec, srtp=srtp)
        try:
            await relay.reserve()
            await relay.connect(effect, effect.host)
        except EngineRefused as error:
            log.warning("%s", error)
            return False
        finally:
            relay.abandon()
        return True

    def statistics(self) -> Statistics:
        return Statistics(
            engine=self.address,
            up=not self.failure,
            failure=self.failure or self.refusal,
            legs=self.legs,
            ready=len(self._ready),
            sessions=self.others + self.legs + len(self._ready),
            cannot=self.cannot,
            repeats=self.client.repeats,
        )


class Fleet:
    """`start` first. `on_change(address, failure)` is called when an engine goes, or (empty) comes back."""

    def __init__(self, settings: FleetSettings) -> None:
        self.settings = settings
        self.members = [Member(NgClient(host, port), settings) for host, port in settings.engines]
        self.on_change: Callable[[str, str], None] = lambda _address, _failure: None
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: set[Relay] = set()
        """Of legs that are over, and not deleted yet."""

    async def start(self) -> None:
        """Keep every engine from now on; waits a little until they have been asked."""
        for member in self.members:
            self.spawn(self._keep(member))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.start_seconds):
                for member in self.members:
                    await member.asked.wait()

    def take(self) -> tuple[Member, Relay]:
        """A port at the engine with the least to do. Raises PortsUsedUp."""
        able = [member for member in self.members if not member.failure and member.ready]
        if not able:
            raise PortsUsedUp(f"no rtpengine has a port ready: {'; '.join(map(_standing, self.members))}")
        member = min(able, key=lambda each: each.legs + each.others)
        return member, member.take()

    def give_back(self, member: Member, relay: Relay) -> None:
        """The leg is over."""
        member.legs -= 1
        self._leaving.add(relay)
        self.spawn(self._delete(relay))

    def failed(self, error: EngineFailed) -> None:
        """Somebody found an engine silent: it gets no legs until it answers a ping."""
        for member in self.members:
            is_up = member.address == error.address and not member.failure
            if is_up and isinstance(error, EngineSilent):
                self._mark(member, error.why)
                member.wake.set()

    def statistics(self) -> list[Statistics]:
        return [member.statistics() for member in self.members]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """End all tasks; what is still held at engines is given back without waiting."""
        for task in tuple(self._tasks):
            task.cancel()
        held = [relay for member in self.members for relay in member.drop_ready()]
        for relay in (*held, *self._leaving):
            with contextlib.suppress(EngineFailed):
                relay.abandon()
        for member in self.members:
            member.client.close()

    async def _keep(self, member: Member) -> None:
        asked_at = counted_at = -math.inf
        while True:
            member.wake.clear()
            now = time.monotonic()
            try:
                if not member.client.is_open:
                    await member.client.open()
                if member.failure or now >= asked_at + self.settings.ping_seconds:
                    await member.ping()
                    asked_at = now
                if member.failure:
                    await member.probe()
                if member.failure or now >= counted_at + self.settings.count_seconds:
                    await member.count()
                    counted_at = now
                await member.refill()
                self._mark(member, "")
            except EngineSilent as error:
                self._mark(member, error.why)
            except EngineRefused as error:
                member.refusal = error.why
            member.asked.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.ping_seconds):
                    await member.wake.wait()

    def _mark(self, member: Member, failure: str) -> None:
        before, member.failure = member.failure, failure
        if failure:
            member.drop_ready()
            member.client.close()  # its name may lead elsewhere by the next turn
        if bool(before) == bool(failure) and before != UNASKED:
            return
        if failure:
            gone = "rtpengine %s: %s; it gets no more calls, %d legs are on it"
            log.error(gone, member.address, failure, member.legs)
        else:
            lacks = f"; it cannot do {', '.join(member.cannot)}" if member.cannot else ""
            log.info("rtpengine %s is there%s", member.address, lacks)
        self.on_change(member.address, failure)

    async def _delete(self, relay: Relay) -> None:
        try:
            await relay.delete()
        except EngineFailed as error:
            self.failed(error)  # rtpengine ends it by itself when no RTP comes
        self._leaving.discard(relay)


def _standing(member: Member) -> str:
    why = member.failure or member.refusal or "is being asked for more"
    return f"{member.address} with {member.legs} legs: {why}"
