"""Facts of media in one line each: RTP, prompts, digits, speech, streams, recordings, operations."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from onhook.endings.cast import APPLICATION
from onhook.facts import (
    DigitHeard,
    DigitsSent,
    ListeningFailed,
    MediaMeasured,
    OperationEnd,
    OperationEnded,
    PromptEnded,
    PromptStarted,
    RecordingChanged,
    RelayFailed,
    RtpResumed,
    RtpStopped,
    SpeechBegan,
    SpeechHeard,
    StreamChanged,
)

Way: TypeAlias = Literal["in", "out", "lost", "note"]
Told: TypeAlias = tuple[Way, str, str]
TRUNK = "trunk"
TOLD_BEFORE: frozenset[OperationEnd] = frozenset({
    "digits-not-sent", "prompt-failed", "recognizer-failed", "recording-failed", "stream-failed",
    "stream-lost",
})  # fmt: skip
"""Ends of operations whose detail another fact has told just before."""
LONG_PRESS_MS = 1000
"""A key that was held for so long is told with its length."""


def tell_media(fact: object) -> Told | None:
    """(way, TRUNK or another party, label); None for a fact that is none of media."""
    tell = _TELLERS.get(type(fact))
    return tell(fact) if tell else None


def _measured(fact: MediaMeasured) -> Told:
    words = [f"{fact.sent} packets sent", f"{fact.received} received"]
    counts = {
        "lost": fact.lost,
        "of another codec": fact.wrong_codec,
        "undecipherable": fact.undecipherable,
        "from elsewhere": fact.foreign,
        "no RTP": fact.junk,
    }
    words += [f"{count} {what}" for what, count in counts.items() if count]
    if fact.mos is not None:
        words.append(f"MOS {fact.mos:.1f}")
    return "note", "", f"{f'RTP {fact.codec}'.strip()}: {', '.join(words)}"


def _stopped(fact: RtpStopped) -> Told:
    return "note", "", f"no RTP for {fact.silent_seconds:.1f} s ({fact.received} received, {fact.sent} sent)"


def _resumed(fact: RtpResumed) -> Told:
    return "note", "", f"RTP came again after {fact.silent_seconds:.1f} s"


def _relay(fact: RelayFailed) -> Told:
    return "note", "", f"rtpengine {fact.engine} does not carry the media: {fact.why}"


def _prompt_started(_: PromptStarted) -> Told:
    return "note", "", "a prompt is heard"


def _prompt_ended(fact: PromptEnded) -> Told:
    if fact.how == "failed":
        status = f", HTTP {fact.http_status}" if fact.http_status is not None else ""
        return "note", "", _with(f"prompt failed ({fact.fault or 'no reason given'}{status})", fact.detail)
    return "note", "", f"prompt {fact.how}, {fact.played_ms / 1000:.1f} s of it"


def _digit(fact: DigitHeard) -> Told:
    held = f", held for {fact.duration_ms / 1000:.1f} s" if fact.duration_ms >= LONG_PRESS_MS else ""
    return "in", TRUNK, f"digit {fact.digit}{held}"


def _digits_sent(fact: DigitsSent) -> Told:
    if fact.fault:
        return "lost", TRUNK, f"digits {fact.digits}: {fact.fault}"
    return "out", TRUNK, f"digits {fact.digits}"


def _speech_began(_: SpeechBegan) -> Told:
    return "in", TRUNK, "speech begins"


def _speech_heard(fact: SpeechHeard) -> Told:
    if not fact.text:
        return "note", "", "the recogniser heard no words"
    if not fact.final:
        return "note", "", f"recognised so far: {fact.text}"
    return "note", "", f"recognised: {fact.text} (confidence {fact.confidence:.2f})"


def _listening_failed(fact: ListeningFailed) -> Told:
    status = f", HTTP {fact.http_status}" if fact.http_status is not None else ""
    return "note", "", _with(f"the recogniser failed{status}", fact.detail)


def _operation(fact: OperationEnded) -> Told:
    time = f" after {fact.after_seconds:g} s" if fact.after_seconds else ""
    told = bool(time) or fact.how in TOLD_BEFORE
    detail = f", {fact.detail}" if fact.detail and not told else ""
    return "note", "", f"{fact.operation} ended: {fact.how}{time}{detail}"


def _stream(fact: StreamChanged) -> Told:
    status = f", HTTP {fact.http_status}" if fact.http_status is not None else ""
    counts = f", {fact.sent} sent" if fact.sent else ""
    counts += f", {fact.dropped} dropped" if fact.dropped else ""
    label = _with(f"WebSocket {fact.state}{status}{counts}", fact.detail or fact.url)
    way: Way = "lost" if fact.state in {"failed", "lost"} else "out"
    return ("note", "", label) if fact.state == "warned" else (way, APPLICATION, label)


def _recording(fact: RecordingChanged) -> Told:
    words = f"recording {fact.state}"
    if fact.chunks:
        files = "1 file" if len(fact.chunks) == 1 else f"{len(fact.chunks)} files"
        words += f", {fact.duration_ms / 1000:.1f} s in {files}"
    return "note", "", _with(words, fact.detail or fact.why)


def _with(words: str, detail: str) -> str:
    return f"{words}: {detail}" if detail else words


_TELLERS: dict[type[object], Callable[[Any], Told]] = {
    MediaMeasured: _measured,
    RtpStopped: _stopped,
    RtpResumed: _resumed,
    RelayFailed: _relay,
    PromptStarted: _prompt_started,
    PromptEnded: _prompt_ended,
    DigitHeard: _digit,
    DigitsSent: _digits_sent,
    SpeechBegan: _speech_began,
    SpeechHeard: _speech_heard,
    ListeningFailed: _listening_failed,
    OperationEnded: _operation,
    StreamChanged: _stream,
    RecordingChanged: _recording,
}
OF_ONE_LEG = (MediaMeasured, RtpStopped, RtpResumed, RelayFailed, SpeechHeard, ListeningFailed)
"""Notes that belong to one leg: where a call has several, they name it."""
