"""Answer pairs, subcodes and bare numbers: exact rows, rows of the subcode, then what the digits tell."""

from collections.abc import Iterable

from onhook.endings.answer import MAX_SUGGESTIONS, Draft
from onhook.endings.asked import is_code
from onhook.endings.beside import disputes_about
from onhook.endings.codes import (
    CodeRow,
    aliases,
    by_code,
    by_subcode,
    find_all,
    known_subcodes,
    second_spellings,
    sip_phrase,
)
from onhook.endings.grammar import MAX_SUBCODE, decode
from onhook.endings.match import from_code, from_decoded, pair_text
from onhook.endings.names import one_edit_away


def answer_pair(code: int | None, subcode: int, draft: Draft) -> None:
    """A pair, or with code None a subcode: its rows, what contradicts them, and what is near."""
    exact = rows_of_pair(code, subcode, draft)
    _contradicting_rows(code, subcode, draft)
    if code == 200 and any(row.code == 0 for row in by_subcode(subcode)):
        name_spelling("200", draft)
    if not draft.matches:
        _decode(subcode, code, draft)
    if code is not None and not exact:
        only = [row for row in by_code(code) if row.subcode is None]
        draft.take(sorted(only, key=bare), "code alone", "low")


def name_spelling(printed: str, draft: Draft) -> None:
    """Say that a code or category is a second spelling, if it is one."""
    read_as, why = second_spellings().get(printed.strip(), ("", ""))
    if why:
        draft.remarks.append(f"{printed.strip()} is read as {read_as}. {why}")


def rows_of_pair(code: int | None, subcode: int, draft: Draft) -> bool:
    """Take the rows of the pair, then those of the subcode; says whether the pair itself is listed."""
    _take_misprint(code, subcode, draft)
    exact = () if code is None else find_all(code, subcode)
    draft.take(_of_event(exact, draft.event), "exact pair", "high")
    if subcode != 0 or not exact:
        sole = code is None and len({row.code for row in by_subcode(subcode)} - {None, 200}) <= 1
        draft.take(_of_event(by_subcode(subcode), draft.event), "exact subcode", "high" if sole else "medium")
    return bool(exact)


def _of_event(rows: Iterable[CodeRow], event: str) -> list[CodeRow]:
    """Rows of this event first: 8565 of PlayFailed is not that of TranscriptionFailed."""
    return sorted(rows, key=lambda row: bool(event) and event not in row.events)


def bare(row: CodeRow) -> bool:
    """Rows that give no more than a name stand after those that say something."""
    return not row.advice and not row.category


def _take_misprint(code: int | None, subcode: int, draft: Draft) -> None:
    """The right pairs of a known misprint come first; the row as printed follows by itself."""
    for alias in aliases():
        if alias.printed[1] != subcode or code not in {None, alias.printed[0]}:
            continue
        if code is None and by_subcode(subcode) and not _only_misprinted(subcode):
            continue
        how = f"{pair_text(*alias.printed)} is read as {pair_text(*alias.read_as)}"
        draft.take(find_all(*alias.read_as), how, "medium")
        draft.remarks.append(f"{how}. {alias.why} The misprint is never emitted.")


def _only_misprinted(subcode: int) -> bool:
    """Whether every row of `subcode` is a misprint (60486), not only one beside good ones (560487)."""
    printed = {alias.printed for alias in aliases()}
    return all((row.code, subcode) in printed for row in by_subcode(subcode))


def _decode(subcode: int, code: int | None, draft: Draft) -> None:
    decoded = decode(subcode, code)
    draft.nearest_layer = decoded.nearest_layer or (decoded.layer if decoded.layer != "unknown" else "")
    draft.add(from_decoded(decoded, how="", pages=draft.pages))
    if decoded.step in {"unknown", "code alone"}:
        draft.remarks.append(f"Subcode {subcode} is not known: no table lists it and it fits no family.")
    else:
        draft.remarks.append(f"Subcode {subcode} is not in the tables; its {decoded.step} gave the answer.")
    if decoded.confidence == "low":
        _suggest_numbers(subcode, draft)


def _contradicting_rows(code: int | None, subcode: int, draft: Draft) -> None:
    """Say where the sources disagree about this subcode, or with the code it was asked with."""
    found = by_subcode(subcode)
    server_side = {row.code for row in found if row.family in {"pstn", "calling-server"}} - {None, 200}
    if len(server_side) > 1 and subcode != 0:
        codes = " and ".join(str(one) for one in sorted(filter(None, server_side)))
        draft.contradictions.append(f"The sources print subcode {subcode} with codes {codes}.")
    if code is not None:
        for remark in decode(subcode, code).remarks:
            if "not with" in remark or "does not fit" in remark:
                draft.contradictions.append(remark)
        said = {row.category for row in find_all(code, subcode) if row.category}
        if len(said) > 1:
            draft.contradictions.append(
                f"The sources give {pair_text(code, subcode)} the categories {' and '.join(sorted(said))}."
            )
    draft.contradictions.extend(disputes_about(code, subcode))
    draft.contradictions.extend(
        f"{pair_text(row.code, subcode)}: {row.note}." for row in found if "contradict" in row.note
    )


def _suggest_numbers(number: int, draft: Draft) -> None:
    """Known subcodes one typing error away, and the known misprints among them read rightly."""
    if not 0 <= number <= MAX_SUBCODE * 10:
        return
    known = known_subcodes()
    near = {int(text) for text in one_edit_away(str(number), "0123456789") if text} & known
    right = {alias.printed[1]: alias.read_as[1] for alias in reversed(aliases())}
    near = {right.get(subcode, subcode) if _only_misprinted(subcode) else subcode for subcode in near}
    for subcode in sorted(near, key=lambda one: (len(str(one)) != len(str(number)), one))[:MAX_SUGGESTIONS]:
        row = by_subcode(subcode)[0]
        draft.suggestions.append(f"{pair_text(row.code, row.subcode)} ({row.name})")


def answer_number(number: int, draft: Draft) -> None:
    """A number that may be a code or a subcode: 404 is both."""
    if number == 0:
        answer_pair(0, 0, draft)
    if not is_code(number) or by_subcode(number):
        answer_pair(None, number, draft)
    if is_code(number):
        answer_code(number, draft)


def answer_code(code: int, draft: Draft) -> None:
    """A code alone: its own lines, then the pairs that have it, then its class."""
    listed = by_code(code)
    only = sorted((row for row in listed if row.subcode is None), key=bare)
    draft.take(only, "code alone", "medium")
    draft.take((row for row in listed if row.subcode is not None), "one of the pairs with this code", "low")
    if listed:
        if len(listed) > 1:
            draft.remarks.append(
                f"Code {code} alone does not tell the cause: {len(listed)} rows have it. Give the subcode."
            )
        return
    general = from_code(code, how="class of the code", sip=f"{code} {sip_phrase(code)}".strip())
    if general is not None:
        draft.add(general)
        draft.nearest_layer = draft.nearest_layer or general.layer
    draft.remarks.append(f"Code {code} is not in the tables.")
    if code >= 300 and sip_phrase(code):
        draft.remarks.append(
            f"As a SIP status of a trunk it stands in subcodes {560_000 + code} and {540_000 + code}."
        )
