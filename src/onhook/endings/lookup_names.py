"""Answer names: of rows, of events, of causes and phrases, of categories; with typing errors mended."""

from onhook.endings.answer import Draft
from onhook.endings.asked import Asked
from onhook.endings.codes import q850_causes, read_category, rows, second_spellings, sip_phrase, sip_statuses
from onhook.endings.lookup_pairs import answer_code, name_spelling
from onhook.endings.lookup_signalling import CATEGORIES, answer_cause, answer_status
from onhook.endings.match import from_category
from onhook.endings.names import Found, correct, search, search_some, squash, tokens
from onhook.endings.verdict import Confidence

_CATEGORY_SAYS = {
    "Success": "The call ended as calls should, busy and cancelled ones included.",
    "ExpectedError": "An error that belongs to normal use; mend the input or the set-up.",
    "UnexpectedClientError": "An error on the side of the client or the trunk; trying again can help.",
    "UnexpectedServerError": "An error inside the service or behind the trunk.",
    "Failure": "Any of the three errors; the kind is not told.",
}


_FIT_CONFIDENCE: dict[str, Confidence] = {
    "name": "high",
    "event": "medium",
    "words of the name": "medium",
}


def answer_words(asked: Asked, draft: Draft) -> None:
    """Words: the name of a row or an event, else of a cause, a phrase or a category, else parts of names."""
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
        answer_status(asked.code, draft)
    elif not found and asked.code is not None:
        draft.remarks.append(f"No row of code {asked.code} has these words: {' '.join(asked.words)}.")
        answer_code(asked.code, draft)
    elif not found:
        draft.remarks.append(f"Not known: no row has the words {' '.join(asked.words)}.")
    elif len({match.code for match in draft.matches}) > 1 and asked.code is None:
        draft.remarks.append("Several codes fit these words; give the code too.")


def _answer_phrase(words: tuple[str, ...], draft: Draft) -> bool:
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
        statuses += [mapped for mapped in (answer_cause(cause, draft),) if mapped is not None]
    for status in dict.fromkeys(statuses):
        answer_status(status, draft)
    return bool(causes or statuses)


def _answer_category(spelt: str, draft: Draft) -> None:
    """What a category says; the rows that have it are too many to list."""
    name_spelling(spelt, draft)
    category = read_category(spelt)
    count = sum(1 for row in rows() if row.category == category)
    draft.add(from_category(category, _CATEGORY_SAYS[category], f"ours, from the {count} rows that have it"))


def _search(asked: Asked, draft: Draft) -> tuple[list[Found], str]:
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
