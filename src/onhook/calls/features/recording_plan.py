"""What a startRecording request asks for, checked and with defaults.

Documented defaults are mixed video as mp4; there is no video here, so what is not said means mixed sound as
mp3, and what asks for video is refused. Documented: unmixed recordings are wav, with five channels at most.
Channels that are named for a mixed recording do not matter (validated: the vendor's live tests do so).
"""

from typing import Literal

import msgspec

from onhook.acs.errors import ApiError, invalid_body
from onhook.acs.identifiers import normalise
from onhook.acs.models import (
    RecordingChannelType,
    RecordingContentType,
    RecordingFormatType,
    RecordingStorageKind,
    StartCallRecordingRequest,
)

NOT_SUPPORTED = "8520"
"""Documented, with 405: not supported at this time."""
WRONG_FORMAT = "8557"
MAX_CHANNELS = 5


class RecordingPlan(msgspec.Struct, frozen=True):
    format: Literal["wav", "mp3"]
    mixed: bool
    channels: tuple[tuple[str, int], ...]
    """Raw ids with their channels."""
    storage: str


def plan_of(request: StartCallRecordingRequest) -> RecordingPlan:
    """Raises ApiError for what cannot be recorded."""
    _refuse_video(request)
    mixed = request.recording_channel_type is not RecordingChannelType.UNMIXED
    given = request.recording_format_type
    if not mixed and given is RecordingFormatType.MP3:
        raise ApiError(
            400, WRONG_FORMAT, "An unmixed recording is wav, not mp3.", target="$.recordingFormatType"
        )
    wav = given is RecordingFormatType.WAV or not mixed
    return RecordingPlan(
        "wav" if wav else "mp3", mixed, () if mixed else _channels(request), _storage(request)
    )


def _refuse_video(request: StartCallRecordingRequest) -> None:
    wanted = "Onhook records sound: ask for audio, as wav or mp3."
    if request.recording_content_type is RecordingContentType.AUDIO_VIDEO:
        raise ApiError(405, NOT_SUPPORTED, wanted, target="$.recordingContentType")
    if request.recording_format_type is RecordingFormatType.MP4:
        raise ApiError(405, NOT_SUPPORTED, wanted, target="$.recordingFormatType")


def _channels(request: StartCallRecordingRequest) -> tuple[tuple[str, int], ...]:
    """By channelAffinity, else in the order of audioChannelParticipantOrdering."""
    where, found = "$.channelAffinity", dict[str, int]()
    for number, each in enumerate(request.channel_affinity or ()):
        if each.channel is not None:
            found[normalise(each.participant, f"{where}[{number}].participant").raw_id or ""] = each.channel
    if not found:
        where = "$.audioChannelParticipantOrdering"
        for number, participant in enumerate(request.audio_channel_participant_ordering or ()):
            found.setdefault(normalise(participant, f"{where}[{number}]").raw_id or "", number)
    if len(found) > MAX_CHANNELS or len(set(found.values())) != len(found):
        raise invalid_body(
            f"Each of at most {MAX_CHANNELS} participants has a channel of its own.", target=where
        )
    return tuple(found.items())


def _storage(request: StartCallRecordingRequest) -> str:
    """Where the files go: a container's or folder's URL, empty for our own."""
    external = request.external_storage
    if external is None or external.recording_storage_kind is not RecordingStorageKind.AZURE_BLOB_STORAGE:
        return ""
    url = external.recording_destination_container_url or ""
    if not url.lower().startswith(("https://", "http://", "file://")):
        raise invalid_body(
            "External storage needs the URL of a container.",
            target="$.externalStorage.recordingDestinationContainerUrl",
        )
    return url
