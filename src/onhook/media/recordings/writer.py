"""The thread that writes recordings: it alone waits for the disk, neither media nor the event loop does.

It has the priority of the others: a nicer thread that holds Python's lock keeps all of them waiting. With
niceness 10 on a busy core the event loop was a second late beside 100 recordings and 100 streams.

Frames come from the media thread, commands from the event loop; both stand in one queue a recording, in the
order in which they happened. A queue has a limit: frames that a slow disk does not take are dropped and
counted, and the recording keeps its place in time with silence.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from onhook.machine import Outputs
from onhook.media.parts import FRAME_SECONDS, Frame
from onhook.media.recordings.recording import (
    MEGABYTE,
    Begin,
    BeginPaused,
    Broken,
    Ended,
    Heard,
    LimitReached,
    Named,
    PauseIt,
    Recording,
    ResumeIt,
    Stop,
)

Command: TypeAlias = Begin | BeginPaused | PauseIt | ResumeIt | Named | Stop | Broken
TURN_SECONDS: Final = 0.1
"""Between two looks at the queues."""
BATCH_FRAMES: Final = 25
"""Written together, half a second: one look at many recordings so costs little."""
IDLE_SECONDS: Final = 2.0
"""A room without frames for so long is silent, and its recording goes on."""
DISK_LOOK_TURNS: Final = 50
log = logging.getLogger(__name__)


class Line:
    """The queue of one recording. `hear` is for the media thread, `say` for the event loop's."""

    def __init__(self, recording: Recording, most_frames: int) -> None:
        self.recording = recording
        self.queue: deque[Frame | Command] = deque()
        self.commanded = False
        """A command waits, and is not to wait for more frames."""
        self.dropped = 0
        """Frames."""
        self._most = most_frames

    def hear(self, frame: Frame) -> None:
        if len(self.queue) < self._most:
            self.queue.append(frame)
        else:
            self.dropped += 1

    def say(self, command: Command) -> None:
        self.queue.append(command)
        self.commanded = True


class Writer:
    """`tell(line, outputs)` is called on the writer's thread. `now` gives Unix seconds."""

    def __init__(
        self,
        tell: Callable[[Line, Outputs], None],
        now: Callable[[], float],
        *,
        free_bytes: Callable[[], int],
        keep_free_megabytes: int,
    ) -> None:
        self._tell, self._now = tell, now
        self._free_bytes, self._keep_free = free_bytes, keep_free_megabytes
        self._lines: list[Line] = []
        self._work = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._turn = 0

    def add(self, line: Line) -> None:
        """From the event loop; `line` has its first command already."""
        self._lines.append(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
            self._thread.start()
        self._work.set()

    def hurry(self) -> None:
        """A command waits."""
        self._work.set()

    def stop(self, seconds: float) -> bool:
        """Let it end once all its recordings have; whether it did in that time."""
        self._stopping = True
        self._work.set()
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        while self._lines or not self._stopping:
            self._work.wait(TURN_SECONDS if self._lines else None)
            self._work.clear()
            self._turn += 1
            short = self._short_of_disk() if self._lines and self._turn % DISK_LOOK_TURNS == 1 else ""
            for line in tuple(self._lines):
                if short:
                    line.say(Broken(self._now(), short, "StorageFull"))
                try:
                    self._serve(line)
                except Exception:  # the others must go on
                    log.exception("recording %s is given up", line.recording.plan.recording)
                    self._lines.remove(line)

    def _short_of_disk(self) -> str:
        try:
            free = self._free_bytes()
        except OSError as error:
            return f"the folder of recordings cannot be looked at: {error}"
        if free >= self._keep_free * MEGABYTE:
            return ""
        return (
            f"the disk has {free // MEGABYTE} MB free; recordings end at {self._keep_free} MB"
            " (recording.keep_free_megabytes)"
        )

    def _serve(self, line: Line) -> None:
        """What is in its queue now; frames alone wait until there are enough of them."""
        queue, frames = line.queue, list[Frame]()
        commanded, line.commanded = line.commanded, False
        waiting = len(queue)
        if not waiting:
            self._handle(line, Heard((), self._now() - IDLE_SECONDS))
            return
        if waiting < BATCH_FRAMES and not commanded:
            return
        for _ in range(waiting):
            taken = queue.popleft()
            if isinstance(taken, Frame):
                frames.append(taken)
                continue
            self._write(line, frames)
            frames = []
            if line in self._lines:
                self._handle(line, taken)
        self._write(line, frames)

    def _write(self, line: Line, frames: list[Frame]) -> None:
        if frames and line in self._lines:
            self._handle(line, Heard(tuple(frames), self._now()))

    def _handle(self, line: Line, received: Command | Heard) -> None:
        try:
            outputs = line.recording.handle(received)
        except LimitReached as limit:
            outputs = self._break(line, str(limit), "LimitReached")
        except OSError as error:
            outputs = self._break(line, f"the file cannot be written: {error}", "StorageFailed")
        except Exception as error:
            log.exception("recording %s failed", line.recording.plan.recording)
            outputs = self._break(line, f"Onhook failed: {type(error).__name__}: {error}", "InternalError")
        if any(isinstance(output, Ended) for output in outputs):
            self._lines.remove(line)
        if outputs:
            self._tell(line, outputs)

    def _break(self, line: Line, detail: str, why: str) -> Outputs:
        return line.recording.handle(Broken(self._now(), detail, why))


def most_frames(queue_seconds: float) -> int:
    return max(BATCH_FRAMES, round(queue_seconds / FRAME_SECONDS))
