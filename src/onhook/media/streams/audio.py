"""The sound of a room for an application, and the application's sound for the room.

Mixed: all participants together, and not what is played to them: an application that talks would hear
itself (assumed). Unmixed: see speakers.py.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from onhook.effects import OpenStream, UpdateStream
from onhook.facts import DigitHeard
from onhook.media.parts import Frame, Samples, Tap
from onhook.media.resampling import reach_of, resampled
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
from onhook.media.streams.speakers import QUIET_PEAK, Speakers
from onhook.media.streams.stream import Stream

_NOTHING: NDArray[np.float32] = np.zeros(0, np.float32)
log = logging.getLogger(__name__)
TAIL_FRAMES: Final = 3
"""So long after the last sound the filter still has some of it."""


class Ears(Feeds, Protocol):
    """What a stream of audio needs of an engine."""

    def tap(self, room: str, tap: Tap) -> None: ...
    def untap(self, room: str, tap: Tap) -> None: ...


class Voice:
    """One participant's sound, or that of all, on its way to the rate of a stream."""

    __slots__ = ("participant", "past", "rate", "tail")

    def __init__(self, participant: str) -> None:
        self.participant = participant
        self.rate, self.tail = 0, 0
        """Of what it hears; frames until the filter is silent as well."""
        self.past = _NOTHING
        """What the filter needs of what was before."""

    def goes_on(self, sound: Sequence[Samples], rate: int, target: int) -> bool:
        """Whether anything of it is to be heard now; silence needs no filter."""
        if rate != self.rate:
            self.rate, self.tail = rate, 0
            self.past = np.zeros(reach_of(rate, target), np.float32)
        self.tail = TAIL_FRAMES if sound else max(0, self.tail - 1)
        return bool(self.tail)


class Saying(NamedTuple):
    """20 ms of a voice that are to be sent; without `sound` they are silence, or the end of a sound."""

    content: "AudioContent"
    voice: Voice
    sound: Sequence[Samples]
    at: float


class AudioContent:
    """Content of a stream of kind "audio"."""

    def __init__(
        self, stream: Stream, engine: Ears, pump: "Pump[AudioContent]", playback_seconds: float
    ) -> None:
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
        self._pump.put(self, frame)

    def sayings(self, frame: Frame) -> Iterator[Saying]:
        """What is to be sent of a frame; nothing of one that was on its way when the stream ended."""
        if not self._tapped:
            return
        if self._stream.effect.mixed:
            yield Saying(self, self._voice(""), tuple(frame.voices.values()), frame.at)
            return
        for said in self._speakers.of(frame):
            sound = () if said.samples is None else (said.samples,)
            yield Saying(self, self._voice(said.participant), sound, frame.at)

    @property
    def rate(self) -> int:
        return self._stream.effect.rate

    def send(self, saying: Saying, samples: Samples, *, silent: bool) -> None:
        participant = saying.voice.participant
        self._stream.offer(audio_data(samples, saying.at, participant=participant, silent=silent))

    def _voice(self, participant: str) -> Voice:
        voice = self._voices.get(participant)
        if voice is None:
            voice = self._voices[participant] = Voice(participant)
        return voice


def send_all(frames: Sequence[tuple[AudioContent, Frame]]) -> None:
    """Frames of many streams: those of one rate are computed together, in the order in which they came.

    A frame of the same stream that came later begins another round: it needs the past of the one before.
    """
    rounds: dict[int, dict[tuple[int, int], list[Saying]]] = {}
    seen: dict[int, int] = {}
    for content, frame in frames:
        turn = seen[id(content)] = seen.get(id(content), -1) + 1
        groups = rounds.setdefault(turn, {})
        groups.setdefault((frame.rate, content.rate), []).extend(content.sayings(frame))
    for groups in rounds.values():
        for (rate, target), sayings in groups.items():
            try:
                _send_round(sayings, rate, target)
            except Exception:  # the fault of one group is not the next one's
                log.exception("%d frames at %d Hz could not be streamed", len(sayings), rate)


def _send_round(sayings: Sequence[Saying], rate: int, target: int) -> None:
    heard = [saying.voice.goes_on(saying.sound, rate, target) for saying in sayings]
    sounding = [saying for saying, goes_on in zip(sayings, heard, strict=True) if goes_on]
    silence = np.zeros(target // FRAMES_A_SECOND, np.int16)
    if not sounding:
        for saying in sayings:
            saying.content.send(saying, silence, silent=True)
        return
    samples = _computed(sounding, rate, target)
    quiet: list[bool] = ((samples.max(axis=1) <= QUIET_PEAK) & (samples.min(axis=1) >= -QUIET_PEAK)).tolist()
    row = 0
    for saying, goes_on in zip(sayings, heard, strict=True):
        if goes_on:
            saying.content.send(saying, samples[row : row + 1].reshape(-1), silent=quiet[row])
            row += 1
        else:
            saying.content.send(saying, silence, silent=True)


def _computed(sayings: Sequence[Saying], rate: int, target: int) -> Samples:
    """A row of 20 ms at the rate of the stream for each."""
    reach, size = reach_of(rate, target), rate // FRAMES_A_SECOND
    known = np.zeros((len(sayings), reach + size), np.float32)
    for row, saying in zip(known, sayings, strict=True):
        row[:reach] = saying.voice.past
        now = row[reach:]
        for number, sound in enumerate(saying.sound):
            if number:
                now += sound
            else:
                now[:] = sound
        saying.voice.past = row[size:]
    return resampled(known.copy() if rate == target else known, rate, target)
