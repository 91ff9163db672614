"""The ladder of a timeline as one self-contained SVG: no script, no font, no colour that needs a background.

Colours are of middle lightness, so that they can be read on white and on black alike.
"""

from html import escape

from onhook.endings.ladder import Layout, Rung, lay_out
from onhook.endings.signals import printable
from onhook.facts import Timeline

LANE_PX = 260
MARGIN_PX = 120
ROW_PX = 30
HEAD_PX = 48
CHARACTER_PX = 7.3
"""The widest that a character of the font below is drawn. Labels are cut to their room; the whole label is
in the row's tooltip.
"""

TEXT, LINE, SENT, RECEIVED, LOST = "#757575", "#9a9a9a", "#2f7fd1", "#2a8a57", "#d0453a"

STYLE = (
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:" + TEXT + "}"
    ".head{font-weight:bold;text-anchor:middle}.label{text-anchor:middle}.number{text-anchor:start}"
    f".life{{stroke:{LINE};stroke-dasharray:3 3}}.sent{{stroke:{SENT};fill:{SENT}}}"
    f".received{{stroke:{RECEIVED};fill:{RECEIVED}}}.lost{{stroke:{LOST};fill:{LOST}}}.note{{fill:{LINE}}}"
)


def draw_svg(timeline: Timeline) -> str:
    """The ladder as SVG text; a drawing without rows for a timeline without facts."""
    layout = lay_out(timeline)
    rows = len(layout.rungs) + (1 if layout.skipped else 0)
    width = MARGIN_PX + LANE_PX * len(layout.columns)
    height = HEAD_PX + ROW_PX * rows + 20
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="Ladder of a call">'
    )
    parts = [
        opening,
        f"<style>{STYLE}</style>",
        *_columns(layout, height),
    ]
    y = HEAD_PX + ROW_PX // 2
    for index, rung in enumerate(layout.rungs):
        if layout.skipped and index == layout.skipped_after:
            parts.append(f'<text class="number" x="12" y="{y + 4}">… {layout.skipped} more facts</text>')
            y += ROW_PX
        parts.append(_group(rung, y, width))
        y += ROW_PX
    return "\n".join([*parts, "</svg>"]) + "\n"


def _middle(column: int) -> int:
    return MARGIN_PX + LANE_PX * column + LANE_PX // 2


def _columns(layout: Layout, height: int) -> list[str]:
    parts: list[str] = []
    for index, title in enumerate(layout.columns):
        x = _middle(index)
        parts.append(f'<text class="head" x="{x}" y="24">{_text(title)}</text>')
        parts.append(f'<line class="life" x1="{x}" y1="36" x2="{x}" y2="{height - 8}"/>')
    return parts


def _group(rung: Rung, y: int, width: int) -> str:
    number = f'<text class="number" x="12" y="{y + 4}">#{rung.number} +{rung.seconds:.3f} s</text>'
    drawn = _note(rung, y, width) if rung.start == rung.end else _arrow(rung, y)
    return f'<g id="fact-{rung.number}"><title>{_text(rung.label)}</title>{number}{drawn}</g>'


def _note(rung: Rung, y: int, width: int) -> str:
    x = _middle(rung.start)
    label = _cut(rung.label, width - x - 20)
    return (
        f'<circle class="note" cx="{x}" cy="{y}" r="4"/>'
        f'<text class="number" x="{x + 10}" y="{y + 4}">{label}</text>'
    )


def _arrow(rung: Rung, y: int) -> str:
    start, end = _middle(rung.start), _middle(rung.end)
    kind = "lost" if rung.lost else "sent" if rung.start == 1 else "received"
    back = -8 if end > start else 8
    head = (
        f'<path class="{kind}" d="M{end - 5} {y - 5}l10 10m0 -10l-10 10"/>'
        if rung.lost
        else f'<path class="{kind}" d="M{end} {y}l{back} -4v8z"/>'
    )
    label = _cut(rung.label, abs(end - start) - 20)
    return (
        f'<line class="{kind}" x1="{start}" y1="{y}" x2="{end}" y2="{y}"/>{head}'
        f'<text class="label" x="{(start + end) // 2}" y="{y - 5}">{label}</text>'
    )


def _cut(label: str, room_px: int) -> str:
    return _text(printable(label, int(room_px / CHARACTER_PX)))


def _text(text: str) -> str:
    """Safe inside SVG: escaped, and without characters that XML does not allow."""
    clean = "".join(
        char if char.isprintable() and not 0xFFFE <= ord(char) <= 0xFFFF else " " for char in text
    )
    return escape(clean)
