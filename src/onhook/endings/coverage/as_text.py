"""Coverage for people and programs: a table of plain text, Markdown for a summary of CI, and plain data."""

from collections.abc import Sequence
from typing import Any

import msgspec

from onhook.endings.coverage.covered import Coverage, Row
from onhook.endings.coverage.met import Delivery, Meeting, NextStep
from onhook.endings.signals import printable

MARKS = {"met": "met", "missed": "MISSED", "not-counted": "-"}
HEADINGS = ("", "ending", "after", "times", "told by", "answered", "and then")
MAX_ERROR = 60
"""Characters of an error in a table."""


def summary(coverage: Coverage) -> str:
    """The coverage in a sentence."""
    met, missed = len(coverage.met), len(coverage.missed)
    calls = f"{coverage.calls} call{'' if coverage.calls == 1 else 's'}"
    if not met + missed:
        return f"Ending coverage: nothing to count in {calls}."
    still = f", {coverage.open_calls} of them open" if coverage.open_calls else ""
    return f"Ending coverage: {coverage.percent:.1f} %, {met} of {met + missed} endings, in {calls}{still}."


def answered(delivery: Delivery | None) -> str:
    """What the application said to the event, and how soon: "200 in 3 ms"."""
    if delivery is None:
        return "-"
    again = f", attempt {delivery.attempts}" if delivery.attempts > 1 else ""
    if delivery.status is None:
        return f"no answer{again}: {printable(delivery.error, MAX_ERROR)}".rstrip(": ")
    return f"{delivery.status} in {delivery.elapsed_ms:.0f} ms{again}"


def followed(then: NextStep | None) -> str:
    """What the application did next: "createCall, the next call, after 0.2 s"."""
    if then is None:
        return "nothing"
    refused = f" ({then.status})" if then.status >= 400 else ""
    where = "" if then.same_call else ", the next call,"
    return f"{then.operation}{refused}{where} after {then.after_seconds:.1f} s"


def telling(row: Row) -> Meeting | None:
    """The meeting that says most: one whose event was not taken, else the last."""
    refused = [each for each in row.meetings if each.delivery is not None and not each.delivery.taken]
    shown = refused or list(row.meetings)
    return shown[-1] if shown else None


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table, under HEADINGS."""
    after = ", ".join(row.after) or "-"
    shown = telling(row)
    if shown is None:
        return MARKS[row.state], row.ending, after, "0", "-", "-", row.why or f"onhook provoke {row.ending}"
    event = shown.delivery.event if shown.delivery else "-"
    times = str(len(row.meetings))
    return (
        MARKS[row.state], row.ending, after, times, event, answered(shown.delivery), followed(shown.then)
    )  # fmt: skip


def ordered(coverage: Coverage) -> list[Row]:
    """What was met, then what was missed, then what does not count."""
    return [*coverage.met, *coverage.missed, *coverage.not_counted]


def operations(coverage: Coverage) -> str:
    used = ", ".join(f"{name} ({count})" for name, count in coverage.operations.items())
    return used or "none"


def beside(coverage: Coverage) -> str:
    return (
        f"Operations, and calls that used them: {operations(coverage)}. "
        f"{coverage.out_of_reach} endings follow from other operations and are not listed."
    )


def render_text(coverage: Coverage) -> str:
    """A table with aligned columns, then what it is about."""
    lines = [HEADINGS, *map(cells, ordered(coverage))]
    table = _aligned(lines) if coverage.rows else []
    return "\n".join([summary(coverage), beside(coverage), *([""] if table else []), *table]) + "\n"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def render_markdown(coverage: Coverage) -> str:
    """For $GITHUB_STEP_SUMMARY and tickets: what was missed first, as that is what is left to do."""
    parts = [f"## {summary(coverage).rstrip('.')}", beside(coverage)]
    if coverage.missed:
        parts.append(_table("Missed", coverage.missed))
    if coverage.met:
        parts.append(_table("Met", coverage.met))
    if coverage.not_counted:
        told = "\n".join(f"- `{row.ending}`: {_escaped(row.why)}" for row in coverage.not_counted)
        parts.append(f"### Not counted\n\n{told}")
    return "\n\n".join(parts) + "\n"


def _table(heading: str, rows: Sequence[Row]) -> str:
    columns = ("ending", "what it is", "codes", *HEADINGS[2:])
    lines = [columns, ("---",) * len(columns)]
    for row in rows:
        line = (f"`{row.ending}`", row.name, f"{row.code}/{row.subcode}", *cells(row)[2:])
        lines.append(tuple(map(_escaped, line)))
    return f"### {heading}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def as_dict(coverage: Coverage) -> dict[str, Any]:
    """For programs. Percent is 0 to 100; times are Unix seconds."""
    plain: dict[str, Any] = msgspec.to_builtins(coverage)
    counts = {"met": len(coverage.met), "missed": len(coverage.missed)}
    return {"percent": round(coverage.percent, 2), **counts, **plain}
