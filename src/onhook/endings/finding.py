"""What a rule gives back, and the sentences of its evidence."""

from collections.abc import Iterable
from typing import NamedTuple

from onhook.endings.attempts import Attempt, Reading, Stop
from onhook.endings.cast import raw_id_name, user_name
from onhook.endings.codes import q850_name
from onhook.endings.parties import UserLeg
from onhook.endings.signals import Signal, printable
from onhook.endings.verdict import Proof
from onhook.facts import (
    ApiRequested,
    Dismissal,
    IncomingCallAnnounced,
    LegDismissed,
    LegMovedIn,
    MediaMeasured,
    SipUnreadable,
    TimerFired,
    TransportFailed,
)

OUR_TIMES: dict[Stop, str] = {
    "setup": "the time allowed for the set-up",
    "duration": "the time a call may last",
    "no-rtp": "the time that a call may be without RTP",
}
TAKEN_OUT = {
    "removed": "the application removed the participant (removeParticipant)",
    "moved": "the participant went on in another call (moveParticipants)",
}
DISMISSED: dict[Dismissal, str] = {
    "removed": TAKEN_OUT["removed"],
    "cancelled": "the application took the invitation back (cancelAddParticipant)",
    "transferred": "the participant was handed over (transferToParticipant)",
    "call-over": "the call that it was rung for was over",
    "no-rtp": "no RTP of it had come for too long",
}
"""What it means that our side took one leg out."""


class Finding(NamedTuple):
    """Evidence that an ending fits. `signal` is the message whose SIP status and Q.850 cause are reported."""

    evidence: list[Proof]
    signal: Signal | None = None
    pair: tuple[int, int] | None = None
    """Code and subcode, where they follow from how it ended and not from the page."""


def ordered(proofs: Iterable[Proof | None]) -> list[Proof]:
    """Evidence in the order in which it was seen, each fact once: what is said last of a fact stands."""
    by_fact = {proof.fact: proof for proof in proofs if proof is not None}
    return [by_fact[fact] for fact in sorted(by_fact)]


def offered(reading: Reading, attempt: Attempt) -> Proof | None:
    if not attempt.invite:
        return None
    if attempt.inbound:
        return Proof(attempt.invite, f"{reading.party(attempt.leg)} offered the call")
    return Proof(attempt.invite, f"the call was offered to {reading.party(attempt.leg)}")


def rang(reading: Reading, attempt: Attempt) -> Proof | None:
    if not attempt.ringing:
        return None
    if attempt.ringing_status == 183:
        shows = "the set-up made progress (183): a tone or an announcement may have been heard"
    else:
        shows = "the phone rang" if attempt.ringing_status == 180 else "the call was on its way"
    who = "we" if attempt.inbound else reading.party(attempt.leg)
    return Proof(attempt.ringing, f"{who} reported {attempt.ringing_status}: {shows}")


def answered(reading: Reading, attempt: Attempt) -> Proof | None:
    if not attempt.answer:
        return None
    fact = reading.timeline[attempt.answer - 1]
    if isinstance(fact, LegMovedIn):
        words = f"{reading.party(attempt.leg)} came from another call ({printable(fact.from_call)})"
        return Proof(attempt.answer, words)
    return Proof(
        attempt.answer, "we answered" if attempt.inbound else f"{reading.party(attempt.leg)} answered"
    )


def described(signal: Signal) -> str:
    """The Reason headers of a message in words, with a comma before, or nothing."""
    reasons = signal.reasons
    words = ""
    if reasons.q850_cause is not None:
        words += f", Q.850 cause {reasons.q850_cause} ({reasons.q850_text or cause_name(reasons.q850_cause)})"
    if reasons.sip_cause is not None:
        words += f", Reason SIP {reasons.sip_cause}"
    return words


def cause_name(cause: int) -> str:
    return q850_name(cause) or "no name in Q.850"


def final(reading: Reading, attempt: Attempt) -> Proof | None:
    signal = attempt.final
    if signal is None:
        return None
    who = "we" if attempt.inbound else reading.party(attempt.leg)
    words = f"{signal.status} {signal.phrase}".strip()
    did = "confirmed our CANCEL" if signal.status == 487 and attempt.cancel else "refused"
    return Proof(signal.fact, f"{who} {did} with {words}{described(signal)}")


def path(reading: Reading, attempt: Attempt) -> list[Proof | None]:
    """How far the call got before it ended."""
    way = [offered(reading, attempt), rang(reading, attempt), answered(reading, attempt)]
    return [*way, announced(reading), *decided(reading)] if attempt.inbound else way


def announced(reading: Reading) -> Proof | None:
    """Who was to hear of the call; whether anybody did is hearing.py's matter."""
    number = reading.parties.announced
    fact = reading.timeline[number - 1] if number else None
    if not isinstance(fact, IncomingCallAnnounced):
        return None
    return Proof(number, f"IncomingCall was published for resource {printable(fact.resource)}")


def decided(reading: Reading) -> list[Proof | None]:
    """What applications decided on the legs that rang."""
    return [_decision(reading, number, what) for number, what in reading.parties.decisions]


def _decision(reading: Reading, number: int, what: str) -> Proof | None:
    fact = reading.timeline[number - 1]
    detail = fact.detail if isinstance(fact, ApiRequested) else ""
    match what:
        case "answer":
            return Proof(number, "the application answered the call (answerCall)")
        case "reject":
            why = printable(detail) or "none"
            return Proof(number, f"the application rejected the call (rejectCall, {why})")
        case _:
            whom = raw_id_name(detail) or "another party"
            return Proof(number, f"the application redirected the call to {whom} (redirectCall)")


def user_called(user: UserLeg) -> Proof:
    return Proof(user.ringing, f"{user_name(user.user)} was called")


def user_outcome(user: UserLeg) -> Proof | None:
    """Answered, or not."""
    name = user_name(user.user)
    if user.connected:
        return Proof(user.connected, f"{name} answered")
    why = user.why or "no reason given"
    return Proof(user.over, f"{name} did not take the call ({why})") if user.over else None


def rung_out(reading: Reading, meaning: str) -> Proof | None:
    return timer(reading, reading.rung_out, meaning)


def outcome(reading: Reading, attempt: Attempt) -> Proof | None:
    """What became of an outbound leg that was not answered."""
    if attempt.final is not None:
        return final(reading, attempt)
    if attempt.failure:
        return failure(reading, attempt.failure)
    return timer(reading, attempt.silent, "no response had come") or cancelled(reading, attempt)


def stopped(reading: Reading) -> Proof | None:
    """What made our side end the call."""
    if not reading.stop:
        return None
    fact = reading.timeline[reading.stop - 1]
    if isinstance(fact, ApiRequested):
        return Proof(reading.stop, f"the application asked to end the call ({printable(fact.operation)})")
    if isinstance(fact, LegDismissed):
        return Proof(reading.stop, DISMISSED[fact.why])
    seconds = fact.after_seconds if isinstance(fact, TimerFired) else 0.0
    return Proof(reading.stop, f"{OUR_TIMES.get(reading.stop_kind, 'a time')}, {seconds:g} s, ran out")


def cancelled(reading: Reading, attempt: Attempt) -> Proof | None:
    if attempt.cancel is None:
        return None
    who = f"{reading.party(attempt.leg)} took the call back" if attempt.inbound else "we took the call back"
    return Proof(attempt.cancel.fact, f"{who} (CANCEL{described(attempt.cancel)})")


def released(reading: Reading, attempt: Attempt) -> Proof | None:
    if attempt.bye is None:
        return None
    who = "we" if attempt.bye_sent else reading.party(attempt.leg)
    return Proof(attempt.bye.fact, f"{who} ended the call (BYE{described(attempt.bye)})")


def timer(reading: Reading, number: int, meaning: str) -> Proof | None:
    fact = reading.timeline[number - 1] if number else None
    if not isinstance(fact, TimerFired):
        return None
    return Proof(number, f"timer {printable(fact.name)} ran out after {fact.after_seconds:g} s: {meaning}")


def unreadable(reading: Reading, number: int) -> Proof:
    fact = reading.timeline[number - 1]
    if not isinstance(fact, SipUnreadable):
        return Proof(number, "bytes came that are no SIP message")
    shared = f", for one of {fact.candidates} calls that waited" if fact.candidates > 1 else ""
    return Proof(
        number, f"{len(fact.data)} bytes came that are no SIP message{shared}: {printable(fact.why)}"
    )


def failure(reading: Reading, number: int) -> Proof:
    fact = reading.timeline[number - 1]
    if not isinstance(fact, TransportFailed):
        return Proof(number, "the transport failed")
    return Proof(number, f"{fact.transport.upper()} to {fact.peer} failed: {printable(fact.error, 160)}")


def media(reading: Reading, number: int) -> MediaMeasured | None:
    fact = reading.timeline[number - 1] if number else None
    return fact if isinstance(fact, MediaMeasured) else None
