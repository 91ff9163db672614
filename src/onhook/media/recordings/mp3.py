"""An MP3 file while it grows. Its frames stand for themselves, so a crash leaves it playable."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from onhook.acs.recordings import MP3_BITS, SAMPLE_RATE
from onhook.media.parts import Samples

FAST: Final = "7"
"""LAME's effort, 0 (best) to 9: 6 ms of a core for a second of sound; its own 5 takes twice that."""

LEAST_SAMPLES: Final = SAMPLE_RATE // 50


class Mp3File:
    """Mono, 16 kHz, 48 kbit/s. Every method raises OSError as the disk does."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
        )
        try:
            options = {"id3v2_version": "0", "flush_packets": "1"}
            # the types of the library do not say all that strict checking asks
            self._container: Any = av.open(self._file, "w", format="mp3", options=options)
            self._stream: Any = self._container.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono")
            self._stream.bit_rate = MP3_BITS
            self._stream.codec_context.options = {"compression_level": FAST}
        except OSError:
            self.abandon()
            raise
        self._samples = 0

    @property
    def size(self) -> int:
        """Written so far; what is in the encoder comes on top."""
        return self._file.tell() if not self._file.closed else 0

    def append(self, samples: Samples) -> None:
        """Of one channel (n,)."""
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), self._samples
        self._samples += len(samples)
        self._container.mux(self._stream.encode(frame))
        self._file.flush()

    def close(self) -> None:
        try:
            if not self._samples:  # a file of no bytes at all is no MP3
                self.append(np.zeros(LEAST_SAMPLES, np.int16))
            self._container.mux(self._stream.encode(None))
            self._container.close()  # writes how long it is into its first frame
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._file.close()
