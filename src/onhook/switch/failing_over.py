"""Which trunk takes a call over when another one failed, and the leg that is begun there."""

import hashlib
from collections.abc import Callable, Collection

import msgspec

from onhook.acs.errors import ApiError
from onhook.calls.call import Call
from onhook.calls.directory import Trunk
from onhook.calls.leg import PhoneLeg
from onhook.calls.record import LegPlan
from onhook.calls.routing import Chosen
from onhook.effects import Destination, Effect
from onhook.facts import Refusal, RouteRefused, RouteTaken


def next_trunk(
    call: Call,
    failed: str,
    *,
    has_room: Callable[[Trunk], bool],
    resting: Collection[str],
    open_media: Callable[[str], tuple[str, int]],
    via_address: Callable[[Destination], tuple[str, int]],
    now: float,
) -> list[Effect]:
    """The call of the leg `failed` goes on by another trunk, or is told that none takes it."""
    leg = call.legs.get(failed)
    assert isinstance(leg, PhoneLeg)
    routed = stand_in(leg, has_room, resting)
    if routed is None:
        return call.give_up(_nobody_left(leg, "trunk-full", "no other trunk is free", now))
    plan = plan_after(leg)
    try:
        media = ("", 0) if leg.passes_media else open_media(plan.id)
    except ApiError as error:
        return call.give_up(_nobody_left(leg, "no-trunk", str(error), now))
    plan = msgspec.structs.replace(plan, local=via_address(routed.trunk.destination), media=media)
    fact = RouteTaken(
        at=now,
        leg=plan.id,
        number=plan.party,
        trunk=routed.trunk.name,
        pattern=routed.route.pattern,
        after=failed,
    )
    return call.try_next(fact, plan, routed)


def _nobody_left(leg: PhoneLeg, why: Refusal, detail: str, now: float) -> RouteRefused:
    return RouteRefused(at=now, leg=leg.id, number=leg.party, why=why, detail=detail, after=leg.id)


def stand_in(leg: PhoneLeg, has_room: Callable[[Trunk], bool], resting: Collection[str]) -> Chosen | None:
    """The next trunk for the call of `leg` that has room and does not rest; None if there is no such."""
    for place, other in enumerate(leg.others):
        if other.trunk.name not in resting and has_room(other.trunk):
            return Chosen(other.trunk, other.route, leg.others[place + 1 :])
    return None


def plan_after(leg: PhoneLeg) -> LegPlan:
    """The leg that is to take the place of `leg`, without its addresses. All its names come from its seed."""
    seed = hashlib.sha256(f"{leg.session.seed}/next trunk".encode()).hexdigest()[:32]
    return LegPlan(id=seed[:12], party=leg.party, seed=seed, caller=leg.session.caller, after=leg.id)
