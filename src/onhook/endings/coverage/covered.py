"""What a run covers: each ending with how it was met, or by what it could have been."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from onhook.endings.coverage.met import Meeting, Run
from onhook.endings.coverage.ways import NOT_TOLD, ways_to
from onhook.endings.pages import Page, pages

State: TypeAlias = Literal["met", "missed", "not-counted"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One ending. `missed`: the application can meet it, and did not. `not-counted`: `why` says why not."""

    ending: str
    name: str
    code: int
    subcode: int
    fault: str
    state: State
    after: tuple[str, ...]
    """Operations of the run that lead to it."""
    meetings: tuple[Meeting, ...] = ()
    why: str = ""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by id. Those that no operation of the run leads to are only counted (`out_of_reach`)."""

    calls: int
    open_calls: int
    operations: dict[str, int]
    """Calls by operation."""
    rows: tuple[Row, ...]
    out_of_reach: int

    @property
    def met(self) -> list[Row]:
        return [row for row in self.rows if row.state == "met"]

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.state == "missed"]

    @property
    def not_counted(self) -> list[Row]:
        return [row for row in self.rows if row.state == "not-counted"]

    @property
    def percent(self) -> float:
        """Of the endings that the application can meet, those it met; 0 if it used nothing."""
        counted = len(self.met) + len(self.missed)
        return 100 * len(self.met) / counted if counted else 0.0

    def reaches(self, fail_under: float) -> bool:
        return self.percent >= fail_under


def cover(runs: Iterable[Run]) -> Coverage:
    """The coverage of some runs taken together."""
    added = Run(used={}, meetings=[])
    for run in runs:
        added.calls += run.calls
        added.open_calls += run.open_calls
        added.meetings += run.meetings
        for name, count in run.used.items():
            added.used[name] = added.used.get(name, 0) + count
    met: dict[str, list[Meeting]] = {}
    for meeting in added.meetings:
        met.setdefault(meeting.ending, []).append(meeting)
    rows = [row for page in pages().values() if (row := _row(page, added, met.get(page.id, [])))]
    return Coverage(
        calls=added.calls,
        open_calls=added.open_calls,
        operations={name: count for name, count in sorted(added.used.items()) if " " not in name},
        rows=tuple(rows),
        out_of_reach=len(pages()) - len(rows),
    )


def _row(page: Page, run: Run, meetings: list[Meeting]) -> Row | None:
    """None if nothing that the run used leads to this ending."""
    after = sorted({*ways_to(page, run.used), *(each.after for each in meetings if each.after)})
    why = "" if meetings else NOT_TOLD.get(page.id, page.front.provoked)
    if not meetings and not after:
        return None
    return Row(
        ending=page.id,
        name=page.front.name,
        code=page.front.code,
        subcode=page.front.subcode,
        fault=page.front.fault,
        state="met" if meetings else "not-counted" if why else "missed",
        after=tuple(after),
        meetings=tuple(meetings),
        why=why,
    )
