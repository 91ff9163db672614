"""The folder of recordings: files that are being written, and finished ones until they are too old.

| File              | Is                                                                              |
|-------------------|---------------------------------------------------------------------------------|
| DOCUMENT.wav, .mp3 | the sound of a chunk                                                            |
| DOCUMENT.json     | its metadata, as ACS writes them: there once the chunk is finished               |
| DOCUMENT.open     | what is needed to finish it after a crash: there until the recording is told     |

All are readable by their owner only: DOCUMENT.open may hold the key of an external store.
"""

import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from onhook.acs.recordings import (
    MAX_CHANNELS,
    MP3_BITS,
    SAMPLE_RATE,
    PauseResumeInterval,
    RecordedParticipant,
    RecordingMetadata,
    recorded_time,
    recording_info,
)
from onhook.media.recordings import wav

DOCUMENT: Final = re.compile(r"[0-9a-z-]{1,80}")
REMAINS: Final = (".new", ".broken")
"""What a crash may leave."""
CONTENT_TYPES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}
log = logging.getLogger(__name__)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What all chunks of a recording share."""

    recording: str
    room: str
    resource_id: str
    server_call_id: str
    call_id: str
    format: str
    mixed: bool
    storage: str
    began_at: float


class Pause(msgspec.Struct, frozen=True):
    at: float
    seconds: float


class OpenChunk(msgspec.Struct, kw_only=True):
    """A chunk that is being written."""

    plan: Plan
    document: str
    index: int
    began_at: float
    channels: int = 1
    """Of the file as it is written."""
    width: int = 1
    """Channels that somebody has."""
    participants: list[RecordedParticipant] = msgspec.field(default_factory=list[RecordedParticipant])
    pauses: list[Pause] = msgspec.field(default_factory=list[Pause])
    paused_at: float | None = None


class KeptFile(NamedTuple):
    """A finished chunk of the folder."""

    document: str
    content: Path
    metadata: Path
    resource_id: str
    content_type: str
    told: RecordingMetadata


class Shelf:
    """Files in one folder. Methods that touch the disk raise OSError; none is for the event loop's thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def content(self, document: str, form: str) -> Path:
        return self.directory / f"{document}.{form}"

    def metadata(self, document: str) -> Path:
        return self.directory / f"{document}.json"

    def free_bytes(self) -> int:
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize

    def note(self, chunk: OpenChunk) -> None:
        """What is known of a chunk now, for the case of a crash."""
        _write(self._opened(chunk.document), msgspec.json.encode(chunk))

    def finish(self, chunk: OpenChunk, samples: int, why: str) -> int:
        """Take unused channels out and write the metadata; `samples` are those of a channel. Its bytes."""
        content = self.content(chunk.document, chunk.plan.format)
        if chunk.plan.format == "wav":
            wav.narrow(content, chunk.width)
        _write(self.metadata(chunk.document), msgspec.json.encode(_metadata(chunk, samples, why)))
        return content.stat().st_size

    def settle(self, document: str) -> None:
        """Whoever has to know of it knows: after a crash there is nothing more to do."""
        self._opened(document).unlink(missing_ok=True)

    def find(self, document: str) -> KeptFile | None:
        """A finished chunk; None for what is not there, and for what is no name of a document."""
        if not DOCUMENT.fullmatch(document):
            return None
        metadata = self.metadata(document)
        try:
            told = msgspec.json.decode(metadata.read_bytes(), type=RecordingMetadata)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as fault:
            log.warning("%s cannot be read: %s", metadata, fault)
            return None
        form = told.recording_info.format
        content = self.content(document, form)
        if form not in CONTENT_TYPES or not content.exists():
            return None
        return KeptFile(document, content, metadata, told.resource_id, CONTENT_TYPES[form], told)

    def listing(self, limit: int) -> list[KeptFile]:
        """The newest finished chunks."""
        newest = sorted(self.directory.glob("*.json"), key=_written_at, reverse=True)[:limit]
        return [found for path in newest if (found := self.find(path.stem)) is not None]

    def delete(self, document: str) -> bool:
        """Content and metadata; False if there is no such document."""
        found = self.find(document)
        if found is None:
            return False
        found.content.unlink(missing_ok=True)
        found.metadata.unlink(missing_ok=True)
        return True

    def clean(self, before: float) -> int:
        """Delete chunks that were finished before that time, Unix seconds, and remains; how many files."""
        deleted = 0
        for path in tuple(self.directory.iterdir()):
            left = path.suffix in REMAINS or not DOCUMENT.fullmatch(path.stem)
            under_way = self._opened(path.stem).exists() and not left
            if path.suffix != ".open" and not under_way and _written_at(path) < before:
                path.unlink(missing_ok=True)
                deleted += 1
        return deleted

    def unfinished(self) -> list[OpenChunk]:
        """Those that a crash left open."""
        found: list[OpenChunk] = []
        for path in sorted(self.directory.glob("*.open")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=OpenChunk))
            except (OSError, msgspec.MsgspecError) as fault:
                log.warning("%s cannot be read, its sound stays where it is: %s", path, fault)
                path.replace(path.with_suffix(".broken"))
        return found

    def recover(self, chunk: OpenChunk) -> int:
        """Make the sound of a chunk whole that a crash left open; how many samples of a channel it has."""
        content = self.content(chunk.document, chunk.plan.format)
        content.touch(0o600)
        if chunk.plan.format == "wav":
            return wav.repair(content, chunk.channels)
        return content.stat().st_size * 8 * SAMPLE_RATE // MP3_BITS

    def _opened(self, document: str) -> Path:
        return self.directory / f"{document}.open"


def _metadata(chunk: OpenChunk, samples: int, why: str) -> RecordingMetadata:
    plan = chunk.plan
    return RecordingMetadata(
        resource_id=plan.resource_id,
        call_id=plan.call_id,
        chunk_document_id=chunk.document,
        chunk_index=chunk.index,
        chunk_start_time=recorded_time(chunk.began_at),
        chunk_duration=round(samples * 1000 / SAMPLE_RATE),
        pause_resume_intervals=_intervals(chunk.pauses),
        recording_info=recording_info(plan.format, mixed=plan.mixed, channels=min(chunk.width, MAX_CHANNELS)),
        participants=chunk.participants,
        end_reason=why,
    )


def _intervals(pauses: Iterable[Pause]) -> list[PauseResumeInterval]:
    return [
        PauseResumeInterval(start_time=recorded_time(pause.at), duration=round(pause.seconds * 1000))
        for pause in pauses
    ]


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    beside = path.with_name(f"{path.name}.new")
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
    ) as file:
        file.write(data)
    beside.replace(path)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # deleted meanwhile
        return 0.0
