"""The settings and limits of recordings; config fills them from `[recording]`."""

from dataclasses import dataclass, field
from pathlib import Path

from onhook.acs.callback_uri import PlainHttp
from onhook.acs.recordings import CHUNK_HOURS, RETENTION_HOURS


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    directory: Path = field(default=Path("recordings"))
    """Where files are written, and kept for `retention_hours`."""
    retention_hours: float = RETENTION_HOURS
    """How long a finished file is kept; 0 keeps it until it is deleted."""
    chunk_hours: float = CHUNK_HOURS
    """Longest file; a longer recording goes on in the next chunk."""
    max_hours: float = 24.0
    """Longest recording, pauses left out."""
    max_megabytes: int = 8_192
    """All files of one recording together."""
    keep_free_megabytes: int = 256
    """Recordings end before the disk has less than this free: the store may lie on it too."""
    max_recordings: int = 1_000
    """At a time."""
    queue_seconds: float = 10.0
    """Sound of one recording that waits for a slow disk; more is dropped and counted."""
    storage_folder: str = ""
    """Folder below which external storage may be a file:// URL; empty: none may."""
    storage_http: PlainHttp = "loopback"
    """Which external stores may be http:// instead of https://."""
    upload_tries: int = 4
    upload_seconds: float = 600.0
    """How long one try to hand a file to external storage may take."""
