"""A silent engine on virtual time, and the facts that it told, for the tests of its parts."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from onhook.facts import Fact
from onhook.lab.virtual_time import run
from onhook.media.settings import MediaSettings
from onhook.media.silent_media import SilentMedia

EPOCH = 1_700_000_000.0
F = TypeVar("F", bound=Fact)


class Silent:
    """`told` holds (seconds since the begin, owner, fact)."""

    def __init__(self, settings: MediaSettings | None, *, far_end_talks: bool) -> None:
        self.media = SilentMedia(settings, now=self.now, far_end_talks=far_end_talks)
        self.told: list[tuple[float, str, Fact]] = []
        self.media.on_fact(self.take)

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def take(self, owner: str, fact: Fact) -> None:
        assert fact.at == self.now()
        self.told.append((round(fact.at - EPOCH, 3), owner, fact))

    def facts(self, kind: type[F]) -> list[tuple[float, F]]:
        return [(at, fact) for at, _, fact in self.told if isinstance(fact, kind)]

    def only(self, kind: type[F]) -> tuple[float, F]:
        (one,) = self.facts(kind)
        return one


Scenario: TypeAlias = Callable[[Silent], Coroutine[Any, Any, None]]


def silently(
    settings: MediaSettings | None = None, *, far_end_talks: bool = False
) -> Callable[[Scenario], Callable[[], None]]:
    """Make an ordinary test of one that runs on virtual time with a silent engine."""

    def decorate(scenario: Scenario) -> Callable[[], None]:
        def test() -> None:
            async def main() -> None:
                await scenario(Silent(settings, far_end_talks=far_end_talks))

            run(main())

        test.__doc__ = scenario.__doc__
        return test

    return decorate
