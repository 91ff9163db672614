"""Answer SIP statuses and Q.850 causes, and compare the parts of one report with each other."""

from collections.abc import Callable

from onhook.endings.answer import Draft
from onhook.endings.asked import Asked
from onhook.endings.codes import (
    by_code,
    category_of,
    find_all,
    q850_name,
    q850_to_sip,
    read_category,
    sip_phrase,
    sip_to_q850,
)
from onhook.endings.grammar import decode
from onhook.endings.lookup_pairs import bare, name_spelling
from onhook.endings.match import from_decoded

CATEGORIES = frozenset(
    {"Success", "ExpectedError", "UnexpectedClientError", "UnexpectedServerError", "Failure"}
)
"""The four of the documents, and the one word `Failure` that an older page uses."""


def answer_signalling(asked: Asked, draft: Draft) -> None:
    """A SIP status, a Q.850 cause, or both."""
    status = asked.sip_status
    if asked.q850_cause is not None:
        mapped = answer_cause(asked.q850_cause, draft)
        status = mapped if status is None else status
    if status is not None:
        answer_status(status, draft)


def answer_cause(cause: int, draft: Draft) -> int | None:
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


def answer_status(status: int, draft: Draft) -> None:
    """A SIP status on either leg; where no table lists it, what its digits tell."""
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
    draft.take(sorted(only, key=bare), "code alone", "low")


def compare(asked: Asked, draft: Draft) -> None:
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
        name_spelling(asked.category, draft)
        told, listed = read_category(asked.category), category_of(asked.code, asked.subcode)
        agrees = told in {listed.name, "Failure"} and (told != "Failure" or listed.name != "Success")
        if listed.name and told in CATEGORIES and not agrees:
            say(f"The report says {told}, the tables say {listed.name} ({listed.basis}) for this pair.")
