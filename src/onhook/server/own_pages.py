"""Onhook's own pages as HTML: self-contained, no script, light and dark."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from onhook.calls.record import CallRecord
from onhook.endings.quality import worst

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace }
svg { max-width: 100% }
"""


def page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)} · Onhook</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def calls_page(records: Iterable[CallRecord]) -> str:
    rows = "".join(_row(record) for record in records)
    if not rows:
        return page("Calls", "<p>No calls yet. Place one with an ACS SDK and reload.</p>")
    shelf = '<p><a href="/endings">Endings</a> · <a href="/codes">Codes</a></p>'
    head = "<tr><th>Started (UTC)<th>From<th>To<th>Trunk<th>Ended<th>Audio<th>Code<th>What happened</tr>"
    return page("Calls", f"{shelf}<table>{head}{rows}</table>")


def call_page(record: CallRecord, explanation: str, ladder_svg: str) -> str:
    root = f"/onhook/calls/{escape(record.id)}"
    links = " · ".join(
        f'<a href="{root}{path}">{name}</a>'
        for path, name in (
            ("?format=json", "facts"),
            ("/why?format=json", "why as JSON"),
            ("/ladder", "ladder"),
        )
    )
    if record.verdict is not None:
        links += f' · <a href="/endings/{escape(record.verdict.ending)}">this ending</a>'
    title = f"{record.source or 'no caller id'} → {record.target}"
    body = (
        f'<p><a href="/onhook/calls">All calls</a> · {links}</p><pre>{escape(explanation)}</pre>{ladder_svg}'
    )
    return page(title, body)


def utc(at: float | None) -> str:
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _row(record: CallRecord) -> str:
    verdict = record.verdict
    code = f"{verdict.code}/{verdict.subcode}" if verdict else ""
    happened = verdict.message if verdict else "open"
    link = f'<a href="/onhook/calls/{escape(record.id)}">{escape(happened)}</a>'
    cells = (
        f'<td class="n">{utc(record.started_at)}',
        f"<td>{escape(record.source)}",
        f"<td>{escape(record.target)}",
        f"<td>{escape(record.trunk)}",
        f'<td class="n">{utc(record.ended_at)}',
        f"<td>{worst(record.quality) if record.quality else ''}",
        f'<td class="n">{code}',
        f"<td>{link}",
    )
    return f"<tr>{''.join(cells)}</tr>"
