"""Calls of an earlier run, taken up again from what was kept of them: the open and the unreleased."""

import copy
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from onhook.calls.call import Call, State
from onhook.calls.directory import Trunk
from onhook.calls.record import CallRecord
from onhook.calls.replay import replay
from onhook.endings.signals import cseq_of, status_of, to_tag_of
from onhook.facts import CallArrived, RouteTaken, SipSeen, Timeline
from onhook.sip.headers import split_host_port
from onhook.sip.timers import GIVE_UP

RELEASING_SECONDS = GIVE_UP
"""How long before the last end of a call another call can have ended and still wait for its BYE's answer."""
log = logging.getLogger(__name__)


class CallLimits(Protocol):
    @property
    def setup_seconds(self) -> float: ...
    @property
    def max_call_seconds(self) -> float: ...
    @property
    def ring_seconds(self) -> float: ...
    @property
    def end_after_silence_seconds(self) -> float: ...


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
            call = _replayed(record, timeline, by_leg, limits)
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
        end_after_silence_seconds=limits.end_after_silence_seconds,
    )
    call.resume(timeline)
    return call


def unreleased(
    record: CallRecord,
    facts: Callable[[str], Timeline],
    trunks: Mapping[str, Trunk],
    limits: CallLimits,
) -> Call | None:
    """An ended call of which a telephone may be off the hook still: its BYE or CANCEL was not answered.

    None if it was, or if that cannot be told. Never raises.
    """
    try:
        timeline = facts(record.id)
        by_leg = _trunks_then(record, timeline, trunks)
        if not by_leg or not _awaits_an_answer(timeline):
            return None
        call = _replayed(record, timeline, by_leg, limits)
    except Exception:
        log.exception("call %s is over; whether its telephone was released cannot be told", record.id)
        return None
    return call if call.state is State.ENDED and not call.done else None


def _replayed(
    record: CallRecord, timeline: Timeline, by_leg: Mapping[str, Trunk], limits: CallLimits
) -> Call:
    call, _ = replay(
        copy.copy(record),
        timeline,
        next(iter(by_leg.values()), None),
        setup_seconds=limits.setup_seconds,
        max_seconds=limits.max_call_seconds,
        ring_seconds=limits.ring_seconds,
        end_after_silence_seconds=limits.end_after_silence_seconds,
        trunks=by_leg,
    )
    return call


def _awaits_an_answer(timeline: Timeline) -> bool:
    """Was one of our requests never answered with a final response? Cheap: most calls are done with."""
    open_requests: set[tuple[str, int, bytes, bytes]] = set()
    for fact in timeline:
        if not isinstance(fact, SipSeen):
            continue
        ours = fact.direction == "sent"
        status = status_of(fact.message)
        if ours and not status and not fact.message.startswith(b"ACK"):
            open_requests.add((fact.leg, *_name_of(fact.message)))
        elif not ours and status >= 200:
            open_requests.discard((fact.leg, *_name_of(fact.message)))
    return bool(open_requests)


def _name_of(message: bytes) -> tuple[int, bytes, bytes]:
    """What a request and its response share: CSeq, and for a BYE the fork that it releases."""
    number, method = cseq_of(message)
    return number, method, to_tag_of(message) if method == b"BYE" else b""


def _trunks_then(record: CallRecord, timeline: Timeline, trunks: Mapping[str, Trunk]) -> dict[str, Trunk]:
    """The trunk of each leg, with its address when the leg began, whatever the configuration says now."""
    names = {plan.id: plan.kept.trunk for plan in record.legs if plan.kept is not None}
    names |= {fact.leg: fact.trunk for fact in timeline if isinstance(fact, RouteTaken | CallArrived)}
    found: dict[str, Trunk] = {}
    for fact in timeline:
        name = names.get(fact.leg) or record.trunk
        if not isinstance(fact, SipSeen) or fact.leg in found or not name:
            continue
        host, port = split_host_port(fact.peer) or ("", None)
        known = trunks.get(name) or Trunk(name, host)
        found[fact.leg] = dataclasses.replace(known, host=host, port=port or 0, transport=fact.transport)
    return found
