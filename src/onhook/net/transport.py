"""What the network asks of a transport. TLS and WebSocket will be further ones."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from onhook.effects import Destination

ReceiveHandler: TypeAlias = Callable[[bytes, Destination], None]
FailureHandler: TypeAlias = Callable[[Destination, str], None]


class Transport(Protocol):
    """Carries messages of one transport name. Told of the world by the two handlers it was made with."""

    @property
    def bound(self) -> list[Destination]:
        """Where it listens; empty before `start` and after `close`."""
        ...

    async def start(self, port: int) -> int:
        """Listen on `port`, or on any if it is 0; returns the port. Raises OSError if it is taken."""
        ...

    async def close(self) -> None: ...

    def send(self, data: bytes, to: Destination, address: str) -> None:
        """Send to `address`, the IP address of `to.host`. Never blocks, never raises."""
        ...
