"""Recordings as the studio has them: effects in, facts out, files between.

What is heard goes from the engine's thread to the writer's; the event loop only begins and ends recordings,
and hands their files over. A recording's last fact comes when its files are where they belong: in our own
folder at once, in an external store after its upload, at the next start after a crash.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol
from uuid import uuid4

import aiohttp

from onhook.acs.recordings import CHUNK_FULL, SAMPLE_RATE
from onhook.effects import ChangeRecording, StartRecording, StopRecording
from onhook.facts import Fact, RecordedChunk, RecordingChange, RecordingChanged
from onhook.machine import Outputs
from onhook.media.parts import FRAME_SECONDS, FactHandler, Tap
from onhook.media.recordings.recording import (
    Begin,
    BeginPaused,
    ClosedChunk,
    Ended,
    Named,
    PauseIt,
    Recording,
    ResumeIt,
    Stop,
    Told,
)
from onhook.media.recordings.settings import RecordingSettings
from onhook.media.recordings.shelf import Plan, Shelf
from onhook.media.recordings.storage import ExternalStorage, StorageFailed
from onhook.media.recordings.writer import Line, Writer, most_frames

CLOSING_SECONDS: Final = 5.0
"""What recordings get when the server stops; those that are not done then are finished at the next start."""
CALL_ENDED: Final = "CallEnded"
SERVER_STOPPED: Final = "ServerStopped"
"""sessionEndReason and endReason of recordings that a stop or a crash of the server ended (ours)."""
log = logging.getLogger(__name__)


class Taps(Protocol):
    """What recordings need of an engine."""

    def tap(self, room: str, tap: Tap) -> None: ...
    def untap(self, room: str, tap: Tap) -> None: ...


class Locations(NamedTuple):
    """URLs of a chunk of our own folder."""

    content: str
    metadata: str
    deletion: str


class Finished(NamedTuple):
    """A recording that has ended, however it did."""

    plan: Plan
    ended: Ended
    dropped: int = 0


class Recordings:
    """`locate` gives the URLs of a document; `resource_id_of` the id of a resource's name."""

    def __init__(
        self,
        engine: Taps,
        settings: RecordingSettings,
        *,
        now: Callable[[], float],
        session: Callable[[], aiohttp.ClientSession],
        locate: Callable[[str], Locations],
        resource_id_of: Callable[[str], str],
        draw: Callable[[], str] = lambda: f"0-onhook-{uuid4().hex}",
    ) -> None:
        self._engine, self._settings, self._now = engine, settings, now
        self._locate, self._resource_id_of, self._draw = locate, resource_id_of, draw
        self.shelf = Shelf(settings.directory)
        self._storage = ExternalStorage(self.shelf, settings, session)
        self._lines: dict[str, Line] = {}
        self._rooms: dict[str, str] = {}
        self._handler: FactHandler = _nobody
        self._finishing: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(
            self._told_by_writer,
            now,
            free_bytes=self.shelf.free_bytes,
            keep_free_megabytes=settings.keep_free_megabytes,
        )

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler

    # What the studio asks

    def perform(self, effect: StartRecording | ChangeRecording | StopRecording) -> None:
        if isinstance(effect, StartRecording):
            self._start(effect)
        elif (line := self._lines.get(effect.id)) is not None:
            if isinstance(effect, StopRecording):
                self._stop(effect.id, effect.why)
                return
            line.say(Named(effect.names))
            line.say(PauseIt(self._now()) if effect.paused else ResumeIt(self._now()))
            self._writer.hurry()

    def leave(self, room: str) -> None:
        for recording in [each for each, its in self._rooms.items() if its == room]:
            self._stop(recording, CALL_ENDED)

    def stop(self) -> None:
        """End all; their files are finished by `close`."""
        for recording in tuple(self._rooms):
            self._stop(recording, SERVER_STOPPED)

    async def close(self) -> None:
        """Wait for files that are being finished, for a few seconds."""
        self.stop()
        await asyncio.to_thread(self._writer.stop, CLOSING_SECONDS)
        await asyncio.sleep(0)  # what the writer told last
        if self._finishing:
            _, late = await asyncio.wait(self._finishing, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def under_way(self) -> int:
        """Recordings that are not finished."""
        return len(self._lines) + len(self._finishing)

    async def recover(self) -> None:
        """Finish what a crash left open, and tell it as the end of those recordings. Raises OSError."""
        await asyncio.to_thread(self.shelf.prepare)
        for finished in await asyncio.to_thread(recovered, self.shelf, self._now()):
            self._finish(finished)

    # Begin and end

    def _start(self, effect: StartRecording) -> None:
        if effect.id in self._lines:
            return
        at = self._now()
        if fault := self._fault_in(effect):
            self._tell(effect.room, _failed(effect, at, fault))
            return
        plan = Plan(
            recording=effect.id,
            room=effect.room,
            resource_id=self._resource_id_of(effect.resource),
            server_call_id=effect.server_call_id,
            call_id=effect.call_id,
            format=effect.format,
            mixed=effect.mixed,
            storage=effect.storage,
            began_at=at,
        )
        recording = Recording(
            plan,
            effect.names,
            effect.channels,
            shelf=self.shelf,
            settings=self._settings,
            draw=self._draw,
        )
        line = Line(recording, most_frames(self._settings.queue_seconds))
        self._lines[effect.id], self._rooms[effect.id] = line, effect.room
        line.say(BeginPaused(at) if effect.paused else Begin(at))
        self._engine.tap(effect.room, line.hear)
        self._writer.add(line)

    def _fault_in(self, effect: StartRecording) -> str:
        if len(self._lines) >= self._settings.max_recordings:
            return f"{len(self._lines)} recordings are under way, the limit of recording.max_recordings"
        if effect.format == "mp3" and not effect.mixed:
            return "an unmixed recording is wav, mp3 was asked for"
        return self._storage.fault_in(effect.storage) if effect.storage else ""

    def _stop(self, recording: str, why: str) -> None:
        self._untap(recording)
        line = self._lines.get(recording)
        if line is not None:
            line.say(Stop(self._now(), why))
            self._writer.hurry()

    def _untap(self, recording: str) -> None:
        room = self._rooms.pop(recording, None)
        if room is not None:
            self._engine.untap(room, self._lines[recording].hear)

    # What the writer tells

    def _told_by_writer(self, line: Line, outputs: Outputs) -> None:
        """On its thread."""
        try:
            self._loop.call_soon_threadsafe(self._take, line, outputs)
        except RuntimeError:  # the loop is closed: what is open is finished at the next start
            log.warning("recording %s ended too late to be told", line.recording.plan.recording)

    def _take(self, line: Line, outputs: Outputs) -> None:
        plan = line.recording.plan
        for output in outputs:
            if isinstance(output, Told):
                self._tell(plan.room, _changed(plan, output.at, output.state))
            elif isinstance(output, Ended):
                self._untap(plan.recording)
                self._lines.pop(plan.recording, None)
                self._finish(Finished(plan, output, line.dropped))

    # Files

    def _finish(self, finished: Finished) -> None:
        task = self._loop.create_task(self._settle(finished), name=f"recording {finished.plan.recording}")
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def _settle(self, finished: Finished) -> None:
        """Put the files where they belong, then tell. Cancelled: nothing is told, the next start does it."""
        plan, ended = finished.plan, finished.ended
        state, details = ended.state, [ended.detail, *_missing(finished)]
        chunks: list[RecordedChunk] = []
        whole = True
        try:
            chunks = [await self._put_away(closed) for closed in ended.chunks]
            for number, chunk in enumerate(chunks if plan.storage else ()):
                chunks[number] = await self._hand_over(plan, chunk)
        except StorageFailed as error:
            state = "failed"
            hours = self._settings.retention_hours
            kept = f"for {hours:g} hours" if hours else "until it is deleted"
            details.append(f"{error}. It is kept here {kept}")
        except Exception as error:
            log.exception("recording %s could not be finished; the next start tries again", plan.recording)
            state, whole = "failed", False
            details.append(f"its files could not be finished: {type(error).__name__}: {error}")
        samples = sum(closed.samples for closed in ended.chunks)
        self._tell(
            plan.room,
            RecordingChanged(
                at=ended.at,
                recording=plan.recording,
                state=state,
                detail="; ".join(filter(None, details)),
                chunks=tuple(chunks),
                began_at=plan.began_at,
                duration_ms=round(samples * 1000 / SAMPLE_RATE),
                why=ended.why,
                format=plan.format,
                mixed=plan.mixed,
            ),
        )
        for closed in ended.chunks if whole else ():
            await asyncio.to_thread(self.shelf.settle, closed.chunk.document)

    async def _put_away(self, closed: ClosedChunk) -> RecordedChunk:
        chunk = closed.chunk
        size = await asyncio.to_thread(self.shelf.finish, chunk, closed.samples, closed.why)
        content, metadata, deletion = self._locate(chunk.document)
        return RecordedChunk(
            document=chunk.document,
            index=chunk.index,
            why=closed.why,
            bytes=size,
            content=content,
            metadata=metadata,
            deletion=deletion,
        )

    async def _hand_over(self, plan: Plan, chunk: RecordedChunk) -> RecordedChunk:
        placed = await self._storage.place(plan, chunk.document)
        await asyncio.to_thread(self.shelf.delete, chunk.document)
        return RecordedChunk(
            document=chunk.document,
            index=chunk.index,
            why=chunk.why,
            bytes=chunk.bytes,
            content=placed.content,
            metadata=placed.metadata,
            deletion=placed.content,
        )

    def _tell(self, room: str, fact: Fact) -> None:
        self._handler(room, fact)


def recovered(shelf: Shelf, now: float) -> list[Finished]:
    """What a crash left open, its sound made whole; waits for the disk."""
    found: dict[str, list[ClosedChunk]] = {}
    for chunk in sorted(shelf.unfinished(), key=lambda chunk: chunk.index):
        try:
            samples = shelf.recover(chunk)
        except OSError as error:
            log.warning("recording %s cannot be made whole: %s", chunk.plan.recording, error)
            continue
        chunks = found.setdefault(chunk.plan.recording, [])
        chunks[:] = [each._replace(why=CHUNK_FULL) for each in chunks]
        chunks.append(ClosedChunk(chunk, samples, SERVER_STOPPED))
    detail = "the server stopped while it was recorded, and finished it at its next start"
    return [
        Finished(chunks[0].chunk.plan, Ended("closed", now, SERVER_STOPPED, detail, tuple(chunks), ()))
        for chunks in found.values()
    ]


def _missing(finished: Finished) -> list[str]:
    """What is not in the files although it was heard."""
    missing: list[str] = []
    if finished.ended.left_out:
        who = ", ".join(finished.ended.left_out)
        missing.append(f"all five channels were taken, so these are not in it: {who}")
    if finished.dropped:
        seconds = finished.dropped * FRAME_SECONDS
        missing.append(f"{seconds:.1f} s are silent in it: the disk was too slow for them")
    return missing


def _changed(plan: Plan, at: float, state: RecordingChange) -> RecordingChanged:
    return RecordingChanged(
        at=at,
        recording=plan.recording,
        state=state,
        began_at=plan.began_at,
        format=plan.format,
        mixed=plan.mixed,
    )


def _failed(effect: StartRecording, at: float, detail: str) -> RecordingChanged:
    """It never began."""
    return RecordingChanged(
        at=at, recording=effect.id, state="failed", detail=detail, format=effect.format, mixed=effect.mixed
    )


def _nobody(_owner: str, _fact: Fact) -> None:
    """Before anybody asked to be told."""
