"""What ACS says of a recording's files: the metadata file, its names and its bit rates.

The members of the metadata file are validated: the vendor's own tests recorded two
(`…/content/acsmetadata`, 2021 and 2022), and Microsoft's page "Call Recording overview" lists them with
their units; it alone has `channel`. `endReason` is ours: the real service tells it in the event only.
Bit rates are documented there: 256 kbit/s a channel for wav, 48 for mp3, both at 16 kHz.
"""

from typing import Final

from onhook.acs.dates import event_time
from onhook.acs.wire import Model

SAMPLE_RATE: Final = 16_000
WAV_BITS_A_CHANNEL: Final = 256_000
MP3_BITS: Final = 48_000
MAX_CHANNELS: Final = 5
"""Of an unmixed recording (documented)."""
CHUNK_HOURS: Final = 4.0
"""Longest chunk (documented)."""
RETENTION_HOURS: Final = 24.0
"""How long a recording can be fetched (documented; older copies say 48)."""
SESSION_ENDED: Final = "SessionEnded"
CHUNK_FULL: Final = "ChunkMaximumSizeExceeded"
"""Both documented as endReason of a chunk; the others are ours."""


class PauseResumeInterval(Model, frozen=True, kw_only=True):
    start_time: str
    duration: int
    """Milliseconds."""


class AudioConfiguration(Model, frozen=True, kw_only=True):
    sample_rate: int
    bit_rate: int
    channels: int


class RecordingInfo(Model, frozen=True, kw_only=True):
    content_type: str
    channel_type: str
    format: str
    audio_configuration: AudioConfiguration


class RecordedParticipant(Model, frozen=True, kw_only=True):
    """`channel` is that of an unmixed recording; None if it is mixed, or the participant has none."""

    participant_id: str
    channel: int | None = None


class RecordingMetadata(Model, frozen=True, kw_only=True):
    """The metadata file of one chunk; durations are milliseconds."""

    resource_id: str
    call_id: str
    chunk_document_id: str
    chunk_index: int
    chunk_start_time: str
    chunk_duration: int
    pause_resume_intervals: list[PauseResumeInterval]
    recording_info: RecordingInfo
    participants: list[RecordedParticipant]
    end_reason: str


def recording_info(form: str, *, mixed: bool, channels: int) -> RecordingInfo:
    """`form` is wav or mp3."""
    bits = MP3_BITS if form == "mp3" else WAV_BITS_A_CHANNEL * channels
    return RecordingInfo(
        content_type="audio",
        channel_type="mixed" if mixed else "unmixed",
        format=form,
        audio_configuration=AudioConfiguration(sample_rate=SAMPLE_RATE, bit_rate=bits, channels=channels),
    )


def recorded_time(at: float) -> str:
    """Unix seconds as the metadata file writes them: seven digits of a second and Z (validated)."""
    return event_time(at).removesuffix("+00:00") + "Z"
