"""The ladder of a timeline, as text: application, ourselves and each leg in columns, one row per fact.

    #    time           application         onhook          trunk carrier
    #1   +0.000 s            │─createCall → 201─▶│                   │

Rows are numbered as the evidence is. `lay_out` gives the rows to the SVG too, so that both show the same.
"""

import msgspec

from onhook.endings.cast import APPLICATION, cast_of, telephone_names
from onhook.endings.lines import OURSELVES, Line, describe
from onhook.endings.lines_media import TRUNK
from onhook.endings.signals import printable
from onhook.facts import (
    ApiRequested,
    ConnectionJoined,
    ConnectionLeft,
    IncomingCallAnnounced,
    OperationEnded,
    Timeline,
    UserLegChanged,
)

MAX_ROWS = 500
"""Rows of a ladder; of a longer timeline the first and the last are drawn, and the gap is named."""

LANE_CHARACTERS = 34
"""The width of text between two columns."""

NUMBER_CHARACTERS = 19

OF_NO_TELEPHONE = (
    ApiRequested,
    ConnectionJoined,
    ConnectionLeft,
    IncomingCallAnnounced,
    OperationEnded,
    UserLegChanged,
)
"""Facts whose leg may be one without signalling: they make no column of a trunk."""


class Rung(msgspec.Struct, frozen=True):
    """One row: an arrow between two columns, or a note at one (`start == end`)."""

    number: int
    seconds: float
    start: int
    end: int
    label: str
    lost: bool = False


class Layout(msgspec.Struct, frozen=True):
    """Columns from left to right, and the rows; `skipped` rows are missing after row `skipped_after`."""

    columns: tuple[str, ...]
    rungs: tuple[Rung, ...]
    skipped: int = 0
    skipped_after: int = 0


def draw(timeline: Timeline) -> str:
    """The ladder as text; "" for a timeline without facts."""
    layout = lay_out(timeline)
    if not layout.rungs:
        return ""
    rows = [_header(layout)]
    for index, rung in enumerate(layout.rungs):
        if layout.skipped and index == layout.skipped_after:
            rows.append(f"{'…':<{NUMBER_CHARACTERS}}{layout.skipped} more facts")
        rows.append(
            f"{f'#{rung.number}':<6}{f'+{rung.seconds:.3f} s':<{NUMBER_CHARACTERS - 6}}{_row(layout, rung)}"
        )
    return "\n".join(row.rstrip() for row in rows) + "\n"


def lay_out(timeline: Timeline) -> Layout:
    """Which column each fact belongs to. Legs stand in the order in which they were first seen."""
    if not timeline:
        return Layout((APPLICATION, OURSELVES), ())
    lines = list(describe(timeline).values())
    titles = _columns(timeline, lines)
    columns = (APPLICATION, OURSELVES, *titles.values())
    place = {APPLICATION: 0} | {column: index for index, column in enumerate(titles, 2)}
    skipped = max(0, len(lines) - MAX_ROWS)
    kept = MAX_ROWS // 2 if skipped else len(lines)
    shown = lines[:kept] + lines[kept + skipped :]
    rungs = tuple(_rung(line, place, timeline[0].at) for line in shown)
    return Layout(columns, rungs, skipped, kept)


def _columns(timeline: Timeline, lines: list[Line]) -> dict[str, str]:
    """The title of each column right of ours, by what `_column` says; a leg may have notes only."""
    cast = cast_of(timeline)
    trunks = dict.fromkeys(
        fact.leg
        for fact in timeline
        if fact.leg and fact.leg not in cast.users and not isinstance(fact, OF_NO_TELEPHONE)
    )
    if any(line.way != "note" and not _column(line) for line in lines):
        trunks.setdefault("")
    talkers = dict.fromkeys(_column(line) for line in lines if line.way != "note")
    titles = {leg: f"trunk {name}".strip() for leg, name in telephone_names(cast, trunks).items()}
    titles |= {column: column for column in talkers if column not in titles and column != APPLICATION}
    return {column: printable(title, LANE_CHARACTERS - 4) for column, title in titles.items()}


def _column(line: Line) -> str:
    """The leg of a telephone, or the name of an application or a user."""
    return line.leg if line.party.startswith(TRUNK) else line.party


def _rung(line: Line, place: dict[str, int], start: float) -> Rung:
    if line.way == "note":
        return Rung(line.number, line.at - start, 1, 1, line.label)
    label = _brief(line.label)
    far = place[_column(line)]
    here, there = (far, 1) if line.way == "in" else (1, far)
    return Rung(line.number, line.at - start, here, there, label, line.way == "lost")


def _brief(label: str) -> str:
    """A SIP request without what the columns say already: the method, and whom an INVITE calls."""
    method, _, rest = label.partition(" ")
    if not rest.endswith(" SIP/2.0"):
        return label
    whom = rest.removesuffix(" SIP/2.0").partition(":")[2].partition("@")[0]
    return f"{method} {whom}".strip() if method == "INVITE" else method


def _header(layout: Layout) -> str:
    spaces = f"{'#':<6}{'time':<{NUMBER_CHARACTERS - 6}}"
    titles = "".join(f"{title:^{LANE_CHARACTERS}}" for title in layout.columns)
    return spaces + titles


def _row(layout: Layout, rung: Rung) -> str:
    """The vertical lines with an arrow between two of them, or a note right of ours."""
    canvas = [" "] * (LANE_CHARACTERS * len(layout.columns))
    middles = [LANE_CHARACTERS * index + LANE_CHARACTERS // 2 for index in range(len(layout.columns))]
    for middle in middles:
        canvas[middle] = "│"
    if rung.start == rung.end:
        canvas[middles[1]] = "●"
        return "".join(canvas[: middles[1] + 1]) + " " + rung.label
    left, right = sorted((middles[rung.start], middles[rung.end]))
    inner = right - left - 1
    text = f" {printable(rung.label, inner - 4)} ".center(inner - 1, "─")
    arrow = (
        f"{text}{'✗' if rung.lost else '▶'}"
        if rung.start < rung.end
        else f"{'✗' if rung.lost else '◀'}{text}"
    )
    canvas[left + 1 : right] = list(arrow)
    return "".join(canvas)
