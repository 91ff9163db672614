"""What a file is instead is said in words that tell what to convert."""

import io
from pathlib import Path

import av
import pytest

from onhook.media.prompts.foreign import HEAD_BYTES, name_of
from wav_files import tone, wav


def encoded(container: str, codec: str, rate: int, layout: str) -> bytes:
    """One second of silence."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        frame = av.AudioFrame(format="s16", layout=layout, samples=rate)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate, stream.codec_context.frame_size or rate
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return written.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout", "name"),
    [
        ("mp3", "libmp3lame", 44_100, "stereo", "MP3, stereo, 44.1 kHz"),
        ("ogg", "libopus", 48_000, "mono", "Ogg, opus, mono, 48 kHz"),
        ("flac", "flac", 16_000, "mono", "FLAC, mono, 16 kHz"),
        ("mp4", "aac", 22_050, "stereo", "MP4, aac, stereo, 22.05 kHz"),
        ("au", "pcm_s16be", 8_000, "mono", "AU, pcm_s16be, mono, 8 kHz"),
    ],
)
def test_sound_of_other_formats(container: str, codec: str, rate: int, layout: str, name: str) -> None:
    assert name_of(encoded(container, codec, rate, layout)) == name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html><html>", "a web page (HTML)"),
        (b"<HTML><body>Log in", "a web page (HTML)"),
        (b'{"error": "AuthenticationFailed"}', 'a text: \'{"error": "Authenticatio\''),
        (b"<?xml version='1.0'?>", "a text: \"<?xml version='1.0'?>\""),
        (b"\x00\x01\x02garbage", r"nothing known; it begins with '\x00\x01\x02garbage'"),
    ],
)
def test_what_is_no_sound(data: bytes, name: str) -> None:
    assert name_of(data) == name


def test_a_playlist_opens_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(tone()))
    for playlist in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret.as_uri()}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
    ):
        assert name_of(playlist.encode()).startswith("nothing known")


def test_only_the_head_of_a_large_file_is_looked_at() -> None:
    mp3 = encoded("mp3", "libmp3lame", 44_100, "stereo")
    assert name_of(mp3 * (2 * HEAD_BYTES // len(mp3))) == "MP3, stereo, 44.1 kHz"
    assert name_of(mp3[:2000]).startswith("MP3")
