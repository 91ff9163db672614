"""What Event Grid needs of the rest of the house. store/ matches these structurally."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from onhook.calls.grid import GridDelivery, SubscriptionRecord
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.wire import Outgoing
from onhook.facts import Fact


class Journal(Protocol):
    def note(self, call_id: str, fact: Fact) -> None: ...

    def add_subscription(self, record: SubscriptionRecord) -> None: ...

    def drop_subscription(self, name: str) -> None: ...

    def add_grid_delivery(self, delivery: GridDelivery) -> None: ...

    def then(self, action: Callable[[], None]) -> None: ...

    async def written(self) -> None:
        """Return once everything added so far is saved; raises if it could not be."""
        ...


class Archive(Protocol):
    def subscriptions(self) -> list[SubscriptionRecord]:
        """In the order of their names."""
        ...

    def open_grid_deliveries(self) -> list[GridDelivery]:
        """Those with something left to do, in the order of their publication."""
        ...

    def grid_deliveries(self, *, subscription: str, event_id: str = "", limit: int) -> list[GridDelivery]:
        """The newest first; all events if none is named."""
        ...


class Post(Protocol):
    async def send(self, request: Outgoing, timeout_seconds: float) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Clock and randomness."""

    now: Callable[[], float]
    """Unix seconds, never running backwards."""
    guid: Callable[[], str]
    jitter: Callable[[], float]
    """A random number from 0 to 1."""
