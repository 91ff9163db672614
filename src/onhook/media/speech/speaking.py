"""Who speaks a text: the endpoint that the call names, if it is configured, else the built-in engine."""

from collections.abc import Hashable, Mapping
from typing import Final, Protocol

from onhook.effects import SpokenMarkup, SpokenText
from onhook.media.parts import Clip
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.speech.settings import SpeechSettings, plain
from onhook.media.speech.ssml import MAX_CHARACTERS

MAX_TEXT_CHARACTERS: Final = 4_000
"""Documented: how-tos/call-automation/play-action."""


class SpeechEngine(Protocol):
    async def speak(self, source: SpokenText | SpokenMarkup) -> Clip:
        """Raises SourceFailed."""
        ...


class Speaking:
    """`endpoints` are the engines by `plain` endpoint; `built_in` is there for all other calls."""

    def __init__(
        self, settings: SpeechSettings, built_in: SpeechEngine, endpoints: Mapping[str, SpeechEngine]
    ) -> None:
        self._settings, self._built_in, self._endpoints = settings, built_in, endpoints

    async def speak(self, source: SpokenText | SpokenMarkup, speech_endpoint: str) -> Clip:
        """Raises SourceFailed."""
        _check(source)
        return await self._engine(speech_endpoint).speak(source)

    def voice_key(self, source: SpokenText | SpokenMarkup, speech_endpoint: str) -> Hashable:
        """The same for what sounds the same."""
        engine = plain(speech_endpoint) if plain(speech_endpoint) in self._endpoints else ""
        if isinstance(source, SpokenMarkup):
            return engine, source.model, source.ssml
        return engine, source.model, source.voice, source.locale, source.gender, source.text

    def _engine(self, speech_endpoint: str) -> SpeechEngine:
        named = self._endpoints.get(plain(speech_endpoint)) if speech_endpoint else None
        if named:
            return named
        if problem := no_speech(self._settings, speech_endpoint):
            raise SourceFailed("no-speech", problem)
        return self._built_in


def no_speech(settings: SpeechSettings, speech_endpoint: str) -> str:
    """Why a call with an endpoint that is not configured, or with none, has no speech; empty if it has."""
    if not speech_endpoint and settings.require_endpoint:
        return "the call has no cognitiveServicesEndpoint (speech.require_endpoint)"
    if not settings.built_in:
        named = f"{speech_endpoint} is not configured" if speech_endpoint else "the call names no endpoint"
        return f"{named}, and the built-in engines are off (speech.built_in, speech_endpoint.NAME)"
    return ""


def _check(source: SpokenText | SpokenMarkup) -> None:
    if isinstance(source, SpokenText):
        what, text, most = "the text", source.text, MAX_TEXT_CHARACTERS
    else:
        what, text, most = "the SSML", source.ssml, MAX_CHARACTERS
    if not text.strip():
        raise SourceFailed("empty-text", f"{what} is empty")
    if len(text) > most:
        raise SourceFailed("text-too-long", f"{what} has {len(text)} characters, and {most} are the most")
