"""Plays prompts: gets the sources ahead, feeds them to the engine without gaps, tells how it ended.

Whatever happens to a prompt, it ends once: played, stopped, or failed at one of its sources. A source that
fails does so at its turn, when those before it are played.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Literal, Protocol, TypeAlias

from onhook.effects import AudioSource, PlayPrompt, StopPrompt
from onhook.facts import Fact, PromptEnded, PromptStarted
from onhook.media.parts import Clip, Engine, FactHandler, Feed
from onhook.media.prompts.source_failed import SourceFailed

AHEAD: Final = 4
"""Sources that are fetched before their turn."""
log = logging.getLogger(__name__)
How: TypeAlias = Literal["played", "stopped", "failed"]


class Sources(Protocol):
    async def sound(self, source: AudioSource, speech_endpoint: str) -> Clip:
        """Raises SourceFailed."""
        ...


class _Ahead:
    """Gets the sources of a prompt in their order, some before their turn."""

    def __init__(self, effect: PlayPrompt, sources: Sources) -> None:
        self._effect, self._sources = effect, sources
        self._tasks: deque[asyncio.Task[Clip]] = deque()
        self.index = 0
        """The source whose turn it is."""
        self._begun = 0

    async def next(self) -> Clip | None:
        """The next sound, None after the last one. Raises SourceFailed."""
        everything = self._effect.sources
        while self._begun < min(len(everything), self.index + 1 + AHEAD):
            sound = self._sources.sound(everything[self._begun], self._effect.speech_endpoint)
            self._tasks.append(asyncio.ensure_future(sound))
            self._begun += 1
        if not self._tasks:
            return None
        clip = await self._tasks[0]
        self._tasks.popleft()
        self.index += 1
        return clip

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
            task.add_done_callback(_look_at)


class _Playing:
    def __init__(self, effect: PlayPrompt) -> None:
        self.effect = effect
        self.feed: Feed | None = None
        self.played: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Set when the engine has played all that was fed."""
        self.task: asyncio.Task[None] | None = None


class Prompts:
    """The part for PlayPrompt and StopPrompt. `now` gives Unix seconds."""

    def __init__(self, engine: Engine, sources: Sources, *, now: Callable[[], float]) -> None:
        self._engine, self._sources, self._now = engine, sources, now
        self._handler: FactHandler | None = None
        self._playing: dict[str, _Playing] = {}

    def perform(self, effect: PlayPrompt | StopPrompt) -> None:
        if isinstance(effect, StopPrompt):
            if playing := self._playing.get(effect.id):  # else it ended meanwhile
                self._stop(playing)
            return
        if effect.id in self._playing:
            raise ValueError(f"prompt {effect.id} is playing already")
        playing = self._playing[effect.id] = _Playing(effect)
        playing.task = asyncio.get_running_loop().create_task(self._play(playing))

    def leave(self, room: str) -> None:
        for playing in [each for each in self._playing.values() if each.effect.room == room]:
            self._stop(playing)

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler

    def stop(self) -> None:
        for playing in list(self._playing.values()):
            self._stop(playing, SourceFailed("shut-down", "the server stops"))

    @property
    def playing(self) -> int:
        return len(self._playing)

    async def _play(self, playing: _Playing) -> None:
        ahead = _Ahead(playing.effect, self._sources)
        failed: SourceFailed | None = None
        played_ms = 0
        try:
            failed = await self._feed(playing, ahead)
            if playing.feed:
                playing.feed.finish()
                played_ms = await playing.played
        except Exception as error:
            log.exception("prompt %s failed", playing.effect.id)
            failed = _internal(error)
            played_ms = playing.feed.stop() if playing.feed else 0
        self._end(playing, "failed" if failed else "played", failed, ahead.index, played_ms)

    async def _feed(self, playing: _Playing, ahead: _Ahead) -> SourceFailed | None:
        """Hand all sounds to the engine, up to the first that cannot be had: why is returned.

        Several that are repeated are played once all are there: the engine would repeat those before the gap.
        """
        loop = playing.effect.loop
        together = loop and len(playing.effect.sources) > 1
        clips: list[Clip] = []
        failed: SourceFailed | None = None
        try:
            while clip := await ahead.next():
                if together:
                    clips.append(clip)
                else:
                    self._opened(playing, loop=loop).add(clip)
        except SourceFailed as error:
            failed = error
        finally:
            ahead.cancel()
        for clip in clips:
            self._opened(playing, loop=failed is None).add(clip)
        return failed

    def _opened(self, playing: _Playing, *, loop: bool) -> Feed:
        if playing.feed is None:
            effect = playing.effect
            playing.feed = self._engine.feed(
                effect.room,
                effect.legs,
                started=partial(self._tell_started, playing),
                ended=partial(_set, playing.played),
                loop=loop,
                to_all=not effect.legs,
            )
        return playing.feed

    def _stop(self, playing: _Playing, why: SourceFailed | None = None) -> None:
        if playing.task:
            playing.task.cancel()
        played_ms = playing.feed.stop() if playing.feed else 0
        self._end(playing, "failed" if why else "stopped", why, 0, played_ms)

    def _tell_started(self, playing: _Playing) -> None:
        if playing.effect.id in self._playing:
            self._tell(playing, PromptStarted(at=self._now(), prompt=playing.effect.id))

    def _end(
        self, playing: _Playing, how: How, failed: SourceFailed | None, source: int, played_ms: int
    ) -> None:
        if self._playing.pop(playing.effect.id, None) is None:
            return
        ended = PromptEnded(
            at=self._now(),
            prompt=playing.effect.id,
            how=how,
            fault=failed.fault if failed else "",
            source=source if failed else 0,
            detail=failed.detail if failed else "",
            http_status=failed.http_status if failed else None,
            played_ms=played_ms,
        )
        self._tell(playing, ended)

    def _tell(self, playing: _Playing, fact: Fact) -> None:
        if self._handler:
            self._handler(playing.effect.room, fact)


def _internal(error: Exception) -> SourceFailed:
    return SourceFailed("internal", f"{type(error).__name__}: {error}")


def _set(future: "asyncio.Future[int]", played_ms: int) -> None:
    if not future.done():
        future.set_result(played_ms)


def _look_at(task: "asyncio.Task[Clip]") -> None:
    """What a source ahead failed for does not matter any more."""
    if not task.cancelled():
        task.exception()
