"""`judge`: the verdict on a timeline. Pure and total: any timeline gives one, at worst "unexplained"."""

from collections.abc import Sequence

import msgspec

from onhook.endings import finding as say
from onhook.endings.attempts import Reading
from onhook.endings.codes import category_of, sip_phrase
from onhook.endings.finding import Finding, ordered
from onhook.endings.legs import read_call
from onhook.endings.pages import Page, page
from onhook.endings.remarks import contradiction, remarks_of
from onhook.endings.rules import RULES, UNEXPLAINED, Rule
from onhook.endings.rules_users import left_before
from onhook.endings.signals import Signal, printable
from onhook.endings.transparency import doubt_of, with_doubt
from onhook.endings.verdict import AttemptVerdict, Confidence, Proof, Verdict
from onhook.facts import Fact, FaultRaised, RouteTaken, ServerRestarted, SipSeen, Timeline

NO_CATEGORY = "Unknown"
"""Shown where neither a source nor a rule of the tables names a category."""


def judge(timeline: Timeline, *, connection: str = "", rules: Sequence[Rule] = RULES) -> Verdict:
    """The first rule that finds evidence decides; what is seen after the end only adds remarks.

    Judged at the end of the call and again later, the verdict is the same but for its remarks. `connection`
    is the callConnectionId of the application that asks, empty for the first one: an application that left
    before the others, or that was left alone, is told so.
    """
    verdict = _judge(timeline, connection, rules)
    failed = dict.fromkeys(fact.after for fact in timeline if isinstance(fact, RouteTaken) and fact.after)
    if not failed:
        return verdict
    return msgspec.structs.replace(verdict, attempts=tuple(_attempt(timeline, leg) for leg in failed))


def _attempt(timeline: Timeline, leg: str) -> AttemptVerdict:
    verdict = judge_leg(timeline, leg)
    trunks = {fact.leg: fact.trunk for fact in timeline if isinstance(fact, RouteTaken)}
    return AttemptVerdict(
        leg=leg,
        trunk=trunks.get(leg, ""),
        ending=verdict.ending,
        code=verdict.code,
        subcode=verdict.subcode,
        message=verdict.message,
        fact=max((proof.fact for proof in verdict.evidence), default=1),
        sip_status=verdict.sip_status,
    )


def _judge(timeline: Timeline, connection: str, rules: Sequence[Rule]) -> Verdict:
    reading = read_call(timeline, connection)
    gone = left_before(reading) if connection else None
    if gone is not None:
        return _verdict(reading, page("hung-up-by-app"), gone)
    for rule in rules:
        finding = rule.find(reading)
        if finding is not None:
            return _verdict(reading, page(rule.ending), finding)
    return _verdict(reading, page(UNEXPLAINED), _leftover(reading))


def judge_leg(timeline: Timeline, leg: str) -> Verdict:
    """The verdict on one leg of a call, as if it had been the whole of it.

    So that what an application is told of a party that could not be added or reached is what it would be
    told of a call to that party. Evidence counts in the call's timeline.
    """
    numbers = [number for number, fact in enumerate(timeline, 1) if fact.leg == leg or _of_everyone(fact)]
    verdict = _judge([timeline[number - 1] for number in numbers], "", RULES)

    def counted(proofs: tuple[Proof, ...]) -> tuple[Proof, ...]:
        return tuple(Proof(numbers[proof.fact - 1], proof.shows) for proof in proofs)

    return msgspec.structs.replace(
        verdict, evidence=counted(verdict.evidence), remarks=counted(verdict.remarks)
    )


def _of_everyone(fact: Fact) -> bool:
    return isinstance(fact, ServerRestarted | FaultRaised)


def _leftover(reading: Reading) -> Finding:
    """What there is, for a call that no rule knows."""
    attempt = reading.attempt
    proofs: list[Proof | None] = [] if attempt is None else say.path(reading, attempt)
    if attempt is not None:
        proofs += [say.final(reading, attempt), say.released(reading, attempt)]
    proofs.append(say.stopped(reading))
    if reading.timeline:
        last = reading.ended or len(reading.timeline)
        fact = reading.timeline[last - 1]
        shows = printable(fact.start_line) if isinstance(fact, SipSeen) else type(fact).__name__
        proofs.append(Proof(last, f"the last that is known: {shows}"))
    return Finding(ordered(proofs), attempt.final if attempt else None)


def _verdict(reading: Reading, found: Page, finding: Finding) -> Verdict:
    front, signal = found.front, finding.signal
    code, subcode = finding.pair or found.codes(signal.status if signal else None)
    theirs = _theirs(reading, signal)
    doubt = doubt_of(reading, theirs)
    status, phrase = _sip_of(theirs)
    cause = theirs.reasons.q850_cause if theirs else None
    text = theirs.reasons.q850_text if theirs else ""
    return Verdict(
        ending=found.id,
        code=code,
        subcode=subcode,
        event_code=front.event_code or code or 200,
        message=_message(found, signal, code, subcode),
        category=category_of(code, subcode).name or NO_CATEGORY,
        fault=front.fault,
        evidence=tuple(finding.evidence if doubt is None else with_doubt(finding.evidence, doubt)),
        remarks=tuple(each for each in remarks_of(reading) if each not in finding.evidence),
        confidence=_lowered(front.confidence) if doubt or contradiction(signal) else front.confidence,
        sip_status=status,
        sip_reason=phrase,
        q850_cause=cause,
        q850_text=text if text or cause is None else say.cause_name(cause),
    )


def _theirs(reading: Reading, signal: Signal | None) -> Signal | None:
    """The signal, if the far end sent it: events report SIP and Q.850 details of the far end only."""
    attempt = reading.attempt
    if signal is None or attempt is None:
        return signal
    ours = (signal is attempt.bye and attempt.bye_sent) or (signal is attempt.final and attempt.inbound)
    return None if ours else signal


def _sip_of(signal: Signal | None) -> tuple[int | None, str]:
    if signal is None:
        return None, ""
    if signal.status:
        return signal.status, signal.phrase or sip_phrase(signal.status)
    return signal.reasons.sip_cause, signal.reasons.sip_text


def _message(found: Page, signal: Signal | None, code: int, subcode: int) -> str:
    """Words of ours, then the code pair as ACS writes it at the end of its messages (observed)."""
    words = found.front.message
    if signal is not None and "{" in words:
        phrase = signal.phrase or sip_phrase(signal.status)
        words = words.replace("{status}", str(signal.status)).replace("{phrase}", phrase)
    return f"{words} DiagCode: {code}#{subcode}.@"


def _lowered(confidence: Confidence) -> Confidence:
    return "medium" if confidence == "high" else "low"
