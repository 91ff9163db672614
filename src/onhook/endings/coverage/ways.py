"""By which operations an application comes to meet an ending: one table, and the events of the pages.

An operation is named as in acs/operations.py. What matters of how it was used stands behind its name:
"createCall to phone", "rejectCall busy", "play ssml" (met.py reads them off the facts). Pages of operations
need no row: their events say which operations they are of, and `ASKED_FOR` what must have been asked for.

The table is our reading of the rules; where an ending was met, that counts, whatever is written here.
"""

from collections.abc import Iterable
from typing import NamedTuple

from onhook.endings.pages import Page

INCOMING = "IncomingCall"
"""Stands beside the operations: somebody of the resource was told of a call that came in."""


class Way(NamedTuple):
    """`endings` can follow where one of `operations` was used, and one of `also` as well, if it names any."""

    words: str
    operations: frozenset[str]
    endings: tuple[str, ...]
    also: frozenset[str] = frozenset()


def _to(party: str, *operations: str) -> frozenset[str]:
    return frozenset(f"{operation} to {party}" for operation in operations)


HANGING_UP = frozenset({"hangUp", "terminate"})
CALLING = ("createCall", "addParticipant", "transferToParticipant")
TALKING = ("createCall", "addParticipant", "answerCall", "connect")

WAYS: tuple[Way, ...] = (
    Way(
        "a telephone is called",
        _to("phone", *CALLING),
        (
            "callee-busy", "busy-everywhere", "callee-declined", "callee-no-response", "callee-unavailable",
            "rang-out", "number-not-found", "number-incomplete", "call-forbidden", "cancelled-by-trunk",
            "media-refused", "redirected", "trunk-failed", "trunk-unavailable", "trunk-client-error",
            "trunk-server-error", "trunk-global-failure", "trunk-refused-credentials",
        ),
    ),
    Way(
        "a telephone is called from here",
        _to("phone", "createCall", "addParticipant"),
        (
            "number-invalid", "number-unknown", "caller-id-missing", "caller-id-not-owned", "caller-id-full",
            "no-route", "no-trunk", "trunk-full", "trunk-resting", "trunk-too-fast", "trunk-silent",
            "trunk-stalled", "trunk-name-unknown",
            "trunk-unreachable", "trunk-certificate-expired", "trunk-certificate-name",
            "trunk-certificate-untrusted", "trunk-refused-certificate", "trunk-tls-failed",
            "malformed-answer", "answer-unusable", "ack-lost", "hung-up-by-phone",
        ),
    ),
    Way(
        "a call is taken back",
        frozenset({"createCall"}),
        ("cancelled-by-app",),
        HANGING_UP,
    ),
    Way(
        "a call to a telephone is taken back",
        _to("phone", "createCall"),
        ("cancel-crossed-answer",),
        HANGING_UP,
    ),
    Way(
        "a call goes on",
        frozenset({"createCall", "answerCall", "connect"}),
        ("call-too-long", "server-restarted", "server-fault"),
    ),
    Way("a call is hung up", HANGING_UP, ("hung-up-by-app",)),
    Way(
        "a telephone talks",
        _to("phone", *TALKING),
        (
            "hung-up-by-network", "codec-not-agreed", "srtp-mismatch", "one-way-audio", "no-rtp-ever",
            "rtp-stopped", "media-relay-failed", "session-expired",
        ),
    ),
    Way(
        "a call comes in",
        frozenset({INCOMING, "answerCall", "rejectCall", "redirectCall"}),
        ("caller-gave-up", "inbound-unanswered", "caller-unreachable", "inbound-refused"),
    ),
    Way(
        "a telephone's call is answered",
        _to("phone", "answerCall"),
        ("caller-hung-up", "caller-cancel-crossed-answer", "answer-unacknowledged"),
    ),
    Way("a call is rejected", frozenset({"rejectCall none"}), ("rejected-by-app",)),
    Way("a call is rejected as busy", frozenset({"rejectCall busy"}), ("inbound-busy",)),
    Way("a call is rejected as forbidden", frozenset({"rejectCall forbidden"}), ("forbidden-by-app",)),
    Way("a call is redirected", frozenset({"redirectCall"}), ("redirected-by-app",)),
    Way(
        "a user is called",
        _to("user", *CALLING),
        ("user-declined", "user-not-registered", "user-rang-out"),
    ),
    Way(
        "several applications are in a call",
        _to("user", *TALKING),
        ("left-alone", "ended-locally"),
    ),
    Way("somebody is removed", frozenset({"removeParticipant"}), ("removed-from-call",)),
    Way("a call is handed over", frozenset({"transferToParticipant"}), ("transferred",)),
)  # fmt: skip

NOT_TOLD: dict[str, str] = {
    "inbound-number-unknown": "The call is refused at the door: no application hears of it.",
    "inbound-nobody-heard": "No application hears of the call: it ends because nobody is told.",
    "ice-failed": "Media towards trunks is plain RTP: there are no checks that could fail.",
    "unexplained": "No rule knows it, so nothing leads to it on purpose.",
}
"""Endings that no operation of an application leads to, each with its reason."""

EVENTS_OF: dict[str, tuple[str, ...]] = {
    "play": ("PlayFailed", "PlayCanceled"),
    "recognize": ("RecognizeFailed", "RecognizeCanceled", "RecognizeCompleted"),
    "hold": ("HoldFailed",),
    "sendDtmfTones": ("SendDtmfTonesFailed",),
    "startContinuousDtmfRecognition": ("ContinuousDtmfRecognitionToneFailed",),
    "startMediaStreaming": ("MediaStreamingFailed",),
    "startTranscription": ("TranscriptionFailed",),
    "startRecording": ("StartRecordingFailed", "RecordingStateChanged"),
    "addParticipant": ("AddParticipantFailed",),
    "transferToParticipant": ("CallTransferFailed",),
    "removeParticipant": ("RemoveParticipantFailed",),
    "cancelAddParticipant": ("CancelAddParticipantFailed",),
    "moveParticipants": ("MoveParticipantFailed",),
}
"""Events by which an operation tells that it failed."""

SPOKEN = frozenset({"text", "ssml"})
WITH_VOICE = frozenset({"speech", "speechordtmf", "choices"})
NOT_BY_DIGITS = WITH_VOICE | SPOKEN | {"transcription"}

ASKED_FOR: dict[str, frozenset[str]] = {
    "prompt-address-unusable": frozenset({"file"}),
    "prompt-unreachable": frozenset({"file"}),
    "prompt-not-served": frozenset({"file"}),
    "prompt-too-large": frozenset({"file"}),
    "prompt-format": frozenset({"file"}),
    "prompt-text-empty": SPOKEN,
    "prompt-text-too-long": SPOKEN,
    "speech-voice-unknown": SPOKEN,
    "speech-markup-unreadable": frozenset({"ssml"}),
    "speech-not-connected": NOT_BY_DIGITS,
    "speech-engine-down": NOT_BY_DIGITS,
    "speech-request-refused": NOT_BY_DIGITS,
    "speech-sign-in-refused": NOT_BY_DIGITS,
    "speech-quota-empty": NOT_BY_DIGITS,
    "speech-too-many": NOT_BY_DIGITS,
    "speech-too-slow": NOT_BY_DIGITS,
    "recognizer-failed": WITH_VOICE | {"transcription"},
    "recognize-no-match": WITH_VOICE,
    "recognize-not-understood": WITH_VOICE,
    "recognize-speech-too-slow": WITH_VOICE,
    "recognize-prompt-failed": SPOKEN | {"file"},
    "recognize-wrong-tone": frozenset({"choices"}),
    "recognize-pause-too-long": frozenset({"dtmf", "speechordtmf"}),
}
"""What an operation must have been asked for, where that decides: a kind of source, or of input."""


def ways_to(page: Page, used: Iterable[str]) -> list[str]:
    """Operations among `used` that can lead to this ending, in alphabetical order; none if none can."""
    have = frozenset(used)
    found: set[str] = set()
    for way in WAYS:
        if page.id in way.endings and (not way.also or way.also & have):
            found |= way.operations & have
    if page.front.events:
        found |= {name for name in have if _fails_so(page, name)}
    return sorted({name.partition(" ")[0] for name in found})


def _fails_so(page: Page, used: str) -> bool:
    operation, _, asked_for = used.partition(" ")
    if not set(EVENTS_OF.get(operation, ())) & set(page.front.events):
        return False
    needed = ASKED_FOR.get(page.id)
    return asked_for in needed if needed else not asked_for
