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
from onhook.facts import SipSeen, Timeline
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


def rebuild(
    record: CallRecord,
    facts: Callable[[str], Timeline],
    trunks: Mapping[str, Trunk],
    limits: CallLimits,
) -> Call:
    """The call as it stood, so that it can be ended properly.

    Where its facts cannot be read or do not lead to an open call, it comes without a leg: it can still be
    given its ending, but the telephone is left to its trunk. Never raises.
    """
    timeline: Timeline = []
    try:
        timeline = facts(record.id)
        trunk = _trunk_then(record, timeline, trunks)
        if trunk is not None:
            call, _ = replay(
                copy.copy(record),
                timeline,
                trunk,
                setup_seconds=limits.setup_seconds,
                max_seconds=limits.max_call_seconds,
            )
            if call.state in {State.CONNECTING, State.CONNECTED, State.DISCONNECTING}:
                call.timeline = timeline  # numbered as it is kept
                return call
    except Exception:
        log.exception("call %s cannot be replayed; it is ended without its leg", record.id)
    call = Call(record, setup_seconds=limits.setup_seconds, max_seconds=limits.max_call_seconds)
    call.resume(timeline)
    return call


def unreleased(
    record: CallRecord,
    facts: Callable[[str], Timeline],
    trunks: Mapping[str, Trunk],
    limits: CallLimits,
) -> Call | None:
    """An ended call whose telephone may be off the hook still: its BYE or CANCEL was not answered.

    None if it was, or if that cannot be told. Never raises.
    """
    try:
        timeline = facts(record.id)
        trunk = _trunk_then(record, timeline, trunks)
        if trunk is None or not _awaits_an_answer(timeline):
            return None
        call, _ = replay(
            copy.copy(record),
            timeline,
            trunk,
            setup_seconds=limits.setup_seconds,
            max_seconds=limits.max_call_seconds,
        )
    except Exception:
        log.exception("call %s is over; whether its telephone was released cannot be told", record.id)
        return None
    return call if call.state is State.ENDED and not call.done else None


def _awaits_an_answer(timeline: Timeline) -> bool:
    """Was one of our requests never answered with a final response? Cheap: most calls are done with."""
    open_requests: set[tuple[int, bytes, bytes]] = set()
    for fact in timeline:
        if not isinstance(fact, SipSeen):
            continue
        ours = fact.direction == "sent"
        status = status_of(fact.message)
        if ours and not status and not fact.message.startswith(b"ACK"):
            open_requests.add(_name_of(fact.message))
        elif not ours and status >= 200:
            open_requests.discard(_name_of(fact.message))
    return bool(open_requests)


def _name_of(message: bytes) -> tuple[int, bytes, bytes]:
    """What a request and its response share: CSeq, and for a BYE the fork that it releases."""
    number, method = cseq_of(message)
    return number, method, to_tag_of(message) if method == b"BYE" else b""


def _trunk_then(record: CallRecord, timeline: Timeline, trunks: Mapping[str, Trunk]) -> Trunk | None:
    """The trunk with the address it had when the call was placed, whatever the configuration says now."""
    sent = next((fact for fact in timeline if isinstance(fact, SipSeen) and fact.direction == "sent"), None)
    if not record.trunk or sent is None:
        return None
    host, port = split_host_port(sent.peer) or ("", None)
    known = trunks.get(record.trunk) or Trunk(record.trunk, host)
    return dataclasses.replace(known, host=host, port=port or 0, transport=sent.transport)
