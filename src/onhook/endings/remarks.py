"""Remarks: what else the facts show, without deciding. They may grow after the end; the verdict does not."""

from collections.abc import Callable

from onhook.endings import finding as say
from onhook.endings.attempts import Reading
from onhook.endings.codes import q850_to_sip, sip_to_q850
from onhook.endings.remarks_media import media_remarks
from onhook.endings.rules_talking import ack_lost
from onhook.endings.signals import Signal, printable, status_of
from onhook.endings.verdict import Proof
from onhook.facts import ApiRequested, ClockSkipped, EventAttempted, SipUnreadable, TransportFailed

MAX_REMARKS = 20
"""Remarks of one verdict; the last one then counts those left out."""

NORMAL_CLEARING = 16


def remarks_of(reading: Reading) -> list[Proof]:
    """Every remark, in the order of its fact, at most MAX_REMARKS."""
    found = [remark for look in _LOOKS for remark in look(reading)]
    found.sort(key=lambda remark: remark.fact)
    if len(found) <= MAX_REMARKS:
        return found
    kept = found[: MAX_REMARKS - 1]
    left = len(found) - len(kept)
    return [*kept, Proof(found[MAX_REMARKS - 1].fact, f"{left} more remarks are left out")]


def contradiction(signal: Signal | None) -> str:
    """How the codes in one message disagree with each other, or "".

    A Q.850 cause and a status agree if RFC 3398 leads from either to the other (sections 7.2.4.1, 8.2.6.1).
    """
    if signal is None or not signal.status:
        return ""
    status, reasons = signal.status, signal.reasons
    if reasons.sip_cause is not None and reasons.sip_cause != status:
        return f"the status is {status}, but Reason says SIP {reasons.sip_cause}"
    if reasons.q850_cause is None or status == 487:  # 487 reports a CANCEL; any cause may come with it
        return ""
    return _cause_contradicts(status, reasons.q850_cause)


def _cause_contradicts(status: int, cause: int) -> str:
    if cause == NORMAL_CLEARING:
        return f"the status {status} is a refusal, but Q.850 cause 16 is a normal end"
    expected = q850_to_sip(cause)
    agreed = {expected, q850_to_sip(cause, location_is_user=True)}
    if expected is None or status in agreed or sip_to_q850(status) == cause:
        return ""
    return f"the status is {status}, but Q.850 cause {cause} ({say.cause_name(cause)}) stands for {expected}"


def _contradictions(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for attempt in reading.attempts:
        words = contradiction(attempt.final)
        if attempt.final is not None and words:
            found.append(Proof(attempt.final.fact, f"codes contradict each other: {words}"))
    return found


def _earlier_attempts(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for attempt in reading.attempts[:-1]:
        party = reading.party(attempt.leg)
        if attempt.final is not None:
            words = f"{attempt.final.status} {attempt.final.phrase}".strip()
            found.append(Proof(attempt.final.fact, f"{party} was tried before and refused with {words}"))
        elif attempt.silent:
            found.append(Proof(attempt.silent, f"{party} was tried before and stayed silent"))
        elif attempt.failure:
            found.append(Proof(attempt.failure, f"{party} was tried before and could not be reached"))
    return found


def _other_legs(reading: Reading) -> list[Proof]:
    """What became of the legs that did not decide, of those who were called beside this one."""
    if reading.parties.decided == "redirect" and reading.attempt and not reading.attempt.answer:
        return []  # that is evidence
    found: list[Proof | None] = []
    for other in reading.beside:
        found.append(say.answered(reading, other) if other.answer else say.outcome(reading, other))
        found.append(say.released(reading, other))
    attempt = reading.attempt
    if attempt is not None and not attempt.inbound:
        found += map(say.user_outcome, reading.parties.users.values())
    return [proof for proof in found if proof is not None]


def _answers(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for attempt in reading.attempts:
        words = "answered elsewhere too: a 2xx of another far end came (a fork)"
        found += [Proof(number, words) for number in attempt.other_answers]
        if attempt.answer_repeats and not ack_lost(reading):
            count = len(attempt.answer_repeats)
            words = f"we repeated our answer {count} times, for no ACK had come"
            if not attempt.inbound:
                words = f"the same answer came {count} more times"
            found.append(Proof(attempt.answer_repeats[-1], words))
    return found


def _repeats(reading: Reading) -> list[Proof]:
    return [
        Proof(attempt.invite, f"the INVITE had to be sent {attempt.invites} times before a response came")
        for attempt in reading.attempts
        if attempt.invites > 1 and attempt.first_response and not attempt.inbound
    ]


def _challenges(reading: Reading) -> list[Proof]:
    attempt = reading.attempt
    if attempt is None or not attempt.answer:
        return []
    return [Proof(number, "the trunk asked for credentials and took ours") for number in attempt.challenges]


def _refused_otherwise(reading: Reading) -> list[Proof]:
    """After our CANCEL the trunk answered with another status than 487."""
    attempt = reading.attempt
    if attempt is None or attempt.inbound or attempt.final is None or not reading.stop:
        return []
    if attempt.final.status == 487 or attempt.final.fact < reading.stop:
        return []
    words = f"{attempt.final.status} {attempt.final.phrase}".strip()
    return [Proof(attempt.final.fact, f"it ended with {words}, not 487, after our side had given up")]


def _refused_requests(reading: Reading) -> list[Proof]:
    """What the application asked for in vain."""
    found: list[Proof] = []
    for number, fact in enumerate(reading.timeline, 1):
        if isinstance(fact, ApiRequested) and fact.status >= 400:
            words = f"the API refused {printable(fact.operation)} with {fact.status} {printable(fact.detail)}"
            found.append(Proof(number, words.rstrip()))
    return found


def _late(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for number in reading.late:
        message: bytes = getattr(reading.timeline[number - 1], "message", b"")
        what = status_of(message) or printable(message.split(b" ", 1)[0].decode(errors="replace"), 20)
        found.append(Proof(number, f"{what} came after the call was over"))
    return found


def _strays(reading: Reading) -> list[Proof]:
    attempt = reading.attempt
    decided = bool(attempt and (attempt.silent or reading.stop_kind == "setup") and not attempt.final)
    numbers = list(reading.strays)
    if attempt is not None and not decided:
        numbers += attempt.unreadable
    found: list[Proof] = []
    for number in numbers:
        fact = reading.timeline[number - 1]
        if isinstance(fact, TransportFailed):
            found.append(say.failure(reading, number))
        elif isinstance(fact, SipUnreadable):
            found.append(say.unreadable(reading, number))
    return found


def _undelivered(reading: Reading) -> list[Proof]:
    found: list[Proof] = []
    for number in reading.deliveries.values():
        fact = reading.timeline[number - 1]
        if isinstance(fact, EventAttempted) and not (fact.status is not None and 200 <= fact.status < 300):
            why = f"HTTP {fact.status}" if fact.status is not None else printable(fact.error) or "no answer"
            words = f"{printable(fact.event_type)} is not delivered: attempt {fact.attempt}, {why}"
            found.append(Proof(number, words))
    return found


def _skipped(reading: Reading) -> list[Proof]:
    """Time that passed at once counts in every duration; no reader shall take it for real."""
    skips = [(n, fact) for n, fact in enumerate(reading.timeline, 1) if isinstance(fact, ClockSkipped)]
    if not skips:
        return []
    total = sum(fact.seconds for _, fact in skips)
    words = (
        f"{total:.1f} s of this call were not waited for: both ends were ours, and their clock was moved on"
    )
    return [Proof(skips[0][0], words)]


_LOOKS: tuple[Callable[[Reading], list[Proof]], ...] = (
    _contradictions,
    _earlier_attempts,
    _other_legs,
    _answers,
    _repeats,
    _challenges,
    media_remarks,
    _refused_otherwise,
    _refused_requests,
    _late,
    _strays,
    _undelivered,
    _skipped,
)
