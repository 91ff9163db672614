"""Continuous recognition: an application hears of every key that a participant presses, one by one.

It runs beside everything else: a recognize hears the same digits (specification). It cannot begin while a
play, recognize or sendDtmfTones runs for the same participant (documented, lanes.py). Assumed: numbers begin
with 1, and go on when it is started anew, which changes context and callback; it says that it stopped when
the call or its participant ends (documented for the call).
"""

from typing import TYPE_CHECKING

from onhook.acs.errors import ApiError
from onhook.acs.models import (
    ContinuousDtmfRecognitionRequest,
    ContinuousDtmfRecognitionStopped,
    ContinuousDtmfRecognitionToneFailed,
    ContinuousDtmfRecognitionToneReceived,
)
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.features.media_actions import INVALID_MEDIA_MODE, MediaActions
from onhook.calls.features.media_operation import MediaOperation
from onhook.calls.features.tones import TONES
from onhook.calls.legs import Leg
from onhook.calls.record import Connection
from onhook.effects import Record
from onhook.facts import DigitHeard, Fact, OperationEnd
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host

START = "startContinuousDtmfRecognition"
UNHEARD = "the description of the far end has no telephone-event"


class ContinuousDigits(Feature):
    OPERATIONS = (START, "stopContinuousDtmfRecognition")

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._watches: dict[tuple[str, str], ToneWatch] = {}
        """By connection and leg."""

    def check(self, asked: Operation) -> None:
        super().check(asked)
        connection, leg = key = self._key(asked)
        if asked.name == START:
            self.call.feature(MediaActions).admit_beside(connection, leg, START)
        elif key not in self._watches:
            raise ApiError(
                400,
                INVALID_MEDIA_MODE,
                "No continuous recognition of this participant's digits runs, so none can be stopped.",
                target="$.targetParticipant",
            )

    def begin(self, asked: Operation) -> Outputs:
        key = self._key(asked)
        known = self._watches.pop(key, None)
        if asked.name != START:
            return known.stop("done", asked) if known else []
        self.call.feature(MediaActions).go_beside(*key)
        watch = ToneWatch(self.call, asked, key[1], known.sequence if known else 0)
        failed = watch.begin()
        if not failed:
            self._watches[key] = watch
        return failed

    def _key(self, asked: Operation) -> tuple[str, str]:
        """Raises ApiError where the participant is not in the call."""
        if not isinstance(asked.request, ContinuousDtmfRecognitionRequest):
            raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")
        leg = self.call.participant(asked.request.target_participant, "$.targetParticipant")
        return asked.connection.id, leg.id

    def take(self, fact: Fact) -> Outputs:
        if not isinstance(fact, DigitHeard):
            return []
        heard = [watch for (_, leg), watch in self._watches.items() if leg == fact.leg]
        return [output for watch in heard for output in watch.hear(fact)]

    def left(self, leg: Leg) -> Outputs:
        return self._stop([key for key in self._watches if key[1] == leg.id])

    def over(self, connection: Connection) -> Outputs:
        return self._stop([key for key in self._watches if key[0] == connection.id])

    def end(self) -> Outputs:
        return self._stop(list(self._watches))

    def _stop(self, keys: list[tuple[str, str]]) -> Outputs:
        return [output for key in keys for output in self._watches.pop(key).stop("cut-off")]


class ToneWatch:
    """The digits of one participant, for one application."""

    def __init__(self, call: "Host", asked: Operation, leg: str, sequence: int) -> None:
        """`sequence` is the last number that was used before."""
        self.call, self.leg, self.sequence = call, leg, sequence
        self._operation = MediaOperation(call, asked, (leg,))

    def begin(self) -> Outputs:
        """Nothing; or its end, where a telephone has agreed to send no digits."""
        agreed = self.call.agreed(self.leg)
        if agreed is None or agreed.telephone_event is not None:
            return []
        ended = self._operation.ended("digits-unheard", detail=UNHEARD)
        return [Record(ended), self._operation.tell(ContinuousDtmfRecognitionToneFailed, ended, {})]

    def hear(self, fact: DigitHeard) -> Outputs:
        tone = TONES.get(fact.digit)
        if tone is None:
            return []
        self.sequence += 1
        fields = {"sequence_id": self.sequence, "tone": tone}
        done = self._operation.ended("done")
        return [self._operation.tell(ContinuousDtmfRecognitionToneReceived, done, fields)]

    def stop(self, how: OperationEnd, asked: Operation | None = None) -> Outputs:
        """`asked` is the request to stop, whose context and callback count then (assumed)."""
        teller = MediaOperation(self.call, asked, (self.leg,)) if asked else self._operation
        told = teller.tell(ContinuousDtmfRecognitionStopped, self._operation.ended("done"), {})
        return [Record(self._operation.ended(how)), told]
