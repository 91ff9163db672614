"""Says what a file is that cannot be played, for the person who has to convert it.

The libraries that know all formats are used for this message only. They look at the head of the file, know a
list of containers, and may open nothing else: a playlist can name files of this machine.
"""

import io
from typing import Final

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError

from onhook.media.prompts.wav import channels_named, rate_named

HEAD_BYTES: Final = 1 << 20
CONTAINERS: Final = "aac,ac3,aiff,amr,asf,au,caf,flac,matroska,mov,mp3,mpegts,ogg,w64,wav"
"""FFmpeg's names; mov is also mp4 and m4a, matroska also webm."""
NAMES: Final = {
    "aiff": "AIFF",
    "amr": "AMR",
    "asf": "Windows Media",
    "flac": "FLAC",
    "matroska,webm": "Matroska",
    "mov,mp4,m4a,3gp,3g2,mj2": "MP4",
    "mp3": "MP3",
    "ogg": "Ogg",
    "w64": "Wave64",
}
MIN_SCORE: Final = 25


def name_of(data: bytes) -> str:
    """Such as "MP3, stereo, 44.1 kHz" or "a web page (HTML)"; at last, how its first bytes look."""
    if not data:
        return "an empty file"
    begin = data[:512].lstrip().lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML)"
    if begin.startswith((b"<?xml", b"{", b"[")):
        return f"a text: {_readable(data)}"
    return _decoded(data) or f"nothing known; it begins with {_readable(data)}"


def _decoded(data: bytes) -> str:
    """What FFmpeg makes of it; empty if nothing."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
    try:
        with av.open(io.BytesIO(data[:HEAD_BYTES]), container_options=options) as container:
            sound = next((each for each in container.streams if isinstance(each, AudioStream)), None)
            if sound is None:
                return ""
            container_name = NAMES.get(container.format.name, container.format.name.split(",")[0].upper())
            codec = sound.codec_context.name
            coding = "" if codec.startswith(container.format.name) else f", {codec}"
            channels, rate = sound.codec_context.channels, sound.codec_context.sample_rate
            if not rate:
                return ""
            return f"{container_name}{coding}, {channels_named(channels)}, {rate_named(rate)}"
    except (FFmpegError, ValueError, OSError):
        return ""


def _readable(data: bytes) -> str:
    return repr(data[:24])[1:]
