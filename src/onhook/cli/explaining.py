"""`onhook why`: of a kept call its verdict, of anything else what the tables know."""

import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from onhook.cli.outcome import Exit
from onhook.cli.output import print_json, say
from onhook.endings.lookup import Answer, look_up
from onhook.endings.match import Match, pair_text
from onhook.endings.pages import pages_by_codes

CALL_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
WIDTH = 100
"""Columns of text for people."""
MAX_STDIN = 65_536
"""Characters read from standard input."""


def why(text: str, config: str | None, form: str) -> int:
    """`form` is text, markdown or json."""
    if text == "-":
        text = sys.stdin.read(MAX_STDIN)
    text = text.strip()
    if text == "last" or CALL_ID.fullmatch(text):
        return _call(text, config, form)
    answer = look_up(text, pages_by_codes())
    if form == "json":
        print_json(as_json(answer))
    else:
        say("\n".join(as_markdown(answer) if form == "markdown" else as_text(answer)))
    return Exit.DONE if answer.matches else Exit.NO


def _call(call_id: str, config: str | None, form: str) -> int:
    from onhook.cli.kept import find, opened  # noqa: PLC0415  # a code needs neither store nor configuration
    from onhook.server.explanations import tell  # noqa: PLC0415  # as above

    with opened(config) as store:
        record = find(store, call_id)
        told = tell(record, store.facts(record.id))
    if form == "json":
        print_json({"call": record.id, **told.json()})
    else:
        say((told.markdown() if form == "markdown" else told.text()).rstrip("\n"))
    return Exit.DONE


def as_json(answer: Answer) -> dict[str, Any] | list[dict[str, Any]]:
    """One object when one row fits or none does, else a list, best first; each with the answer's notes."""
    notes = {
        "query": answer.query,
        "known": answer.known,
        "contradictions": answer.contradictions,
        "suggestions": answer.suggestions,
        "remarks": answer.remarks,
    }
    rows = [msgspec.to_builtins(match) | notes for match in answer.matches]
    if not rows:
        return _NOTHING | {"understood": answer.understood} | notes
    return rows[0] if len(rows) == 1 else rows


_NOTHING: dict[str, Any] = {
    "code": None,
    "subcode": None,
    "name": "",
    "meaning": "",
    "category": "",
    "advice": "",
    "source": "",
    "confidence": "low",
}


def as_text(answer: Answer) -> Iterator[str]:
    """One screen for a person: the best row in full, the others in a line each."""
    if not answer.matches:
        yield f"Not known: {answer.query or 'nothing was given'}"
    for number, match in enumerate(answer.matches):
        if number == 0:
            yield from _full(match)
        else:
            if number == 1:
                yield ""
                yield "Also possible:"
            pair = pair_text(match.code, match.subcode)
            yield f"  {pair:<12} {match.name} ({match.how_found}; {match.source})"
    if answer.total > len(answer.matches):
        yield f"  … and {answer.total - len(answer.matches)} more; say more to narrow it down."
    yield from _notes(answer, bullet="  ")


def _full(match: Match) -> Iterator[str]:
    category = f" · {match.category}" if match.category else ""
    basis = "" if match.category_basis == "documented" or not match.category else f" ({match.category_basis})"
    yield f"{pair_text(match.code, match.subcode)} · {match.name}{category}{basis}"
    yield ""
    for label, value in (*_rows(match), *(("gap", gap) for gap in match.gaps)):
        yield textwrap.fill(value, WIDTH, initial_indent=f"  {label:<11} ", subsequent_indent=" " * 14)


def _rows(match: Match) -> Iterator[tuple[str, str]]:
    inferred = " (inferred)" if match.advice and match.advice_basis == "inferred" else ""
    rows = {
        "meaning": match.meaning,
        "advice": match.advice + inferred,
        "decided by": match.decided_by,
        "SIP": match.sip,
        "read as": match.read_as,
        "note": match.note,
        "ending": ", ".join(match.ending),
        "source": match.source,
        "confidence": f"{match.confidence}: {match.how_found}",
    }
    yield from ((label, value) for label, value in rows.items() if value)


def _notes(answer: Answer, *, bullet: str) -> Iterator[str]:
    for heading, lines in (
        ("Contradictions", answer.contradictions),
        ("Remarks", answer.remarks),
        ("Did you mean", answer.suggestions),
    ):
        if lines:
            yield ""
            yield f"{heading}:"
            yield from (f"{bullet}{line}" for line in lines)


def as_markdown(answer: Answer) -> Iterator[str]:
    """The same as as_text, to paste into a ticket."""
    if not answer.matches:
        yield f"Not known: {answer.query or 'nothing was given'}"
    for match in answer.matches:
        yield f"## {pair_text(match.code, match.subcode)} {match.name}"
        yield ""
        if match.category:
            yield f"- **category**: {match.category} ({match.category_basis})"
        yield from (f"- **{label}**: {value}" for label, value in _rows(match))
        yield from (f"- **gap**: {gap}" for gap in match.gaps)
        yield ""
    yield from _notes(answer, bullet="- ")
