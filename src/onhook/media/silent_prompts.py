"""Prompts and digits on virtual time: they take their time, start, end and fail, and nothing sounds."""

import asyncio
import re
from typing import Final, NamedTuple, TypeAlias, get_args
from urllib.parse import parse_qs, urlsplit

from onhook.effects import AudioSource, FileAudio, PlayPrompt, SendDigits, SpokenText
from onhook.facts import DigitsSent, PromptEnded, PromptFault, PromptStarted
from onhook.media.silent_telling import Telling

MS_A_CHARACTER: Final = 60
"""Spoken text: about the pace of speech, and easy to reckon with."""
FILE_MS: Final = 1_000
"""A file that does not say otherwise by ?ms=."""
SHORTEST_MS: Final = 20

_TAG = re.compile(r"<[^<>]*>")


class Failing(NamedTuple):
    """How a source or a recogniser shall fail."""

    fault: PromptFault = "internal"
    detail: str = ""
    http_status: int | None = None


PROMPT_FAULTS: tuple[PromptFault, ...] = tuple(fault for fault in get_args(PromptFault) if fault)
PromptPlan: TypeAlias = int | PromptFault | Failing
"""How long a source plays in ms, or how it fails."""


class _Playing:
    """A prompt under way."""

    def __init__(self, effect: PlayPrompt) -> None:
        self.effect = effect
        self.source = 0
        self.started = False
        self.played_ms = 0
        """Of the sources that are over."""
        self.since = 0.0
        """When the present source began."""
        self.handle: asyncio.Handle | None = None


class SilentPrompts:
    """`plans` maps what a source is known by (its URI, text or SSML) to how it plays.

    `digit_ms` is how long a tone that is sent takes, with the pause after it.
    """

    def __init__(self, telling: Telling, plans: dict[str, PromptPlan], digit_ms: int) -> None:
        self._telling, self._plans, self._digit_ms = telling, plans, digit_ms
        self._playing: dict[str, _Playing] = {}

    @property
    def playing(self) -> list[PlayPrompt]:
        return [playing.effect for playing in self._playing.values()]

    def play(self, effect: PlayPrompt) -> None:
        playing = self._playing[effect.id] = _Playing(effect)
        playing.handle = self._telling.after(0, self._begin, playing)

    def stop(self, prompt: str) -> None:
        playing = self._playing.get(prompt)
        if playing is None:
            return
        if playing.started:
            playing.played_ms += round((self._telling.now() - playing.since) * 1000)
        self._end(playing, "stopped", soon=True)

    def stop_room(self, room: str) -> None:
        """The room is forgotten: what plays in it ends."""
        for effect in self.playing:
            if effect.room == room:
                self.stop(effect.id)

    def _begin(self, playing: _Playing) -> None:
        """Begin the present source, or end after the last."""
        effect, telling = playing.effect, self._telling
        if playing.source == len(effect.sources):
            if not effect.loop or not effect.sources:
                self._end(playing, "played")
                return
            playing.source = 0
        plan = self._plan(effect.sources[playing.source])
        if isinstance(plan, Failing):
            self._end(playing, "failed", plan)
            return
        playing.since = telling.now()
        playing.handle = telling.after(plan / 1000, self._over, playing, plan)
        if not playing.started:
            playing.started = True
            telling.tell(effect.room, PromptStarted(at=telling.now(), prompt=effect.id))

    def _over(self, playing: _Playing, ms: int) -> None:
        playing.played_ms += ms
        playing.source += 1
        self._begin(playing)

    def _plan(self, source: AudioSource) -> int | Failing:
        known = self._plans.get(_name(source))
        if known is None:
            known = _own_plan(source)
        if isinstance(known, int):
            return max(known, SHORTEST_MS)
        return known if isinstance(known, Failing) else Failing(known, f"arranged: {known}")

    def _end(
        self, playing: _Playing, how: str, failing: Failing | None = None, *, soon: bool = False
    ) -> None:
        effect, telling = playing.effect, self._telling
        if playing.handle:
            playing.handle.cancel()
        del self._playing[effect.id]
        fact = PromptEnded(
            at=telling.now(),
            prompt=effect.id,
            how="failed" if failing else "stopped" if how == "stopped" else "played",
            fault=failing.fault if failing else "",
            source=playing.source if failing else 0,
            detail=failing.detail if failing else "",
            http_status=failing.http_status if failing else None,
            played_ms=playing.played_ms,
        )
        (telling.soon if soon else telling.tell)(effect.room, fact)

    # Digits

    def send_digits(self, effect: SendDigits, why_not: str) -> None:
        """Tell that they went out once their time is over; or at once why they could not."""
        seconds = 0.0 if why_not else len(effect.digits) * self._digit_ms / 1000
        self._telling.after(seconds, self._sent, effect, why_not)

    def _sent(self, effect: SendDigits, why_not: str) -> None:
        fact = DigitsSent(at=self._telling.now(), action=effect.id, digits=effect.digits, fault=why_not)
        self._telling.tell(effect.room, fact)


def _name(source: AudioSource) -> str:
    match source:
        case FileAudio():
            return source.uri
        case SpokenText():
            return source.text
        case _:
            return source.ssml


def _own_plan(source: AudioSource) -> int | Failing:
    """How a source plays of which nothing was said."""
    match source:
        case FileAudio():
            return _file_plan(source.uri)
        case SpokenText():
            text = source.text.strip()
            return len(text) * MS_A_CHARACTER or Failing("empty-text", "The text is empty.")
        case _:
            if not source.ssml.lstrip().startswith("<speak"):
                return Failing("markup", "SSML begins with <speak>.")
            text = _TAG.sub("", source.ssml).strip()
            return len(text) * MS_A_CHARACTER or Failing("empty-text", "The SSML says nothing.")


def _file_plan(uri: str) -> int | Failing:
    try:
        split = urlsplit(uri)
    except ValueError:
        return Failing("uri", f"{uri[:80]} is no URL.")
    if split.scheme not in {"http", "https", "file"}:
        return Failing("uri", f"{uri[:80]} is no http, https or file URL.")
    said = parse_qs(split.query).get("ms", [""])[-1]
    return int(said) if said.isascii() and said.isdigit() else FILE_MS
