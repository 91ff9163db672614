"""What does this code mean? `look_up` answers anything a person pastes; `explain_pair` one pair, fast.

Rows are ranked: exact pair, exact subcode, what the digits of the subcode tell, the code alone. Rows
of several sources stay side by side, and where they contradict each other the answer says so.
"""

from functools import lru_cache

from onhook.endings.answer import MAX_SUGGESTIONS, Answer, Draft
from onhook.endings.asked import Asked, Question
from onhook.endings.beside import reports_about, signals_of
from onhook.endings.codes import CACHED_PAIRS, by_code, q850_name, sip_phrase
from onhook.endings.grammar import decode
from onhook.endings.lookup_names import answer_words
from onhook.endings.lookup_pairs import answer_number, answer_pair, bare, rows_of_pair
from onhook.endings.lookup_signalling import answer_signalling, compare
from onhook.endings.match import Match, Pages, from_decoded, from_fault
from onhook.endings.names import search, squash, tokens
from onhook.endings.question import read
from onhook.endings.question_errors import faults
from onhook.endings.tips import tips_for

MAX_QUERY_SHOWN = 200


_NO_PAGES: Pages = {}


def look_up(text: str, pages: Pages = _NO_PAGES) -> Answer:
    """Every row that fits `text`, best first; never raises.

    `pages` maps (code, subcode) to the ids of ending pages that explain it.
    """
    question = read(text)
    draft = Draft(pages)
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
    draft = Draft(pages, most=1)
    rows_of_pair(code, subcode, draft)
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


def _answer_one(asked: Asked, draft: Draft) -> None:
    if asked.fault:
        draft.add(from_fault(faults()[asked.fault], how="words of the exception"))
    if asked.event and asked.code is None and asked.subcode is None:
        _answer_event(asked.event, draft)
    elif asked.subcode is not None:
        answer_pair(asked.code, asked.subcode, draft)
    elif asked.number is not None:
        answer_number(asked.number, draft)
    elif asked.http_status is not None:
        _answer_http(asked, draft)
    elif asked.code is not None and not tokens(" ".join(asked.words)):
        answer_number(asked.code, draft)
    elif asked.words:
        answer_words(asked, draft)
    elif asked.sip_status is not None or asked.q850_cause is not None:
        answer_signalling(asked, draft)
    compare(asked, draft)


def _answer_http(asked: Asked, draft: Draft) -> None:
    """A refusal of the API: its lines come first, then those of the code alone; pairs are left out."""
    status = asked.http_status
    listed = [row for row in by_code(status) if row.subcode is None] if status is not None else []
    named = [row for row in listed if asked.words and squash(row.name) == squash("".join(asked.words))]
    of_api = sorted((row for row in listed if row.family == "call-automation"), key=bare)
    draft.take(named, "name and status of the refusal", "high")
    draft.take(of_api, "status of the refusal", "medium")
    draft.remarks.append(f"The request was refused with HTTP status {status}; the refusal gives no subcode.")


def _answer_event(event: str, draft: Draft) -> None:
    for one in search((event,)):
        if one.fit == "event":
            draft.take((one.row,), f"one of the codes of {event}", "low")
