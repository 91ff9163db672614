"""An answer about codes, and the answer in the making."""

from collections.abc import Iterable

import msgspec

from onhook.endings.beside import Report, SignalRule
from onhook.endings.codes import CodeRow
from onhook.endings.match import Match, Pages, from_row
from onhook.endings.tips import Tip
from onhook.endings.verdict import Confidence

MAX_MATCHES = 25


MAX_SUGGESTIONS = 5


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`matches` is best first and holds at most MAX_MATCHES of `total`. `known` is False when nothing
    is listed: then `matches` may still tell the nearest layer, and `suggestions` likely typing errors.
    """

    query: str
    understood: tuple[str, ...]
    known: bool
    matches: tuple[Match, ...]
    total: int
    contradictions: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    nearest_layer: str = ""
    reports: tuple[Report, ...] = ()
    """Public reports in which these codes pointed at the wrong cause."""
    signals: tuple[SignalRule, ...] = ()
    """What on the wire the best pair stands for."""
    tips: tuple[Tip, ...] = ()
    """Tips of the troubleshooting pages that go with the best pair."""
    calls: tuple[str, ...] = ()
    """Ids of calls that stand in the question."""


class Draft:
    """An answer in the making: rows are kept once, in the order in which they were found, `most` of them."""

    def __init__(self, pages: Pages, most: int = MAX_MATCHES) -> None:
        self.pages, self.most = pages, most
        self.rows: dict[int, Match] = {}
        self.matches: list[Match] = []
        self.contradictions: list[str] = []
        self.suggestions: list[str] = []
        self.remarks: list[str] = []
        self.nearest_layer = ""
        self.total = 0
        self.reports: list[Report] = []
        self.event = ""

    def take(self, rows: Iterable[CodeRow], how: str, confidence: Confidence) -> None:
        for row in rows:
            if id(row) in self.rows:
                continue
            self.total += 1
            if len(self.matches) < self.most:
                self.add(from_row(row, how=how, confidence=confidence, pages=self.pages), row)

    def add(self, match: Match, row: CodeRow | None = None) -> None:
        if row is None:
            self.total += 1
        else:
            self.rows[id(row)] = match
        if len(self.matches) < self.most:
            self.matches.append(match)
