"""Waits that nobody has to sit out: a phone rings for two minutes, and the test goes on in half a second.

While calls are being set up, and nothing can happen but that a timer of ours or of the built-in carrier runs
out, the clock of both is moved on to that timer. It is moved only if

- every telephone of every open call is at the built-in carrier: the time of others is not ours to skip;
- the application is quiet: no request of its is under way, it has no event to take, and so it has been for
  `quiet_seconds`;
- each open call waits for somebody: it rings, or is being released. People who talk are not hurried.

Each step is a fact of each open call, so no duration is taken for real. Everything else that takes time can
be passed by asking for it (`pass_time`).
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from onhook.calls.call import Call, State
from onhook.calls.signals import Standing
from onhook.effects import Destination
from onhook.lab.clock import Clock

LOOK_SECONDS = 0.02
"""How often it is looked whether anything is under way."""
SETTLING_TURNS = 20
"""Turns of the event loop in which messages on loopback find their way: more than any exchange needs."""
MAX_SKIP_SECONDS = 600.0
"""A wait that is longer is none for an outcome: a limit on the length of calls, an expiring session."""
LEAST_SKIP_SECONDS = 0.05
"""A shorter wait is sat out."""
CLOCK_TELLS_SECONDS = 0.001
"""Times that are closer are the same."""
MAX_PASSED_SECONDS = 7 * 24 * 3600.0
MAX_BUSY_SECONDS = 10.0
"""How long `pass_time` waits for the application before each step."""
RINGING, ASKED = "nobody had anything else to do", "the test let it pass"


class Switch(Protocol):
    @property
    def calls(self) -> Mapping[str, Call]: ...
    def clock_skipped(self, seconds: float, why: str) -> None: ...


class Carrier(Protocol):
    @property
    def address(self) -> tuple[str, int]: ...
    @property
    def next_act(self) -> float | None: ...
    def clock_skipped(self) -> None: ...


class NotOurs(Exception):
    """Time cannot be passed: an open call has a telephone that is not ours, or the application is busy."""


class Skipping:
    """`busy` says whether events wait for the application; `quiet_seconds` 0: only what is asked for."""

    def __init__(
        self,
        clock: Clock,
        switch: Switch,
        carrier: Carrier,
        *,
        busy: Callable[[], bool],
        quiet_seconds: float,
    ) -> None:
        self._clock, self._switch, self._carrier = clock, switch, carrier
        self._busy, self._quiet_seconds = busy, quiet_seconds
        self._requests = 0
        self._acted_at = clock.real()
        self._states: dict[str, State] = {}
        self.held = False
        """While it is, only what is asked for is skipped."""

    def watching(self, application: ASGIApp) -> ASGIApp:
        """`application`, of which it is known what is under way. To look at /onhook/ counts for nothing."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"].startswith("/onhook/"):
                await application(scope, receive, send)
                return
            self._requests += 1
            try:
                await application(scope, receive, send)
            finally:
                self._requests -= 1
                self._acted_at = self._clock.real()

        return watched

    async def run(self) -> None:
        """Look, and skip, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._to_skip():
                await _settle()
                self.look()

    def look(self) -> float:
        """Move the clock on if nothing else is to come; by how many seconds."""
        seconds = self._to_skip()
        if seconds:
            self._skip(seconds, RINGING)
        return seconds

    def _to_skip(self) -> float:
        """How many seconds may be skipped now; it notes what has changed since it was asked last."""
        now = self._clock.real()
        states = {call_id: call.state for call_id, call in self._switch.calls.items()}
        if self._under_way or states != self._states:
            self._acted_at, self._states = now, states
        calls = self._switch.calls.values()
        if self.held or not calls or now - self._acted_at < self._quiet_seconds:
            return 0.0
        if self.strangers() or not all(map(waits, calls)):
            return 0.0
        seconds = self._until_next()
        return seconds if LEAST_SKIP_SECONDS <= seconds <= MAX_SKIP_SECONDS else 0.0

    async def pass_time(self, seconds: float) -> None:
        """Let `seconds` pass for all calls, timer by timer. Raises NotOurs, and ValueError beyond a week."""
        if not 0 <= seconds <= MAX_PASSED_SECONDS:
            raise ValueError(f"{seconds} s: let 0 to {MAX_PASSED_SECONDS:g} s pass")
        end = self._clock.now() + seconds
        while (left := end - self._clock.now()) > CLOCK_TELLS_SECONDS:
            await self._quiet()
            if others := self.strangers():
                raise NotOurs(
                    f"time was not passed: {others[0]} is not the built-in carrier, and the time of real "
                    "telephones is their own. End that call first."
                )
            step = min(left, self._until_next())
            if step < LEAST_SKIP_SECONDS:
                await asyncio.sleep(LEAST_SKIP_SECONDS)
            else:
                self._skip(step, ASKED)
            await _settle()

    def strangers(self) -> list[str]:
        """Peers of open calls that are not the built-in carrier, as host:port."""
        ours = self._carrier.address
        peers = [peer for call in self._switch.calls.values() for peer in _peers(call)]
        return [peer.peer for peer in peers if (peer.host, peer.port) != ours]

    @property
    def _under_way(self) -> bool:
        return self._requests > 0 or self._busy()

    async def _quiet(self) -> None:
        """Return when the application has taken and answered everything."""
        try:
            async with asyncio.timeout(MAX_BUSY_SECONDS):
                await _settle()
                while self._under_way:
                    await asyncio.sleep(LOOK_SECONDS)
                    await _settle()
        except TimeoutError:
            raise NotOurs(
                f"time was not passed: the application has been busy for {MAX_BUSY_SECONDS:g} s "
                f"({self._requests} requests are under way, or events wait for it)."
            ) from None

    def _until_next(self) -> float:
        """Seconds to the next timer of an open call or of the carrier; much if there is none."""
        acts = [call.deadline for call in self._switch.calls.values()]
        times = [at for at in (*acts, self._carrier.next_act) if at is not None]
        return min(times, default=self._clock.now() + MAX_PASSED_SECONDS) - self._clock.now()

    def _skip(self, seconds: float, why: str) -> None:
        self._clock.skip(seconds)
        self._switch.clock_skipped(seconds, why)
        self._carrier.clock_skipped()


def waits(call: Call) -> bool:
    """Is it still to be decided by time or by somebody whether people come together, or have they parted?"""
    if call.state is not State.CONNECTED:
        return True
    return any(leg.standing in {Standing.TRYING, Standing.LEAVING} for leg in call.legs)


def _peers(call: Call) -> Collection[Destination]:
    return [leg.trunk.destination for leg in call.legs.telephones_alive]


async def _settle() -> None:
    for _ in range(SETTLING_TURNS):
        await asyncio.sleep(0)
