"""The recordingKind of a recording, in the words of each api-version."""

from onhook.acs.models import RecordingState
from onhook.acs.wire import Model

LOWER_SINCE = "2026-03-12"
"""Up to the version before, the kinds began with a capital (validated: the SDKs' own enumerations)."""


class OlderRecordingState(Model, frozen=True, kw_only=True):
    """RecordingStateResponse, with a kind that today's enumeration does not write."""

    recording_id: str
    recording_state: RecordingState
    recording_kind: str


def recording_kind(api_version: str) -> str:
    """Of a recording that the service itself makes, which is every one here."""
    return ("a" if api_version >= LOWER_SINCE else "A") + "zureCommunicationServices"
