"""What a far end on virtual time does with audio, told to the silent engine: nothing sounds, all is heard.

The far end knows where it sends to by our description, and the silent engine which leg has that port.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from onhook.facts import PromptFault
from onhook.lab.app_steps import ServerFail, ServerLose
from onhook.lab.audio_steps import DIGIT_MS, Digits, HearsOnly, RtpAs, Says, SendRtp, SoundStep, WrongKey
from onhook.lab.far_end import Caller
from onhook.media.silent_media import SilentMedia
from onhook.media.silent_prompts import Failing, PromptPlan

PRESSED_MS = DIGIT_MS // 2
A_WHILE_SECONDS = 3.0
"""Between the loss of a stream and what follows."""
NEVER = 0
"""Packets of ours that never arrive at a far end that hears all."""


class VirtualSounds:
    """`media` gives the engine of the server that runs now."""

    def __init__(self, media: Callable[[], SilentMedia]) -> None:
        self._media = media
        self._early: dict[str, list[SoundStep]] = {}
        """By call: what was to be done before media was agreed on."""

    def follow(self, call: Caller) -> None:
        """The media of a call may have changed."""
        if call.agreed is not None:
            for step in self._early.pop(call.name, []):
                self.perform(call, step)

    def perform(self, call: Caller, step: SoundStep) -> None:
        """Let the far end do this now. Where our leg is gone, nobody hears it."""
        agreed, media = call.agreed, self._media()
        if agreed is None:
            self._early.setdefault(call.name, []).append(step)
        elif (leg := media.leg_at(agreed.port)) is not None:
            _perform(media, leg, step, secured=agreed.srtp is not None)


def _perform(media: SilentMedia, leg: str, step: SoundStep, *, secured: bool) -> None:
    match step:
        case Digits():
            for place, digit in enumerate(step.digits):
                _later(place * DIGIT_MS / 1000, media.hear_digit, leg, digit, PRESSED_MS)
        case Says():
            media.say(leg, step.text)
        case SendRtp(sending=True):
            media.talk(leg)
        case SendRtp():
            media.fall_silent(leg)
        case HearsOnly():
            media.fall_silent(leg)
            media.report(leg, lost=NEVER)
        case RtpAs():
            media.talk_unusably(leg, step.payload_type)
        case WrongKey() if secured:
            media.talk_unusably(leg, None)
        case _:
            pass  # tones and echoes change nothing that is counted or understood; nor does noise


def _later(seconds: float, do: Callable[[str, str, int], None], leg: str, digit: str, ms: int) -> None:
    asyncio.get_running_loop().call_later(seconds, do, leg, digit, ms)


def fail(media: SilentMedia, step: ServerFail) -> None:
    """From now on, this fails."""
    failing = Failing("internal", step.detail, step.status)
    match step.what:
        case "prompt":
            media.prompts[step.name] = _plan(step)
        case "recognizer":
            media.ears.fault = failing
        case "stream":
            media.captures.stream_faults[step.name] = failing
        case "recording":
            media.captures.recording_fault = failing
        case "trunk":
            pass  # the network's, not a sound's


def _plan(step: ServerFail) -> PromptPlan:
    return Failing(cast("PromptFault", step.fault), step.detail or f"arranged: {step.fault}", step.status)


def lose(media: SilentMedia, step: ServerLose) -> None:
    """Break the streams that are open; what becomes of them shows a while later."""
    captures = media.captures
    for stream in [each.id for each in captures.streams]:
        captures.lose_stream(stream)
        loop = asyncio.get_running_loop()
        if step.again:
            loop.call_later(A_WHILE_SECONDS, captures.reopen_stream, stream)
        else:
            loop.call_later(
                A_WHILE_SECONDS, captures.fail_stream, stream, Failing(detail="it could not be opened again")
            )
