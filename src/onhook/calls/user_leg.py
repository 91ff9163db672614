"""A leg without a telephone: an ACS user, an application's own identity, or a number that an application
answers. Nothing of it crosses a wire of ours; it rings, is answered by an application, and ends.
"""

from onhook.calls.signals import LegEnded, Presence, Standing
from onhook.effects import Record
from onhook.facts import TimerFired
from onhook.machine import Outputs

RING = "ring"
"""Name of the timer that ends the ringing (30 s, documented: Incoming call concepts)."""


class UserLeg(Presence):
    """`party` is a raw id, or a number in E.164; `rings_as` is the leg that facts and contexts name.

    A phone call that comes in rings as the leg of its caller.
    """

    def __init__(self, id: str, party: str, *, rings_as: str = "") -> None:  # noqa: A002  # called id everywhere
        self.id, self.party = id, party
        self.rings_as = rings_as or id
        self.outcome = ""
        """What became of the ringing, in a word for refusals: answered, rejected, redirected …"""
        self.deadline: float | None = None
        self._ring_seconds = 0.0

    @property
    def rings(self) -> bool:
        return self.standing is Standing.TRYING and not self.outcome

    def ring(self, seconds: float, now: float) -> None:
        self._ring_seconds, self.deadline = seconds, now + seconds

    def stop(self, outcome: str) -> None:
        """It rings no more."""
        self.outcome, self.deadline = outcome, None

    def end(self) -> None:
        self.standing, self.deadline = Standing.ENDED, None

    def handle_timeout(self, now: float) -> Outputs:
        if self.deadline is None or self.deadline > now:
            return []
        self.stop("left to ring until its time was over")
        fired = TimerFired(at=now, leg=self.rings_as, name=RING, after_seconds=self._ring_seconds)
        return [Record(fired), LegEnded()]
