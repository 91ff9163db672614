"""Explain the codes of many log rows: half a million a second and more, on one core.

A log has millions of rows and a few hundred different pairs. `Explanations` is a dictionary that explains a
pair when it is met first and keeps it; `tally` counts first and explains each different pair once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from onhook.endings.codes import rows
from onhook.endings.lookup import explain_with
from onhook.endings.match import Match, Pages
from onhook.endings.pages import pages_by_codes
from onhook.endings.verdict import Confidence

MAX_KEPT = 65_536
"""Pairs that are kept; those that come later are explained each time: no log of ours has so many."""

Pair = tuple[int | None, int]
"""(code, subcode) as a row has them; None where it has no code."""


class Explanations(dict[Pair, Match]):
    """`explanations[486, 560486]` is the best match, found once. Never raises for a pair of numbers."""

    def __init__(self, pages: Pages | None = None) -> None:
        super().__init__()
        self._pages = pages_by_codes() if pages is None else pages
        for row in rows():
            if row.subcode is not None:
                self[row.code, row.subcode] = explain_with(row.code, row.subcode, self._pages)

    def __missing__(self, pair: Pair) -> Match:
        code, subcode = pair
        match = explain_with(code, subcode, self._pages)
        if len(self) < MAX_KEPT:
            self[pair] = match
        return match

    def of(self, pairs: Iterable[Pair]) -> Iterator[Match]:
        """The match of each pair, in order, as they are asked for."""
        return map(self.__getitem__, pairs)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of a log: how many rows have it, and what it means."""

    code: int | None
    subcode: int
    count: int
    name: str
    category: str
    confidence: Confidence
    ending: tuple[str, ...]


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a log holds: `lines` are the most frequent first; `categories` and `endings` count rows.

    A row whose pair several pages explain counts for the first of them; "" stands for none.
    """

    total: int
    lines: tuple[Line, ...]
    categories: dict[str, int]
    endings: dict[str, int]


def tally(pairs: Iterable[Pair], explanations: Explanations | None = None) -> Tally:
    """Count the rows of each pair, and explain each pair once."""
    known = Explanations() if explanations is None else explanations
    counts = Counter(pairs)
    categories: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    lines: list[Line] = []
    for (code, subcode), count in counts.most_common():
        match = known[code, subcode]
        categories[match.category] += count
        endings[match.ending[0] if match.ending else ""] += count
        lines.append(
            Line(
                code=code,
                subcode=subcode,
                count=count,
                name=match.name,
                category=match.category,
                confidence=match.confidence,
                ending=match.ending,
            )
        )
    return Tally(
        total=counts.total(),
        lines=tuple(lines),
        categories=dict(categories.most_common()),
        endings=dict(endings.most_common()),
    )
