"""The sentences that prove how an operation on media ended, one for each fact of it."""

from collections.abc import Callable
from typing import Any

from onhook.endings.finding import ordered
from onhook.endings.lines_media import TOLD_BEFORE
from onhook.endings.signals import printable
from onhook.endings.verdict import Proof
from onhook.facts import (
    ApiRequested,
    DigitHeard,
    DigitsSent,
    Fact,
    ListeningFailed,
    OperationEnd,
    OperationEnded,
    PromptEnded,
    PromptStarted,
    RecordingChanged,
    SpeechBegan,
    SpeechHeard,
    StreamChanged,
    Timeline,
)

MAX_WORDS = 200

WORDS: dict[OperationEnd, str] = {
    "between-digits": "the time between two digits ran out",
    "silence": "nobody had pressed a key or spoken",
    "wrong-digit": "a key was pressed that stands for no choice",
    "no-match": "what was said matches no choice",
    "not-understood": "speech was heard, and no words in it",
    "speech-too-slow": "the recogniser gave no result in time",
    "recognizer-failed": "the recogniser failed",
    "prompt-failed": "the prompt could not be played",
    "digits-not-sent": "the digits could not be sent",
    "digits-unheard": "the far end agreed to send no digits",
    "stream-failed": "the WebSocket could not be opened",
    "stream-lost": "the WebSocket broke and could not be opened again",
    "recording-failed": "the recording failed",
    "not-reached": "who was called for it did not join",
    "not-referred": "the far end did not come to speak with the target",
    "cancelled": "it was cancelled",
    "cut-off": "the call, or the leg that it was for, ended first",
    "internal": "our own code failed",
}


def proofs_of(timeline: Timeline, ended: OperationEnded) -> list[Proof]:
    """Evidence for how `ended` came about, in the order of the facts."""
    proofs: list[Proof | None] = []
    digits: list[tuple[int, str]] = []
    asked = 0
    for number, fact in enumerate(timeline, 1):
        if isinstance(fact, ApiRequested) and fact.action == ended.action:
            asked = number
            proofs.append(Proof(number, f"the application asked for it ({printable(fact.operation)})"))
        elif fact is ended or fact == ended:
            told = any(proof is not None and proof.fact > asked for proof in proofs)
            proofs += [_heard(digits), Proof(number, _end(ended, brief=told and ended.how in TOLD_BEFORE))]
            break
        elif isinstance(fact, DigitHeard):
            if asked and fact.leg == ended.leg:
                digits.append((number, fact.digit))
        elif type(fact) in _NAMED:
            name, tell = _NAMED[type(fact)]
            if belongs(getattr(fact, name), ended.action):
                proofs.append(Proof(number, tell(fact)))
    return ordered(proofs)


def belongs(name: str, action: str) -> bool:
    """Is `name` that of a media effect of this operation?"""
    return name == action or name.startswith(f"{action}.")


def _heard(digits: list[tuple[int, str]]) -> Proof | None:
    if not digits:
        return None
    plural = "s" if len(digits) > 1 else ""
    return Proof(digits[-1][0], f"{len(digits)} digit{plural} had been heard by then")


def _end(ended: OperationEnded, *, brief: bool) -> str:
    """How it ended; `brief` where the facts before have told why."""
    words = WORDS.get(ended.how, "it went well")
    if brief:
        return words
    if ended.after_seconds:
        words += f" after {ended.after_seconds:g} s"
    if ended.http_status is not None:
        words += f", HTTP {ended.http_status}"
    if ended.sip_status is not None:
        words += f", SIP {ended.sip_status}"
    return words if ended.after_seconds else _with(words, ended.detail)


def _with(words: str, detail: str) -> str:
    clean = printable(detail, MAX_WORDS)
    return f"{words}: {clean}" if clean else words


def _prompt_started(_: PromptStarted) -> str:
    return "its first sound went out"


def _prompt_ended(fact: PromptEnded) -> str:
    if fact.how != "failed":
        return f"the prompt was {fact.how} after {fact.played_ms / 1000:.1f} s"
    status = f", HTTP {fact.http_status}" if fact.http_status is not None else ""
    return _with(
        f"source {fact.source} could not be played ({fact.fault or 'no reason given'}{status})", fact.detail
    )


def _digits_sent(fact: DigitsSent) -> str:
    if fact.fault:
        return _with(f"{len(fact.digits)} digits could not be sent", fact.fault)
    return f"{len(fact.digits)} digits were sent"


def _speech_began(_: SpeechBegan) -> str:
    return "somebody began to speak"


def _speech_heard(fact: SpeechHeard) -> str:
    kind = "the recogniser heard" if fact.final else "so far the recogniser heard"
    if not fact.text:
        return f"{kind} no words"
    return f"{kind} “{printable(fact.text)}” (confidence {fact.confidence:.2f})"


def _listening_failed(fact: ListeningFailed) -> str:
    status = f" with HTTP {fact.http_status}" if fact.http_status is not None else ""
    return _with(f"the recogniser failed{status}", fact.detail)


def _stream(fact: StreamChanged) -> str:
    status = f", HTTP {fact.http_status}" if fact.http_status is not None else ""
    counts = f", {fact.sent} messages sent, {fact.dropped} dropped" if fact.sent or fact.dropped else ""
    return _with(f"WebSocket {printable(fact.url)} {fact.state}{status}{counts}", fact.detail)


def _recording(fact: RecordingChanged) -> str:
    return _with(f"the recording is {fact.state}", fact.detail)


_NAMED: dict[type[Fact], tuple[str, Callable[[Any], str]]] = {
    PromptStarted: ("prompt", _prompt_started),
    PromptEnded: ("prompt", _prompt_ended),
    DigitsSent: ("action", _digits_sent),
    SpeechBegan: ("listening", _speech_began),
    SpeechHeard: ("listening", _speech_heard),
    ListeningFailed: ("listening", _listening_failed),
    StreamChanged: ("stream", _stream),
    RecordingChanged: ("recording", _recording),
}
"""Facts that name what they belong to: where, and how to tell them."""
