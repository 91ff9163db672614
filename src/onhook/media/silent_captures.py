"""Recordings and streams on virtual time: they open, count and close, and hold no sound."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from onhook.effects import ChangeRecording, OpenStream, StartRecording
from onhook.facts import RecordedChunk, RecordingChange, RecordingChanged, StreamChanged, StreamState
from onhook.media.silent_prompts import Failing
from onhook.media.silent_telling import Telling

BYTES_A_MS: Final = {"wav": 32, "mp3": 6}
"""WAV at 16 kHz and 16 bits, MP3 at 48 kbit/s; a channel."""
MESSAGES_A_SECOND: Final = 50


class _Stream:
    def __init__(self, effect: OpenStream, voices: int, now: float) -> None:
        self.effect, self.since = effect, now
        self.live = True
        self.voices = voices
        self.sent = 0.0
        self.received = self.dropped = 0

    def count(self, now: float) -> None:
        """Bring the messages sent up to now: a frame each 20 ms, of each voice if unmixed."""
        if self.live and self.effect.kind == "audio":
            at_once = 1 if self.effect.mixed else self.voices
            self.sent += (now - self.since) * MESSAGES_A_SECOND * at_once
        self.since = now


class _Recording:
    def __init__(self, effect: StartRecording, now: float) -> None:
        self.effect, self.began_at = effect, now
        self.paused = effect.paused
        self.since = now
        self.ms = 0.0
        """Recorded until `since`."""

    def count(self, now: float) -> None:
        if not self.paused:
            self.ms += (now - self.since) * 1000
        self.since = now


class SilentCaptures:
    """`stream_faults` and `recording_fault` say which fail; `voices` how many are in a room."""

    def __init__(self, telling: Telling, voices: Callable[[str], int]) -> None:
        self.stream_faults: dict[str, Failing] = {}
        """By the URL of the stream: it cannot be opened."""
        self.recording_fault: Failing | None = None
        """The next recording fails."""
        self._telling, self._voices = telling, voices
        self._streams: dict[str, _Stream] = {}
        self._recordings: dict[str, _Recording] = {}

    @property
    def streams(self) -> list[OpenStream]:
        return [stream.effect for stream in self._streams.values()]

    @property
    def recordings(self) -> list[StartRecording]:
        return [recording.effect for recording in self._recordings.values()]

    def room_changes(self, room: str) -> None:
        """To be called before voices come or go: what was sent until now counts with those before."""
        for stream in self._streams.values():
            if stream.effect.room == room:
                stream.count(self._telling.now())

    def room_changed(self, room: str) -> None:
        for stream in self._streams.values():
            if stream.effect.room == room:
                stream.voices = self._voices(room)

    def end_room(self, room: str) -> None:
        for stream in self.streams:
            if stream.room == room:
                self.close_stream(stream.id)
        for recording in self.recordings:
            if recording.room == room:
                self.stop_recording(recording.id, "SessionEnded")

    # Streams

    def open_stream(self, effect: OpenStream) -> None:
        stream = _Stream(effect, self._voices(effect.room), self._telling.now())
        fault = self.stream_faults.get(effect.url)
        if fault is not None:
            self._tell_stream(stream, "failed", fault)
            return
        self._streams[effect.id] = stream
        self._tell_stream(stream, "opened")

    def lose_stream(self, stream: str, detail: str = "closed by the peer with 1006") -> None:
        """The connection breaks; the real engine dials again."""
        lost = self._streams.get(stream)
        if lost is None:
            return
        lost.count(self._telling.now())
        lost.live = False
        self._tell_stream(lost, "lost", Failing(detail=detail))

    def reopen_stream(self, stream: str) -> None:
        known = self._streams.get(stream)
        if known is None:
            return
        known.count(self._telling.now())
        known.live = True
        self._tell_stream(known, "reopened")

    def fail_stream(self, stream: str, fault: Failing) -> None:
        """It is given up."""
        known = self._streams.pop(stream, None)
        if known is None:
            return
        known.count(self._telling.now())
        self._tell_stream(known, "failed", fault)

    def close_stream(self, stream: str) -> None:
        known = self._streams.pop(stream, None)
        if known is not None:
            known.count(self._telling.now())
            self._tell_stream(known, "closed")

    def _tell_stream(self, stream: _Stream, state: StreamState, fault: Failing | None = None) -> None:
        effect = stream.effect
        fact = StreamChanged(
            at=self._telling.now(),
            stream=effect.id,
            state=state,
            url=urlsplit(effect.url)._replace(query="", fragment="").geturl(),
            detail=fault.detail if fault else "",
            http_status=fault.http_status if fault else None,
            sent=int(stream.sent + 1e-4),
            received=stream.received,
            dropped=stream.dropped,
        )
        self._telling.soon(effect.room, fact)

    # Recordings

    def start_recording(self, effect: StartRecording) -> None:
        recording = _Recording(effect, self._telling.now())
        if self.recording_fault is not None:
            fault, self.recording_fault = self.recording_fault, None
            self._tell_recording(recording, "failed", fault.detail)
            return
        self._recordings[effect.id] = recording
        self._tell_recording(recording, "inactive" if effect.paused else "active")

    def change_recording(self, effect: ChangeRecording) -> None:
        known = self._recordings.get(effect.id)
        if known is None or known.paused == effect.paused:
            return
        known.count(self._telling.now())
        known.paused = effect.paused
        self._tell_recording(known, "inactive" if effect.paused else "active")

    def fail_recording(self, recording: str, detail: str) -> None:
        """It can no longer be written."""
        known = self._recordings.pop(recording)
        known.count(self._telling.now())
        self._tell_recording(known, "failed", detail)

    def stop_recording(self, recording: str, why: str) -> None:
        known = self._recordings.pop(recording, None)
        if known is None:
            return
        known.count(self._telling.now())
        ms = round(known.ms)
        chunk = RecordedChunk(document=f"{recording}-0", index=0, why=why, bytes=ms * self._bytes_a_ms(known))
        self._tell_recording(known, "closed", chunks=(chunk,))

    def _bytes_a_ms(self, recording: _Recording) -> int:
        effect = recording.effect
        channels = 1 if effect.mixed else max(1, self._voices(effect.room))
        return BYTES_A_MS[effect.format] * channels

    def _tell_recording(
        self,
        recording: _Recording,
        state: RecordingChange,
        detail: str = "",
        chunks: tuple[RecordedChunk, ...] = (),
    ) -> None:
        fact = RecordingChanged(
            at=self._telling.now(),
            recording=recording.effect.id,
            state=state,
            detail=detail,
            chunks=chunks,
            began_at=recording.began_at,
            duration_ms=round(recording.ms),
        )
        self._telling.soon(recording.effect.room, fact)
