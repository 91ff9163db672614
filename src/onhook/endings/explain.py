"""An explanation: a verdict with its evidence, its page, and what the published tables say of its codes.

`explain` puts it together as plain data; `as_dict`, `render_text` and `render_markdown` (render.py) show it.
"""

from typing import Any

import msgspec

from onhook.endings.codes import category_of, find_all
from onhook.endings.lines import Line, describe, direction_of
from onhook.endings.pages import Basis, Page, page
from onhook.endings.verdict import AttemptVerdict, Confidence, Proof, Verdict
from onhook.facts import Timeline

NO_ADVICE = "Microsoft's tables have no advice for this pair."
NO_ROW = "Microsoft's tables do not list this pair."


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that proves, or a remark about one. `at_seconds` counts from the first fact."""

    fact: int
    at_seconds: float
    seen: str
    """The fact in one line, with its direction and party."""
    shows: str


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A trunk that was tried before, with the verdict on its leg alone."""

    trunk: str
    leg: str
    ending: str
    code: int
    subcode: int
    name: str
    fact: int
    at_seconds: float


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What Microsoft's tables say of the pair; empty text where they say nothing."""

    name: str = ""
    meaning: str = ""
    advice: str = ""
    source: str = ""
    note: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything there is to say about how a call ended. Field names are the keys of the JSON form."""

    code: int
    subcode: int
    event_code: int
    name: str
    meaning: str
    category: str
    category_basis: str
    advice: str
    source: str
    basis: Basis
    confidence: Confidence
    ending: str
    fault: str
    message: str
    whose_side: str
    how_we_know: str
    look_alikes: str
    would_change: str
    published: Published
    evidence: tuple[Exhibit, ...]
    remarks: tuple[Exhibit, ...]
    sip_status: int | None = None
    sip_reason: str = ""
    q850_cause: int | None = None
    q850_text: str = ""
    attempts: tuple[FailedAttempt, ...] = ()


def explain(verdict: Verdict, timeline: Timeline) -> Explanation:
    """Explain a verdict on this timeline; an ending that the catalogue lacks is told as unexplained."""
    found = _page_of(verdict.ending)
    sections = found.sections
    published = _published(verdict)
    return Explanation(
        code=verdict.code,
        subcode=verdict.subcode,
        event_code=verdict.event_code,
        name=found.front.name,
        meaning=sections["What happened"],
        category=verdict.category,
        category_basis=category_of(verdict.code, verdict.subcode).basis,
        advice=sections["What to do"],
        source=found.front.source,
        basis=found.front.basis,
        confidence=verdict.confidence,
        ending=verdict.ending,
        fault=verdict.fault,
        message=verdict.message,
        whose_side=sections["Whose side"],
        how_we_know=sections["How we know"],
        look_alikes=sections["Look-alikes"],
        would_change=sections["What would change the verdict"],
        published=published,
        evidence=_exhibits(verdict.evidence, timeline),
        remarks=_exhibits(verdict.remarks, timeline),
        sip_status=verdict.sip_status,
        sip_reason=verdict.sip_reason,
        q850_cause=verdict.q850_cause,
        q850_text=verdict.q850_text,
        attempts=tuple(_failed(each, timeline) for each in verdict.attempts),
    )


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """The explanation as JSON-able data."""
    made: dict[str, Any] = msgspec.to_builtins(explanation)
    return made


def _failed(attempt: AttemptVerdict, timeline: Timeline) -> FailedAttempt:
    known = 0 < attempt.fact <= len(timeline)
    return FailedAttempt(
        trunk=attempt.trunk,
        leg=attempt.leg,
        ending=attempt.ending,
        code=attempt.code,
        subcode=attempt.subcode,
        name=_page_of(attempt.ending).front.name,
        fact=attempt.fact,
        at_seconds=round(timeline[attempt.fact - 1].at - timeline[0].at, 3) if known else 0.0,
    )


def _page_of(ending: str) -> Page:
    """The page, or the one for "unexplained" if a newer or older version of us wrote the verdict."""
    try:
        return page(ending)
    except KeyError:
        return page("unexplained")


def _published(verdict: Verdict) -> Published:
    rows = find_all(verdict.code, verdict.subcode)
    if not rows:
        return Published(note=NO_ROW)
    best = rows[0]
    advice = next((row.advice for row in rows if row.advice), "")
    return Published(
        name=best.name,
        meaning=best.meaning,
        advice=advice,
        source=best.source,
        note="" if advice else NO_ADVICE,
    )


def _exhibits(proofs: tuple[Proof, ...], timeline: Timeline) -> tuple[Exhibit, ...]:
    lines = describe(timeline, {proof.fact for proof in proofs})
    start = timeline[0].at if timeline else 0.0
    return tuple(
        Exhibit(
            fact=proof.fact,
            at_seconds=round(timeline[proof.fact - 1].at - start, 3) if proof.fact in lines else 0.0,
            seen=_seen(lines.get(proof.fact)),
            shows=proof.shows,
        )
        for proof in proofs
    )


def _seen(line: Line | None) -> str:
    if line is None:
        return "(this fact is not in the timeline)"
    arrow = direction_of(line)
    return f"{arrow} {line.party}: {line.label}" if line.party else f"{arrow} {line.label}"
