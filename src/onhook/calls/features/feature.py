"""The shape of a feature, and what it is asked."""

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from onhook.acs.errors import NOT_VALID_IN_STATE, ApiError
from onhook.acs.wire import Model
from onhook.calls.inputs import Target
from onhook.calls.legs import Leg
from onhook.calls.record import Connection
from onhook.calls.states import State
from onhook.effects import Record
from onhook.facts import Fact, OperationEnd, OperationEnded
from onhook.machine import Outputs
from onhook.sip.referral import ReferSignal

if TYPE_CHECKING:
    from onhook.calls.host import Host

CALL_NOT_ESTABLISHED = "8501"
"""Documented: an operation on a call that nobody has answered yet."""


class Operation(msgspec.Struct, frozen=True):
    """What an application asks of an open call."""

    name: str
    """In acs/operations.py."""
    connection: Connection
    """Whose handle on the call it is asked by; its events go there."""
    request: Model | None
    action: str
    """Names what it begins: a prompt, an invitation, a recording; drawn by the switch."""
    targets: tuple[Target, ...] = ()
    """Whom it rings, with the routes, seeds and media that the switch has found for them."""
    legs: tuple[Leg, ...] = ()
    """Legs that another call gave away for it; `targets` has their plans."""
    about: str = ""
    """What began earlier and is named in the path: a recordingId."""

    @property
    def context(self) -> str:
        return getattr(self.request, "operation_context", None) or ""

    @property
    def callback_uri(self) -> str:
        """operationCallbackUri, which overrides the connection's for this operation's events."""
        return getattr(self.request, "operation_callback_uri", None) or ""


class Wanted(msgspec.Struct, frozen=True):
    """Whom an operation rings. Before it begins, the switch finds a route, a seed and media for it."""

    party: str
    """A number in E.164, or the raw id of a user."""
    caller: str = ""
    """The caller id to show; empty for the call's own."""
    refers: str = ""
    """The trunk that would call the number in our place, if the route leads there."""


def ended(call: "Host", asked: Operation, how: OperationEnd, **about: Any) -> Record:
    """The fact that an operation is over; `about` are its other fields."""
    fact = OperationEnded(
        at=call.now,
        action=asked.action,
        operation=asked.name,
        connection=asked.connection.id,
        how=how,
        **about,
    )
    return Record(fact)


class Feature:
    """One part of one call. Pure, like the call: outputs are effects, in the order in which they happen."""

    OPERATIONS: ClassVar[tuple[str, ...]] = ()
    """Names of the operations that it serves."""

    def __init__(self, call: "Host") -> None:
        self.call = call

    # What applications ask

    def check(self, asked: Operation) -> None:
        """Raises ApiError if it cannot be done as things are; changes nothing."""
        if self.call.state is not State.CONNECTED:
            code = CALL_NOT_ESTABLISHED if self.call.state is State.CONNECTING else NOT_VALID_IN_STATE
            raise ApiError(
                400,
                code,
                f"{asked.name} needs an established call; this one is {self.call.connection_state.value}.",
            )

    def wants(self, asked: Operation) -> tuple[Wanted, ...]:
        """Whom it rings; asked after `check`."""
        return ()

    def begin(self, asked: Operation) -> Outputs:
        """Do it. It has been checked, and is kept as a fact."""
        raise NotImplementedError

    def reply(self, asked: Operation) -> Model | None:
        """The body of the answer, once it has begun."""
        return None

    # What happens

    def take(self, fact: Fact) -> Outputs:
        """Media told something of this call."""
        return []

    def joined(self, leg: Leg) -> Outputs:
        """A leg is connected."""
        return []

    def left(self, leg: Leg) -> Outputs:
        """A leg is gone: it failed, left, or was released."""
        return []

    def replaced(self, leg: str, by: str) -> None:
        """A leg failed, and one by another trunk, `by`, is begun in its place."""

    def referred(self, leg: Leg, signal: ReferSignal) -> Outputs:
        """The far end of a leg told what became of our REFER."""
        return []

    def over(self, connection: Connection) -> Outputs:
        """An application leaves, and the call goes on; what is told to it comes before its terminal event."""
        return []

    def end(self) -> Outputs:
        """The call is over: stop everything. What is told comes before the terminal events."""
        return []

    # Time

    @property
    def deadline(self) -> float | None:
        return None

    def handle_timeout(self, now: float) -> Outputs:
        return []
