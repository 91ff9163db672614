"""Media actions of a call: prompts, input, digits that are sent. What goes beside what is in lanes.py.

The feature keeps the operations and their lanes, gives each its turn, and hands on what media tells.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onhook.acs.errors import ApiError
from onhook.acs.models import PlayRequest, RecognizeRequest, SendDtmfTonesRequest, SendDtmfTonesResult
from onhook.acs.wire import Model
from onhook.calls.features.feature import Feature, Operation
from onhook.calls.features.lanes import (
    MAX_WAITING,
    Abandon,
    Asked,
    Begin,
    Cancelled,
    Cleared,
    Interrupting,
    Lane,
    MainLane,
    Over,
    SubLane,
    TonesAsked,
    TonesToSend,
    Withdrawn,
)
from onhook.calls.features.media_operation import Finished, MediaOperation
from onhook.calls.features.playing import Play
from onhook.calls.features.recognizing import Recognize
from onhook.calls.features.sending import SendTones
from onhook.calls.legs import Leg
from onhook.calls.record import Connection
from onhook.facts import (
    DigitHeard,
    DigitsSent,
    Fact,
    ListeningFailed,
    PromptEnded,
    PromptStarted,
    SpeechBegan,
    SpeechHeard,
)
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host

INCOMPATIBLE = "8583"
"""Documented, with 412: the media action compatibility table."""
INVALID_MEDIA_MODE = "8500"
"""Documented, with 400: wait for running media operations, then try again."""
CALL_ENDED = "the call ended"
LEFT = "the application left the call"


class MediaActions(Feature):
    OPERATIONS = (
        "play",
        "recognize",
        "cancelAllMediaOperations",
        "sendDtmfTones",
    )

    def __init__(self, call: "Host") -> None:
        super().__init__(call)
        self._main: dict[str, MainLane] = {}
        """By connection: applications do not wait for each other (assumed)."""
        self._sub: dict[tuple[str, str], SubLane] = {}
        """By connection and leg."""
        self._operations: dict[str, MediaOperation] = {}
        """Those that run or wait, by action."""

    # What applications ask

    def check(self, asked: Operation) -> None:
        super().check(asked)
        if asked.name != "cancelAllMediaOperations":
            self._admit(self._made(asked))

    def begin(self, asked: Operation) -> Outputs:
        if asked.name == "cancelAllMediaOperations":
            return self._all(asked.connection, Cancelled())
        operation = self._made(asked)
        self._operations[operation.action] = operation
        wish = _wish(operation)
        outputs = [output for lane in self._lanes(operation) for output in self._raise(lane.handle(wish))]
        return outputs if operation.on_main_leg else [*outputs, *self._raise(operation.begin())]

    def reply(self, asked: Operation) -> Model | None:
        if asked.name != "sendDtmfTones":
            return None
        return SendDtmfTonesResult(operation_context=asked.context or None)

    def _made(self, asked: Operation) -> MediaOperation:
        """The operation, not begun yet. Raises ApiError where it names nobody or nothing that can be done."""
        match asked.request:
            case PlayRequest() as request:
                return Play(self.call, asked, request)
            case RecognizeRequest() as request:
                return Recognize(self.call, asked, request)
            case SendDtmfTonesRequest() as request:
                return SendTones(self.call, asked, request)
            case _:
                raise TypeError(f"{asked.name} was given {type(asked.request).__name__}")

    def _admit(self, operation: MediaOperation) -> None:
        """Raises ApiError where the operation does not go with what runs or waits."""
        wish = _wish(operation)
        for lane in self._lanes(operation):
            if not lane.accepts(type(wish)):
                raise _incompatible(operation.asked.name, lane)
            full = isinstance(lane, MainLane) and len(lane.waiting) >= MAX_WAITING
            if full and isinstance(wish, Asked):
                raise ApiError(
                    400,
                    INVALID_MEDIA_MODE,
                    f"{MAX_WAITING} media operations wait for their turn in this call: the limit. Let some"
                    " end, or use interruptCallMediaOperation.",
                )

    def admit_beside(self, connection: str, leg: str, name: str) -> None:
        """Raises ApiError where continuous recognition does not go with what runs for the participant."""
        lane = self._sub.get((connection, leg))
        if lane is not None and not lane.accepts(TonesAsked):
            raise _incompatible(name, lane)

    def go_beside(self, connection: str, leg: str) -> None:
        """Continuous recognition begins; it has been admitted."""
        self._sub.setdefault((connection, leg), SubLane()).handle(TonesAsked())

    def _lanes(self, operation: MediaOperation) -> list[Lane]:
        connection = operation.asked.connection.id
        if operation.on_main_leg:
            return [self._main.setdefault(connection, MainLane())]
        return [self._sub.setdefault((connection, leg), SubLane()) for leg in operation.legs]

    def _lanes_of(self, connection: Connection | None) -> Iterator[Lane]:
        """Of one application, or of all."""
        for name, main in self._main.items():
            if connection is None or name == connection.id:
                yield main
        for (name, _), sub in self._sub.items():
            if connection is None or name == connection.id:
                yield sub

    # Turns

    def _raise(self, outputs: Outputs) -> Outputs:
        """Effects pass; signals of lanes and operations are acted upon."""
        risen: Outputs = []
        for output in outputs:
            match output:
                case Begin(operation=operation):
                    risen += self._raise(operation.begin())
                case Abandon(operation=operation, how=how, why=why):
                    risen += self._raise(operation.cancel(how, why))
                case Finished(operation=operation):
                    risen += self._close(operation)
                case _:
                    risen.append(output)
        return risen

    def _close(self, operation: MediaOperation) -> Outputs:
        """It is over: whoever waits for its place gets it."""
        self._operations.pop(operation.action, None)
        outputs: Outputs = []
        for lane in list(self._lanes_of(operation.asked.connection)):
            if lane.running is operation:
                outputs += self._raise(lane.handle(Over()))
            elif isinstance(lane, MainLane) and operation in lane.waiting:
                outputs += self._raise(lane.handle(Withdrawn(operation)))
        return outputs

    def _all(self, connection: Connection | None, received: Cancelled | Cleared) -> Outputs:
        """Every lane of an application, or of all, gets the same."""
        lanes = [lane for lane in self._lanes_of(connection) if lane.accepts(type(received))]
        return [output for lane in lanes for output in self._raise(lane.handle(received))]

    # What happens

    def take(self, fact: Fact) -> Outputs:
        return [output for each in self._concerned(fact) for output in self._raise(each.take(fact))]

    def _concerned(self, fact: Fact) -> list[MediaOperation]:
        if isinstance(fact, DigitHeard):
            return [each for each in self._operations.values() if fact.leg in each.legs]
        operation = self._operations.get(_named(fact).partition(".")[0])
        return [] if operation is None else [operation]

    def left(self, leg: Leg) -> Outputs:
        concerned = [each for each in self._operations.values() if leg.id in each.legs]
        outputs = [output for each in concerned for output in self._raise(each.leave(leg.id))]
        self._sub = {key: lane for key, lane in self._sub.items() if key[1] != leg.id}
        return outputs

    def over(self, connection: Connection) -> Outputs:
        return self._all(connection, Cleared("cut-off", LEFT))

    def end(self) -> Outputs:
        return self._all(None, Cleared("cut-off", CALL_ENDED))

    # Time

    @property
    def deadline(self) -> float | None:
        times = [at for each in self._operations.values() if (at := each.deadline) is not None]
        return min(times) if times else None

    def handle_timeout(self, now: float) -> Outputs:
        due = [
            each for each in self._operations.values() if each.deadline is not None and each.deadline <= now
        ]
        return [output for each in due for output in self._raise(each.handle_timeout())]


def _wish(operation: MediaOperation) -> Asked | Interrupting | TonesToSend:
    if isinstance(operation, SendTones):
        return TonesToSend(operation)
    return Interrupting(operation) if operation.interrupts else Asked(operation)


def _incompatible(name: str, lane: Lane) -> ApiError:
    running = lane.running.asked.name if lane.running else "another operation"
    return ApiError(
        412,
        INCOMPATIBLE,
        f"{name} does not go with {running}, which runs for the same participant. Wait for its end, or"
        " cancel it.",
    )


def _named(fact: Fact) -> str:
    """What the fact is of; empty for those that name no operation."""
    match fact:
        case PromptStarted() | PromptEnded():
            return fact.prompt
        case SpeechBegan() | SpeechHeard() | ListeningFailed():
            return fact.listening
        case DigitsSent():
            return fact.action
        case _:
            return ""
