"""The settings of recordings and streams: the sections [recording] and [streaming] of the table."""

from dataclasses import dataclass
from typing import ClassVar

from onhook.config import kinds
from onhook.config.table import defaults, setting
from onhook.media.recordings.settings import RecordingSettings as RecordingPart
from onhook.media.streams.settings import StreamSettings as StreamPart

_RECORDING = defaults(RecordingPart)
_STREAM = defaults(StreamPart)
_PLAIN = ("never", "loopback", "always")


@dataclass(frozen=True, kw_only=True)
class RecordingSettings:
    """Recordings of calls: their files, how long and how large they may be, and who fetches them where."""

    SECTION: ClassVar = "recording"
    directory: str = setting(
        kinds.MAYBE_PATH, "", "Where files are kept; nothing: recordings in server.data_directory."
    )
    retention_hours: float = setting(
        kinds.hours(0, 876_000, 24),
        _RECORDING["retention_hours"],
        "Finished files older than this are deleted (ACS: 24); 0 keeps them for ever.",
    )
    public_host: str = setting(
        kinds.MAYBE_ENDPOINT,
        "",
        "Host of the URLs of files if not the server's own, :port if it differs; goes into its certificate.",
    )
    chunk_hours: float = setting(
        kinds.hours(0.001, 6, 4),
        _RECORDING["chunk_hours"],
        "Longest file (ACS: 4); a longer recording goes on in the next one.",
    )
    max_hours: float = setting(
        kinds.hours(0.001, 8_760, 24), _RECORDING["max_hours"], "Longest recording; then it is failed."
    )
    max_megabytes: int = setting(
        kinds.whole(1, 1_000_000, 8_192),
        _RECORDING["max_megabytes"],
        "Largest recording, all its files together; then it is failed.",
    )
    keep_free_megabytes: int = setting(
        kinds.whole(0, 1_000_000, 256),
        _RECORDING["keep_free_megabytes"],
        "Recordings are failed before the disk has less than this free.",
    )
    max_recordings: int = setting(
        kinds.whole(0, 100_000, 1_000), _RECORDING["max_recordings"], "Recordings at a time."
    )
    queue_seconds: float = setting(
        kinds.seconds(1, 600, 10),
        _RECORDING["queue_seconds"],
        "Sound that waits for a slow disk; more is dropped, counted, and silent in the file.",
    )
    storage_folder: str = setting(
        kinds.MAYBE_PATH,
        _RECORDING["storage_folder"],
        "Folder below which external storage may be a file:// URL; nothing: no folder may.",
    )
    storage_http: str = setting(
        kinds.one_of(*_PLAIN),
        _RECORDING["storage_http"],
        "Where external storage may be http instead of https.",
    )
    upload_tries: int = setting(
        kinds.whole(1, 100, 4), _RECORDING["upload_tries"], "Tries to hand a file to external storage."
    )
    upload_seconds: float = setting(
        kinds.seconds(1, 86_400, 600), _RECORDING["upload_seconds"], "How long one of these tries may take."
    )


@dataclass(frozen=True, kw_only=True)
class StreamingSettings:
    """Media streaming and transcription: the WebSocket to the application."""

    SECTION: ClassVar = "streaming"
    plain_ws: str = setting(
        kinds.one_of(*_PLAIN),
        _STREAM["plain_ws"],
        "Where the application may be reached by ws instead of wss. ACS itself says never.",
    )
    connect_seconds: float = setting(
        kinds.seconds(0.1, 120, 10), _STREAM["connect_seconds"], "How long one try to connect may take."
    )
    redial_delays_seconds: tuple[float, ...] = setting(
        kinds.PAUSES,
        _STREAM["redial_delays_seconds"],
        "Pauses before the second, third … try; after the last try the stream has failed.",
    )
    queue_seconds: float = setting(
        kinds.seconds(0.1, 60, 5),
        _STREAM["queue_seconds"],
        "Audio that waits for a slow application; more is dropped and counted.",
    )
    slow_seconds: float = setting(
        kinds.seconds(1, 600, 15),
        _STREAM["slow_seconds"],
        "An application that takes nothing for so long is given up.",
    )
    ping_seconds: float = setting(
        kinds.seconds(1, 600, 20),
        _STREAM["ping_seconds"],
        "A silent application is pinged after so long; without a pong in half of it, it is taken for dead.",
    )
    playback_seconds: float = setting(
        kinds.seconds(1, 3_600, 300),
        _STREAM["playback_seconds"],
        "Audio of the application that may wait to be played; more is dropped.",
    )
    max_message_bytes: int = setting(
        kinds.whole(4_096, 16_777_216, 1_048_576),
        _STREAM["max_message_bytes"],
        "Longest message of the application that is read.",
    )
    max_streams: int = setting(kinds.whole(0, 100_000, 1_000), _STREAM["max_streams"], "Streams at a time.")
