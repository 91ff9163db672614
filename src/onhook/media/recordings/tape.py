"""From the frames of a room to the samples of a file: channels, and 16 kHz."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

import numpy as np

from onhook.acs.recordings import MAX_CHANNELS, SAMPLE_RATE
from onhook.media.parts import Frame, Samples
from onhook.media.recordings.channels import Channels
from onhook.media.resampling import Resampler

_RATE = attrgetter("rate")
SAMPLES_A_FRAME: Final = SAMPLE_RATE // 50


class Tape:
    """Mixed: what a listener would hear. Unmixed: each leg's own channel, and no prompts."""

    def __init__(self, channels: Channels, *, mixed: bool) -> None:
        self._channels, self._mixed = channels, mixed
        self.channels = 1 if mixed else MAX_CHANNELS
        self._resamplers: dict[int, Resampler] = {}

    def samples(self, frames: Sequence[Frame]) -> Samples:
        """Mixed: (n,); unmixed: (n, 5), the channels that nobody has being silent."""
        if not frames:
            return self.silence(0)
        parts = [self._of_one_rate(rate, list(group)) for rate, group in groupby(frames, _RATE)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def silence(self, samples: int) -> Samples:
        return np.zeros(samples if self._mixed else (samples, MAX_CHANNELS), np.int16)

    def _of_one_rate(self, rate: int, frames: list[Frame]) -> Samples:
        if self._mixed:
            return self._at_16_khz(0, rate, np.concatenate([frame.mixed for frame in frames]))
        size = rate // 50
        apart: dict[int, Samples] = {}
        for number, frame in enumerate(frames):
            for leg, sound in frame.voices.items():
                channel = self._channels.of(leg, sound)
                if channel is None:
                    continue
                if channel not in apart:
                    apart[channel] = np.zeros(size * len(frames), np.int16)
                apart[channel][number * size : (number + 1) * size] = sound
        out = self.silence(SAMPLES_A_FRAME * len(frames))
        for channel in apart.keys() | self._resamplers.keys():
            nobody = np.zeros(size * len(frames), np.int16)
            out[:, channel] = self._at_16_khz(channel, rate, apart.get(channel, nobody))
        return out

    def _at_16_khz(self, channel: int, rate: int, sound: Samples) -> Samples:
        resampler = self._resamplers.get(channel)
        if resampler is None or resampler.source != rate:
            resampler = self._resamplers[channel] = Resampler(rate, SAMPLE_RATE)
        return resampler(sound)
