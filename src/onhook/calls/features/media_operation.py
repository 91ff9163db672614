"""What every media operation has in common: from its acceptance to its one terminal event."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from onhook.acs.wire import Model
from onhook.calls.events import operation_event, operation_result
from onhook.calls.features.feature import Operation
from onhook.effects import Publish, Record
from onhook.endings.operations import SUCCESSES
from onhook.facts import Fact, OperationEnd, OperationEnded
from onhook.machine import Outputs

if TYPE_CHECKING:
    from onhook.calls.host import Host

ENDED_FOR_IT: frozenset[OperationEnd] = frozenset({"cancelled", "cut-off"})
"""Ends that come from outside the operation."""


class Outcomes(NamedTuple):
    """The terminal events of a kind of operation."""

    completed: type[Model]
    failed: type[Model]
    canceled: type[Model]


class MediaOperation:
    """Pure: outputs are effects, and at the end the signal `Finished`.

    Names in its effects are `action`, or begin with it and a dot. `legs` are those that it is for; empty for
    everyone. `on_main_leg`: it is for the call as a whole, so it waits for its turn.
    """

    OUTCOMES: ClassVar[Outcomes]
    COMPLETED: ClassVar[frozenset[OperationEnd]] = frozenset(SUCCESSES)
    """Ends that the completed event tells."""

    def __init__(self, call: "Host", asked: Operation, legs: tuple[str, ...] = ()) -> None:
        self.call, self.asked, self.legs = call, asked, legs
        self.on_main_leg = not legs

    @property
    def action(self) -> str:
        return self.asked.action

    @property
    def interrupts(self) -> bool:
        return bool(getattr(self.asked.request, "interrupt_call_media_operation", None))

    def begin(self) -> Outputs:
        """It is its turn."""
        raise NotImplementedError

    def stop(self) -> Outputs:
        """Take back what was asked of media; nothing is told."""
        raise NotImplementedError

    def cancel(self, how: OperationEnd, why: str) -> Outputs:
        """End it from outside, whether it has begun or not."""
        return [*self.stop(), *self.finish(how, detail=why)]

    def take(self, fact: Fact) -> Outputs:
        """Media told something that names it, or a digit was heard on one of its legs."""
        raise NotImplementedError

    def leave(self, leg: str) -> Outputs:
        """One of its legs is gone; without any it ends."""
        self.legs = tuple(each for each in self.legs if each != leg)
        return [] if self.legs else self.cancel("cut-off", "the participant left the call")

    @property
    def deadline(self) -> float | None:
        return None

    def handle_timeout(self) -> Outputs:
        return []

    def tell(self, model: type[Model], ended: OperationEnded, fields: Mapping[str, object]) -> Publish:
        """`fields` that the model does not have are left out: a cancelled play has no failed source."""
        return operation_event(
            self.call.record,
            self.asked.connection,
            model,
            context=self.asked.context,
            callback_uri=self.asked.callback_uri,
            result=operation_result(ended),
            **{name: value for name, value in fields.items() if name in model.__struct_fields__},
        )

    def ended(self, how: OperationEnd, **about: Any) -> OperationEnded:
        return OperationEnded(
            at=self.call.now,
            leg=self.legs[0] if len(self.legs) == 1 else "",
            action=self.action,
            operation=self.asked.name,
            connection=self.asked.connection.id,
            how=how,
            **about,
        )

    def finish(self, how: OperationEnd, fields: Mapping[str, object] | None = None, **about: Any) -> Outputs:
        """Its last words. `fields` are those of the event, `about` those of the fact."""
        ended, outcomes = self.ended(how, **about), self.OUTCOMES
        if how in ENDED_FOR_IT:
            model = outcomes.canceled
        else:
            model = outcomes.completed if how in self.COMPLETED else outcomes.failed
        return [Record(ended), self.tell(model, ended, fields or {}), Finished(self)]


class Finished(msgspec.Struct, frozen=True):
    """Signal: the operation is over, and has said so."""

    operation: MediaOperation
