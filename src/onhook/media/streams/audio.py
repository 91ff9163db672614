"""The sound of a room for an application, and the application's sound for the room.

Mixed: all participants together, and not what is played to them: an application that talks would hear
itself (assumed). Unmixed: see speakers.py.
"""

from typing import Protocol

import numpy as np

from onhook.effects import OpenStream, UpdateStream
from onhook.facts import DigitHeard
from onhook.media.parts import Frame, Samples, Tap
from onhook.media.resampling import Resampler, to_int16
from onhook.media.streams.messages import (
    FRAMES_A_SECOND,
    Audio,
    StopAudio,
    Unreadable,
    audio_data,
    audio_metadata,
    dtmf_data,
    read_inbound,
)
from onhook.media.streams.playback import Feeds, Playback
from onhook.media.streams.pump import Pump
from onhook.media.streams.speakers import Speakers, is_silent
from onhook.media.streams.stream import Stream

TAIL_FRAMES = 2
"""So long after the last sound the filter still has some of it."""


class Ears(Feeds, Protocol):
    """What a stream of audio needs of an engine."""

    def tap(self, room: str, tap: Tap) -> None: ...
    def untap(self, room: str, tap: Tap) -> None: ...


class Voice:
    """One participant's sound, or that of all, at the rate of the stream."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._silence = np.zeros(rate // FRAMES_A_SECOND, np.int16)
        self._resampler: Resampler | None = None
        self._tail = 0

    def heard(self, samples: Samples | None, rate: int) -> Samples:
        """20 ms of it; None: nothing was heard."""
        if samples is None:
            if not self._tail:
                return self._silence
            self._tail -= 1
            samples = np.zeros(rate // FRAMES_A_SECOND, np.int16)
        else:
            self._tail = TAIL_FRAMES
        if self._resampler is None or self._resampler.source != rate:
            self._resampler = Resampler(rate, self._rate)
        return self._resampler(samples)


class AudioContent:
    """Content of a stream of kind "audio"."""

    def __init__(self, stream: Stream, engine: Ears, pump: Pump, playback_seconds: float) -> None:
        effect = stream.effect
        self._stream, self._engine, self._pump = stream, engine, pump
        self._speakers = Speakers(effect.names)
        self._voices: dict[str, Voice] = {}
        self._playback_seconds = playback_seconds
        self._playback = Playback(engine, effect.room, effect.rate, playback_seconds)
        self._tapped = False

    def first(self, effect: OpenStream) -> bytes:
        return audio_metadata(effect)

    def begin(self) -> None:
        self._tapped = True
        self._engine.tap(self._stream.effect.room, self._tap)

    def end(self) -> None:
        if self._tapped:
            self._tapped = False
            self._engine.untap(self._stream.effect.room, self._tap)
        self._playback.close()

    def update(self, effect: UpdateStream, stream: OpenStream) -> None:
        self._speakers.name(effect.names)
        present = {raw_id for _, raw_id in stream.names} | {""}
        self._voices = {who: voice for who, voice in self._voices.items() if who in present}

    def hear(self, digit: DigitHeard) -> None:
        """A key was pressed by somebody in the room."""
        self._stream.offer(dtmf_data(digit.digit))

    def take(self, message: bytes | None) -> str:
        if message is None:
            return "it is binary, not text"
        inbound = read_inbound(message)
        if isinstance(inbound, Unreadable):
            return inbound.why
        if not self._stream.effect.bidirectional:
            return "the stream is not bidirectional (enableBidirectional)"
        if isinstance(inbound, StopAudio):
            self._playback.clear()
        else:
            self._play(inbound)
        return ""

    def _play(self, audio: Audio) -> None:
        self._stream.received += 1
        if not self._playback.add(audio.samples):
            waiting = f"{self._playback_seconds:g} s of the application's audio wait to be played"
            self._stream.warn("overflow", f"{waiting}: more is dropped (streaming.playback_seconds)")

    def _tap(self, frame: Frame) -> None:
        """On the media thread."""
        self._pump.put(self._send, frame)

    def _send(self, frame: Frame) -> None:
        if not self._tapped:  # it was on its way when the stream ended
            return
        if self._stream.effect.mixed:
            self._say("", together(frame), frame)
        else:
            for said in self._speakers.of(frame):
                self._say(said.participant, said.samples, frame)

    def _say(self, participant: str, samples: Samples | None, frame: Frame) -> None:
        voice = self._voices.get(participant)
        if voice is None:
            voice = self._voices[participant] = Voice(self._stream.effect.rate)
        sound = voice.heard(samples, frame.rate)
        message = audio_data(sound, frame.at, participant=participant, silent=is_silent(sound))
        self._stream.offer(message)


def together(frame: Frame) -> Samples | None:
    """All voices of a frame; None if there is none."""
    first, *others = frame.voices.values() or (None,)
    if first is None or not others:
        return first
    total = first.astype(np.int32)
    for voice in others:
        total += voice
    return to_int16(total)
