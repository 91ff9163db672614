"""Every callback event of Call Automation: what brings it forth here, and how far that is known.

COVERAGE.md is made from this. The shapes are those of the specification; that both official SDKs read each
of them is held by tests.
"""

from typing import NamedTuple


class Told(NamedTuple):
    """`when`: what brings the event forth. `basis`: how far its contents and its time are known."""

    when: str
    basis: str


_RESULTS = "subcodes documented"
EVENTS: dict[str, Told] = {
    "CallConnected": Told("createCall, answerCall, connect: the own leg is in the call", "validated"),
    "CallDisconnected": Told("the end of a connection that was up; nothing follows it", "validated"),
    "CreateCallFailed": Told("the end of a createCall that nobody answered", _RESULTS),
    "AnswerFailed": Told("the end of an answerCall whose caller was gone", _RESULTS),
    "ConnectFailed": Told("the end of a connect whose call was over before it was up", _RESULTS),
    "ParticipantsUpdated": Told("somebody comes, goes, is muted or held", "validated; order assumed"),
    "AddParticipantSucceeded": Told("addParticipant: the invited one answers", "documented"),
    "AddParticipantFailed": Told("addParticipant: the invited one does not answer", _RESULTS),
    "RemoveParticipantSucceeded": Told("removeParticipant", "documented"),
    "RemoveParticipantFailed": Told("removeParticipant: who is named is not in the call", "documented"),
    "CancelAddParticipantSucceeded": Told("cancelAddParticipant: nobody rings any more", "validated"),
    "CancelAddParticipantFailed": Told("cancelAddParticipant: too late, or no such invitation", "assumed"),
    "MoveParticipantSucceeded": Told("moveParticipants, for each of them", "documented"),
    "MoveParticipantFailed": Told("moveParticipants, for each who cannot be moved", "assumed"),
    "CallTransferAccepted": Told("transferToParticipant: the target is reached", "documented"),
    "CallTransferFailed": Told("transferToParticipant: the target is not reached", _RESULTS),
    "PlayStarted": Told("play: the first sound goes out", "validated"),
    "PlayCompleted": Told("play: the last source is over", "validated"),
    "PlayFailed": Told("play: a source cannot be played", "validated"),
    "PlayCanceled": Told("play that is cancelled, interrupted, or cut off by the end of the call", _RESULTS),
    "RecognizeCompleted": Told("recognize: input came; 400/8532 too, with the digits so far", _RESULTS),
    "RecognizeFailed": Told("recognize: no input, none that is understood, or no prompt", _RESULTS),
    "RecognizeCanceled": Told("recognize that is cancelled, interrupted, or cut off by the end", _RESULTS),
    "SendDtmfTonesCompleted": Told("sendDtmfTones: the tones are out", "documented"),
    "SendDtmfTonesFailed": Told("sendDtmfTones: the far end takes none, or is gone", "assumed"),
    "ContinuousDtmfRecognitionToneReceived": Told("each key while it is recognised", "documented"),
    "ContinuousDtmfRecognitionToneFailed": Told(
        "startContinuousDtmfRecognition: the far end agreed to send no digits", "assumed"
    ),
    "ContinuousDtmfRecognitionStopped": Told(
        "stopContinuousDtmfRecognition, or the end of the call or its participant", "documented"
    ),
    "HoldFailed": Told("hold: its music cannot be played", "assumed"),
    "MediaStreamingStarted": Told("the WebSocket is open, or open again", "validated"),
    "MediaStreamingStopped": Told("the WebSocket is closed", "validated"),
    "MediaStreamingFailed": Told("the WebSocket cannot be opened, or not again", "documented"),
    "TranscriptionStarted": Told("the WebSocket is open, or open again", "validated"),
    "TranscriptionStopped": Told("the WebSocket is closed", "validated"),
    "TranscriptionUpdated": Told("updateTranscription", "validated"),
    "TranscriptionFailed": Told("the WebSocket cannot be opened, or not again", _RESULTS),
    "RecordingStateChanged": Told(
        "a recording begins, pauses, goes on, ends", "active validated; the others assumed"
    ),
    "StartRecordingFailed": Told("a recording that cannot begin", "assumed"),
}
