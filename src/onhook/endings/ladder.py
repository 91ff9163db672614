"""The ladder of a timeline, as text: application, ourselves and each leg in columns, one row per fact.

    #    time           application         onhook          trunk carrier
    #1   +0.000 s            │─createCall → 201─▶│                   │

Rows are numbered as the evidence is. `lay_out` gives the rows to the SVG too, so that both show the same.
"""

import msgspec

from onhook.endings.lines import APPLICATION, OURSELVES, Line, describe, trunk_names
from onhook.endings.signals import printable
from onhook.facts import Timeline

MAX_ROWS = 500
"""Rows of a ladder; of a longer timeline the first and the last are drawn, and the gap is named."""

LANE_CHARACTERS = 34
"""The width of text between two columns."""

NUMBER_CHARACTERS = 19


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
    legs = list(dict.fromkeys(line.leg for line in lines if line.leg))
    if any(line.way != "note" and line.party != APPLICATION and not line.leg for line in lines):
        legs.append("")
    names = trunk_names(timeline)
    columns = (APPLICATION, OURSELVES, *(_title(names.get(leg) or leg) for leg in legs))
    place = {leg: index + 2 for index, leg in enumerate(legs)}
    skipped = max(0, len(lines) - MAX_ROWS)
    kept = MAX_ROWS // 2 if skipped else len(lines)
    shown = lines[:kept] + lines[kept + skipped :]
    rungs = tuple(_rung(line, place, timeline[0].at) for line in shown)
    return Layout(columns, rungs, skipped, kept)


def _title(name: str) -> str:
    return printable(f"trunk {name}".strip(), LANE_CHARACTERS - 4)


def _rung(line: Line, place: dict[str, int], start: float) -> Rung:
    if line.way == "note":
        return Rung(line.number, line.at - start, 1, 1, line.label)
    label = _brief(line.label)
    far = 0 if line.party == APPLICATION else place[line.leg]
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
