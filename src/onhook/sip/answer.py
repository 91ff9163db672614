"""The 2xx to an INVITE, repeated by the answering party until its ACK comes (RFC 3261 section 13.3.1.4)."""

from onhook.effects import Destination, Record, Transmit
from onhook.facts import TimerFired
from onhook.machine import Outputs
from onhook.sip.messages import Response
from onhook.sip.timers import GIVE_UP, T1, T2
from onhook.sip.transaction import TimedOut

ACK_WAIT = "ACK"
"""Name of the timer that gives up waiting for the ACK of a 2xx."""


class Answer:
    """Repeats at T1, doubling to T2, on every transport; gives up after 64*T1 with TimedOut("ACK")."""

    def __init__(self, leg: str, response: Response, to: Destination, now: float) -> None:
        self.leg, self.to = leg, to
        self._data = response.to_bytes()
        self._interval = T1
        self._repeat_at, self._give_up_at = now + T1, now + GIVE_UP
        self.done = False

    @property
    def deadline(self) -> float | None:
        return None if self.done else min(self._repeat_at, self._give_up_at)

    def acknowledge(self) -> None:
        """The ACK came."""
        self.done = True

    def handle_timeout(self, now: float) -> Outputs:
        if self.done or now < min(self._repeat_at, self._give_up_at):
            return []
        if now >= self._give_up_at:
            self.done = True
            fact = TimerFired(at=now, leg=self.leg, name=ACK_WAIT, after_seconds=GIVE_UP)
            return [Record(fact), TimedOut(ACK_WAIT)]
        self._interval = min(self._interval * 2, T2)
        self._repeat_at = now + self._interval
        return [Transmit(self._data, self.to)]
