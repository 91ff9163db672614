"""The built-in carrier's sound: a media engine of its own, with a port and a room for each call.

What a call sends follows from what was agreed on and from the steps of its scenario; silence is sent where
nothing else is. What it hears can be kept, for tests.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec
import numpy as np

from onhook.calls.negotiation import start_of
from onhook.effects import Mix, SendDigits, SpokenText, Srtp, StartMedia, Voice
from onhook.facts import DigitHeard, Fact, MediaMeasured
from onhook.lab.audio_steps import (
    DIGIT_MS,
    Digits,
    Echo,
    HearsOnly,
    RtpAs,
    Says,
    SendRtp,
    SoundStep,
    Tone,
    WrongKey,
)
from onhook.lab.far_end import Caller
from onhook.lab.kept_sound import KeptSound, sine
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.parts import Clip, Engine, Feed, Frame
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.settings import MediaSettings
from onhook.sip.sdes import KEY_BYTES, SUITES

FIRST_PORT, LAST_PORT = 10_000, 19_998
"""Apart from the server's own (media.first_port), and below those that systems give out."""
TONE_RATE: Final = 16_000
MAX_KEPT_MEASURES: Final = 1_000
NOWHERE: Final = 0
"""A port that nothing is sent to: neither RTP nor reports."""

Speak = Callable[[SpokenText], Awaitable[Clip]]
log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Line:
    """The audio of one call."""

    name: str
    started: StartMedia | None = None
    manner: SoundStep = field(default_factory=SendRtp)
    """The last step that said how RTP is sent."""
    feed: Feed | None = None
    echo: "_EchoTap | None" = None
    kept: KeptSound | None = None
    digits: str = ""
    to_play: "asyncio.Queue[Says | Tone]" = field(default_factory=asyncio.Queue[Says | Tone])
    player: "asyncio.Task[None] | None" = None


class CarrierAudio:
    """`speak` makes speech of texts. With `keep_seconds` so much of what each call hears is kept.

    All methods are for the event loop's thread.
    """

    def __init__(
        self,
        host: str,
        *,
        speak: Speak | None = None,
        keep_seconds: float = 0.0,
    ) -> None:
        self.make_engine: Callable[[MediaSettings], Engine] = EmbeddedEngine
        self._settings = MediaSettings(
            host=host,
            first_port=FIRST_PORT,
            last_port=LAST_PORT,
            tone_ms=DIGIT_MS // 2,
            tone_gap_ms=DIGIT_MS // 2,
        )
        self._speak, self._keep_seconds = speak, keep_seconds
        self._engine: Engine | None = None
        self._lines: dict[str, _Line] = {}
        self._ended: dict[str, tuple[_Line, MediaMeasured]] = {}

    def start(self) -> None:
        engine = self._engine = self.make_engine(self._settings)
        engine.on_fact(self._take)

    def stop(self) -> None:
        for line in list(self._lines.values()):
            self._close(line)
        if self._engine:
            self._engine.stop()
        self._engine = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("the carrier is not started: await start() first")
        return self._engine

    @property
    def ports(self) -> int:
        """How many calls can have audio at a time."""
        return len(self._settings.ports())

    # What the far end wants

    def open(self, call: str) -> tuple[str, int]:
        """The address for the SDP of a call. Raises PortsUsedUp."""
        self._lines.setdefault(call, _Line(call))
        return self.engine.open(call)

    def follow(self, call: Caller) -> None:
        """Something happened to a call: begin, change or end its audio."""
        line = self._lines.get(call.name)
        if line is None:
            return
        if call.over:
            self._close(line)
        elif (agreed := call.agreed) is not None:
            sending = call.talking_to is not None or isinstance(line.manner, RtpAs | WrongKey)
            start = start_of(line.name, agreed)
            self._start(line, msgspec.structs.replace(start, sending=start.sending and sending))

    def perform(self, call: Caller, step: SoundStep) -> None:
        if call.over:
            return
        line = self._lines.setdefault(call.name, _Line(call.name))
        match step:
            case Digits():
                self.engine.send_digits(SendDigits(secrets.token_hex(4), line.name, line.name, step.digits))
            case Says() | Tone():
                line.to_play.put_nowait(step)
                if line.player is None:
                    line.player = asyncio.create_task(self._play(line))
            case Echo():
                if line.echo is None:
                    line.echo = _EchoTap(line.name, self._feed(line))
                    self.engine.tap(line.name, line.echo)
            case _:
                line.manner = step
                self.follow(call)

    # What it heard

    def heard(self, call: Caller) -> Clip:
        """What the call heard from its begin on. Raises LookupError if nothing is kept of it."""
        line = self._line(call)
        if line.kept is None:
            raise LookupError("nothing is kept of what calls hear: set keep_seconds")
        return line.kept.clip()

    def digits(self, call: Caller) -> str:
        """The keys that our side pressed, as this call heard them."""
        return self._line(call).digits

    def measured(self, call: Caller) -> MediaMeasured:
        """The counts of a call that is over. Raises LookupError for any other."""
        return self._ended[call.name][1]

    def _line(self, call: Caller) -> _Line:
        known = self._lines.get(call.name)
        return known if known is not None else self._ended[call.name][0]

    # Inside

    def _start(self, line: _Line, start: StartMedia) -> None:
        replace = msgspec.structs.replace
        match line.manner:
            case SendRtp(sending=False):
                start = replace(start, port=NOWHERE, sending=False)
            case HearsOnly():
                start = replace(start, sending=False)
            case RtpAs():
                start = replace(start, payload_type=line.manner.payload_type)
            case WrongKey():
                start = replace(start, srtp=_wrong(start.srtp, line.started))
            case _:
                pass
        if start == line.started:
            return
        first, line.started = line.started is None, start
        self.engine.start(start)
        if first:
            self.engine.mix(Mix(line.name, (Voice(line.name),)))
            if self._keep_seconds:
                line.kept = KeptSound(line.name, self._keep_seconds)
                self.engine.tap(line.name, line.kept)

    def _close(self, line: _Line) -> None:
        del self._lines[line.name]
        if line.player:
            line.player.cancel()
        self.engine.mix(Mix(line.name, ()))
        self._ended[line.name] = line, self.engine.close(line.name)
        if len(self._ended) > MAX_KEPT_MEASURES:
            del self._ended[next(iter(self._ended))]

    def _feed(self, line: _Line) -> Feed:
        if line.feed is None:
            line.feed = self.engine.feed(
                line.name, (line.name,), started=_nothing, ended=_nothing_more, loop=False
            )
        return line.feed

    async def _play(self, line: _Line) -> None:
        """One sound after the other, for as long as the call is up."""
        while True:
            step = await line.to_play.get()
            if isinstance(step, Tone):
                self._feed(line).add(sine(step.hertz, step.seconds, TONE_RATE))
            elif self._speak is not None:
                try:
                    self._feed(line).add(await self._speak(SpokenText(step.text)))
                except SourceFailed as failed:
                    log.warning("the carrier could not say %r: %s", step.text, failed)
            else:
                log.warning("the carrier has no voice to say %r", step.text)

    def _take(self, owner: str, fact: Fact) -> None:
        line = self._lines.get(owner)
        if line is not None and isinstance(fact, DigitHeard):
            line.digits += fact.digit


class _EchoTap:
    """Sends back what a call hears. Called on the media thread; the feed wants the loop's."""

    def __init__(self, leg: str, feed: Feed) -> None:
        self._leg, self._feed = leg, feed
        self._loop = asyncio.get_running_loop()

    def __call__(self, frame: Frame) -> None:
        voice = frame.voices.get(self._leg)
        if voice is not None and np.any(voice) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(partial(self._feed.add, Clip(voice.copy(), frame.rate)))


def _wrong(agreed: Srtp | None, before: StartMedia | None) -> Srtp:
    """Keys that nobody agreed on; the same ones for as long as the call lasts."""
    if before is not None and before.srtp is not None and before.srtp != agreed:
        return before.srtp
    suite = agreed.suite if agreed else SUITES[0]
    heard = agreed.receive_key if agreed else secrets.token_bytes(KEY_BYTES)
    return Srtp(suite, secrets.token_bytes(KEY_BYTES), heard)


def _nothing() -> None:
    """The first sound goes out: nobody asks."""


def _nothing_more(_played_ms: int) -> None:
    """A feed of the carrier is never finished."""
