"""A WAV file while it grows: its header is right after every block, so that a crash leaves it playable."""

import os
import struct
from pathlib import Path
from typing import Final

import numpy as np

from onhook.acs.recordings import SAMPLE_RATE
from onhook.media.parts import Samples

HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
BYTES_A_SAMPLE: Final = 2
MAX_BYTES: Final = 0xFFFF_0000
"""Sizes in a WAV file are 32 bits."""
NARROWED_FRAMES: Final = 160_000
"""Read at a time when channels are taken out: ten seconds."""


class WavFile:
    """16 kHz, 16 bits. Every method raises OSError as the disk does."""

    def __init__(self, path: Path, channels: int) -> None:
        self._channels = channels
        self._size = 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._write(header(channels, 0))
        except OSError:
            self.abandon()
            raise

    @property
    def size(self) -> int:
        """Of the whole file."""
        return self._size

    def append(self, samples: Samples) -> None:
        """Of one channel (n,), or of all (n, channels)."""
        self._write(np.ascontiguousarray(samples, "<i2").tobytes())
        self._settle()

    def close(self) -> None:
        self._settle()
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.write(self._descriptor, rest)
            self._size += written
            rest = rest[written:]

    def _settle(self) -> None:
        sound = max(0, self._size - HEADER.size)
        os.pwrite(self._descriptor, header(self._channels, sound), 0)


def header(channels: int, sound_bytes: int) -> bytes:
    """RIFF, PCM, as every player reads it; a sample that is not whole is left out of the sizes."""
    block = channels * BYTES_A_SAMPLE
    size = min(sound_bytes, MAX_BYTES) // block * block
    return HEADER.pack(
        b"RIFF", HEADER.size - 8 + size, b"WAVE", b"fmt ", 16, 1, channels, SAMPLE_RATE,
        SAMPLE_RATE * block, block, 8 * BYTES_A_SAMPLE, b"data", size,
    )  # fmt: skip


def channels_in(path: Path) -> int:
    """As its header says; 0 for a file that was cut off before its header was written. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
    return int(HEADER.unpack(head)[6]) if len(head) == HEADER.size else 0


def repair(path: Path, channels: int) -> int:
    """Make a file whole that a crash cut off; how many samples of each channel it has. Raises OSError.

    `channels` are those of a file without a header.
    """
    channels = channels_in(path) or channels
    block = channels * BYTES_A_SAMPLE
    with path.open("r+b") as file:
        sound = max(0, file.seek(0, os.SEEK_END) - HEADER.size) // block * block
        file.truncate(HEADER.size + sound)
        file.seek(0)
        file.write(header(channels, sound))
    return sound // block


def narrow(path: Path, kept: int) -> None:
    """Keep the first `kept` of its channels. The file is whole at every moment. Raises OSError."""
    channels = channels_in(path)
    if kept >= channels:
        return
    beside = path.with_name(f"{path.name}.new")
    sound = (path.stat().st_size - HEADER.size) // channels * kept
    try:
        with path.open("rb") as wide, beside.open("wb") as file:
            wide.seek(HEADER.size)
            file.write(header(kept, sound))
            while block := wide.read(NARROWED_FRAMES * channels * BYTES_A_SAMPLE):
                frames = np.frombuffer(block, "<i2").reshape(-1, channels)
                file.write(np.ascontiguousarray(frames[:, :kept]).tobytes())
        beside.chmod(0o600)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
