"""Coverage as one HTML file that needs nothing else: the table, and each meeting behind its row."""

from html import escape

from onhook.endings.coverage.as_text import answered, followed, operations, summary, telling
from onhook.endings.coverage.covered import Coverage, Row
from onhook.endings.coverage.met import Meeting

MAX_SHOWN = 50
"""Meetings of one ending that are listed; more are counted."""
STYLE = """
:root { color-scheme: light dark; --met: #1a7f37; --missed: #cf222e; --quiet: #6e7781; --line: #8884; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
meter { width: 20rem; height: 1.2rem; vertical-align: middle; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
td.met { color: var(--met); } td.missed { color: var(--missed); font-weight: 600; }
td.not-counted, .quiet { color: var(--quiet); }
code { font-size: .93em; } details > ul { margin: .3rem 0; padding-left: 1.2rem; }
"""


def render_html(coverage: Coverage) -> str:
    """A whole page; every text in it is escaped, and it loads nothing."""
    counted = [*coverage.missed, *coverage.met, *coverage.not_counted]
    rows = "\n".join(map(_row, counted))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Ending coverage</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Ending coverage</h1>\n<p>{escape(summary(coverage))}</p>\n"
        f'<p><meter min="0" max="100" value="{coverage.percent:.1f}">{coverage.percent:.1f} %</meter></p>\n'
        f'<p class="quiet">Operations, and calls that used them: {escape(operations(coverage))}. '
        f"{coverage.out_of_reach} endings follow from other operations and are not listed.</p>\n"
        "<table>\n<thead><tr><th></th><th>Ending</th><th>Codes</th><th>Fault</th><th>After</th>"
        "<th>What the application did</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</body>\n</html>\n"
    )


def _row(row: Row) -> str:
    state = row.state.replace("-", " ")
    return (
        f'<tr id="{escape(row.ending)}"><td class="{row.state}">{state}</td>'
        f"<td><code>{escape(row.ending)}</code><br>{escape(row.name)}</td>"
        f"<td>{row.code}/{row.subcode}</td><td>{escape(row.fault)}</td>"
        f"<td>{escape(', '.join(row.after))}</td><td>{_meetings(row)}</td></tr>"
    )


def _meetings(row: Row) -> str:
    shown = telling(row)
    if shown is None:
        return f'<span class="quiet">{escape(row.why)}</span>'
    listed = "".join(f"<li>{_meeting(each)}</li>" for each in row.meetings[:MAX_SHOWN])
    left = len(row.meetings) - MAX_SHOWN
    more = f"<li>and {left} more</li>" if left > 0 else ""
    times = "once" if len(row.meetings) == 1 else f"{len(row.meetings)} times"
    return f"<details><summary>{times}: {_step(shown)}</summary><ul>{listed}{more}</ul></details>"


def _step(meeting: Meeting) -> str:
    event = meeting.delivery.event if meeting.delivery else "no event"
    return escape(f"{event} → {answered(meeting.delivery)}, then {followed(meeting.then)}")


def _meeting(meeting: Meeting) -> str:
    test = f" in {escape(meeting.test)}" if meeting.test else ""
    return f"<code>{escape(meeting.call)}</code>{test}: {_step(meeting)}"
