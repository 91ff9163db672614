"""Offering a call to a party without a telephone: its leg rings, and its owner's subscribers hear of it."""

import msgspec

from onhook.acs.identifiers import ANONYMOUS, PHONE_PREFIX, identify
from onhook.calls.record import CallRecord
from onhook.calls.user_leg import UserLeg
from onhook.effects import Announce, Record
from onhook.facts import IncomingCallAnnounced, UserLegCause, UserLegChanged, UserLegState
from onhook.machine import Outputs


def raw_id(party: str) -> str:
    """The raw id of a number, a raw id, or nobody known."""
    return identify(party).raw_id or party if party else f"{PHONE_PREFIX}{ANONYMOUS}"


def caller_of(record: CallRecord) -> str:
    """Who calls, as the one called sees it: the telephone, or the application's own identity (assumed)."""
    return record.source if record.direction == "inbound" else record.source_user


class Manner(msgspec.Struct, frozen=True):
    """How a party is called, where the request said more than whom."""

    display_name: str = ""
    """Of the caller; empty for the call's own."""
    headers: tuple[tuple[str, str], ...] = ()
    """For a telephone, in the INVITE; for a user, the sipHeaders of the customContext."""
    voip_headers: tuple[tuple[str, str], ...] = ()
    ring_seconds: float = 0.0
    """How long a user may ring; 0 is as long as usual."""


AS_EVER = Manner()


def offer_to(
    record: CallRecord,
    leg: UserLeg,
    resource: str,
    ring_seconds: float,
    now: float,
    *,
    manner: Manner = AS_EVER,
) -> Outputs:
    leg.ring(manner.ring_seconds or ring_seconds, now)
    caller = caller_of(record)
    announced = IncomingCallAnnounced(
        at=now, leg=leg.rings_as, resource=resource, caller=raw_id(caller), callee=raw_id(leg.party)
    )
    announce = Announce(
        leg=leg.rings_as,
        to=raw_id(leg.party),
        caller=raw_id(caller),
        resource=resource,
        display_name=manner.display_name or record.source_display_name,
        seconds=manner.ring_seconds,
        sip_headers=manner.headers,
        voip_headers=manner.voip_headers,
    )
    return [Record(announced), *user_leg_changed(leg, "ringing", now=now), announce]


def user_leg_changed(leg: UserLeg, state: UserLegState, why: UserLegCause = "", *, now: float) -> Outputs:
    """The fact, for a user; what an application answers for a calling telephone is told by its requests."""
    if leg.rings_as != leg.id:
        return []
    return [Record(UserLegChanged(at=now, leg=leg.id, user=raw_id(leg.party), state=state, why=why))]
