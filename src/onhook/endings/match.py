"""One answer to one code: a row of the catalogue or what the digits tell, its gaps filled and marked."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

from onhook.endings.codes import (
    CACHED_PAIRS,
    Basis,
    CodeRow,
    aliases,
    by_code,
    by_subcode,
    canonical,
    category_of,
    sip_phrase,
)
from onhook.endings.grammar import Decoded, class_of, decode, family_of
from onhook.endings.question_errors import Fault
from onhook.endings.verdict import Confidence

Pages: TypeAlias = Mapping[tuple[int | str, int], Sequence[str]]
"""Ids of the ending pages that explain a (code, subcode), code 0, not 200, for normal ends; or an
(event, code) of an operation."""


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One row that fits what was asked, best rows first in `Answer.matches`.

    `basis` is that of the row: documented, published in a query, or inferred (read off the digits).
    `category_basis` and `advice_basis` tell what Microsoft says from what we infer; `gaps` says in
    words what the sources leave empty. `read_as` names the right pair where this one is a misprint.
    `ending` holds ids of ending pages.
    """

    code: int | None
    subcode: int | None
    name: str
    meaning: str
    category: str
    category_basis: Basis
    advice: str
    advice_basis: Basis
    source: str
    origin: str
    confidence: Confidence
    how_found: str
    basis: Basis = "inferred"
    note: str = ""
    sip: str = ""
    ending: tuple[str, ...] = ()
    family: str = ""
    layer: str = ""
    decided_by: str = ""
    direction: str = ""
    read_as: str = ""
    gaps: tuple[str, ...] = ()


def pair_text(code: int | None, subcode: int | None) -> str:
    """Such as 486/560486, "code 486", "subcode 560486", or "no code"."""
    if code is None and subcode is None:
        return "no code"
    if code is None:
        return f"subcode {subcode}"
    return f"code {code}" if subcode is None else f"{code}/{subcode}"


def from_row(row: CodeRow, *, how: str, confidence: Confidence, pages: Pages) -> Match:
    """`row` as a match; its empty category and advice are filled from other rows or by inference."""
    base = _base(row)
    if base.read_as and confidence == "high":
        confidence = "medium"
    return msgspec.structs.replace(
        base,
        how_found=how,
        confidence=confidence,
        ending=_ending(base.code, base.subcode, pages) or _of_event(row, pages),
    )


def from_decoded(decoded: Decoded, *, how: str, pages: Pages) -> Match:
    """A match for a subcode that no table lists, from the grammar of its digits."""
    code = decoded.code if decoded.code is not None else decoded.expected_code
    category = category_of(code, decoded.subcode)
    status = decoded.sip_status
    phrase = sip_phrase(status) if status else ""
    known = decoded.step not in {"unknown", "code alone"}
    name = f"{phrase or 'Not listed'}, {decoded.layer.partition(' (')[0]}" if known else "Not known"
    gaps = ["No source lists this subcode; its digits alone are read, and the advice is inferred."]
    gaps.append(_category_gap(category.name, category.why))
    return Match(
        code=code,
        subcode=decoded.subcode,
        name=name,
        meaning=decoded.meaning,
        category=category.name,
        category_basis=category.basis,
        advice=decoded.advice,
        advice_basis="inferred",
        source=f"digits of the subcode ({decoded.evidence})" if known else "none",
        origin="grammar",
        confidence=decoded.confidence,
        how_found=how or decoded.step,
        note=" ".join(decoded.remarks),
        sip=f"{status} {phrase}".strip() if status else "",
        ending=_ending(code, decoded.subcode, pages),
        layer=decoded.layer,
        decided_by=decoded.decided_by,
        direction=decoded.direction,
        gaps=tuple(gaps),
    )


def from_code(code: int, *, how: str, sip: str = "") -> Match | None:
    """A match for a code that no table lists, from its class (4xx, 5xx, …)."""
    general = class_of(code)
    if general is None:
        return None
    category = category_of(code, None)
    return Match(
        code=code,
        subcode=None,
        name=sip_phrase(code) or f"Not listed, {general.layer}",
        meaning=general.meaning,
        category=category.name,
        category_basis=category.basis,
        advice=general.advice,
        advice_basis="inferred",
        source=f"class of the code ({general.evidence})",
        origin="grammar",
        confidence="low",
        how_found=how,
        sip=sip,
        layer=general.layer,
        decided_by=general.decided_by,
        gaps=(
            "No source lists this code; only its class is known.",
            _category_gap(category.name, category.why),
        ),
    )


def from_fault(fault: Fault, *, how: str) -> Match:
    """A match for what kept an SDK from an answer: it has a name, and a status only if HTTP gave one."""
    basis: Basis = "documented"
    return Match(
        code=fault.status,
        subcode=None,
        name=fault.name,
        meaning=fault.meaning,
        category="",
        category_basis="none",
        advice=fault.advice,
        advice_basis="inferred",
        source=fault.source,
        origin="sdk",
        confidence="high" if fault.basis == "validated" else "medium",
        how_found=how,
        basis=basis,
        layer="between program and service",
        decided_by=fault.side,
        gaps=("No call ended here: this is an exception of the SDK, and tables of endings do not list it.",),
    )


def from_category(category: str, says: str, source: str) -> Match:
    """A match for the name of a category, which is no code."""
    return Match(
        code=None,
        subcode=None,
        name=f"{category}, a category",
        meaning=says,
        category="",
        category_basis="none",
        advice="Give code and subcode: a category alone does not tell the cause.",
        advice_basis="inferred",
        source=source,
        origin="category",
        confidence="medium",
        how_found="name of a category",
    )


def _ending(code: int | None, subcode: int | None, pages: Pages) -> tuple[str, ...]:
    if subcode is None:
        return ()
    if code is None:  # the source gives the subcode alone: whatever the code of a page
        return tuple(dict.fromkeys(one for pair, ids in pages.items() if pair[1] == subcode for one in ids))
    code, subcode = canonical(code, subcode)
    return tuple(pages.get((code, subcode)) or (pages.get((0, subcode), ()) if code == 200 else ()))


def _of_event(row: CodeRow, pages: Pages) -> tuple[str, ...]:
    """Pages for a row that gives an event and its code, as the first page of codes did: "Play failed"."""
    if row.code is None or row.subcode is not None:
        return ()
    event = row.name.partition(" (")[0].title().replace(" ", "")
    return tuple(pages.get((event, row.code), ()))


def _category_gap(category: str, why: str) -> str:
    if not category:
        return f"The sources leave the category empty. {why}"
    return f"The sources leave the category empty; {category} is inferred. {why}"


@lru_cache(maxsize=CACHED_PAIRS)
def _base(row: CodeRow) -> Match:
    gaps: list[str] = []
    category, category_basis = row.category, row.category_basis
    if not category:
        filled = category_of(row.code, row.subcode)
        category, category_basis = filled.name, filled.basis
        if filled.basis in {"inferred", "none"}:
            gaps.append(_category_gap(category, filled.why))
        else:
            gaps.append(f"This source leaves the category empty; {category} is from {filled.why}.")
    advice, advice_basis, advice_gap = _advice(row)
    if advice_gap:
        gaps.append(advice_gap)
    found = None if row.subcode is None else decode(row.subcode, row.code)
    general = class_of(row.code) if row.code is not None else None
    return Match(
        code=row.code,
        subcode=row.subcode,
        name=row.name,
        meaning=row.meaning,
        category=category,
        category_basis=category_basis,
        advice=advice,
        advice_basis=advice_basis,
        source=row.source,
        origin=row.origin,
        confidence="high",
        how_found="",
        basis=row.basis,
        note=row.note,
        sip=row.sip,
        family=row.family,
        layer=found.layer if found else general.layer if general else "",
        decided_by=found.decided_by if found else row.origin_of_response,
        direction=row.direction,
        read_as=_read_as(row),
        gaps=tuple(gaps),
    )


def _read_as(row: CodeRow) -> str:
    right = [pair_text(*alias.read_as) for alias in aliases() if alias.printed == (row.code, row.subcode)]
    return " or ".join(right)


def _advice(row: CodeRow) -> tuple[str, Basis, str]:
    """Advice, its basis, and what to say about a gap: the row's own, a sister row's, or the family's."""
    if row.advice:
        gap = "" if row.advice_basis == "documented" else "The source gives no advice; this one is inferred."
        return row.advice, row.advice_basis, gap
    sisters = by_subcode(row.subcode) if row.subcode is not None else _code_only(row)
    for sister in sisters:
        if sister.advice and sister.advice_basis == "documented":
            where = pair_text(sister.code, sister.subcode)
            return sister.advice, "documented", f"This source gives no advice; this one is that of {where}."
    family = family_of(row.subcode) if row.subcode is not None else None
    general = family or (class_of(row.code) if row.code is not None else None)
    if general is None:
        return "", "none", "The source gives no advice."
    return general.advice, "inferred", "The source gives no advice; this one is inferred."


def _code_only(row: CodeRow) -> tuple[CodeRow, ...]:
    if row.code is None:
        return ()
    return tuple(other for other in by_code(row.code) if other.subcode is None and other.family == row.family)
