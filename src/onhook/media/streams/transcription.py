"""What is said in a room, as text for an application: each leg has a recogniser while it is there."""

from collections.abc import Mapping
from typing import Protocol

from onhook.effects import Listen, OpenStream, UpdateStream
from onhook.facts import Fact, ListeningFailed, SpeechHeard
from onhook.media.parts import FactHandler
from onhook.media.streams.messages import transcription_data, transcription_metadata
from onhook.media.streams.stream import Stream


class Recognisers(Protocol):
    """Listens to legs. What it hears of this effect goes to `tell`, not to the call."""

    def listen(self, effect: Listen, tell: FactHandler) -> None: ...
    def stop_listening(self, listening: str) -> None: ...


class TranscriptionContent:
    """Content of a stream of kind "transcription". `now` gives Unix seconds."""

    def __init__(self, stream: Stream, recognisers: Recognisers | None, began_at: float) -> None:
        """Without recognisers the WebSocket is opened, and the call's facts say that nothing comes by it."""
        self._stream, self._recognisers, self._began_at = stream, recognisers, began_at
        self._listenings: dict[str, str] = {}
        """By leg."""
        self._since: dict[str, float] = {}
        """When each listening began."""
        self._names: Mapping[str, str] = dict(stream.effect.names)
        self._count = 0
        self._live = False

    def first(self, effect: OpenStream) -> bytes:
        return transcription_metadata(effect)

    def begin(self) -> None:
        self._live = True
        if self._recognisers is None:
            self._stream.warn("deaf", "there is no recogniser here: nothing is transcribed")
        for leg in self._names:
            self._listen(leg)

    def end(self) -> None:
        self._live = False
        for leg in tuple(self._listenings):
            self._ignore(leg)

    def update(self, effect: UpdateStream, stream: OpenStream) -> None:
        """Another language begins with metadata of its own (assumed)."""
        self._names = dict(effect.names)
        if not self._live:
            return
        changed = bool(effect.locale or effect.model)
        for leg in tuple(self._listenings):
            if changed or leg not in self._names:
                self._ignore(leg)
        if changed:
            self._stream.offer(transcription_metadata(stream))
        for leg in self._names:
            if leg not in self._listenings:
                self._listen(leg)

    def take(self, message: bytes | None) -> str:
        return "a transcription takes no messages" if message or message is None else ""

    def _listen(self, leg: str) -> None:
        effect = self._stream.effect
        if self._recognisers is None:
            return
        self._count += 1
        listening = self._listenings[leg] = f"{effect.id}-{self._count}"
        self._since[listening] = self._stream.now()
        self._recognisers.listen(
            Listen(
                id=listening,
                room=effect.room,
                leg=leg,
                language=effect.locale,
                model=effect.model,
                speech_endpoint=effect.speech_endpoint,
                keep_on=True,
                interim=effect.interim,
            ),
            self._heard,
        )

    def _ignore(self, leg: str) -> None:
        listening = self._listenings.pop(leg)
        self._since.pop(listening, None)
        if self._recognisers is not None:
            self._recognisers.stop_listening(listening)

    def _heard(self, _owner: str, fact: Fact) -> None:
        if not self._live:
            return
        if isinstance(fact, ListeningFailed) and fact.listening in self._since:
            self._stream.give_up(f"the recogniser failed: {fact.detail}", fact.http_status)
        elif isinstance(fact, SpeechHeard) and fact.listening in self._since:
            self._tell(fact)

    def _tell(self, heard: SpeechHeard) -> None:
        if not heard.text or not (heard.final or self._stream.effect.interim):
            return
        leg = next(leg for leg, listening in self._listenings.items() if listening == heard.listening)
        after_ms = round((self._since[heard.listening] - self._began_at) * 1000)
        self._stream.offer(transcription_data(heard, self._names.get(leg, leg), max(0, after_ms)))
