"""One invitation: a party that is rung so that it joins a call that is up."""

from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from onhook.acs.identifiers import identify
from onhook.acs.models import AddParticipantFailed, AddParticipantSucceeded
from onhook.calls.events import DONE, operation_event, result_of
from onhook.calls.features.feature import Operation, ended
from onhook.calls.legs import Leg
from onhook.calls.states import RELEASE_SECONDS
from onhook.effects import Effect, Record
from onhook.endings.verdict import Verdict
from onhook.facts import OperationEnd, TimerFired
from onhook.machine import Machine, Outputs, rows

if TYPE_CHECKING:
    from onhook.calls.host import Host


TAKEN_BACK = "the application took the invitation back"


class State(Enum):
    RINGING = auto()
    WITHDRAWN = auto()  # its time was over: CANCEL is sent, and what became of it is awaited
    JOINED = auto()
    OVER = auto()


class Joined(msgspec.Struct, frozen=True):
    """Input: the party answered."""


class Lost(msgspec.Struct, frozen=True):
    """Input: the leg ended, or never began."""


class TimeOver(msgspec.Struct, frozen=True):
    """Input: the invitation's time is over; or, of one withdrawn, the time for the trunk to confirm."""


class CancelAsked(msgspec.Struct, frozen=True):
    """Input: the application takes it back."""


class Dropped(msgspec.Struct, frozen=True):
    """Input: the call ends, or the application that asked leaves it."""


class Invitation(Machine[State]):
    """Tells its application AddParticipantSucceeded or AddParticipantFailed once, unless it is cancelled.

    (Assumed: one that is cancelled is told of by the events of cancelAddParticipant alone.)
    """

    def __init__(self, call: "Host", asked: Operation, leg_id: str, party: str, seconds: float) -> None:
        self.state = State.RINGING
        self.call, self.asked, self.leg_id, self.party = call, asked, leg_id, party
        self.seconds = seconds
        self.due: float | None = call.now + seconds
        """When its time is over. A user's leg keeps its own time, so for users this comes too late."""

    @property
    def leg(self) -> Leg | None:
        return self.call.legs.get(self.leg_id)

    def event(self, verdict: Verdict) -> Effect:
        return self._told(AddParticipantFailed, verdict)

    def _told(
        self,
        model: type[AddParticipantFailed | AddParticipantSucceeded],
        verdict: Verdict | None = None,
    ) -> Effect:
        return operation_event(
            self.call.record,
            self.asked.connection,
            model,
            context=self.asked.context,
            callback_uri=self.asked.callback_uri,
            result=DONE if verdict is None else result_of(verdict),
            participant=identify(self.party),
        )

    # Actions

    def succeed(self, _: Joined) -> Outputs:
        self.due = None
        return [ended(self.call, self.asked, "done", leg=self.leg_id), self._told(AddParticipantSucceeded)]

    def fail(self, _: Lost | TimeOver) -> Outputs:
        return self._lose("not-reached")

    def _lose(self, how: OperationEnd) -> Outputs:
        self.due = None
        over = ended(self.call, self.asked, how, leg=self.leg_id)
        return [over, *self.call.judged(self.leg_id, self.event)]

    def withdraw(self, _: TimeOver) -> Outputs:
        self.due = self.call.now + RELEASE_SECONDS
        fired = TimerFired(at=self.call.now, leg=self.leg_id, name="setup", after_seconds=self.seconds)
        leg = self.leg
        assert leg is not None
        return [Record(fired), *self.call.let_off(leg)]

    def cancel(self, _: CancelAsked) -> Outputs:
        self.due = None
        leg = self.leg
        assert leg is not None
        over = ended(self.call, self.asked, "cancelled", leg=self.leg_id, detail=TAKEN_BACK)
        return [*self.call.dismiss(leg, "cancelled"), over]

    def drop(self, _: Dropped) -> Outputs:
        leg = self.leg
        gone = self.call.dismiss(leg, "call-over") if leg is not None else []
        return [*gone, *self._lose("cut-off")]

    TABLE = {
        (State.RINGING, Joined): (State.JOINED, succeed),
        (State.RINGING, TimeOver): (State.WITHDRAWN, withdraw),
        (State.RINGING, CancelAsked): (State.OVER, cancel),
        **dict.fromkeys(rows([State.RINGING, State.WITHDRAWN], Lost), (State.OVER, fail)),
        **dict.fromkeys(rows([State.RINGING, State.WITHDRAWN], Dropped), (State.OVER, drop)),
        (State.WITHDRAWN, TimeOver): (State.OVER, fail),
    }
