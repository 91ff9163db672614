"""Operations within a call: how each ended, in codes and words, and the facts that prove it.

A prompt that fails ends no call. So a failed operation has a verdict of its own, with a page as every ending
has one; what goes well needs none, and its codes stand here. Whoever tells an application of an operation
takes code, subcode and message from `result_of`, so that events and explanations never differ. A party that
could not be added, or that a transfer did not reach, is judged as a call to it would be.
"""

from typing import NamedTuple

import msgspec

from onhook.endings.codes import category_of
from onhook.endings.finding import ordered
from onhook.endings.judge import NO_CATEGORY, judge_leg
from onhook.endings.operation_proofs import proofs_of
from onhook.endings.pages import page
from onhook.endings.referrals import judge_referral
from onhook.endings.signals import printable
from onhook.endings.verdict import Verdict
from onhook.facts import OperationEnd, OperationEnded, PromptFault, Timeline

MAX_DETAIL = 200
"""Characters of a detail in a message; what engines and servers say can be long."""


class Result(NamedTuple):
    """What `resultInformation` says of an operation. `ending` names its page; empty if it went well."""

    code: int
    subcode: int
    message: str
    ending: str = ""


SUCCESSES: dict[OperationEnd, Result] = {
    "done": Result(200, 0, "Action completed successfully."),  # validated
    "max-digits": Result(200, 8531, "Action completed, as many digits as asked for were received."),
    "stop-tone": Result(200, 8514, "Action completed, the stop tone was heard."),
    "digit-choice": Result(200, 8533, "Action completed, a choice was made by its key."),
    "speech-choice": Result(200, 8545, "Action completed, a choice was made by voice."),
    "speech": Result(200, 8569, "Action completed, speech was recognized."),
}
"""Codes are documented (Microsoft: play, recognize and AI recognize how-tos); words are ours but for the
first, which was seen on the wire. 8569 is documented without a code: 200 is inferred from its name."""

BY_END: dict[OperationEnd, str] = {
    "between-digits": "recognize-pause-too-long",
    "silence": "recognize-no-input",
    "wrong-digit": "recognize-wrong-tone",
    "no-match": "recognize-no-match",
    "not-understood": "recognize-not-understood",
    "speech-too-slow": "recognize-speech-too-slow",
    "recognizer-failed": "recognizer-failed",
    "digits-not-sent": "digits-not-sent",
    "digits-unheard": "digits-unheard",
    "stream-failed": "stream-refused",
    "stream-lost": "stream-lost",
    "recording-failed": "recording-failed",
    "cancelled": "operation-cancelled",
    "cut-off": "operation-cut-off",
    "internal": "operation-fault",
}
"""Pages by how an operation ended; `prompt-failed` goes on by its fault."""

BY_FAULT: dict[PromptFault, str] = {
    "uri": "prompt-address-unusable",
    "unreachable": "prompt-unreachable",
    "status": "prompt-not-served",
    "too-slow": "prompt-unreachable",
    "too-large": "prompt-too-large",
    "format": "prompt-format",
    "empty-text": "prompt-text-empty",
    "text-too-long": "prompt-text-too-long",
    "voice": "speech-voice-unknown",
    "markup": "speech-markup-unreadable",
    "no-speech": "speech-not-connected",
    "speech-refused": "speech-request-refused",
    "speech-failed": "speech-engine-down",
    "shut-down": "prompt-shut-down",
    "internal": "operation-fault",
    "": "operation-fault",
}

BY_STATUS: dict[int, str] = {
    401: "speech-sign-in-refused",
    403: "speech-quota-empty",
    408: "speech-too-slow",
    429: "speech-too-many",
}
"""What the HTTP status of a speech endpoint stands for; any other refusal is `speech-request-refused`."""

TRANSCRIPTION: dict[str, str] = {
    "stream-refused": "transcription-stream-refused",
    "stream-lost": "transcription-stream-lost",
}
"""Pages that differ for transcription, whose codes are its own."""

OF_PARTIES: frozenset[OperationEnd] = frozenset({"not-reached", "not-referred"})
"""Ends whose codes are those of a call to the party: `result_of` does not know them."""

TO_PARTIES = frozenset({"addParticipant", "transferToParticipant"})
"""Operations by which somebody is called."""

NO_FAILURE: frozenset[OperationEnd] = frozenset({*SUCCESSES, "cancelled", "cut-off"})
"""Ends that nobody has to look into: done, or ended with or for the application."""


def ending_of(ended: OperationEnded) -> str:
    """The page for how an operation ended; empty if it went well."""
    if ended.how in SUCCESSES:
        return ""
    if ended.how == "prompt-failed":
        if ended.operation == "recognize":
            return "recognize-prompt-failed"
        return prompt_ending(ended.fault, ended.http_status)
    if ended.how == "recognizer-failed" and ended.http_status is not None:
        return _refused(ended.http_status)
    ending = BY_END[ended.how]
    return TRANSCRIPTION.get(ending, ending) if "Transcription" in ended.operation else ending


def prompt_ending(fault: PromptFault, http_status: int | None = None) -> str:
    """The page for why a prompt could not be played."""
    return _refused(http_status) if fault == "speech-refused" else BY_FAULT[fault]


def _refused(status: int | None) -> str:
    if status is not None and status >= 500:
        return "speech-engine-down"
    return BY_STATUS.get(status or 0, "speech-request-refused")


def result_of(ended: OperationEnded) -> Result:
    """What the application is told of it. The event follows from the operation and whether it went well."""
    ending = ending_of(ended)
    if not ending:
        return SUCCESSES[ended.how]
    found = page(ending)
    detail = printable(ended.detail, MAX_DETAIL).rstrip(".")
    message = found.front.message.replace(": {detail}", f": {detail}" if detail else "")
    return Result(found.front.code, found.front.subcode, message, ending)


def judge_operation(timeline: Timeline, action: str) -> Verdict | None:
    """The verdict on one operation; None while it runs, or if it went well."""
    for fact in timeline:
        if isinstance(fact, OperationEnded) and fact.action == action:
            return _verdict(timeline, fact)
    return None


def failed_operations(timeline: Timeline) -> list[tuple[OperationEnded, Verdict]]:
    """The end of each operation that failed, with its verdict, in the order in which they ended."""
    failed = [fact for fact in timeline if isinstance(fact, OperationEnded) and fact.how not in NO_FAILURE]
    judged = [(fact, _verdict(timeline, fact)) for fact in failed]
    return [(fact, verdict) for fact, verdict in judged if verdict is not None]


def _verdict(timeline: Timeline, ended: OperationEnded) -> Verdict | None:
    if ended.how in OF_PARTIES or (ended.how == "cut-off" and ended.operation in TO_PARTIES):
        return _of_party(timeline, ended)
    result = result_of(ended)
    if not result.ending:
        return None
    front = page(result.ending).front
    return Verdict(
        ending=result.ending,
        code=result.code,
        subcode=result.subcode,
        event_code=result.code,
        message=result.message,
        category=category_of(result.code, result.subcode).name or NO_CATEGORY,
        fault=front.fault,
        evidence=tuple(proofs_of(timeline, ended)),
        confidence=front.confidence,
    )


def _of_party(timeline: Timeline, ended: OperationEnded) -> Verdict:
    """What became of the one who was called, or was to be called by a REFER, as if it had been a call."""
    if ended.how == "not-referred":
        verdict = judge_referral(ended.referral, ended.sip_status or 0, ended.detail)
    elif ended.operation == "transferToParticipant" and ended.how == "cut-off":
        verdict = judge_referral("left")
    else:
        verdict = judge_leg(timeline, ended.leg)
    proofs = ordered([*proofs_of(timeline, ended), *verdict.evidence])
    return msgspec.structs.replace(verdict, evidence=tuple(proofs))
