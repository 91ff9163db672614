"""Rules for calls that were answered, and for calls that came in: `Reading` -> `Finding`, or None."""

from onhook.endings import finding as say
from onhook.endings.attempts import Attempt, Reading
from onhook.endings.finding import Finding, ordered
from onhook.endings.signals import body_of, printable
from onhook.endings.verdict import Proof
from onhook.sip.offer import read_answer
from onhook.sip.sdp import Unusable, parse_sdp

NORMAL_CAUSES = frozenset({16, 31})
"""Q.850 causes of a BYE that say no more than "normal": call clearing, and unspecified."""

LOST_ACK_REPEATS = 5
"""Repeats of one 2xx after our ACK from which on the ACK counts as lost. A far end that got the ACK late
repeats once or twice (intervals of RFC 3261 section 13.3.1.4: 0.5, 1, 2, 4, 4, ... s)."""

MEDIA_STATUSES = frozenset({406, 415, 488, 606})
"""Statuses in the Reason of our own BYE that speak of the session description."""


def _talking(reading: Reading, *, inbound: bool) -> Attempt | None:
    """The deciding attempt, if it was answered."""
    attempt = reading.attempt
    return attempt if attempt is not None and attempt.answer and attempt.inbound is inbound else None


def _released(reading: Reading, attempt: Attempt, *extra: Proof | None) -> Finding:
    proofs = [*say.path(reading, attempt), *extra, say.released(reading, attempt)]
    return Finding(ordered(proofs), attempt.bye)


def cancel_crossed_answer(reading: Reading) -> Finding | None:
    """We had given the call up, and then it was answered: ACK and BYE."""
    attempt = _talking(reading, inbound=False)
    if attempt is None or not 0 < reading.stop < attempt.answer:
        return None
    return _released(reading, attempt, say.stopped(reading), say.cancelled(reading, attempt))


def call_too_long(reading: Reading) -> Finding | None:
    """The longest time that a call may last ran out; our side ended it."""
    attempt = reading.attempt
    if attempt is None or not attempt.answer or reading.stop_kind != "duration":
        return None
    return _released(reading, attempt, say.stopped(reading))


def ended_by_app(reading: Reading) -> Finding | None:
    """The application asked for the end (hangUp or terminate) of an answered call."""
    attempt = reading.attempt
    if attempt is None or not attempt.answer or reading.stop_kind != "hang-up":
        return None
    return _released(reading, attempt, say.stopped(reading))


def removed_last(reading: Reading) -> Finding | None:
    """The application removed the last of the others, or moved it elsewhere, and was alone then."""
    attempt = reading.attempt
    if attempt is None or not attempt.answer or reading.stop:
        return None
    if attempt.dismissed_why not in {"removed", "moved"}:
        return None
    did = say.TAKEN_OUT[attempt.dismissed_why]
    return _released(reading, attempt, Proof(attempt.dismissed, f"{did}, and one participant remained"))


def _far_end_released(reading: Reading, *, inbound: bool) -> Attempt | None:
    attempt = _talking(reading, inbound=inbound)
    return attempt if attempt is not None and attempt.bye is not None and not attempt.bye_sent else None


def ack_lost(reading: Reading) -> Finding | None:
    """The far end repeated its answer again and again after our ACK, and then gave up with BYE."""
    attempt = _far_end_released(reading, inbound=False)
    if attempt is None or attempt.bye is None or not attempt.ack:
        return None
    repeats = [number for number in attempt.answer_repeats if attempt.ack < number < attempt.bye.fact]
    if len(repeats) < LOST_ACK_REPEATS:
        return None
    shown = [
        Proof(attempt.ack, "we acknowledged the answer"),
        Proof(repeats[0], "the same answer came again, as if our ACK had not arrived"),
        Proof(repeats[-1], f"it came for the last time, {len(repeats)} repeats after our ACK"),
    ]
    return _released(reading, attempt, *shown)


def phone_cut_off(reading: Reading) -> Finding | None:
    """The phone side ended an answered call and named a cause that is no normal end."""
    attempt = _far_end_released(reading, inbound=False)
    if attempt is None or attempt.bye is None:
        return None
    reasons = attempt.bye.reasons
    abnormal = reasons.q850_cause is not None and reasons.q850_cause not in NORMAL_CAUSES
    if not abnormal and (reasons.sip_cause is None or reasons.sip_cause < 300):
        return None
    return _released(reading, attempt)


def phone_hung_up(reading: Reading) -> Finding | None:
    """The phone side ended an answered outbound call."""
    attempt = _far_end_released(reading, inbound=False)
    return None if attempt is None else _released(reading, attempt)


def unusable_answer(reading: Reading) -> Finding | None:
    """The call was answered with a session description that cannot be used; our side ended it."""
    attempt = _talking(reading, inbound=False)
    if attempt is None or (attempt.bye is not None and not attempt.bye_sent):
        return None
    fault = _answer_fault(reading, attempt)
    return None if fault is None else _released(reading, attempt, Proof(attempt.answer, fault))


def _answer_fault(reading: Reading, attempt: Attempt) -> str | None:
    """What is wrong with the SDP of the answer, if anything is."""
    offer = parse_sdp(body_of(_message(reading, attempt.invite)))
    body = body_of(_message(reading, attempt.answer))
    who = f"{reading.party(attempt.leg)} answered"
    if not isinstance(offer, Unusable):
        answer = parse_sdp(body) if body else None
        if answer is None:
            return f"{who} without a session description"
        read = answer if isinstance(answer, Unusable) else read_answer(offer, answer)
        if isinstance(read, Unusable):
            return f"{who} with a session description that cannot be used: {printable(str(read), 160)}"
    cause = attempt.bye.reasons.sip_cause if attempt.bye else None
    return f"{who}, and our BYE says {cause}: unusable media" if cause in MEDIA_STATUSES else None


def _message(reading: Reading, number: int) -> bytes:
    message: bytes = getattr(reading.timeline[number - 1], "message", b"") if number else b""
    return message


def session_expired(reading: Reading) -> Finding | None:
    """The session timer ran out: nobody refreshed the session, and our side ended it."""
    attempt = reading.attempt
    if attempt is None or not attempt.expired or not attempt.bye_sent or reading.stop:
        return None
    waited = say.timer(reading, attempt.expired, f"{reading.party(attempt.leg)} did not refresh the session")
    return _released(reading, attempt, waited)


def ended_locally(reading: Reading) -> Finding | None:
    """Our side ended an answered call, and no request, timer or fault is on record for it."""
    attempt = reading.attempt
    if attempt is None or attempt.bye is None or not attempt.bye_sent:
        return None
    return _released(reading, attempt)


def caller_cancel_crossed_answer(reading: Reading) -> Finding | None:
    """The caller took the call back while we were answering it."""
    attempt = _talking(reading, inbound=True)
    if attempt is None or attempt.cancel is None:
        return None
    return Finding(ordered([*say.path(reading, attempt), say.cancelled(reading, attempt)]), attempt.cancel)


def answer_unacknowledged(reading: Reading) -> Finding | None:
    """We answered, and no ACK came."""
    attempt = _talking(reading, inbound=True)
    if attempt is None or not attempt.no_ack:
        return None
    waited = say.timer(reading, attempt.no_ack, "no ACK of our answer had come")
    return Finding(ordered([*say.path(reading, attempt), waited]))


def caller_hung_up(reading: Reading) -> Finding | None:
    """The caller ended an answered inbound call."""
    attempt = _far_end_released(reading, inbound=True)
    return None if attempt is None else _released(reading, attempt)
