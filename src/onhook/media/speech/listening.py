"""The part for Listen and StopListening: a leg's voice, cut into utterances, goes to a recogniser.

The tap only hands frames on; a few times a second they are looked at on the event loop, and a whole utterance
is recognised beside it. So `SpeechBegan` comes soon after the first sound, `SpeechHeard` after the quiet that
ends an utterance and the time that the recogniser takes. What is heard so far is guessed once a second, where
it is asked for and the recogniser has time.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from onhook.effects import Listen, StopListening
from onhook.facts import Fact, HeardWord, ListeningFailed, SpeechBegan, SpeechHeard
from onhook.media.parts import FactHandler, Frame, Samples, Tap
from onhook.media.resampling import Resampler
from onhook.media.speech.recognising import RATE, Heard, ListeningRefused, Recogniser, Recognisers
from onhook.media.speech.settings import SpeechSettings
from onhook.media.speech.utterances import FRAME_MS, Utterances

END_SILENCE_MS: Final = 700
"""Of quiet that end an utterance, unless the application says otherwise (assumed)."""
LOOK_SECONDS: Final = 0.06
MAX_FRAMES: Final = 1_500
"""30 s that wait to be looked at: the event loop stands still no longer."""
GUESS_FRAMES: Final = 50
"""A guess is made after each second of an utterance."""
MAX_RECOGNISED: Final = 8
"""Utterances of one leg that wait for the recogniser; more are lost, and told."""
log = logging.getLogger(__name__)


class Taps(Protocol):
    def tap(self, room: str, tap: Tap) -> None: ...
    def untap(self, room: str, tap: Tap) -> None: ...


class _Ear:
    """One listening."""

    def __init__(self, effect: Listen, recogniser: Recogniser) -> None:
        self.effect, self.recogniser = effect, recogniser
        self.utterances = Utterances(effect.end_silence_ms or END_SILENCE_MS)
        self.waiting: deque[tuple[int, Samples | None]] = deque(maxlen=MAX_FRAMES)
        self.tasks: set[asyncio.Task[None]] = set()
        self.turn = asyncio.Lock()
        """Utterances are told in the order in which they were said."""
        self.guessed = 0
        """Frames of the utterance after which a guess was made."""
        self.guessing: asyncio.Task[None] | None = None
        self.over = False
        """Nothing more is listened to; what was heard is still being recognised."""
        self._resampler: Resampler | None = None

    def take(self, frame: Frame) -> None:
        """On the media thread."""
        self.waiting.append((frame.rate, frame.voices.get(self.effect.leg)))

    def next_frame(self) -> Samples:
        rate, samples = self.waiting.popleft()
        if samples is None:
            samples = np.zeros(rate * FRAME_MS // 1_000, np.int16)
        if self._resampler is None or self._resampler.source != rate:
            self._resampler = Resampler(rate, RATE)
        return self._resampler(samples)


class Listening:
    """`now` gives Unix seconds."""

    def __init__(
        self, engine: Taps, recognisers: Recognisers, settings: SpeechSettings, *, now: Callable[[], float]
    ) -> None:
        self._engine, self._recognisers, self._settings, self._now = engine, recognisers, settings, now
        self._handler: FactHandler = _nobody
        self._ears: dict[str, _Ear] = {}
        self._timer: asyncio.TimerHandle | None = None

    def perform(self, effect: Listen | StopListening) -> None:
        if isinstance(effect, StopListening):
            if ear := self._ears.get(effect.id):
                self._forget(ear)
            return
        if effect.id in self._ears:
            raise ValueError(f"listening {effect.id} is under way already")
        try:
            recogniser = self._recogniser_for(effect)
        except ListeningRefused as refusal:
            self._fail(effect, refusal)
            return
        ear = self._ears[effect.id] = _Ear(effect, recogniser)
        self._engine.tap(effect.room, ear.take)
        if self._timer is None:
            self._look_again()

    def leave(self, room: str) -> None:
        for ear in [each for each in self._ears.values() if each.effect.room == room]:
            self._forget(ear)

    def on_fact(self, handler: FactHandler) -> None:
        self._handler = handler

    def stop(self) -> None:
        for ear in list(self._ears.values()):
            self._forget(ear)
            self._tell(ear.effect, self._failed(ear.effect, ListeningRefused("the server stops")))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def listened_to(self) -> int:
        return len(self._ears)

    def _recogniser_for(self, effect: Listen) -> Recogniser:
        if len(self._ears) >= self._settings.max_listening:
            raise ListeningRefused(
                f"{len(self._ears)} legs are listened to, the limit of speech.max_listening"
            )
        found = self._recognisers.find(effect.speech_endpoint)
        found.check(effect)
        return found

    def _look_again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        for ear in list(self._ears.values()):
            try:
                self._look_at(ear)
            except Exception as error:  # one ear's fault is not the next one's
                log.exception("listening %s failed", ear.effect.id)
                self._fail(ear.effect, _unexpected(error))
        if self._ears:
            self._look_again()

    def _look_at(self, ear: _Ear) -> None:
        while ear.waiting and not ear.over:
            self._hear(ear, ear.next_frame())
        if ear.effect.interim and ear.utterances.speaking and not ear.over:
            self._guess_soon(ear)

    def _hear(self, ear: _Ear, frame: Samples) -> None:
        heard, effect = ear.utterances.hear(frame), ear.effect
        if heard == "began":
            self._tell(effect, SpeechBegan(at=self._now(), leg=effect.leg, listening=effect.id))
        elif heard == "ended":
            if len(ear.tasks) >= MAX_RECOGNISED:
                self._fail(effect, ListeningRefused(f"{MAX_RECOGNISED} utterances wait for the recogniser"))
                return
            samples, began_ms = ear.utterances.taken, ear.utterances.began_ms
            task = asyncio.get_running_loop().create_task(self._recognise(ear, samples, began_ms))
            ear.tasks.add(task)
            task.add_done_callback(ear.tasks.discard)
            if not effect.keep_on:
                ear.over = True
                self._engine.untap(effect.room, ear.take)

    def _guess_soon(self, ear: _Ear) -> None:
        samples = ear.utterances.so_far()
        frames = len(samples) * 1_000 // RATE // FRAME_MS
        if frames < ear.guessed:
            ear.guessed = 0  # another utterance
        if frames - ear.guessed < GUESS_FRAMES or (ear.guessing and not ear.guessing.done()):
            return
        ear.guessed = frames
        ear.guessing = asyncio.get_running_loop().create_task(self._guess(ear, samples))

    async def _guess(self, ear: _Ear, samples: Samples) -> None:
        began_ms = ear.utterances.began_ms
        text = await ear.recogniser.guess(samples, ear.effect)
        same = ear.utterances.speaking and ear.utterances.began_ms == began_ms and not ear.over
        if text and same:
            self._tell(ear.effect, self._heard(ear.effect, Heard(text, 0.0), samples, began_ms, final=False))

    async def _recognise(self, ear: _Ear, samples: Samples, began_ms: int) -> None:
        effect = ear.effect
        try:
            async with ear.turn:
                heard = await ear.recogniser.recognise(samples, effect)
        except ListeningRefused as refusal:
            self._fail(effect, refusal)
            return
        except Exception as error:
            log.exception("listening %s failed", effect.id)
            self._fail(effect, _unexpected(error))
            return
        if not effect.keep_on:
            self._ears.pop(effect.id, None)
        elif not heard.text:
            return
        self._tell(effect, self._heard(effect, heard, samples, began_ms, final=True))

    def _heard(
        self, effect: Listen, heard: Heard, samples: Samples, began_ms: int, *, final: bool
    ) -> SpeechHeard:
        return SpeechHeard(
            at=self._now(),
            leg=effect.leg,
            listening=effect.id,
            text=heard.text,
            confidence=heard.confidence,
            final=final,
            offset_ms=began_ms,
            duration_ms=len(samples) * 1_000 // RATE,
            words=tuple(
                HeardWord(each.text, began_ms + each.offset_ms, each.duration_ms) for each in heard.words
            ),
        )

    def _fail(self, effect: Listen, refusal: ListeningRefused) -> None:
        """Told on the next turn of the loop: whoever asked is not told before its request is done."""
        ear = self._ears.get(effect.id)
        if ear is not None:
            self._forget(ear, but=asyncio.current_task())
        asyncio.get_running_loop().call_soon(self._tell, effect, self._failed(effect, refusal))

    def _failed(self, effect: Listen, refusal: ListeningRefused) -> ListeningFailed:
        return ListeningFailed(
            at=self._now(),
            leg=effect.leg,
            listening=effect.id,
            detail=str(refusal),
            http_status=refusal.http_status,
        )

    def _forget(self, ear: _Ear, *, but: "asyncio.Task[None] | None" = None) -> None:
        self._ears.pop(ear.effect.id, None)
        if not ear.over:
            ear.over = True
            self._engine.untap(ear.effect.room, ear.take)
        for task in (*ear.tasks, ear.guessing):
            if task is not None and task is not but:
                task.cancel()

    def _tell(self, effect: Listen, fact: Fact) -> None:
        self._handler(effect.room, fact)


def _unexpected(error: Exception) -> ListeningRefused:
    return ListeningRefused(f"an unexpected fault: {type(error).__name__}")


def _nobody(_owner: str, _fact: Fact) -> None:
    """Before anybody asked to be told."""
