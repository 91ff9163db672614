"""What may follow what in a scenario."""

from onhook.lab.scenario_lines import Wrong
from onhook.lab.scenario_steps import (
    CALLER_STEPS,
    OF_EITHER,
    PAUSES,
    Bye,
    CarrierCall,
    Challenge,
    Garbage,
    Garbled,
    PhoneStep,
    Refer,
    RefuseConnection,
    Respond,
    ServerSet,
    Silence,
    Step,
)

IN_ORDER = (Respond, Challenge, *PAUSES, Silence, Garbage, Garbled, RefuseConnection, Bye)
"""Steps whose place among the others is checked."""


class Order:
    """What may follow what: a carrier cannot answer twice, or hang up before it has answered."""

    def __init__(self) -> None:
        self._stage = "new"
        self._calls = False
        self._phones: dict[str, Order] = {}

    def check(self, step: Step) -> None:
        if isinstance(step, PhoneStep):
            self._phones.setdefault(step.number, Order()).check(step.step)
            return
        if isinstance(step, ServerSet):
            if self._stage != "new":
                raise Wrong("the call has begun", "Put server: set lines before all others.")
            return
        self._check_caller(step)
        if self._calls and isinstance(step, OF_EITHER):
            return
        if not isinstance(step, IN_ORDER):
            return
        if self._stage in {"refused", "silent", "ended"}:
            raise Wrong(f"nothing of the carrier follows, for the call is {self._stage}", "Remove this step.")
        match step:
            case Bye() if self._stage != "answered":
                raise Wrong("bye before an answer", "Put carrier: 200 OK above it.")
            case Respond() | Challenge() if self._stage == "answered":
                raise Wrong("a second final status", "The call is answered already: write bye to end it.")
            case RefuseConnection() if self._stage != "new":
                raise Wrong("the connection is in use already", "Write refuse connection as the first step.")
            case _:
                self._stage = self._after(step)

    def _check_caller(self, step: Step) -> None:
        if isinstance(step, Refer) and self._stage == "answered":
            raise Wrong("the answer has said what is allowed", "Put carrier: refer above carrier: 200 OK.")
        if isinstance(step, CarrierCall):
            if self._stage != "new":
                raise Wrong("the call has begun", "Put carrier: call above all other steps.")
            self._calls = True
        if isinstance(step, CALLER_STEPS) and not self._calls:
            raise Wrong("the carrier has not called", "Put carrier: call from … to … above it.")

    def _after(self, step: Step) -> str:
        match step:
            case Respond(status=status) if status >= 300:
                return "refused"
            case Respond(status=status) if status >= 200:
                return "answered"
            case Silence() | RefuseConnection():
                return "silent"
            case Bye():
                return "ended"
            case _:
                return "answered" if self._stage == "answered" else "begun"
