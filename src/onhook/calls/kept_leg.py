"""A telephone's leg as it is kept when it changes its call: enough to go on with it after a restart.

The leg itself moves alive; this is what a replay of its new call builds it from.
"""

from onhook.calls.directory import Trunk
from onhook.calls.inbound_leg import InboundLeg
from onhook.calls.leg import PhoneLeg
from onhook.calls.legs import Telephone
from onhook.calls.record import KeptLeg, LegPlan
from onhook.calls.signals import Standing
from onhook.effects import Destination, StartMedia
from onhook.sip.messages import Request, parse


def plan_of(leg: Telephone, *, secret: str, agreed: StartMedia | None, action: str) -> LegPlan:
    """The plan of a leg that is up, for the call that takes it over by the operation `action`.

    `secret` is that of the call where it began.
    """
    inbound = isinstance(leg, InboundLeg)
    kept = KeptLeg(
        inbound=inbound,
        trunk=leg.trunk.name,
        session=leg.session.keep(),
        media_version=leg.media_version,
        secret=secret,
        agreed=agreed,
        muted=leg.muted,
        held=leg.held,
    )
    return LegPlan(
        id=leg.id,
        party=leg.party,
        seed=leg.session.seed,
        local=leg.session.local,
        media=leg.media or ("", 0),
        caller="" if isinstance(leg, InboundLeg) else leg.session.caller,
        invitation=action,
        kept=kept,
    )


def trunk_of(plan: LegPlan, known: Trunk | None) -> Trunk:
    """The trunk of a kept leg; where it is not configured any more, only its address is known."""
    assert plan.kept is not None
    transport, host, port = plan.kept.session.peer
    return known or Trunk(plan.kept.trunk, host, port, transport)


def resumed(plan: LegPlan, trunk: Trunk, now: float) -> Telephone:
    """The leg as it stood when it was kept."""
    kept = plan.kept
    assert kept is not None
    leg = _inbound(plan, trunk, now) if kept.inbound else _outbound(plan, trunk, now)
    leg.session.resume(kept.session)
    leg.resume_media(plan.media, kept.media_version)
    leg.standing, leg.muted, leg.held = Standing.CONNECTED, kept.muted, kept.held
    return leg


def _outbound(plan: LegPlan, trunk: Trunk, now: float) -> PhoneLeg:
    assert plan.kept is not None
    return PhoneLeg(
        id=plan.id,
        seed=plan.seed,
        trunk=trunk,
        local=plan.local,
        media=plan.media,
        target=plan.party,
        caller=plan.caller,
        display_name="",
        secret=plan.kept.secret,
        now=now,
    )


def _inbound(plan: LegPlan, trunk: Trunk, now: float) -> InboundLeg:
    assert plan.kept is not None
    invite = parse(plan.kept.session.invite)
    assert isinstance(invite, Request)
    return InboundLeg(
        invite,
        id=plan.id,
        party=plan.party,
        seed=plan.seed,
        source=Destination(*plan.kept.session.peer),
        local=plan.local,
        terms=trunk.terms(plan.kept.secret, plan.seed),
        trunk=trunk,
        now=now,
    )
