"""Turns each kind of source into sound: files are fetched and read, texts are spoken."""

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Protocol

from onhook.effects import AudioSource, FileAudio, SpokenMarkup, SpokenText
from onhook.media.parts import Clip
from onhook.media.prompts.foreign import name_of
from onhook.media.prompts.settings import PromptSettings
from onhook.media.prompts.sounds import Sounds
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.prompts.wav import NotPlayable, NotWav, read_wav

WANTED = "A prompt has to be WAV, PCM, 16 bits, mono, 16 kHz"


class Fetcher(Protocol):
    async def fetch(self, uri: str) -> bytes:
        """Raises SourceFailed."""
        ...


class Speaker(Protocol):
    async def speak(self, source: SpokenText | SpokenMarkup, speech_endpoint: str) -> Clip:
        """Raises SourceFailed."""
        ...

    def voice_key(self, source: SpokenText | SpokenMarkup, speech_endpoint: str) -> Hashable:
        """The same for what sounds the same."""
        ...


class SoundSources:
    """A file with a cache id is kept an hour under it and its address without the query.

    It is played from there even if the address is gone. Two prompts that want the same at the same time
    share one fetch. `monotonic` gives seconds.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        speaker: Speaker,
        settings: PromptSettings | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        settings = settings or PromptSettings()
        self._fetcher, self._speaker = fetcher, speaker
        self._keep_seconds = settings.cache_seconds
        self._sounds = Sounds(settings.cache_bytes, monotonic)

    async def sound(self, source: AudioSource, speech_endpoint: str) -> Clip:
        """Raises SourceFailed."""
        if isinstance(source, FileAudio):
            # The query often holds a signature that is new each time for the same file.
            uri = source.uri.partition("?")[0] if source.cache_id else source.uri
            keep = self._keep_seconds if source.cache_id else 0.0
            return await self._sounds.get(
                ("file", source.cache_id, uri), lambda: self._file(source.uri), keep
            )
        spoken = source
        key = ("speech", self._speaker.voice_key(spoken, speech_endpoint))
        return await self._sounds.get(
            key, lambda: self._speaker.speak(spoken, speech_endpoint), self._keep_seconds
        )

    async def _file(self, uri: str) -> Clip:
        data = await self._fetcher.fetch(uri)
        try:
            return read_wav(data)
        except NotWav:
            instead = await asyncio.to_thread(name_of, data)
            raise SourceFailed("format", f"{WANTED}; this is {instead}") from None
        except NotPlayable as problem:
            raise SourceFailed("format", f"{WANTED}; {problem}") from None
