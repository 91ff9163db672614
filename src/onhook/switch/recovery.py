"""Open calls of an earlier run, taken up again from what was kept of them."""

import copy
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from onhook.calls.call import Call, State
from onhook.calls.directory import Trunk
from onhook.calls.record import CallRecord
from onhook.calls.replay import replay
from onhook.facts import CallArrived, RouteTaken, SipSeen, Timeline
from onhook.sip.headers import split_host_port

log = logging.getLogger(__name__)


class CallLimits(Protocol):
    @property
    def setup_seconds(self) -> float: ...
    @property
    def max_call_seconds(self) -> float: ...
    @property
    def ring_seconds(self) -> float: ...


def rebuild(
    record: CallRecord,
    facts: Callable[[str], Timeline],
    trunks: Mapping[str, Trunk],
    limits: CallLimits,
) -> Call:
    """The call as it stood, so that it can be ended properly.

    Where its facts cannot be read or do not lead to an open call, it comes without a leg: it can still be
    given its ending, but its telephones are left to their trunks. Never raises.
    """
    timeline: Timeline = []
    try:
        timeline = facts(record.id)
        by_leg = _trunks_then(record, timeline, trunks)
        if by_leg or record.legs:
            call, _ = replay(
                copy.copy(record),
                timeline,
                next(iter(by_leg.values()), None),
                setup_seconds=limits.setup_seconds,
                max_seconds=limits.max_call_seconds,
                ring_seconds=limits.ring_seconds,
                trunks=by_leg,
            )
            if call.state in {State.CONNECTING, State.CONNECTED, State.DISCONNECTING}:
                call.timeline = timeline  # numbered as it is kept
                return call
    except Exception:
        log.exception("call %s cannot be replayed; it is ended without its leg", record.id)
    call = Call(
        record,
        setup_seconds=limits.setup_seconds,
        max_seconds=limits.max_call_seconds,
        ring_seconds=limits.ring_seconds,
    )
    call.resume(timeline)
    return call


def _trunks_then(record: CallRecord, timeline: Timeline, trunks: Mapping[str, Trunk]) -> dict[str, Trunk]:
    """The trunk of each leg, with its address when the leg began, whatever the configuration says now."""
    names = {fact.leg: fact.trunk for fact in timeline if isinstance(fact, RouteTaken | CallArrived)}
    found: dict[str, Trunk] = {}
    for fact in timeline:
        name = names.get(fact.leg) or record.trunk
        if not isinstance(fact, SipSeen) or fact.leg in found or not name:
            continue
        host, port = split_host_port(fact.peer) or ("", None)
        known = trunks.get(name) or Trunk(name, host)
        found[fact.leg] = dataclasses.replace(known, host=host, port=port or 0, transport=fact.transport)
    return found
