"""Provokes in a running server what provocations.py holds: each part asks here before it does its work.

The parts know nothing of the lab: they have a place each where somebody may let something go wrong. What hits
a call is kept in its timeline as `Provoked`, so that the evidence says that it was asked for.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import get_args

from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord
from onhook.calls.routing import NotRouted
from onhook.delivery.courier import Mishap
from onhook.effects import Destination, MediaEffect
from onhook.facts import Fact, Provoked, Refusal
from onhook.lab.carrier import Carrier
from onhook.lab.causes import Arm, network_failure
from onhook.lab.provocations import NotProvokable, Provocation, Provocations, Wanted
from onhook.lab.provoked_media import failure_of
from onhook.lab.scenario import parse_scenario, write_scenario
from onhook.lab.scenario_steps import CarrierCall, Scenario
from onhook.net.network import Network
from onhook.sip.messages import Request, parse
from onhook.sip.uri import phone_number
from onhook.store.batch import StoreFailed
from onhook.switch import Switch

MAX_BLOCKED = 10_000
"""SIP calls whose messages are not carried, kept by Call-ID."""
DYING_SECONDS = 0.3
"""Between the answer to who asked for it and the death of the process."""
MISHAPS: dict[str, Mishap] = {
    "callbacks-late": "late",
    "callbacks-twice": "twice",
    "callbacks-out-of-order": "out-of-order",
    "callbacks-lost": "lost",
}


class ProvokedFault(RuntimeError):
    """Raised where our own code shall fail."""


class Provoking:
    """`now` gives Unix seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.armed = Provocations()
        self._now = now
        self.note: Callable[[str, Fact], None] = lambda _call_id, _fact: None
        """Keeps a fact of a call."""
        self.record_of: Callable[[str], CallRecord | None] = lambda _call_id: None
        """Finds a call by its id."""
        self.cut: Callable[[tuple[str, int]], None] = lambda _client: None
        """Breaks the HTTP connection of a client."""
        self._calls: Switch | None = None
        self._carrier: Carrier | None = None
        self._door: Callable[[], Destination] = lambda: Destination("udp", "127.0.0.1", 5060)
        self._blocked: dict[str, str] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called when something was armed, disarmed or expired: states such as a certificate follow it."""

    def attach(
        self,
        switch: Switch,
        network: Network,
        carrier: Carrier | None,
        note: Callable[[str, Fact], None],
        kept: Callable[[str], CallRecord | None],
    ) -> None:
        """Take a place in each part. `note` keeps a fact of a call, `kept` finds one that is over."""

        def record_of(call_id: str) -> CallRecord | None:
            call = switch.calls.get(call_id)
            return call.record if call else kept(call_id)

        self.note, self.record_of = note, record_of
        self._calls, self._carrier, self._door = switch, carrier, lambda: network.bound[0]
        switch.provoked_refusal = self.refusal
        network.provoked = self.block
        if carrier is not None:
            carrier.provoked = self.far_end

    # Arming

    def arm(self, wanted: Wanted) -> Provocation:
        """Raises NotProvokable, ScenarioError."""
        made = self.armed.arm(wanted, self._now())
        try:
            self._begin(made)
        except NotProvokable:
            self.armed.disarm(made.id, self._now())
            raise
        self.changed()
        return made

    def disarm(self, name: str) -> list[Provocation]:
        gone = self.armed.disarm(name, self._now())
        for each in gone:
            if (timer := self._timers.pop(each.id, None)) is not None:
                timer.cancel()
        self.changed()
        return gone

    def listed(self) -> list[Provocation]:
        return self.armed.listed(self._now())

    def holds(self, arm: Arm) -> bool:
        """Something is armed here and in force."""
        return self.armed.holds(arm, self._now()) is not None

    def in_force(self) -> list[Provocation]:
        now = self._now()
        return [each for each in self.armed.listed(now) if self.armed.is_armed(each.id)]

    def _begin(self, made: Provocation) -> None:
        """Those that wait for nothing act at their time; the others that begin or expire later tell it."""
        loop = asyncio.get_running_loop()
        wait = made.starts_at - made.armed_at
        if made.arm in {"inbound", "carrier"} and self._carrier is None:
            raise NotProvokable(
                f"{made.name} needs the built-in carrier: write enabled = true under [carrier]"
            )
        if made.arm == "inbound":
            self._timers[made.id] = loop.call_later(wait, self._call_in, made)
        elif made.arm == "process":
            self._timers[made.id] = loop.call_later(max(wait, DYING_SECONDS), self._die)
        elif wait or made.expires_at is not None:
            at = made.expires_at if made.expires_at is not None and not wait else made.starts_at
            self._timers[made.id] = loop.call_later(at - made.armed_at + 0.01, self._passed, made)

    def _passed(self, made: Provocation) -> None:
        self.changed()
        if made.expires_at is not None and not made.spent(self._now()):
            wait = made.expires_at - self._now() + 0.01
            self._timers[made.id] = asyncio.get_running_loop().call_later(wait, self._passed, made)

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    # Calls

    def _call_in(self, made: Provocation) -> None:
        """The carrier calls as often as was asked for, one call a moment."""
        assert self._carrier is not None, "armed only with a carrier"
        taken = self.armed.take("inbound", self._now(), number=made.number)
        if taken is None:
            return
        if taken.name == "inbound-nobody-heard":
            self.armed.arm(Wanted(ending="grid-unvalidated"), self._now())
        scenario = parse_scenario(taken.scenario)
        caller = self._carrier.call(_to(scenario, taken.number), self._door())
        loop = asyncio.get_running_loop()
        loop.call_later(DYING_SECONDS, self._tell_inbound, taken, caller.call_id)
        if not taken.spent(self._now()) and taken.count:
            self._timers[made.id] = loop.call_later(DYING_SECONDS, self._call_in, made)

    def _tell_inbound(self, made: Provocation, sip_call_id: str) -> None:
        record = self._calls.call_of_sip(sip_call_id) if self._calls else None
        if record is not None:
            made.calls.append(record.id)
            self._tell(record.id, made)

    def far_end(self, invite: Request) -> Scenario | None:
        """What the carrier shall play for this INVITE, if something is armed for it."""
        record = self._calls.call_of_sip(invite.call_id) if self._calls else None
        number = phone_number(invite.uri)
        trunk, call = (record.trunk, record.id) if record else ("", "")
        broken = self._take("call", number=number, trunk=trunk, call=call)
        if broken is not None and record is not None and self._calls is not None:
            fault = ProvokedFault(f"provoked ({broken.id})")
            asyncio.get_running_loop().call_soon(self._calls.fail_call, record.id, fault)
        made = self._take("carrier", number=number, trunk=trunk, call=call)
        return parse_scenario(made.scenario) if made else None

    def refusal(self, number: str, trunk: str) -> NotRouted | None:
        """What routing shall say of a number. The call has no id yet: the refusal itself tells of it."""
        made = self.armed.take("routing", self._now(), number=number, trunk=trunk)
        if made is None:
            return None
        why: Refusal = next(word for word in get_args(Refusal) if word == made.name)
        return NotRouted(why, f"provoked ({made.id}): {made.name}")

    def block(self, data: bytes, to: Destination) -> str:
        """Why a message to a trunk shall not be carried; empty if it shall."""
        if not self._blocked and self.armed.holds("network", self._now()) is None:
            return ""
        message = parse(data)
        sip_call_id = getattr(message, "call_id", "")
        if (known := self._blocked.get(sip_call_id)) is not None:
            return known
        if not isinstance(message, Request) or message.method != "INVITE" or message.to_tag:
            return ""
        record = self._calls.call_of_sip(sip_call_id) if self._calls else None
        trunk, call = (record.trunk, record.id) if record else ("", "")
        made = self._take("network", number=phone_number(message.uri), trunk=trunk, call=call)
        if made is None:
            return ""
        if len(self._blocked) >= MAX_BLOCKED:
            self._blocked.clear()
        self._blocked[sip_call_id] = f"{network_failure(made.name)} ({to.peer})"
        return self._blocked[sip_call_id]

    def media(self, effect: MediaEffect) -> Fact | None:
        """How this shall fail, instead of being done."""
        call = str(getattr(effect, "room", ""))
        holding = self.armed.holds("media", self._now())
        if holding is None or not call or failure_of(effect, holding.name, self._now()) is None:
            return None
        made = self._take("media", call=call, **self._about(call))
        return failure_of(effect, made.name, self._now()) if made else None

    # Beside calls

    def mishap(self, event: OutboxEvent) -> Mishap:
        """What shall happen to an event for the application."""
        if self.armed.holds("callback", self._now()) is None:
            return ""
        made = self._take("callback", call=event.call_id, detail=event.type, **self._about(event.call_id))
        return MISHAPS[made.name] if made else ""

    def unheard(self, call_id: str) -> str:
        """Why no subscription shall take IncomingCall of this call."""
        made = self._take("grid", call=call_id, **self._about(call_id))
        return f"provoked ({made.id}): its endpoint counts as not validated" if made else ""

    def token_time(self, call_id: str, now: float) -> float:
        """When the token of a callback shall have been made."""
        return now - 7200.0 if self._take("token", call=call_id) else now

    def check_store(self) -> None:
        """Raises StoreFailed while the store shall be full."""
        made = self.armed.take("store", self._now())
        if made is not None:
            raise StoreFailed(f"the store is full: provoked ({made.id})")

    def request(self, operation: str, call: str) -> Provocation | None:
        """What shall happen to a request."""
        known = call if call and self.record_of(call) else ""
        return self._take("request", operation=operation, call=known, detail=operation)

    def _about(self, call_id: str) -> dict[str, str]:
        record = self.record_of(call_id)
        if record is None:
            return {"number": "", "trunk": ""}
        number = record.target
        return {"number": number, "trunk": record.trunk}

    def _take(
        self,
        arm: Arm,
        *,
        number: str = "",
        trunk: str = "",
        operation: str = "",
        call: str = "",
        detail: str = "",
    ) -> Provocation | None:
        made = self.armed.take(arm, self._now(), number=number, trunk=trunk, operation=operation, call=call)
        if made is not None and call:
            self._tell(call, made, detail)
        return made

    def _tell(self, call: str, made: Provocation, detail: str = "") -> None:
        fact = Provoked(at=self._now(), provocation=made.id, name=made.name, arm=made.arm, detail=detail)
        self.note(call, fact)


def _to(scenario: Scenario, number: str) -> str:
    """The scenario with its call going to `number`, if one is given."""
    steps = tuple(
        CarrierCall(step.source, number or step.target, sdp=step.sdp)
        if isinstance(step, CarrierCall)
        else step
        for step in scenario.steps
    )
    return write_scenario(Scenario(steps))
