"""Reading of a timeline: SIP messages. What each says of the attempt that it belongs to."""

from collections.abc import Callable

from onhook.endings.attempts import Attempt, EndedBy, Reading
from onhook.endings.signals import Signal, cseq_of, reasons_of, status_of, to_tag_of
from onhook.facts import (
    SipSeen,
)

RETRIED: frozenset[EndedBy] = frozenset({"final", "timer", "transport"})
"""Ends that a new INVITE undoes: the next trunk is tried, or credentials are added."""


def read_sip(reading: Reading, fact: SipSeen, number: int) -> None:
    message = fact.message
    if message[:1] in {b"\r", b"\n"}:  # blank lines before a message are allowed (RFC 3261 section 7.5)
        message = message.lstrip(b"\r\n")
    status = status_of(message)
    if status:
        _response(reading, fact, number, message, status)
    elif reader := _REQUESTS.get(message[: message.find(b" ")]):
        reader(reading, fact, number, message)


def _response(reading: Reading, fact: SipSeen, number: int, message: bytes, status: int) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is None or (fact.direction == "sent") is not attempt.inbound:
        return
    if status >= 200:
        cseq, method = cseq_of(message)
        if method != b"INVITE" or (attempt.cseq and cseq != attempt.cseq):
            return
    if _over(reading, attempt):
        _late_response(reading, attempt, number, message, status)
        return
    attempt.first_response = attempt.first_response or number
    if status < 200:
        if status > 100 and not attempt.ringing:
            attempt.ringing, attempt.ringing_status = number, status
    elif status >= 300:
        attempt.final = Signal(number, status, message, reasons_of(message))
        reading.end(number, "final")
    elif not attempt.answer:
        attempt.answer, attempt.answer_tag = number, to_tag_of(message)
    else:
        _another_answer(attempt, number, message)


def _late_response(reading: Reading, attempt: Attempt, number: int, message: bytes, status: int) -> None:
    if attempt.answer and 200 <= status < 300:
        _another_answer(attempt, number, message)
        return
    repeated = attempt.final is not None and attempt.final.status == status
    confirming = reading.ended_by == "cancel" and status == 487
    if not repeated and not confirming:
        reading.late.append(number)


def _another_answer(attempt: Attempt, number: int, message: bytes) -> None:
    same = to_tag_of(message) == attempt.answer_tag
    (attempt.answer_repeats if same else attempt.other_answers).append(number)


def _over(reading: Reading, attempt: Attempt) -> bool:
    return reading.ended != 0 or attempt is not reading.attempts[-1]


def _invite(reading: Reading, fact: SipSeen, number: int, message: bytes) -> None:
    if to_tag_of(message):  # within a dialog: hold, resume, session refresh
        return
    inbound = fact.direction == "received"
    cseq = cseq_of(message)[0]
    attempt = reading.by_leg.get(fact.leg)
    if attempt is None and _beside_another(reading):
        reading.several = True
    if reading.ended and (inbound or reading.ended_by not in RETRIED):
        if inbound:  # ours is repeated as long as the far end may not know that we gave up
            reading.late.append(number)
        return
    if attempt is not None and attempt.invite and attempt.inbound is not inbound:
        return  # our own INVITE came back (a loop), or one with its Call-ID: it begins nothing
    if attempt is not None and attempt.invite and attempt.cseq == cseq and attempt.final is None:
        attempt.invites += 1
        _reopen(reading, attempt)
        return
    if attempt is not None and not attempt.invite:  # its transport failed, or bytes came, before this one
        attempt.inbound, attempt.cseq, attempt.invite, attempt.invites = inbound, cseq, number, 1
        _reopen(reading, attempt)
        return
    begun = Attempt(fact.leg, inbound, cseq, number, 1)
    if attempt is not None and attempt.final is not None and attempt.final.status in {401, 407}:
        begun.challenges = [*attempt.challenges, attempt.final.fact]
        reading.attempts = [other for other in reading.attempts if other is not attempt]
    reading.attempts.append(begun)
    reading.by_leg[fact.leg] = begun
    _reopen(reading, begun)


def _beside_another(reading: Reading) -> bool:
    """Does a new leg begin while another is open, or was refused by routing?"""
    if reading.ended:
        return reading.ended_by in {"route", "user"}
    users = reading.parties.users
    return any(each.invite for each in reading.attempts) or any(not each.over for each in users.values())


def _reopen(reading: Reading, attempt: Attempt) -> None:
    if reading.ended_by in RETRIED:
        reading.ended, reading.ended_by = 0, ""
        attempt.failure = attempt.silent = 0


def _ack(reading: Reading, fact: SipSeen, number: int, _message: bytes) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is not None and attempt.answer and not attempt.ack:
        attempt.ack = number


def _cancel(reading: Reading, fact: SipSeen, number: int, message: bytes) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is None or attempt.cancel is not None or (fact.direction == "received") is not attempt.inbound:
        return
    if _over(reading, attempt) or attempt.ack:  # after the ACK it has no effect (RFC 3261 section 9.2)
        return
    attempt.cancel = Signal(number, 0, message, reasons_of(message))
    if attempt.inbound:
        reading.end(number, "cancel")


def _bye(reading: Reading, fact: SipSeen, number: int, message: bytes) -> None:
    attempt = reading.by_leg.get(fact.leg)
    if attempt is None or attempt.bye is not None or not attempt.answer or _over(reading, attempt):
        return
    sent = fact.direction == "sent"
    if sent and attempt.other_answers and to_tag_of(message) != attempt.answer_tag and not attempt.inbound:
        return  # the release of another fork
    attempt.bye, attempt.bye_sent = Signal(number, 0, message, reasons_of(message)), sent
    if sent or reading.several or len(reading.parties.connected(number)) < 2:
        reading.end(number, "bye")


_REQUESTS: dict[bytes, Callable[[Reading, SipSeen, int, bytes], None]] = {
    b"INVITE": _invite,
    b"ACK": _ack,
    b"CANCEL": _cancel,
    b"BYE": _bye,
}
