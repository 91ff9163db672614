"""The media of calls, whole: an engine that carries RTP, and the parts beside it that play and listen.

The studio only hands on. Each effect goes to the part that is for it, what parts tell goes to the one
handler, and a room that closes is closed in every part before the engine forgets it.
"""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from onhook.effects import (
    ChangeRecording,
    CloseStream,
    Listen,
    MediaEffect,
    Mix,
    OpenStream,
    PlayPrompt,
    SendDigits,
    StartMedia,
    StartRecording,
    StopListening,
    StopPrompt,
    StopRecording,
    UpdateStream,
)
from onhook.facts import DigitHeard, Fact, FaultRaised, MediaMeasured
from onhook.media.parts import Engine, FactHandler

log = logging.getLogger(__name__)
E_contra = TypeVar("E_contra", contravariant=True)


class Part(Protocol[E_contra]):
    """Stands beside the engine. All methods are for the event loop's thread; none waits."""

    def perform(self, effect: E_contra) -> None:
        """Begin it; what comes of it is told as facts."""
        ...

    def leave(self, room: str) -> None:
        """The room closes: end what is under way in it and tell how. The engine still knows the room."""
        ...

    def on_fact(self, handler: FactHandler) -> None: ...

    def stop(self) -> None:
        """The server stops: end everything and tell how. What must be waited for is closed by the app."""
        ...


class Streaming(Part[OpenStream | UpdateStream | CloseStream], Protocol):
    """Streams are told the keys that are pressed, too."""

    def hear(self, fact: DigitHeard) -> None: ...


class Studio:
    """`switch.world.Media` from its parts. A part that is None is not there: its effects are told as faults.

    `now` gives Unix seconds.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        prompts: Part[PlayPrompt | StopPrompt] | None = None,
        listening: Part[Listen | StopListening] | None = None,
        recordings: Part[StartRecording | ChangeRecording | StopRecording] | None = None,
        streams: Streaming | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._now, self._streams = engine, now, streams
        self._handler: FactHandler = _nobody
        parts: Sequence[tuple[Part[Any] | None, Sequence[type[MediaEffect]]]] = (
            (prompts, (PlayPrompt, StopPrompt)),
            (listening, (Listen, StopListening)),
            (recordings, (StartRecording, ChangeRecording, StopRecording)),
            (streams, (OpenStream, UpdateStream, CloseStream)),
        )
        self._parts: list[Part[Any]] = [part for part, _ in parts if part is not None]
        self._performers: dict[type[MediaEffect], Callable[[Any], None]] = {
            StartMedia: engine.start,
            Mix: self._mix,
            SendDigits: engine.send_digits,
        }
        for part, effects in parts:
            self._performers |= {effect: part.perform for effect in effects if part is not None}

    def open(self, leg: str) -> tuple[str, int]:
        """Host and port for our SDP. Raises PortsUsedUp."""
        return self._engine.open(leg)

    def perform(self, effect: MediaEffect) -> None:
        """Begin it. A fault of ours is a fact of the room or leg that the effect names, no exception."""
        try:
            self._performers.get(type(effect), _nobody_performs)(effect)
        except Exception as error:
            log.exception("media: %s failed", type(effect).__name__)
            self._tell_fault(effect, error)

    def close(self, leg: str) -> MediaMeasured:
        """End the media of a leg; its counts are final."""
        return self._engine.close(leg)

    def on_fact(self, handler: FactHandler) -> None:
        """`handler(owner, fact)` on the event loop; the last handler wins."""
        self._handler = handler
        self._engine.on_fact(self._engine_told)
        for part in self._parts:
            part.on_fact(handler)

    def stop(self) -> None:
        """End everything: first the parts, while the engine still plays, then the engine."""
        for part in self._parts:
            try:
                part.stop()
            except Exception:
                log.exception("media: %s did not stop", type(part).__name__)
        self._engine.stop()

    def _engine_told(self, owner: str, fact: Fact) -> None:
        if isinstance(fact, DigitHeard) and self._streams is not None:
            self._streams.hear(fact)
        self._handler(owner, fact)

    def _mix(self, effect: Mix) -> None:
        if not effect.voices:
            for part in self._parts:
                try:
                    part.leave(effect.room)
                except Exception as error:  # what is left in the other parts must still be closed
                    log.exception("media: %s did not leave room %s", type(part).__name__, effect.room)
                    self._tell_fault(effect, error)
        self._engine.mix(effect)

    def _tell_fault(self, effect: MediaEffect, error: Exception) -> None:
        leg, room = getattr(effect, "leg", ""), getattr(effect, "room", "")
        if leg or room:
            text = "".join(traceback.format_exception(error))
            where = f"media: {type(effect).__name__}"
            fact = FaultRaised(at=self._now(), leg=leg, where=where, traceback=text, survived=True)
            self._handler(room or leg, fact)


def _nobody_performs(effect: MediaEffect) -> None:
    raise NotImplementedError(f"nothing here performs {type(effect).__name__}")


def _nobody(_owner: str, _fact: object) -> None:
    """Before anybody asked to be told."""
