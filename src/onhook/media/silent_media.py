"""Media without sockets or sound, for tests and virtual time: each effect is performed, and takes its time.

What really plays, listens and records is the studio beside an engine; this tells the same facts. How long a
prompt takes, what is said and what fails is arranged by the test.
"""

from collections.abc import Callable
from typing import TypeAlias

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
from onhook.facts import Fact, MediaMeasured
from onhook.media.settings import MediaSettings
from onhook.media.silent_captures import SilentCaptures
from onhook.media.silent_ears import SilentEars
from onhook.media.silent_legs import SilentLegs
from onhook.media.silent_prompts import PromptPlan, SilentPrompts
from onhook.media.silent_telling import Telling

CaptureEffect: TypeAlias = (
    OpenStream | UpdateStream | CloseStream | StartRecording | ChangeRecording | StopRecording
)


class SilentMedia:
    """`now` gives Unix seconds. Facts are told on the running loop, never before the request returned.

    While `far_end_talks`, every started leg receives a packet each 20 ms; else only what `hear` says.

    To arrange: `prompts` (URI, text or SSML to milliseconds or fault), `ears.say` and `ears.fault`,
    `captures.stream_faults` and `recording_fault`, and what the far end does: `hear`, `hear_digit`, `talk`,
    `fall_silent`. To look at: `rooms`, `effects`, and what plays, listens and records.
    """

    def __init__(
        self, settings: MediaSettings | None = None, *, now: Callable[[], float], far_end_talks: bool = True
    ) -> None:
        self._telling = Telling(now)
        settings = settings or MediaSettings()
        self._legs = SilentLegs(settings, self._telling, far_end_talks=far_end_talks)
        self.rooms: dict[str, Mix] = {}
        self.effects: list[MediaEffect] = []
        """Everything that was asked, in order."""
        self.prompts: dict[str, PromptPlan] = {}
        self.player = SilentPrompts(self._telling, self.prompts, settings.tone_ms + settings.tone_gap_ms)
        self.ears = SilentEars(self._telling)
        self.captures = SilentCaptures(self._telling, self._voices)

    def open(self, leg: str) -> tuple[str, int]:
        """Reserve a port number for `leg`. Raises PortsUsedUp."""
        return self._legs.open(leg)

    def perform(self, effect: MediaEffect) -> None:
        self.effects.append(effect)
        match effect:
            case StartMedia():
                self.start(effect)
            case Mix():
                self.mix(effect)
            case PlayPrompt():
                self.player.play(effect)
            case StopPrompt():
                self.player.stop(effect.id)
            case SendDigits():
                self.send_digits(effect)
            case Listen():
                self.ears.listen(effect)
            case StopListening():
                self.ears.stop(effect.id)
            case _:
                self._capture(effect)

    def _capture(self, effect: CaptureEffect) -> None:
        match effect:
            case OpenStream():
                self.captures.open_stream(effect)
            case CloseStream():
                self.captures.close_stream(effect.id)
            case StartRecording():
                self.captures.start_recording(effect)
            case ChangeRecording():
                self.captures.change_recording(effect)
            case StopRecording():
                self.captures.stop_recording(effect.id, effect.why)
            case UpdateStream():  # names and locales change no fact
                pass

    def start(self, effect: StartMedia) -> None:
        self._legs.start(effect)

    def mix(self, effect: Mix) -> None:
        """A room without voices is forgotten: what was played, heard and recorded there ends."""
        room = effect.room
        if not effect.voices:
            self.player.stop_room(room)
            self.ears.stop_room(room)
            self.captures.end_room(room)
            self.rooms.pop(room, None)
            return
        for other, known in list(self.rooms.items()):  # a leg is in one room at most
            here = {voice.leg for voice in effect.voices}
            if other != room and any(voice.leg in here for voice in known.voices):
                left = tuple(voice for voice in known.voices if voice.leg not in here)
                self._fill(Mix(other, left))
        self._fill(effect)

    def send_digits(self, effect: SendDigits) -> None:
        agreed = self._legs.agreed(effect.leg)
        why_not = ""
        if agreed is None:
            why_not = f"leg {effect.leg} has no media"
        elif agreed.telephone_event is None:
            why_not = "the far end takes no digits: its description has no telephone-event"
        self.player.send_digits(effect, why_not)

    def close(self, leg: str) -> MediaMeasured:
        """The counts of `leg`, and its port rests. An unknown leg has counted nothing."""
        self.ears.stop_leg(leg)
        return self._legs.close(leg)

    def on_fact(self, handler: Callable[[str, Fact], None]) -> None:
        self._telling.handler = handler

    def stop(self) -> None:
        """Everything is forgotten, and nothing is told any more."""
        self._telling.close()
        self._legs.clear()
        self.rooms.clear()

    # What the far end does

    def hear(self, leg: str, packets: int = 1) -> None:
        """Let `packets` arrive for `leg` now; for an unknown leg they are lost."""
        self._legs.hear(leg, packets)

    def hear_unusable(self, leg: str, packets: int, *, wrong_type: int | None = None) -> None:
        """Let RTP arrive under a payload type that was not agreed on; or, without one, with wrong keys."""
        self._legs.hear_unusable(leg, packets, wrong_type)

    def hear_digit(self, leg: str, digit: str, duration_ms: int = 100) -> None:
        """A key is pressed at the far end; without telephone-event agreed on it is not heard."""
        self._legs.hear_digit(leg, digit, duration_ms)

    def talk(self, leg: str) -> None:
        self._legs.talk(leg)

    def talk_unusably(self, leg: str, wrong_type: int | None) -> None:
        """As `talk`, and each packet is as in `hear_unusable`."""
        self._legs.talk_unusably(leg, wrong_type)

    def report(self, leg: str, lost: int) -> None:
        """The far end reports (RTCP) how many of our packets did not arrive."""
        self._legs.report(leg, lost)

    def fall_silent(self, leg: str) -> None:
        self._legs.fall_silent(leg)

    def say(self, leg: str, text: str, after: float = 0.0) -> None:
        """See SilentEars.say."""
        self.ears.say(leg, text, after)

    def leg_at(self, port: int) -> str | None:
        """The leg that `open` gave this port."""
        return self._legs.at(port)

    @property
    def legs(self) -> int:
        return len(self._legs)

    def _fill(self, mix: Mix) -> None:
        self.captures.room_changes(mix.room)
        self.rooms[mix.room] = mix
        self.captures.room_changed(mix.room)

    def _voices(self, room: str) -> int:
        known = self.rooms.get(room)
        return sum(1 for voice in known.voices if not voice.muted and not voice.held) if known else 0
