"""The ladder of a timeline as a Mermaid sequence diagram, for Markdown that draws it.

The rows are those of the text and the SVG (ladder.py), with the same numbers.
"""

from onhook.endings.ladder import Layout, Rung, lay_out
from onhook.endings.signals import printable
from onhook.facts import Timeline

MAX_LABEL_CHARACTERS = 120
ENTITIES = {"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "%": "#37;", "{": "#123;", "}": "#125;"}
"""What would end a label, begin a comment or be taken for HTML, as Mermaid writes it (entity codes)."""


def draw_mermaid(timeline: Timeline) -> str:
    """The diagram as text; without rows for a timeline without facts."""
    layout = lay_out(timeline)
    lines = ["sequenceDiagram"]
    lines += [f"    participant c{number} as {_safe(title)}" for number, title in enumerate(layout.columns)]
    for index, rung in enumerate(layout.rungs):
        if layout.skipped and index == layout.skipped_after:
            lines.append(f"    Note over {_ends(layout)}: {layout.skipped} more facts")
        lines.append(f"    {_row(rung)}")
    return "\n".join(lines) + "\n"


def _ends(layout: Layout) -> str:
    return f"c0,c{len(layout.columns) - 1}"


def _row(rung: Rung) -> str:
    label = _safe(f"#{rung.number} +{rung.seconds:.3f} s {rung.label}")
    if rung.start == rung.end:
        return f"Note over c{rung.start}: {label}"
    arrow = "-x" if rung.lost else "->>"
    return f"c{rung.start}{arrow}c{rung.end}: {label}"


def _safe(text: str) -> str:
    plain = printable(text, MAX_LABEL_CHARACTERS)
    return "".join(ENTITIES.get(char, char) for char in plain)
