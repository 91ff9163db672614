"""Which tips a call shows: by its facts, by its ending, by the operations that failed within it."""

from collections.abc import Iterable
from typing import Any

import msgspec

from onhook.endings.reading import read
from onhook.endings.tip_checks import CHECKS
from onhook.endings.tips import tips
from onhook.endings.verdict import Proof
from onhook.facts import Timeline


class TipShown(msgspec.Struct, frozen=True, kw_only=True):
    """A tip that a call shows. `evidence` are facts; it is empty where the ending itself is the evidence."""

    tip: str
    title: str
    tell: str
    evidence: tuple[Proof, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        evidence = [{"fact": proof.fact, "shows": proof.shows} for proof in self.evidence]
        return {"tip": self.tip, "title": self.title, "tell": self.tell, "evidence": evidence}

    def line(self) -> str:
        """E.g. "E9 503 with Retry-After: Take the next destination … (#5 503 asks for 30 s of rest)"."""
        seen = "; ".join(f"#{proof.fact} {proof.shows}" for proof in self.evidence)
        return f"{self.tip} {self.title}: {self.tell}{f' ({seen})' if seen else ''}"


def tips_of_call(timeline: Timeline, endings: Iterable[str]) -> tuple[TipShown, ...]:
    """The tips that a call shows, by its facts or by `endings`: its own and those of failed operations."""
    reading, shown = read(timeline), frozenset(endings)
    found: list[TipShown] = []
    for tip in tips().values():
        evidence = tuple(CHECKS[tip.facts](reading)) if tip.facts else ()
        if evidence or shown & set(tip.endings):
            found.append(TipShown(tip=tip.id, title=tip.title, tell=tip.tell, evidence=evidence))
    return tuple(found)
