"""One transfer: a participant is handed over to somebody who is not in the call yet.

By bridging the target is called from here; once it answers, the two speak in a room of their own. By REFER
the participant's trunk calls the target itself, and takes the participant along.
"""

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import msgspec

from onhook.acs.identifiers import identify
from onhook.acs.models import CallTransferAccepted, CallTransferFailed
from onhook.calls.events import DONE, operation_event, result_of
from onhook.calls.features.feature import Operation, ended
from onhook.calls.legs import Leg
from onhook.calls.offering import Manner
from onhook.calls.states import RELEASE_SECONDS
from onhook.calls.user_leg import UserLeg
from onhook.effects import Effect, Record
from onhook.endings.referrals import ReferralFault, judge_referral
from onhook.endings.verdict import Verdict
from onhook.facts import OperationEnd, TimerFired
from onhook.machine import Machine, Outputs, rows

if TYPE_CHECKING:
    from onhook.calls.host import Host

TRANSFER_SECONDS = 60.0
"""How long a transfer may take (documented: calling timeouts)."""


NO_REFER = frozenset({403, 405, 420, 501})
"""By these a trunk says that it transfers nobody, here or at all: the target is called from here then."""


class State(Enum):
    NEW = auto()
    CALLING = auto()  # the target is called from here
    WITHDRAWN = auto()  # its time was over: CANCEL is sent, and what became of it is awaited
    REFERRING = auto()  # the far end of the participant's leg is asked to call the target
    OVER = auto()


class Begun(msgspec.Struct, frozen=True):
    """Input: do it."""


class ReferFirst(msgspec.Struct, frozen=True):
    """Input: do it, by REFER."""


class Joined(msgspec.Struct, frozen=True):
    """Input: the target answered."""


class Lost(msgspec.Struct, frozen=True):
    """Input: the leg of the target ended, or never began."""


class TimeOver(msgspec.Struct, frozen=True):
    """Input: the time for the transfer is over; or, of one withdrawn, the time for the trunk to confirm."""


class TransfereeLeft(msgspec.Struct, frozen=True):
    """Input: the participant is gone."""


class Dropped(msgspec.Struct, frozen=True):
    """Input: the call ends, or the application that asked leaves it."""


class Accepted(msgspec.Struct, frozen=True):
    """Input: the far end told that the target took the call, or went there without a word."""


class NoRefer(msgspec.Struct, frozen=True):
    """Input: the far end takes no REFER, though it listed it."""


class NotAccepted(msgspec.Struct, frozen=True):
    """Input: the REFER came to nothing."""

    why: ReferralFault
    status: int
    phrase: str


class Transfer(Machine[State]):
    """Tells its application CallTransferAccepted or CallTransferFailed, once."""

    def __init__(
        self, call: "Host", asked: Operation, transferee: Leg, manner: Manner, *, group: bool
    ) -> None:
        self.state = State.NEW
        self.call, self.asked, self.transferee, self.group = call, asked, transferee, group
        self.manner, self.plan = manner, asked.targets[0].plan
        self.target_id = self.plan.id
        self.until = call.now + TRANSFER_SECONDS
        self.due: float | None = None
        """When its time is over; a referral keeps its own time."""

    def ends_by(self, received: type[object]) -> bool:
        row = self.TABLE.get((self.state, received))
        return row is not None and row[0] is State.OVER

    @property
    def target(self) -> Leg | None:
        return self.call.legs.get(self.target_id)

    def event(self, verdict: Verdict) -> Effect:
        return operation_event(
            self.call.record,
            self.asked.connection,
            CallTransferFailed,
            context=self.asked.context,
            callback_uri=self.asked.callback_uri,
            result=result_of(verdict),
        )

    def _accepted(self) -> Effect:
        return operation_event(
            self.call.record,
            self.asked.connection,
            CallTransferAccepted,
            context=self.asked.context,
            callback_uri=self.asked.callback_uri,
            result=DONE,
            transfer_target=identify(self.plan.party),
            transferee=identify(self.transferee.party),
        )

    def _over(self, how: OperationEnd, **about: Any) -> Record:
        return ended(self.call, self.asked, how, **about)

    # Actions: the target is called from here

    def begin(self, begun: Begun) -> Outputs:
        if self.plan.refers and not isinstance(self.transferee, UserLeg):
            return self.handle(ReferFirst())
        return self.call_target(begun)

    def call_target(self, _: Begun | NoRefer) -> Outputs:
        self.due = self.until
        return self.call.reach(self.asked.targets[0], manner=self.manner)

    def hand_over(self, _: Joined) -> Outputs:
        self.due = None
        call, target = self.call, self.target
        assert target is not None
        for leg in (self.transferee, target):
            leg.held = leg.muted = False  # nobody could undo it
        told: Outputs = [self._over("done", leg=self.target_id), self._accepted()]
        if self.group:
            return [*told, *call.set_aside([self.transferee, target], self.asked.action)]
        return [*told, *call.leave_to_themselves(self.asked.connection)]

    def fail(self, _: object) -> Outputs:
        self.due = None
        over = self._over("not-reached", leg=self.target_id)
        return [over, *self.call.judged(self.target_id, self.event)]

    def withdraw(self, _: TimeOver) -> Outputs:
        self.due = self.call.now + RELEASE_SECONDS
        fired = TimerFired(at=self.call.now, leg=self.target_id, name="setup", after_seconds=TRANSFER_SECONDS)
        target = self.target
        assert target is not None
        return [Record(fired), *self.call.let_off(target)]

    def cut_off(self, _: object) -> Outputs:
        self.due = None
        target = self.target
        gone = self.call.dismiss(target, "call-over") if target is not None else []
        return [*gone, self._over("cut-off"), self.event(judge_referral("left"))]

    # Actions: the far end calls it

    def refer(self, _: ReferFirst) -> Outputs:
        leg = self.transferee
        assert not isinstance(leg, UserLeg)
        return self.call.refer(leg, self.asked.targets[0], self.manner.headers, TRANSFER_SECONDS)

    def hand_off(self, _: Accepted) -> Outputs:
        call, leg = self.call, self.transferee
        left = [] if self.group else call.leave(self.asked.connection, "transferred")
        gone = [*call.dismiss(leg, "transferred"), *call.settle(leg)]
        over = self._over("done", leg=leg.id)
        return [over, self._accepted(), *call.free_media(self.plan), *left, *gone]

    def refused(self, refused: NotAccepted) -> Outputs:
        told = self.event(judge_referral(refused.why, refused.status, refused.phrase))
        over = self._over(
            "not-referred",
            leg=self.transferee.id,
            detail=refused.phrase,
            referral=refused.why,
            sip_status=refused.status or None,
        )
        return [over, told, *self.call.free_media(self.plan)]

    def cut_off_refer(self, _: object) -> Outputs:
        """What the far end still reports, nobody waits for."""
        if not isinstance(self.transferee, UserLeg):
            self.transferee.session.inside.drop_referral()
        return [self._over("cut-off"), self.event(judge_referral("left")), *self.call.free_media(self.plan)]

    TABLE = {
        (State.NEW, Begun): (State.CALLING, begin),
        (State.CALLING, ReferFirst): (State.REFERRING, refer),
        (State.CALLING, Joined): (State.OVER, hand_over),
        (State.CALLING, TimeOver): (State.WITHDRAWN, withdraw),
        **dict.fromkeys(rows([State.CALLING, State.WITHDRAWN], Lost), (State.OVER, fail)),
        **dict.fromkeys(
            rows([State.CALLING, State.WITHDRAWN], TransfereeLeft, Dropped), (State.OVER, cut_off)
        ),
        (State.WITHDRAWN, TimeOver): (State.OVER, fail),
        (State.REFERRING, Accepted): (State.OVER, hand_off),
        (State.REFERRING, NotAccepted): (State.OVER, refused),
        (State.REFERRING, NoRefer): (State.CALLING, call_target),
        **dict.fromkeys(rows(State.REFERRING, TransfereeLeft, Dropped), (State.OVER, cut_off_refer)),
    }
