"""What does this code mean? `look_up` answers anything a person pastes; `explain_pair` one pair, fast.

Rows are ranked: exact pair, exact subcode, what the digits of the subcode tell, the code alone. Rows
of several sources stay side by side, and where they contradict each other the answer says so.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from onhook.endings.asked import Asked, Question, is_code
from onhook.endings.beside import Report, SignalRule, disputes_about, reports_about, signals_of
from onhook.endings.codes import (
    CACHED_PAIRS,
    CodeRow,
    aliases,
    by_code,
    by_subcode,
    category_of,
    find_all,
    known_subcodes,
    q850_causes,
    q850_name,
    q850_to_sip,
    read_category,
    rows,
    second_spellings,
    sip_phrase,
    sip_statuses,
    sip_to_q850,
)
from onhook.endings.grammar import MAX_SUBCODE, decode
from onhook.endings.match import (
    Match,
    Pages,
    from_code,
    from_decoded,
    from_fault,
    from_row,
    pair_text,
)
from onhook.endings.names import Found, correct, one_edit_away, search, search_some, squash, tokens
from onhook.endings.question import read
from onhook.endings.question_errors import faults
from onhook.endings.tips import Tip, tips_for
from onhook.endings.verdict import Confidence

MAX_MATCHES = 25
MAX_SUGGESTIONS = 5
MAX_QUERY_SHOWN = 200

CATEGORIES = frozenset(
    {"Success", "ExpectedError", "UnexpectedClientError", "UnexpectedServerError", "Failure"}
)
"""The four of the documents, and the one word `Failure` that an older page uses."""

_CATEGORY_SAYS = {
    "Success": "the call ended as calls should, busy and cancelled ones included.",
    "ExpectedError": "an error that belongs to normal use; mend the input or the set-up.",
    "UnexpectedClientError": "an error on the side of the client or the trunk; trying again can help.",
    "UnexpectedServerError": "an error inside the service or behind the trunk.",
    "Failure": "any of the three errors; the kind is not told.",
}

_NO_PAGES: Pages = {}
_FIT_CONFIDENCE: dict[str, Confidence] = {
    "name": "high",
    "event": "medium",
    "words of the name": "medium",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`matches` is best first and holds at most MAX_MATCHES of `total`. `known` is False when nothing
    is listed: then `matches` may still tell the nearest layer, and `suggestions` likely typing errors.
    """

    query: str
    understood: tuple[str, ...]
    known: bool
    matches: tuple[Match, ...]
    total: int
    contradictions: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    nearest_layer: str = ""
    reports: tuple[Report, ...] = ()
    """Public reports in which these codes pointed at the wrong cause."""
    signals: tuple[SignalRule, ...] = ()
    """What on the wire the best pair stands for."""
    tips: tuple[Tip, ...] = ()
    """Tips of the troubleshooting pages that go with the best pair."""
    calls: tuple[str, ...] = ()
    """Ids of calls that stand in the question."""


class _Draft:
    """An answer in the making: rows are kept once, in the order in which they were found."""

    def __init__(self, pages: Pages, most: int = MAX_MATCHES) -> None:
        self.pages, self.most = pages, most
        self.rows: dict[int, Match] = {}
        self.others: list[Match] = []
        self.matches: list[Match] = []
        self.contradictions: list[str] = []
        self.suggestions: list[str] = []
        self.remarks: list[str] = []
        self.nearest_layer = ""
        self.total = 0
        self.reports: list[Report] = []
        self.event = ""

    def take(self, rows: Iterable[CodeRow], how: str, confidence: Confidence) -> None:
        for row in rows:
            if id(row) in self.rows:
                continue
            self.total += 1
            if len(self.matches) < self.most:
                self.add(from_row(row, how=how, confidence=confidence, pages=self.pages), row)

    def add(self, match: Match, row: CodeRow | None = None) -> None:
        if row is None:
            self.total += 1
        else:
            self.rows[id(row)] = match
        if len(self.matches) < self.most:
            self.matches.append(match)


def look_up(text: str, pages: Pages = _NO_PAGES) -> Answer:
    """Every row that fits `text`, best first; never raises.

    `pages` maps (code, subcode) to the ids of ending pages that explain it.
    """
    question = read(text)
    draft = _Draft(pages)
    draft.remarks.extend(question.remarks)
    for asked in question.asked:
        draft.event = asked.event
        _answer_one(asked, draft)
        draft.reports += reports_about(asked, question.text)
    if not draft.matches and not draft.remarks:
        draft.remarks.append("No code, name, SIP status or Q.850 cause could be read.")
    pair = _pair(draft.matches)
    return Answer(
        query=_shown(question),
        understood=tuple(_said(asked) for asked in question.asked),
        known=any(match.origin != "grammar" for match in draft.matches),
        matches=tuple(draft.matches),
        total=draft.total,
        contradictions=tuple(dict.fromkeys(draft.contradictions)),
        suggestions=tuple(dict.fromkeys(draft.suggestions))[:MAX_SUGGESTIONS],
        remarks=tuple(dict.fromkeys(draft.remarks)),
        nearest_layer=draft.nearest_layer,
        reports=tuple(dict.fromkeys(draft.reports)),
        signals=tuple(signals_of(*pair)) if pair else (),
        tips=tuple(tips_for(*pair)) if pair else (),
        calls=question.calls,
    )


def _pair(matches: list[Match]) -> tuple[int | None, int] | None:
    """The pair of the best match, if it has one."""
    best = matches[0] if matches else None
    return None if best is None or best.subcode is None else (best.code, best.subcode)


@lru_cache(maxsize=CACHED_PAIRS)
def explain_pair(code: int | None, subcode: int) -> Match:
    """The best match for one pair, without what stands beside it; never raises. For many see bulk.py."""
    return explain_with(code, subcode, _NO_PAGES)


def explain_with(code: int | None, subcode: int, pages: Pages) -> Match:
    """As `explain_pair`, with the pages that explain it; nothing is kept."""
    draft = _Draft(pages, most=1)
    _rows_of_pair(code, subcode, draft)
    if not draft.matches:
        draft.add(from_decoded(decode(subcode, code), how="", pages=pages))
    return draft.matches[0]


def _shown(question: Question) -> str:
    text = question.text
    return text if len(text) <= MAX_QUERY_SHOWN else f"{text[:MAX_QUERY_SHOWN]}…"


def _said(asked: Asked) -> str:
    parts: list[str] = []
    if asked.code is not None:
        parts.append(f"code {asked.code}")
    if asked.subcode is not None:
        parts.append(f"subcode {asked.subcode}")
    if asked.number is not None:
        parts.append(f"number {asked.number}")
    if asked.sip_status is not None:
        parts.append(f"SIP status {asked.sip_status} {sip_phrase(asked.sip_status)}".rstrip())
    if asked.http_status is not None and asked.http_status != asked.code:
        parts.append(f"HTTP status {asked.http_status}")
    if asked.event:
        parts.append(f"event {asked.event}")
    if asked.q850_cause is not None:
        parts.append(f"Q.850 cause {asked.q850_cause} {q850_name(asked.q850_cause)}".rstrip())
    if asked.words and asked.number is None:
        parts.append(f"words {' '.join(asked.words)}")
    return ", ".join(parts) or "no code"


def _answer_one(asked: Asked, draft: _Draft) -> None:
    if asked.fault:
        draft.add(from_fault(faults()[asked.fault], how="words of the exception"))
    if asked.event and asked.code is None and asked.subcode is None:
        _answer_event(asked.event, draft)
    elif asked.subcode is not None:
        _answer_pair(asked.code, asked.subcode, draft)
    elif asked.number is not None:
        _answer_number(asked.number, draft)
    elif asked.http_status is not None:
        _answer_http(asked, draft)
    elif asked.code is not None and not tokens(" ".join(asked.words)):
        _answer_number(asked.code, draft)
    elif asked.words:
        _answer_words(asked, draft)
    elif asked.sip_status is not None or asked.q850_cause is not None:
        _answer_signalling(asked, draft)
    _compare(asked, draft)


def _answer_http(asked: Asked, draft: _Draft) -> None:
    """A refusal of the API: its lines come first, then those of the code alone; pairs are left out."""
    status = asked.http_status
    listed = [row for row in by_code(status) if row.subcode is None] if status is not None else []
    named = [row for row in listed if asked.words and squash(row.name) == squash("".join(asked.words))]
    of_api = sorted((row for row in listed if row.family == "call-automation"), key=_bare)
    draft.take(named, "name and status of the refusal", "high")
    draft.take(of_api, "status of the refusal", "medium")
    draft.remarks.append(f"The request was refused with HTTP status {status}; the refusal gives no subcode.")


def _answer_event(event: str, draft: _Draft) -> None:
    for one in search((event,)):
        if one.fit == "event":
            draft.take((one.row,), f"one of the codes of {event}", "low")


# --- pairs and subcodes ---


def _answer_pair(code: int | None, subcode: int, draft: _Draft) -> None:
    exact = _rows_of_pair(code, subcode, draft)
    _contradicting_rows(code, subcode, draft)
    if code == 200 and any(row.code == 0 for row in by_subcode(subcode)):
        _name_spelling("200", draft)
    if not draft.matches:
        _decode(subcode, code, draft)
    if code is not None and not exact:
        only = [row for row in by_code(code) if row.subcode is None]
        draft.take(sorted(only, key=_bare), "code alone", "low")


def _name_spelling(printed: str, draft: _Draft) -> None:
    """Say that a code or category is a second spelling, if it is one."""
    read_as, why = second_spellings().get(printed.strip(), ("", ""))
    if why:
        draft.remarks.append(f"{printed.strip()} is read as {read_as}. {why}")


def _rows_of_pair(code: int | None, subcode: int, draft: _Draft) -> bool:
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


def _bare(row: CodeRow) -> bool:
    """Rows that give no more than a name stand after those that say something."""
    return not row.advice and not row.category


def _take_misprint(code: int | None, subcode: int, draft: _Draft) -> None:
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


def _decode(subcode: int, code: int | None, draft: _Draft) -> None:
    decoded = decode(subcode, code)
    draft.nearest_layer = decoded.nearest_layer or (decoded.layer if decoded.layer != "unknown" else "")
    draft.add(from_decoded(decoded, how="", pages=draft.pages))
    if decoded.step in {"unknown", "code alone"}:
        draft.remarks.append(f"Subcode {subcode} is not known: no table lists it and it fits no family.")
    else:
        draft.remarks.append(f"Subcode {subcode} is not in the tables; its {decoded.step} gave the answer.")
    if decoded.confidence == "low":
        _suggest_numbers(subcode, draft)


def _contradicting_rows(code: int | None, subcode: int, draft: _Draft) -> None:
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


def _suggest_numbers(number: int, draft: _Draft) -> None:
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


# --- a number that may be a code or a subcode ---


def _answer_number(number: int, draft: _Draft) -> None:
    if number == 0:
        _answer_pair(0, 0, draft)
    if not is_code(number) or by_subcode(number):
        _answer_pair(None, number, draft)
    if is_code(number):
        _answer_code(number, draft)


def _answer_code(code: int, draft: _Draft) -> None:
    listed = by_code(code)
    only = sorted((row for row in listed if row.subcode is None), key=_bare)
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


# --- names ---


def _answer_words(asked: Asked, draft: _Draft) -> None:
    found, how = _search(asked, draft)
    is_phrase = asked.code is not None and squash("".join(asked.words)) == squash(sip_phrase(asked.code))
    exact = bool(found) and found[0].fit == "name"
    if not exact and asked.code is None and _answer_phrase(asked.words, draft):
        return
    for one in found:
        if exact and one.fit not in {"name", "event"}:
            break
        confidence = "low" if how else _FIT_CONFIDENCE.get(one.fit, "low")
        draft.take((one.row,), f"{_how(one.fit)}{how}", confidence)
    if is_phrase and asked.code is not None:
        _answer_status(asked.code, draft)
    elif not found and asked.code is not None:
        draft.remarks.append(f"No row of code {asked.code} has these words: {' '.join(asked.words)}.")
        _answer_code(asked.code, draft)
    elif not found:
        draft.remarks.append(f"Not known: no row has the words {' '.join(asked.words)}.")
    elif len({match.code for match in draft.matches}) > 1 and asked.code is None:
        draft.remarks.append("Several codes fit these words; give the code too.")


def _answer_phrase(words: tuple[str, ...], draft: _Draft) -> bool:
    """A reason phrase of SIP or a name of Q.850, as headers and logs of gateways have them: "User busy"."""
    wanted = squash("".join(words))
    spelt = next((name for name in (*CATEGORIES, *second_spellings()) if squash(name) == wanted), "")
    if spelt:
        _answer_category(spelt, draft)
        return True
    causes = [cause for cause, known in q850_causes().items() if squash(known.name) == wanted]
    statuses = [status for status, known in sip_statuses().items() if squash(known.phrase) == wanted]
    for cause in causes:
        draft.remarks.append(f"This is the name of Q.850 cause {cause}.")
        statuses += [mapped for mapped in (_answer_cause(cause, draft),) if mapped is not None]
    for status in dict.fromkeys(statuses):
        _answer_status(status, draft)
    return bool(causes or statuses)


def _answer_category(spelt: str, draft: _Draft) -> None:
    """What a category says; the rows that have it are too many to list."""
    _name_spelling(spelt, draft)
    category = read_category(spelt)
    count = sum(1 for row in rows() if row.category == category)
    draft.remarks.append(f"{category} is a category: {_CATEGORY_SAYS[category]} {count} rows have it.")


def _search(asked: Asked, draft: _Draft) -> tuple[list[Found], str]:
    """Rows with all words; else with typing errors mended; else with the weightier words."""
    if found := search(asked.words, asked.code):
        return found, ""
    if corrected := correct(asked.words):
        words = [corrected.get(word, word) for word in tokens(" ".join(asked.words))]
        if found := search(words, asked.code):
            draft.suggestions.append(" ".join(words))
            return found, ", reading " + ", ".join(
                f"{one!r} as {right!r}" for one, right in corrected.items()
            )
    return search_some(asked.words, asked.code), ""


def _how(fit: str) -> str:
    return f"exact {fit}" if fit in {"name", "event"} else fit


# --- SIP and Q.850 ---


def _answer_signalling(asked: Asked, draft: _Draft) -> None:
    status = asked.sip_status
    if asked.q850_cause is not None:
        mapped = _answer_cause(asked.q850_cause, draft)
        status = mapped if status is None else status
    if status is not None:
        _answer_status(status, draft)


def _answer_cause(cause: int, draft: _Draft) -> int | None:
    """Say what the cause is; its SIP status, 200 for normal clearing, or None where RFC 3398 names none."""
    name, mapped = q850_name(cause), q850_to_sip(cause)
    if cause == 16:
        return 200
    if not name:
        draft.remarks.append(f"Q.850 has no cause {cause}.")
    elif mapped is None:
        draft.remarks.append(f"RFC 3398 gives Q.850 cause {cause} ({name}) no SIP status.")
    else:
        draft.remarks.append(f"Q.850 cause {cause} ({name}) is SIP {mapped} by RFC 3398.")
    return mapped


def _answer_status(status: int, draft: _Draft) -> None:
    if status < 200:
        draft.remarks.append(f"SIP {status} is provisional: it ends no call.")
        return
    if status < 300:
        draft.remarks.append(
            "A call that was answered and then cleared normally ends with 0/560000 or 0/540000."
        )
        for subcode in (560_000, 540_000):
            draft.take(find_all(0, subcode), "normal end of an answered call", "medium")
        return
    outbound, inbound = find_all(status, 560_000 + status), find_all(status, 540_000 + status)
    how = f"SIP {status} on the outbound leg"
    draft.take(outbound, how, "high")
    if not outbound:
        draft.add(from_decoded(decode(560_000 + status, status), how=how, pages=draft.pages))
    draft.take(inbound, f"SIP {status} on the inbound leg", "medium")
    only = [row for row in by_code(status) if row.subcode is None]
    draft.take(sorted(only, key=_bare), "code alone", "low")


def _compare(asked: Asked, draft: _Draft) -> None:
    """What the parts of one report say against each other (documented: they need not agree)."""
    say: Callable[[str], None] = draft.contradictions.append
    status, cause = asked.sip_status, asked.q850_cause
    if status is not None and cause is not None and status >= 300:
        mapped = q850_to_sip(cause)
        if cause == 16 or (mapped is not None and mapped != status and sip_to_q850(status) != cause):
            say(
                f"SIP {status} {sip_phrase(status)} and Q.850 cause {cause} ({q850_name(cause)}) do not fit: "
                f"RFC 3398 pairs the cause with {mapped or 'a normal end'}."
            )
    if asked.subcode is None:
        return
    digits = decode(asked.subcode, asked.code)
    if status is not None and digits.sip_status is not None and digits.sip_status != status:
        say(f"Subcode {asked.subcode} means SIP {digits.sip_status}, but the SIP details say {status}.")
    if asked.category:
        _name_spelling(asked.category, draft)
        told, listed = read_category(asked.category), category_of(asked.code, asked.subcode)
        agrees = told in {listed.name, "Failure"} and (told != "Failure" or listed.name != "Success")
        if listed.name and told in CATEGORIES and not agrees:
            say(f"The report says {told}, the tables say {listed.name} ({listed.basis}) for this pair.")
