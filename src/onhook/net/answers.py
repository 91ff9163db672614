"""What was asked of DNS, for a time; asked once for everybody who waits."""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from onhook.net.failures import failure
from onhook.net.settings import NetworkSettings

T = TypeVar("T")


class Unresolved(NamedTuple):
    """A name without an address; `why` is a failure text (failures.py)."""

    why: str


class Answers(ABC, Generic[T]):
    """Remembers good and bad answers for a time; asks once for everybody who waits."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._known: dict[str, tuple[T | Unresolved, float]] = {}
        self._waiting: dict[str, list[Callable[[T | Unresolved], None]]] = {}
        self._lookups: set[asyncio.Task[None]] = set()

    @abstractmethod
    def immediate(self, key: str) -> T | None:
        """What needs no question."""

    @abstractmethod
    async def question(self, key: str) -> tuple[T | Unresolved, float]:
        """Ask, and how many seconds the answer is good for. Never raises."""

    def known(self, key: str) -> T | Unresolved | None:
        """The answer if no question is needed: one without, or remembered."""
        remembered = self._known.get(key)
        if remembered is None:
            if (found := self.immediate(key)) is None:
                return None
            self._remember(key, found, math.inf)
            return found
        answer, until = remembered
        if until < math.inf and until <= asyncio.get_running_loop().time():
            del self._known[key]
            return None
        return answer

    def ask(self, key: str, tell: Callable[[T | Unresolved], None]) -> None:
        """Call `tell` with the answer, at once if known, later otherwise; in the order of asking."""
        if (answer := self.known(key)) is not None:
            tell(answer)
            return
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [tell]
            task = asyncio.get_running_loop().create_task(self._look_up(key), name=f"look up {key}")
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)
        elif len(waiting) >= self._settings.max_waiting_for_a_name:
            tell(Unresolved(failure("overflow", f"{len(waiting)} messages wait for the address of {key}")))
        else:
            waiting.append(tell)

    def close(self) -> None:
        for task in self._lookups:
            task.cancel()

    async def _look_up(self, key: str) -> None:
        loop = asyncio.get_running_loop()
        answer, lifetime = await self.question(key)
        self._remember(key, answer, loop.time() + lifetime)
        for tell in self._waiting.pop(key, []):
            try:
                tell(answer)
            except Exception as error:  # noqa: BLE001  # one message's fault is not the next one's
                loop.call_exception_handler({"message": f"telling the address of {key}", "exception": error})

    def _remember(self, key: str, answer: T | Unresolved, until: float) -> None:
        if len(self._known) >= self._settings.max_names:
            self._known.clear()  # refilled by what is in use
        self._known[key] = (answer, until)
