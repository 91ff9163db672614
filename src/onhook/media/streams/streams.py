"""Streams as the studio has them: effects in, facts out, WebSockets between."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp

from onhook.effects import CloseStream, OpenStream, UpdateStream
from onhook.facts import DigitHeard, Fact, StreamChanged
from onhook.media.parts import FactHandler
from onhook.media.streams.audio import AudioContent, Ears, send_all
from onhook.media.streams.dialling import Dialler, bare
from onhook.media.streams.pump import Pump
from onhook.media.streams.settings import StreamSettings
from onhook.media.streams.stream import State, Stream
from onhook.media.streams.transcription import Recognisers, TranscriptionContent

CLOSING_SECONDS: Final = 5.0


class Streams:
    """To be made within a running loop. `authorize` gives the Authorization header for a resource's name."""

    def __init__(
        self,
        engine: Ears,
        settings: StreamSettings,
        *,
        now: Callable[[], float],
        session: Callable[[], aiohttp.ClientSession],
        authorize: Callable[[str], str],
        recognisers: Recognisers | None = None,
    ) -> None:
        self._engine, self._settings, self._now = engine, settings, now
        self._recognisers = recognisers
        self._dialler = Dialler(session, settings, authorize)
        self._pump = Pump(asyncio.get_running_loop(), send_all)
        self._streams: dict[str, Stream] = {}
        self._handler: FactHandler = _nobody
        self._running: set[asyncio.Task[None]] = set()

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler

    # What the studio asks

    def perform(self, effect: OpenStream | UpdateStream | CloseStream) -> None:
        if isinstance(effect, OpenStream):
            self._open(effect)
        elif (stream := self._streams.get(effect.id)) is not None:
            if isinstance(effect, UpdateStream):
                stream.update(effect)
            else:
                stream.close()

    def hear(self, fact: DigitHeard) -> None:
        """A key was pressed: streams of its room that want digits are sent it."""
        for stream in tuple(self._streams.values()):
            content = stream.content
            if (
                isinstance(content, AudioContent)
                and stream.effect.digits
                and any(leg == fact.leg for leg, _ in stream.effect.names)
            ):
                content.hear(fact)

    def leave(self, room: str) -> None:
        for stream in tuple(self._streams.values()):
            if stream.effect.room == room:
                stream.close("the call ended")

    def stop(self) -> None:
        for stream in tuple(self._streams.values()):
            stream.close("the server stops")

    async def close(self) -> None:
        """Wait for applications to close as well, for a few seconds."""
        self.stop()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def under_way(self) -> int:
        return len(self._running)

    def _open(self, effect: OpenStream) -> None:
        if effect.id in self._streams:
            return
        if fault := self._fault_in(effect):
            failed = StreamChanged(
                at=self._now(), stream=effect.id, state="failed", url=bare(effect.url), detail=fault
            )
            self._handler(effect.room, failed)
            return

        def tell(fact: StreamChanged) -> None:
            if stream.state is State.OVER:
                self._streams.pop(effect.id, None)
            self._handler(effect.room, fact)

        stream = Stream(effect, self._dialler, self._settings, tell=tell, now=self._now)
        if effect.kind == "audio":
            stream.content = AudioContent(stream, self._engine, self._pump, self._settings.playback_seconds)
        else:
            stream.content = TranscriptionContent(stream, self._recognisers, self._now())
        self._streams[effect.id] = stream
        task = stream.begin()
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _fault_in(self, effect: OpenStream) -> str:
        if len(self._streams) >= self._settings.max_streams:
            return f"{len(self._streams)} streams are open, the limit of streaming.max_streams"
        return self._dialler.fault_in(effect.url)


def _nobody(_owner: str, _fact: Fact) -> None:
    """Before anybody asked to be told."""
