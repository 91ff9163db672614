"""Reads WAV files that may be played: mono, 16-bit PCM, 16 kHz, and nothing else (documented: play-action).

Chunks are read by their sizes, so that unknown ones, also of odd length, are passed over. RF64, BW64 and
RIFX are other formats and are refused by name, as is everything that is cut off or contradicts itself.
Sources: IBM and Microsoft "Multimedia Programming Interface 1.0" (RIFF, WAVE), Microsoft's
WAVEFORMATEXTENSIBLE page.
"""

import struct
from typing import Final, NamedTuple

import numpy as np

from onhook.media.parts import Clip, Samples

RATE: Final = 16_000
PCM: Final = 0x0001
EXTENSIBLE: Final = 0xFFFE
GUID_TAIL: Final = bytes.fromhex("0000000010008000 00aa00389b71")
"""Bytes 2 to 15 of the subformat of each format that has a tag of its own (KSDATAFORMAT_SUBTYPE_…)."""
UNKNOWN_SIZES: Final = frozenset({0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0})
"""What programs write that do not know a size yet because they write to a pipe (ffmpeg, sox, arecord)."""
MAX_CHUNKS: Final = 1_000
TAGS: Final = {
    0x0002: "Microsoft ADPCM",
    0x0003: "floating point",
    0x0006: "A-law",
    0x0007: "µ-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM",
    0x0055: "MP3",
    0x0161: "Windows Media Audio",
}
OTHER_RIFF: Final = {
    b"RF64": "RF64, the format for WAV files over 4 GB",
    b"BW64": "BW64, the format for WAV files over 4 GB",
    b"RIFX": "RIFX, big-endian WAV",
}


class NotPlayable(Exception):
    """The text says what the file is instead, or where it is broken."""


class NotWav(NotPlayable):
    """It does not even begin like a WAV file."""


class Format(NamedTuple):
    """A WAV file's format chunk."""

    tag: int
    channels: int
    rate: int
    bits: int
    align: int

    def __str__(self) -> str:
        """As a person says it: "WAV, µ-law, 8 bits, stereo, 44.1 kHz"."""
        coding = "PCM" if self.tag == PCM else TAGS.get(self.tag, f"format 0x{self.tag:04x}")
        bits = f", {self.bits} bits" if self.bits else ""
        return f"WAV, {coding}{bits}, {channels_named(self.channels)}, {rate_named(self.rate)}"


def channels_named(channels: int) -> str:
    return {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")


def rate_named(rate: int) -> str:
    return f"{rate / 1000:g} kHz"


def read_wav(data: bytes) -> Clip:
    """The sound of a file's bytes. Raises NotPlayable, NotWav if it is something else altogether."""
    if data[:4] in OTHER_RIFF:
        raise NotPlayable(f"it is {OTHER_RIFF[data[:4]]}")
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotWav("it is no WAV file")
    form: Format | None = None
    at = 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            break
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            return Clip(_samples(data, at, size, _checked(form)), RATE)
        if at + size > len(data):
            raise NotPlayable(f"it is a WAV file that is cut off: its chunk {name!r} does not end")
        if name == b"fmt ":
            form = _format(data[at : at + size])
        at += size + (size & 1)  # chunks begin at even places
    raise NotPlayable("it is a WAV file without sound: there is no data chunk")


def _format(chunk: bytes) -> Format:
    if len(chunk) < 16:
        raise NotPlayable(f"it is a WAV file whose format chunk has {len(chunk)} bytes instead of 16")
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE:
        if len(chunk) < 40:
            raise NotPlayable(
                f"it is a WAV file whose extensible format has {len(chunk)} bytes instead of 40"
            )
        valid, subformat = int.from_bytes(chunk[18:20], "little"), chunk[24:40]
        if subformat[2:] == GUID_TAIL:
            tag, bits = int.from_bytes(subformat[:2], "little"), valid or bits
    return Format(tag, channels, rate, bits, align)


def _checked(form: Format | None) -> Format:
    if form is None:
        raise NotPlayable("it is a WAV file that has no format chunk before its sound")
    if (form.tag, form.channels, form.rate, form.bits) != (PCM, 1, RATE, 16):
        raise NotPlayable(f"it is {form}")
    if form.align != 2:
        raise NotPlayable(f"it is a WAV file that contradicts itself: {form.align} bytes for 16 bits of mono")
    return form


def _samples(data: bytes, at: int, size: int, form: Format) -> Samples:
    there = len(data) - at
    if size in UNKNOWN_SIZES:
        size = there  # written to a pipe: the sound goes on to the end of the file
    elif size > there:
        raise NotPlayable(f"it is a WAV file that is cut off: {there} of {size} bytes of sound are there")
    count = size // form.align
    if not count:
        raise NotPlayable("it is a WAV file without sound: its data chunk is empty")
    return np.frombuffer(data, dtype="<i2", count=count, offset=at).astype(np.int16, copy=False)
