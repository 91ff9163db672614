"""Speech on virtual time: who listens hears what a test lets somebody say."""

import asyncio
import re
from functools import partial
from typing import Final, NamedTuple

from onhook.effects import Listen
from onhook.facts import ListeningFailed, SpeechBegan, SpeechHeard
from onhook.media.silent_prompts import MS_A_CHARACTER, Failing
from onhook.media.silent_telling import Telling

CONFIDENCE: Final = 0.9
NOTHING_UNDERSTOOD: Final = ""

_NO_WORD = re.compile(r"[^\w']+")


class Utterance(NamedTuple):
    """What somebody says. `ms` is how long it takes."""

    text: str
    ms: int
    confidence: float


class _Listening:
    def __init__(self, effect: Listen, since: float) -> None:
        self.effect, self.since = effect, since
        self.handles: set[asyncio.Handle] = set()


class SilentEars:
    """`fault` makes the next `Listen` fail."""

    def __init__(self, telling: Telling) -> None:
        self.fault: Failing | None = None
        self._telling = telling
        self._listening: dict[str, _Listening] = {}

    @property
    def listening(self) -> list[Listen]:
        return [listening.effect for listening in self._listening.values()]

    def listen(self, effect: Listen) -> None:
        if self.fault is None:
            self._listening[effect.id] = _Listening(effect, self._telling.now())
            return
        fault, self.fault = self.fault, None
        self._telling.soon(effect.room, self._failed(effect, fault))

    def fail(self, listening: str, fault: Failing) -> None:
        """Let a recogniser fail that listens already."""
        known = self._listening.get(listening)
        if known is not None:
            self.stop(listening)
            self._telling.soon(known.effect.room, self._failed(known.effect, fault))

    def stop(self, listening: str) -> None:
        known = self._listening.pop(listening, None)
        for handle in known.handles if known else ():
            handle.cancel()

    def stop_leg(self, leg: str) -> None:
        for effect in self.listening:
            if effect.leg == leg:
                self.stop(effect.id)

    def stop_room(self, room: str) -> None:
        for effect in self.listening:
            if effect.room == room:
                self.stop(effect.id)

    def say(
        self, leg: str, text: str, after: float = 0.0, ms: int = 0, confidence: float = CONFIDENCE
    ) -> None:
        """Let the far end of `leg` say this, `after` seconds from now. Who listens then hears it."""
        said = Utterance(text, ms or max(len(text) * MS_A_CHARACTER, MS_A_CHARACTER), confidence)
        self._telling.after(after, self._begin, leg, said)

    def _begin(self, leg: str, said: Utterance) -> None:
        telling, now = self._telling, self._telling.now()
        for known in list(self._listening.values()):
            effect = known.effect
            if effect.leg != leg:
                continue
            telling.tell(effect.room, SpeechBegan(at=now, leg=leg, listening=effect.id))
            if effect.id not in self._listening:  # stopped by who was told
                continue
            words = said.text.split()
            for count in range(1, len(words)):
                part = said._replace(text=" ".join(words[:count]))
                seconds = said.ms / 1000 * count / len(words)
                known.handles.add(telling.after(seconds, partial(self._hear, known, part, now, final=False)))
            seconds = (said.ms + effect.end_silence_ms) / 1000
            known.handles.add(telling.after(seconds, partial(self._hear, known, said, now, final=True)))

    def _hear(self, known: _Listening, said: Utterance, began: float, *, final: bool) -> None:
        effect, now = known.effect, self._telling.now()
        text = understood(said.text, effect.phrases)
        if not text and not final:
            return
        fact = SpeechHeard(
            at=now,
            leg=effect.leg,
            listening=effect.id,
            text=text,
            confidence=said.confidence if text else 0.0,
            final=final,
            offset_ms=round((began - known.since) * 1000),
            duration_ms=said.ms if final else round((now - began) * 1000),
        )
        if final and not effect.keep_on:
            self.stop(effect.id)
        self._telling.tell(effect.room, fact)

    def _failed(self, effect: Listen, fault: Failing) -> ListeningFailed:
        return ListeningFailed(
            at=self._telling.now(),
            leg=effect.leg,
            listening=effect.id,
            detail=fault.detail,
            http_status=fault.http_status,
        )


def understood(text: str, phrases: tuple[str, ...]) -> str:
    """What a recogniser makes of `text`: with phrases the longest that is in it. Nothing of "…"."""
    if not phrases:
        return text.strip() if _plain(text) else NOTHING_UNDERSTOOD
    said = f" {_plain(text)} "
    found = [phrase for phrase in phrases if _plain(phrase) and f" {_plain(phrase)} " in said]
    return max(found, key=lambda phrase: len(_plain(phrase)), default=NOTHING_UNDERSTOOD)


def _plain(text: str) -> str:
    return _NO_WORD.sub(" ", text.casefold()).strip()
