"""One recording, from its first frame to its last file. Lives on the writer's thread; no clock of its own.

Sound lies in the file where it lies in time: what is missing in between (a room without legs, frames that a
slow disk did not take) is silence, so that all channels and the clock agree; what is paused is not there.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import ClassVar, Final, NamedTuple, Protocol

from onhook.acs.recordings import CHUNK_FULL, SAMPLE_RATE
from onhook.facts import RecordingChange
from onhook.machine import Machine, Outputs, Table, nothing
from onhook.media.parts import FRAME_SECONDS, Frame, Samples
from onhook.media.recordings.channels import Channels
from onhook.media.recordings.mp3 import Mp3File
from onhook.media.recordings.settings import RecordingSettings
from onhook.media.recordings.shelf import OpenChunk, Pause, Plan, Shelf
from onhook.media.recordings.tape import Tape
from onhook.media.recordings.wav import MAX_BYTES, WavFile

GAP_SECONDS: Final = 0.1
"""Frames may come so much late; what is missing beyond it is filled with silence."""
FILLED_AT_ONCE_SECONDS: Final = 10.0
HOUR_SECONDS: Final = 3600.0
MEGABYTE: Final = 1_000_000
LONGEST_BLOCK_BYTES: Final = 4_000_000
"""Of one append, with room to spare: the file is changed for the next before its sizes overflow."""


class State(Enum):
    NEW = auto()
    ACTIVE = auto()
    INACTIVE = auto()
    CLOSED = auto()
    FAILED = auto()


class Begin(NamedTuple):
    at: float


class BeginPaused(NamedTuple):
    at: float


class Heard(NamedTuple):
    """Frames of the room. Without any, time has passed until `at` all the same."""

    frames: tuple[Frame, ...]
    at: float


class PauseIt(NamedTuple):
    at: float


class ResumeIt(NamedTuple):
    at: float


class Named(NamedTuple):
    names: tuple[tuple[str, str], ...]


class Stop(NamedTuple):
    at: float
    why: str


class Broken(NamedTuple):
    """The disk, a limit or a fault of ours ends it; `detail` says which."""

    at: float
    detail: str
    why: str


class Told(NamedTuple):
    """The application is to hear of it."""

    state: RecordingChange
    at: float


class ClosedChunk(NamedTuple):
    """A chunk whose file is closed; its metadata are still to be written."""

    chunk: OpenChunk
    samples: int
    why: str


class Ended(NamedTuple):
    """The last output. `left_out` were heard and have no channel."""

    state: RecordingChange
    at: float
    why: str
    detail: str
    chunks: tuple[ClosedChunk, ...]
    left_out: tuple[str, ...]


class LimitReached(Exception):
    """A recording is as long or as large as it may be; the text names the setting."""


class SoundFile(Protocol):
    @property
    def size(self) -> int: ...
    def append(self, samples: Samples) -> None: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class Recording(Machine[State]):
    """`draw` gives a new document name. Inputs may raise OSError or LimitReached: then comes `Broken`."""

    def __init__(
        self,
        plan: Plan,
        names: tuple[tuple[str, str], ...],
        affinity: tuple[tuple[str, int], ...],
        *,
        shelf: Shelf,
        settings: RecordingSettings,
        draw: Callable[[], str],
    ) -> None:
        self.state = State.NEW
        self.plan = plan
        self._shelf, self._settings, self._draw = shelf, settings, draw
        self._channels = Channels(affinity)
        self._channels.name(names)
        self._tape = Tape(self._channels, mixed=plan.mixed)
        self._chunk: OpenChunk | None = None
        self._file: SoundFile | None = None
        self._until = plan.began_at
        """Up to here the sound is in the file, Unix seconds."""
        self._samples = self._bytes_before = 0
        """Samples of a channel in this chunk; bytes of those before it."""
        self._closed: list[ClosedChunk] = []

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return (sum(each.samples for each in self._closed) + self._samples) / SAMPLE_RATE

    # Actions

    def _begin(self, received: Begin) -> Outputs:
        self._until = received.at
        self._open(received.at)
        return [Told("active", received.at)]

    def _begin_paused(self, received: BeginPaused) -> Outputs:
        self._until = received.at
        self._open(received.at).paused_at = received.at
        return [Told("inactive", received.at)]

    def _hear(self, received: Heard) -> Outputs:
        due: list[Frame] = []
        for frame in received.frames:
            if frame.at - self._until > GAP_SECONDS:
                self._append_frames(due)
                due = []
                self._fill(frame.at)
            due.append(frame)
            self._until += FRAME_SECONDS
        self._append_frames(due)
        if not received.frames:
            self._fill(received.at)
        return []

    def _pause(self, received: PauseIt) -> Outputs:
        self._fill(received.at)
        chunk = self._opened()
        chunk.paused_at = received.at
        self._shelf.note(chunk)
        return [Told("inactive", received.at)]

    def _resume(self, received: ResumeIt) -> Outputs:
        self._until = received.at
        self._end_pause(received.at)
        self._shelf.note(self._opened())
        return [Told("active", received.at)]

    def _name(self, received: Named) -> Outputs:
        self._channels.name(received.names)
        self._note_people()
        return []

    def _stop(self, received: Stop) -> Outputs:
        if self._opened().paused_at is None:
            self._fill(received.at)
        self._close_chunk(received.at, received.why)
        return [self._ended("closed", received.at, received.why, "")]

    def _break(self, received: Broken) -> Outputs:
        try:
            self._close_chunk(received.at, received.why)
        except OSError:  # the last sound may be lost; what is in the file stays
            self._give_up(received.at, received.why)
        return [self._ended("failed", received.at, received.why, received.detail)]

    # Chunks

    def _open(self, at: float) -> OpenChunk:
        draft = OpenChunk(
            plan=self.plan,
            document=self._draw(),
            index=len(self._closed),
            began_at=at,
            channels=self._tape.channels,
        )
        content = self._shelf.content(draft.document, self.plan.format)
        self._chunk, self._samples = draft, 0
        self._note_people()
        self._file = Mp3File(content) if self.plan.format == "mp3" else WavFile(content, self._tape.channels)
        return draft

    def _opened(self) -> OpenChunk:
        assert self._chunk is not None, "it has begun"
        return self._chunk

    def _note_people(self) -> None:
        """Keep who takes part, and in which channel, for the case of a crash."""
        chunk = self._opened()
        chunk.width = 1 if self.plan.mixed else self._channels.width
        chunk.participants = self._channels.participants(mixed=self.plan.mixed)
        self._shelf.note(chunk)

    def _end_pause(self, at: float) -> None:
        chunk = self._opened()
        if chunk.paused_at is not None:
            chunk.pauses.append(Pause(chunk.paused_at, max(0.0, at - chunk.paused_at)))
            chunk.paused_at = None

    def _close_chunk(self, at: float, why: str) -> None:
        if self._file is None:
            return
        self._end_pause(at)
        self._file.close()
        self._settle(why)

    def _give_up(self, at: float, why: str) -> None:
        self._end_pause(at)
        if self._file is not None:
            self._file.abandon()
            self._settle(why)

    def _settle(self, why: str) -> None:
        chunk, file = self._opened(), self._file
        assert file is not None, "its file was open until now"
        chunk.width = 1 if self.plan.mixed else self._channels.width
        chunk.participants = self._channels.participants(mixed=self.plan.mixed)
        self._bytes_before += file.size
        self._closed.append(ClosedChunk(chunk, self._samples, why))
        self._file, self._samples = None, 0

    def _ended(self, state: RecordingChange, at: float, why: str, detail: str) -> Ended:
        left_out = () if self.plan.mixed else tuple(self._channels.left_out)
        return Ended(state, at, why, detail, tuple(self._closed), left_out)

    # Sound

    def _append_frames(self, frames: list[Frame]) -> None:
        if not frames:
            return
        width = self._channels.width
        self._append(self._tape.samples(frames))
        if self._channels.width != width:
            self._note_people()

    def _fill(self, until: float) -> None:
        while until - self._until > GAP_SECONDS:
            seconds = min(until - self._until, FILLED_AT_ONCE_SECONDS)
            self._append(self._tape.silence(round(seconds * SAMPLE_RATE)))
            self._until += seconds

    def _append(self, samples: Samples) -> None:
        settings, file = self._settings, self._file
        assert file is not None, "frames are heard while a file is open"
        file.append(samples)
        self._samples += len(samples)
        if self.seconds >= settings.max_hours * HOUR_SECONDS:
            raise LimitReached(f"{settings.max_hours:g} hours are recorded, the limit of recording.max_hours")
        if self._bytes_before + file.size >= settings.max_megabytes * MEGABYTE:
            raise LimitReached(
                f"{settings.max_megabytes} MB are recorded, the limit of recording.max_megabytes"
            )
        full = self._samples >= settings.chunk_hours * HOUR_SECONDS * SAMPLE_RATE
        if full or file.size > MAX_BYTES - LONGEST_BLOCK_BYTES:
            self._close_chunk(self._until, CHUNK_FULL)
            self._open(self._until)

    TABLE: ClassVar[Table] = {
        (State.NEW, Begin): (State.ACTIVE, _begin),
        (State.NEW, BeginPaused): (State.INACTIVE, _begin_paused),
        (State.ACTIVE, Heard): (State.ACTIVE, _hear),
        (State.ACTIVE, Named): (State.ACTIVE, _name),
        (State.ACTIVE, PauseIt): (State.INACTIVE, _pause),
        (State.ACTIVE, ResumeIt): (State.ACTIVE, nothing),
        (State.ACTIVE, Stop): (State.CLOSED, _stop),
        (State.ACTIVE, Broken): (State.FAILED, _break),
        (State.INACTIVE, Heard): (State.INACTIVE, nothing),
        (State.INACTIVE, Named): (State.INACTIVE, _name),
        (State.INACTIVE, PauseIt): (State.INACTIVE, nothing),
        (State.INACTIVE, ResumeIt): (State.ACTIVE, _resume),
        (State.INACTIVE, Stop): (State.CLOSED, _stop),
        (State.INACTIVE, Broken): (State.FAILED, _break),
        (State.CLOSED, Broken): (State.FAILED, _break),
    }
