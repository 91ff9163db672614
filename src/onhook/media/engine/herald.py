"""From the media thread to the event loop: what was seen in a tick is told there, with one wake-up."""

import asyncio
from collections.abc import Callable

from onhook.facts import Fact
from onhook.media.parts import FactHandler


class Herald:
    def __init__(self) -> None:
        self.handler: FactHandler | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._news: list[Callable[[], None]] = []

    def fact(self, owner: str, fact: Fact) -> None:
        """`owner` is the leg that the fact is of, else the room."""
        self._news.append(lambda: self._tell(owner, fact))

    def call(self, callback: Callable[[], None]) -> None:
        self._news.append(callback)

    def flush(self) -> None:
        """Hand over what was gathered. Without a loop, it is told here and now."""
        if not self._news:
            return
        news, self._news = self._news, []
        if self.loop is None:
            self._tell_all(news)
        elif not self.loop.is_closed():
            try:
                self.loop.call_soon_threadsafe(self._tell_all, news)
            except RuntimeError:  # the loop closed in this moment: nobody is left to be told
                return

    def _tell(self, owner: str, fact: Fact) -> None:
        if self.handler:
            self.handler(owner, fact)

    def _tell_all(self, news: list[Callable[[], None]]) -> None:
        for each in news:
            try:
                each()
            except Exception as error:
                if self.loop is None:
                    raise
                self.loop.call_exception_handler({"message": "news of media", "exception": error})
