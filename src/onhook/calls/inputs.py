"""Inputs of a call that is more than one telephone called by one application."""

from typing import Literal, TypeAlias

import msgspec

from onhook.calls.custom_context import Pairs
from onhook.calls.directory import Trunk
from onhook.calls.record import Connection, LegPlan
from onhook.calls.routing import Chosen, NotRouted
from onhook.sip.messages import Request

Rejection: TypeAlias = Literal["none", "busy", "forbidden"]
"""callRejectReason."""


class Target(msgspec.Struct, frozen=True):
    """Whom createCall or redirectCall rings: a telephone by a trunk, or (without `routed`) a user."""

    plan: LegPlan
    routed: Chosen | NotRouted | None = None


class Invited(msgspec.Struct, frozen=True):
    """Input: the call was created for these targets."""

    targets: tuple[Target, ...]


class Arrival(msgspec.Struct, frozen=True):
    """What the switch found out of an INVITE that began a call. `unknown` says why nobody owns the number."""

    trunk: Trunk
    unknown: str = ""


class Arrived(msgspec.Struct, frozen=True):
    """Input: a telephone calls."""

    invite: Request
    arrival: Arrival
    headers: Pairs = ()
    """Those that the application is to see."""


class AnswerAsked(msgspec.Struct, frozen=True):
    """Input: an application answers for the party that rings as `leg`; `media` is for the caller's leg."""

    leg: str
    connection: Connection
    media: tuple[str, int]


class RejectAsked(msgspec.Struct, frozen=True):
    """Input: an application refuses for the party that rings; `reason` is none, busy or forbidden."""

    leg: str
    reason: Rejection


class RedirectAsked(msgspec.Struct, frozen=True):
    """Input: an application lets `target` ring instead of the party that rings."""

    leg: str
    target: Target


class JoinAsked(msgspec.Struct, frozen=True):
    """Input: another application connects to the call."""

    connection: Connection


class LeaveAsked(msgspec.Struct, frozen=True):
    """Input: an application leaves, and the call goes on without it."""

    connection: Connection


class LegLeft(msgspec.Struct, frozen=True):
    """Input: a leg ended, and the call goes on without it."""


class LegParted(msgspec.Struct, frozen=True):
    """Input: a leg ended, and with it the call; other telephones have to be released."""


class AsideParted(msgspec.Struct, frozen=True):
    """Input: a leg that spoke with another one aside ended; the rest of the call goes on."""


class MainParted(msgspec.Struct, frozen=True):
    """Input: too few are left beside those who speak aside: the call is over for its applications."""


class TargetAnswered(msgspec.Struct, frozen=True):
    """Input: the telephone that a caller was redirected to answered; the caller has not been told yet."""


class NothingToCount(msgspec.Struct, frozen=True):
    """Input: the call ended without any media of ours."""


class LateSetupExpired(msgspec.Struct, frozen=True):
    """Input: the set-up time of telephones that still ring, in a call that others answered."""
