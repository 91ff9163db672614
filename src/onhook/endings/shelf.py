"""The pages of endings as a shelf: list them, search them, show one as data, as text or as Markdown."""

import difflib
import re
from functools import cache
from typing import Any, NamedTuple

from onhook.endings.asked import Asked
from onhook.endings.beside import signal_rules
from onhook.endings.codes import canonical
from onhook.endings.lookup import look_up
from onhook.endings.names import tokens
from onhook.endings.pages import Page, pages, pages_by_codes
from onhook.endings.question import read
from onhook.endings.render import WIDTH, wrapped
from onhook.endings.render_answer import signal_line

MAX_SUGGESTIONS = 5
_NAMED = re.compile(r"`([a-z0-9-]+)`")
_IN_NAME, _IN_TEXT = 4, 1


class Hit(NamedTuple):
    """A page that fits a search; `how` says by what: "id", "code", "name" or "text"."""

    page: Page
    how: str


class Searched(NamedTuple):
    """`suggestions` are ids that look like the text, where nothing fits."""

    hits: tuple[Hit, ...]
    suggestions: tuple[str, ...] = ()


def codes_text(page: Page) -> str:
    """E.g. "486/560486", or "SIP 400-499" for a page of many statuses."""
    front = page.front
    if front.statuses:
        return f"SIP {', '.join(front.statuses)}"
    return f"{front.code}/{front.subcode}"


def summary_of(page: Page) -> dict[str, Any]:
    """One line of the list as data."""
    front = page.front
    return {
        "ending": page.id,
        "name": front.name,
        "code": front.code,
        "subcode": front.subcode,
        "event_code": front.code if front.event_code is None else front.event_code,
        "statuses": front.statuses,
        "events": front.events,
        "fault": front.fault,
        "confidence": front.confidence,
        "basis": front.basis,
        "source": front.source,
        "provoked": not front.provoked,
        "why_not_provoked": front.provoked,
    }


def detail_of(page: Page) -> dict[str, Any]:
    """Everything a page holds, with its look-alikes and the signals that it stands for."""
    return summary_of(page) | {
        "message": page.front.message,
        "sections": page.sections,
        "look_alikes": look_alikes_of(page),
        "signals": [signal_line(each) for each in signal_rules() if page.id in each.endings],
        "scenario": page.scenario,
        "ladder": page.ladder,
    }


def look_alikes_of(page: Page) -> tuple[str, ...]:
    """Ids of the pages that this one names as easily mistaken for it."""
    named = _NAMED.findall(page.sections["Look-alikes"])
    return tuple(dict.fromkeys(name for name in named if name in pages() and name != page.id))


def search_pages(text: str) -> Searched:
    """Pages by id, by anything that `onhook why` reads a code from, or by words; best first."""
    text = text.strip()
    if text.lower() in pages():
        return Searched((Hit(pages()[text.lower()], "id"),))
    by_code = _by_codes(text)
    if by_code:
        return Searched(tuple(Hit(pages()[ending], "code") for ending in by_code))
    found = _by_words(text)
    if found:
        return Searched(tuple(found))
    return Searched((), tuple(difflib.get_close_matches(text.lower(), pages(), MAX_SUGGESTIONS)))


def _by_codes(text: str) -> list[str]:
    asked = read(text).asked
    if not any(
        each.subcode is not None or each.sip_status or each.q850_cause or each.number or each.code is not None
        for each in asked
    ):
        return []
    by_codes = pages_by_codes()
    found = [ending for each in asked for pair in _pairs(each) for ending in by_codes.get(pair, ())]
    found += [ending for match in look_up(text, by_codes).matches for ending in match.ending]
    return list(dict.fromkeys(found))


def _pairs(asked: Asked) -> list[tuple[int, int]]:
    """The pair that was asked for; of a lone status those of either leg."""
    if asked.code is not None and asked.subcode is not None:
        return [canonical(asked.code, asked.subcode)]
    status = asked.number if asked.code is None else asked.code
    if asked.subcode is not None or status is None or not 300 <= status <= 699:
        return []
    return [(status, 560_000 + status), (status, 540_000 + status)]


@cache
def _words() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Of each page the words of its id and name, and those of all of it."""
    return {
        ending: (
            frozenset(tokens(f"{ending} {page.front.name}")),
            frozenset(tokens(f"{ending} {page.front.name} {' '.join(page.sections.values())}")),
        )
        for ending, page in pages().items()
    }


def _by_words(text: str) -> list[Hit]:
    wanted = set(tokens(text))
    scored: list[tuple[int, str]] = []
    for ending, (name, everything) in _words().items():
        if wanted and wanted <= everything:
            score = _IN_NAME * len(wanted & name) + _IN_TEXT * len(wanted - name)
            scored.append((score, ending))
    scored.sort(key=lambda one: (-one[0], one[1]))
    return [
        Hit(pages()[ending], "name" if score >= _IN_NAME * len(wanted) else "text")
        for score, ending in scored
    ]


def page_text(page: Page, *, width: int = WIDTH) -> str:
    """A page for a terminal: headline, sections, how it is provoked."""
    front = page.front
    parts = [f"{page.id} · {codes_text(page)} · {front.name} · fault: {front.fault}", ""]
    for heading, body in page.sections.items():
        parts += [heading, wrapped(body, width), ""]
    signals = [signal_line(each) for each in signal_rules() if page.id in each.endings]
    if signals:
        parts += ["On the wire", *(f"  {line}" for line in signals), ""]
    parts += ["Codes", wrapped(f"{codes_text(page)}, {front.basis}: {front.source}.", width), ""]
    parts += ["Scenario", *(f"  {line}" for line in page.scenario.rstrip().split("\n"))]
    if front.provoked:
        parts.append(wrapped(f"It cannot be provoked: {front.provoked}", width))
    return "\n".join(parts) + "\n"
