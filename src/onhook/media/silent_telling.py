"""How the silent engine tells facts: by the running loop's clock, and never within the request itself."""

import asyncio
from collections.abc import Callable
from typing import Any

from onhook.facts import Fact


class Telling:
    """`now` gives Unix seconds. After `close` nothing is told and nothing planned is done."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.handler: Callable[[str, Fact], None] | None = None
        self._closed = False

    def tell(self, owner: str, fact: Fact) -> None:
        if self.handler and not self._closed:
            self.handler(owner, fact)

    def soon(self, owner: str, fact: Fact) -> None:
        """Tell it once what runs now has returned; without a loop nobody could hear it."""
        asyncio.get_running_loop().call_soon(self.tell, owner, fact)

    def after(self, seconds: float, do: Callable[..., None], *args: Any) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._do, do, args)

    def close(self) -> None:
        self._closed = True

    def _do(self, do: Callable[..., None], args: tuple[Any, ...]) -> None:
        if not self._closed:
            do(*args)
