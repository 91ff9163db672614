"""Endings and codes as HTML: self-contained, no script, every text escaped."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from onhook.endings.answer import Answer
from onhook.endings.beside import signal_rules
from onhook.endings.match import Match, pair_text
from onhook.endings.pages import Page, pages
from onhook.endings.render_answer import headline, labelled, notes_of, signal_line
from onhook.endings.shelf import codes_text
from onhook.server.own_pages import page

_SPAN = re.compile(r"`([^`]+)`")


def endings_page(found: Iterable[Page], query: str, suggestions: Sequence[str]) -> str:
    rows = "".join(
        f'<tr><td><a href="/endings/{each.id}">{each.id}</a><td class="n">{_codes(each)}'
        f"<td>{escape(each.front.name)}<td>{each.front.fault}<td>{each.front.basis}</tr>"
        for each in found
    )
    head = "<tr><th>Ending<th>Codes<th>Name<th>Fault<th>Basis</tr>"
    near = ", ".join(f'<a href="/endings/{each}">{each}</a>' for each in suggestions)
    nothing = f"<p>No ending fits.{f' Did you mean {near}?' if near else ''}</p>"
    return page("Endings", _box("/endings", query) + (f"<table>{head}{rows}</table>" if rows else nothing))


def ending_page(shown: Page) -> str:
    front = shown.front
    signals = [signal_line(each) for each in signal_rules() if shown.id in each.endings]
    forms = (
        (f"/endings/{shown.id}{suffix}", name) for suffix, name in ((".json", "JSON"), (".md", "Markdown"))
    )
    links = " · ".join(f'<a href="{path}">as {name}</a>' for path, name in forms)
    parts = [
        f'<p><a href="/endings">All endings</a> · {links}</p>',
        f"<p>{_codes(shown)} · fault: {front.fault} · {front.basis}: {escape(front.source)}</p>",
        *(f"<h2>{escape(heading)}</h2>{prose(text)}" for heading, text in shown.sections.items()),
    ]
    if signals:
        parts.append("<h2>On the wire</h2>" + _bullets(signals))
    provoked = f"<p>It cannot be provoked: {escape(front.provoked)}</p>" if front.provoked else ""
    parts += [f"<h2>Scenario</h2>{provoked}<pre>{escape(shown.scenario)}</pre>"]
    parts += [f"<h2>Ladder</h2><pre>{escape(shown.ladder)}</pre>"]
    return page(f"{front.name} ({shown.id})", "".join(parts))


def answer_page(answer: Answer) -> str:
    """What is known of a code; without a question the box to ask in."""
    asked = bool(answer.query)
    box = '<p><a href="/endings">All endings</a></p>' + _box("/codes", answer.query)
    if not asked:
        return page("Codes", box)
    if not answer.matches:
        nearest = f"<p>The nearest layer: {escape(answer.nearest_layer)}.</p>" if answer.nearest_layer else ""
        return page("Not known", f"{box}<p>Nothing is known of this.</p>{nearest}{_notes(answer)}")
    best, *others = answer.matches
    rows = [("category", f"{best.category} ({best.category_basis})")] if best.category else []
    rows += [*labelled(best, answer.signals, shelf=False), *(("gap", gap) for gap in best.gaps)]
    table = "".join(f"<tr><th>{label}<td>{_value(label, value)}</tr>" for label, value in rows)
    more = ""
    if others:
        lines = "".join(map(_other, others))
        head = "<tr><th>Code<th>Name<th>Meaning<th>Found by<th>Source</tr>"
        more = f"<h2>Also possible</h2><table>{head}{lines}</table>"
        if answer.total > len(answer.matches):
            more += f"<p>… and {answer.total - len(answer.matches)} more.</p>"
    return page(headline(best), f"{box}<table>{table}</table>{_notes(answer)}{more}")


def prose(text: str) -> str:
    """Paragraphs, lists and code spans of a page; the id of another ending becomes a link to it."""
    made: list[str] = []
    for block in re.split(r"\n\n", text.strip()):
        if block.startswith("- "):
            items = re.split(r"\n(?=- )", block)
            made.append(f"<ul>{''.join(f'<li>{_spans(item[2:])}</li>' for item in items)}</ul>")
        else:
            made.append(f"<p>{_spans(block)}</p>")
    return "".join(made)


def _spans(text: str) -> str:
    parts = _SPAN.split(text)  # every second one stood between backticks
    return "".join(_span(part) if number % 2 else escape(part) for number, part in enumerate(parts))


def _span(text: str) -> str:
    code = f"<code>{escape(text)}</code>"
    return f'<a href="/endings/{text}">{code}</a>' if text in pages() else code


def _codes(shown: Page) -> str:
    text = codes_text(shown)
    if shown.front.statuses:
        return escape(text)
    return f'<a href="/codes/{text}">{text}</a>'


def _value(label: str, value: str) -> str:
    if label != "ending":
        return escape(value)
    return ", ".join(f'<a href="/endings/{one}">{one}</a>' for one in value.split(", "))


def _other(match: Match) -> str:
    cells = (pair_text(match.code, match.subcode), match.name, match.meaning, match.how_found, match.source)
    first, *rest = map(escape, cells)
    if match.code is not None and match.subcode is not None:
        first = f'<a href="/codes/{match.code}/{match.subcode}">{first}</a>'
    return f'<tr><td class="n">{first}{"".join(f"<td>{cell}" for cell in rest)}</tr>'


def _notes(answer: Answer) -> str:
    return "".join(f"<h2>{heading}</h2>{_bullets(lines)}" for heading, lines in notes_of(answer))


def _bullets(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _box(action: str, query: str) -> str:
    return (
        f'<form action="{action}"><input name="q" size="60" value="{escape(query)}" '
        'placeholder="486/560486, DiagCode: 0#7000, SIP/2.0 486 Busy Here …"> <button>Look up</button></form>'
    )
