"""An answer about codes as JSON-able data, as text for one screen, and as Markdown for a ticket."""

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from onhook.endings.answer import Answer
from onhook.endings.beside import Report, SignalRule
from onhook.endings.match import Match, pair_text
from onhook.endings.render import WIDTH

MAX_OTHERS = 6
"""Rows after the best one that a screen shows."""
MAX_NOTES = 3
"""Lines of each kind of note that a screen shows; JSON and Markdown have all of them."""

_LABEL = 11
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


def answer_dict(answer: Answer) -> dict[str, Any] | list[dict[str, Any]]:
    """One object when one row fits or none does, else a list, best first; each with the answer's notes."""
    notes: dict[str, Any] = {
        "query": answer.query,
        "known": answer.known,
        "contradictions": answer.contradictions,
        "suggestions": answer.suggestions,
        "remarks": answer.remarks,
        "nearest_layer": answer.nearest_layer,
        "reports": msgspec.to_builtins(answer.reports),
        "signals": msgspec.to_builtins(answer.signals),
        "tips": [{"tip": tip.id, "title": tip.title, "tell": tip.tell} for tip in answer.tips],
        "calls": answer.calls,
    }
    rows: list[dict[str, Any]] = [msgspec.to_builtins(match) | notes for match in answer.matches]
    if not rows:
        return _NOTHING | {"understood": answer.understood} | notes
    return rows[0] if len(rows) == 1 else rows


def answer_text(answer: Answer) -> str:
    """One screen for a person: the best row in full, some others in a line each, then what else is known."""
    lines = list(_unknown(answer) if not answer.matches else _full(answer.matches[0], answer.signals))
    others = answer.matches[1:]
    if others:
        lines += ["", "Also possible:"]
        lines += [_other(match) for match in others[:MAX_OTHERS]]
    left = answer.total - 1 - MAX_OTHERS
    if left > 0:
        lines.append(f"  … and {left} more; say more to narrow it down.")
    for heading, told in notes_of(answer):
        lines += ["", f"{heading}:"]
        for line in told[:MAX_NOTES]:
            lines.append(_fill(line, "  ", "    "))
        if len(told) > MAX_NOTES:
            lines.append(f"  … and {len(told) - MAX_NOTES} more: --json has all of them.")
    return "\n".join(lines) + "\n"


def answer_markdown(answer: Answer) -> str:
    """Everything that is known, to paste into a ticket."""
    parts = list(_unknown(answer)) if not answer.matches else []
    for number, match in enumerate(answer.matches):
        signals = answer.signals if number == 0 else ()
        parts += [f"## {pair_text(match.code, match.subcode)} {match.name}", ""]
        if match.category:
            parts.append(f"- **category**: {match.category} ({match.category_basis})")
        parts += [f"- **{label}**: {value}" for label, value in labelled(match, signals)]
        parts += [f"- **gap**: {gap}" for gap in match.gaps]
        parts.append("")
    for heading, told in notes_of(answer):
        parts += [f"**{heading}**", "", *(f"- {line}" for line in told), ""]
    return "\n".join(parts).rstrip("\n") + "\n"


def headline(match: Match) -> str:
    """E.g. "486/560486 · Number busy, outbound · Success"; the basis is added where no page gives it."""
    category = f" · {match.category}" if match.category else ""
    basis = "" if match.category_basis == "documented" or not match.category else f" ({match.category_basis})"
    return f"{pair_text(match.code, match.subcode)} · {match.name}{category}{basis}"


def signal_line(signal: SignalRule) -> str:
    """E.g. "486 Busy Here, outbound leg (documented)"."""
    leg = "" if signal.leg in {"either", "voip"} else f", {signal.leg} leg"
    return f"{signal.signal}{leg} ({signal.basis})"


def report_line(report: Report) -> str:
    """One report in a line: what was printed, what it was, what to look at, where it was reported."""
    return f"Printed “{report.printed}”. In truth: {report.cause} {report.check} [{report.source}]"


def _unknown(answer: Answer) -> Iterator[str]:
    yield f"Not known: {answer.query or 'nothing was given'}"
    if answer.nearest_layer:
        yield ""
        yield f"  The nearest layer is: {answer.nearest_layer}."


def _full(match: Match, signals: tuple[SignalRule, ...]) -> Iterator[str]:
    yield headline(match)
    yield ""
    for label, value in (*labelled(match, signals), *(("gap", gap) for gap in match.gaps)):
        yield _fill(value, f"  {label:<{_LABEL}} ", " " * (_LABEL + 3))


def _fill(text: str, first: str, then: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def _other(match: Match) -> str:
    line = f"  {pair_text(match.code, match.subcode):<12} {match.name} ({match.how_found}; {match.source})"
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 2]}…)"


def labelled(
    match: Match, signals: tuple[SignalRule, ...], *, shelf: bool = True
) -> Iterator[tuple[str, str]]:
    """What is known of one row, label by label; `shelf` adds the command that shows its ending."""
    inferred = " (inferred)" if match.advice and match.advice_basis == "inferred" else ""
    note, marker, event = match.note.partition("event=")
    command = f" (onhook endings show {match.ending[0]})" if match.ending and shelf else ""
    basis = "" if match.origin in {"grammar", "sdk"} else f" ({match.basis})"
    rows = {
        "meaning": match.meaning,
        "advice": match.advice + inferred,
        "decided by": match.decided_by,
        "SIP": match.sip,
        "on the wire": "; ".join(map(signal_line, signals)),
        "read as": match.read_as,
        "event": event if marker else "",
        "note": note.rstrip("; "),
        "ending": ", ".join(match.ending) + command,
        "source": f"{match.source}{basis}",
        "confidence": f"{match.confidence}: {match.how_found}",
    }
    yield from ((label, value) for label, value in rows.items() if value)


def notes_of(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """What stands beside the rows, by heading; nothing for a heading without lines."""
    nearest = [answer.nearest_layer] if answer.nearest_layer and not answer.known and answer.matches else []
    told: tuple[tuple[str, list[str]], ...] = (
        ("Nearest layer", nearest),
        ("Contradictions", list(answer.contradictions)),
        ("Tips", [f"{tip.id} {tip.title}: {tip.tell}" for tip in answer.tips]),
        ("Reports of misleading codes", list(map(report_line, answer.reports))),
        ("Remarks", list(answer.remarks)),
        ("Did you mean", list(answer.suggestions)),
    )
    yield from ((heading, lines) for heading, lines in told if lines)
