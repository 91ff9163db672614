"""A leg of which no RTP comes for too long is ended by our side, and the call with it if too few are left.

ACS takes a participant out whose media is gone (documented: 410/301004, 410/301005), and tells of no setting;
that a phone's leg is treated so, and after which time, is ours. A far end that crashed sends no BYE: without
this its call would last until the limit of all calls.
"""

from typing import TYPE_CHECKING

from onhook.calls.features.feature import Feature
from onhook.calls.legs import Leg
from onhook.calls.signals import Standing
from onhook.effects import Record
from onhook.facts import Dismissal, Fact, RtpResumed, RtpStopped, TimerFired
from onhook.machine import Outputs
from onhook.sip.reason import Q850, Reason, write_reason

if TYPE_CHECKING:
    from onhook.calls.host import Host

NO_RTP: Dismissal = "no-rtp"
"""The timer, and why the leg is dismissed."""
RECOVERY_ON_TIMER_EXPIRY = 102
"""Q.850 cause of our BYE."""


class Silence(Feature):
    """Serves no operation. Made when media first tells that RTP stands still."""

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._due: dict[str, float] = {}
        """When the time of a leg is over."""

    def take(self, fact: Fact) -> Outputs:
        if isinstance(fact, RtpStopped):
            self._due[fact.leg] = fact.at - fact.silent_seconds + self.call.end_after_silence_seconds
        elif isinstance(fact, RtpResumed):
            self._due.pop(fact.leg, None)
        return []

    def left(self, leg: Leg) -> Outputs:
        self._due.pop(leg.id, None)
        return []

    @property
    def deadline(self) -> float | None:
        return min(self._due.values(), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        outputs: Outputs = []
        for name in [leg for leg, at in self._due.items() if at <= now]:
            del self._due[name]
            leg = next((each for each in self.call.legs.telephones if each.id == name), None)
            agreed = self.call.agreed(name)
            expected = agreed is not None and agreed.receiving  # else it was put on hold in the meantime
            if leg is not None and expected and leg.standing is Standing.CONNECTED:
                outputs += self._give_up(leg)
        return outputs

    def _give_up(self, leg: Leg) -> Outputs:
        seconds = self.call.end_after_silence_seconds
        reason = write_reason(Reason(Q850, RECOVERY_ON_TIMER_EXPIRY, f"no RTP for {seconds:g} s"))
        fired = TimerFired(at=self.call.now, leg=leg.id, name=NO_RTP, after_seconds=seconds)
        return [Record(fired), *self.call.dismiss(leg, NO_RTP, reason), *self.call.settle(leg)]
