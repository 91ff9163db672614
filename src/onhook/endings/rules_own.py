"""Rules for what ends a call without any message of the far end: routing, a restart, our own fault."""

from collections.abc import Callable
from typing import TypeAlias

from onhook.endings import finding as say
from onhook.endings.attempts import Reading
from onhook.endings.finding import Finding, ordered
from onhook.endings.signals import printable
from onhook.endings.verdict import Proof
from onhook.facts import FaultRaised, Refusal, RouteRefused, ServerRestarted

Find: TypeAlias = Callable[[Reading], Finding | None]


def route_refused(why: Refusal) -> Find:
    """A rule for one reason not to choose a trunk."""

    def find(reading: Reading) -> Finding | None:
        if not reading.refused:
            return None
        fact = reading.timeline[reading.refused - 1]
        if not isinstance(fact, RouteRefused) or fact.why != why:
            return None
        number = printable(fact.number) or "an empty number"
        detail = printable(fact.detail, 200)
        return Finding([Proof(reading.refused, f"no trunk was chosen for {number}: {detail or why}")])

    return find


def server_fault(reading: Reading) -> Finding | None:
    """Our own code failed while it handled the call."""
    fact = reading.timeline[reading.fault - 1] if reading.fault else None
    if not isinstance(fact, FaultRaised):
        return None
    last = fact.traceback.strip().rpartition("\n")[2]
    shows = f"our own code failed in {printable(fact.where)}: {printable(last, 160)}"
    return Finding(_so_far(reading, Proof(reading.fault, shows)))


def server_restarted(reading: Reading) -> Finding | None:
    """The server stopped while the call was open."""
    fact = reading.timeline[reading.restarted - 1] if reading.restarted else None
    if not isinstance(fact, ServerRestarted):
        return None
    gone = max(0.0, fact.at - fact.last_seen_at)
    shows = f"the server started again and found the call open; nothing had been noted for {gone:.1f} s"
    return Finding(_so_far(reading, Proof(reading.restarted, shows)))


def _so_far(reading: Reading, decisive: Proof) -> list[Proof]:
    attempt = reading.attempt
    before = [] if attempt is None else say.path(reading, attempt)
    return ordered([*before, say.stopped(reading), decisive])
