"""State machines written as tables.

A machine's class holds one table: (state, input type) -> (next state, action). Reading the table is
reading all the machine can do; an input it does not list is refused. Rows that ran are remembered, so
that a test run can name those that never did.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

S = TypeVar("S", bound=Enum)

Outputs: TypeAlias = list[Any]
"""What an action gives back: effects for the world, and signals for the machine above."""

Action: TypeAlias = Callable[[Any, Any], Outputs]
Row: TypeAlias = tuple[Enum, type[object]]
Table: TypeAlias = Mapping[Row, tuple[Enum, Action]]


class UnexpectedInput(Exception):
    """The machine has no row for this input in its present state: a defect of the caller."""


class Machine(Generic[S]):
    """Subclasses set `TABLE` and `state`; `handle` is the only way to change state."""

    TABLE: ClassVar[Table]
    rows_run: ClassVar[set[tuple[str, Row]]] = set()

    __slots__ = ("state",)
    state: S

    def handle(self, received: object) -> Outputs:
        """Run the row for `received`; raises UnexpectedInput when there is none."""
        row = (self.state, type(received))
        try:
            next_state, action = self.TABLE[row]
        except KeyError:
            raise UnexpectedInput(f"{type(self).__name__} {self.state.name} <- {row[1].__name__}") from None
        Machine.rows_run.add((type(self).__name__, row))
        self.state = next_state  # type: ignore[assignment]  # a table holds its own machine's states
        return action(self, received)

    def accepts(self, received: type[object]) -> bool:
        return (self.state, received) in self.TABLE


def nothing(_machine: object, _received: object) -> Outputs:
    """The action of a row that only changes state."""
    return []


def rows(state_or_states: Enum | Sequence[Enum], *inputs: type[object]) -> list[Row]:
    """Rows for several states and inputs that share one outcome."""
    states = [state_or_states] if isinstance(state_or_states, Enum) else state_or_states
    return [(state, received) for state in states for received in inputs]


def diagram(machine: type[Machine[Any]]) -> str:
    """Draw the table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2"]
    for (state, received), (next_state, _) in machine.TABLE.items():
        lines.append(f"    {state.name} --> {next_state.name}: {received.__name__}")
    return "\n".join(lines)
