"""Media that fails because somebody asked for it: the facts that a part would tell, instead of its work."""

from collections.abc import Callable
from functools import partial

from onhook.effects import Listen, MediaEffect, OpenStream, PlayPrompt, StartRecording
from onhook.facts import (
    Fact,
    ListeningFailed,
    MediaMeasured,
    PromptEnded,
    PromptFault,
    RecordingChanged,
    StreamChanged,
)
from onhook.lab.app_steps import ServerFail
from onhook.lab.causes import media_fault
from onhook.media.silent_prompts import PROMPT_FAULTS
from onhook.switch.world import Media

FactHandler = Callable[[str, Fact], None]


def failure_of(effect: MediaEffect, name: str, now: float) -> Fact | None:
    """How `effect` fails for the ending `name`; None if that ending is of another kind of media."""
    step = media_fault(name)
    if step is None:
        return None
    match effect:
        case PlayPrompt() if step.what == "prompt":
            return _prompt_failed(effect, step, now)
        case Listen() if step.what == "recognizer":
            return ListeningFailed(
                at=now, leg=effect.leg, listening=effect.id, detail=step.detail, http_status=step.status
            )
        case StartRecording() if step.what == "recording":
            return RecordingChanged(at=now, recording=effect.id, state="failed", detail=step.detail)
        case OpenStream() if step.what == "stream":
            return StreamChanged(
                at=now,
                stream=effect.id,
                state="failed",
                url=effect.url.partition("?")[0],
                detail=step.detail,
                http_status=step.status,
            )
        case _:
            return None


def _prompt_failed(effect: PlayPrompt, step: ServerFail, now: float) -> PromptEnded:
    fault: PromptFault = next(each for each in PROMPT_FAULTS if each == step.fault)
    return PromptEnded(
        at=now, prompt=effect.id, how="failed", fault=fault, detail=step.detail, http_status=step.status
    )


class ProvokedMedia:
    """The media of the switch, of which what `fails` names fails. `soon` calls later, on the event loop."""

    def __init__(
        self,
        media: Media,
        fails: Callable[[MediaEffect], Fact | None],
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self._media, self._fails, self._soon = media, fails, soon
        self._handler: FactHandler = lambda _owner, _fact: None

    def open(self, leg: str) -> tuple[str, int]:
        return self._media.open(leg)

    def perform(self, effect: MediaEffect) -> None:
        failed = self._fails(effect)
        if failed is None:
            self._media.perform(effect)
            return
        owner = failed.leg or str(getattr(effect, "room", ""))
        self._soon(partial(self._told, owner, failed))

    def close(self, leg: str) -> MediaMeasured:
        return self._media.close(leg)

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler
        self._media.on_fact(handler)

    def _told(self, owner: str, fact: Fact) -> None:
        self._handler(owner, fact)
