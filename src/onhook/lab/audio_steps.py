"""What the carrier does with audio: steps of a scenario, as data. audio_lines.py reads and writes them."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from onhook.sip.terms import Secrecy

DIGIT_MS: Final = 200
"""A key pressed for 100 ms, and as long a pause."""
MS_A_CHARACTER: Final = 60
"""Of speech, about; a real voice takes its own time, and the next step does not wait for it longer."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Press these keys, one after the other (RFC 4733)."""

    digits: str

    @property
    def seconds(self) -> float:
        return len(self.digits) * DIGIT_MS / 1000


@dataclass(frozen=True, slots=True)
class Says:
    """Say this."""

    text: str

    @property
    def seconds(self) -> float:
        return len(self.text) * MS_A_CHARACTER / 1000


@dataclass(frozen=True, slots=True)
class Tone:
    """Send a sine tone, at -10 dBov."""

    hertz: int
    milliseconds: int

    @property
    def seconds(self) -> float:
        return self.milliseconds / 1000


@dataclass(frozen=True, slots=True)
class SendRtp:
    """Send RTP to the address in the offer, or stop. An answer starts it by itself."""

    sending: bool = True


@dataclass(frozen=True, slots=True)
class RtpAs:
    """Send RTP under a payload type that nobody agreed on."""

    payload_type: int


@dataclass(frozen=True, slots=True)
class WrongKey:
    """Send SRTP that is protected with another key than was agreed on; without SRTP it is noise."""


@dataclass(frozen=True, slots=True)
class HearsOnly:
    """Send no RTP, and report (RTCP) that ours arrives: only one way is open."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Send back what comes, from now on."""


@dataclass(frozen=True, slots=True)
class Codecs:
    """Offer and answer with these codecs alone; in an answer even if they were not offered."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SrtpManner:
    """Offer and answer SRTP as said; "required" and "off" even if the other side wants it otherwise."""

    srtp: Secrecy


@dataclass(frozen=True, slots=True)
class NoEvents:
    """Offer and answer without telephone-event."""


SoundStep: TypeAlias = Digits | Says | Tone | SendRtp | RtpAs | WrongKey | HearsOnly | Echo
MannerStep: TypeAlias = Codecs | SrtpManner | NoEvents

TIMED: Final = (Digits, Says, Tone)
"""The next step waits until they are over."""
SOUNDS: Final = (Digits, Says, Tone, SendRtp, RtpAs, WrongKey, HearsOnly, Echo)
MANNERS: Final = (Codecs, SrtpManner, NoEvents)
"""What they say holds for the whole call, wherever they stand."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a far end describes its media. `codecs` empty: all that we have; `srtp` None: as it is offered."""

    codecs: tuple[str, ...] = ()
    srtp: Secrecy | None = None
    events: bool = True

    @property
    def stubborn(self) -> bool:
        """Does it answer in its own way, even if that was not offered?"""
        return bool(self.codecs) or self.srtp in {"off", "required"}


def manner_of(steps: tuple[object, ...]) -> Manner:
    """What the manner steps among `steps` come to; the last one of a kind counts."""
    manner = Manner()
    for step in steps:
        match step:
            case Codecs():
                manner = Manner(step.names, manner.srtp, manner.events)
            case SrtpManner():
                manner = Manner(manner.codecs, step.srtp, manner.events)
            case NoEvents():
                manner = Manner(manner.codecs, manner.srtp, events=False)
            case _:
                pass
    return manner
