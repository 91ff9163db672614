"""Lines of scenarios about the carrier's audio: `carrier: digits 1234#`, `carrier: says "sales"` …"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from onhook.lab.audio_steps import (
    Codecs,
    Digits,
    Echo,
    HearsOnly,
    NoEvents,
    RtpAs,
    Says,
    SendRtp,
    SrtpManner,
    Tone,
    WrongKey,
)
from onhook.lab.scenario_lines import Wrong, duration, parse_milliseconds, unquoted
from onhook.sip.terms import SECRECIES, VOICES

AudioStep: TypeAlias = (
    Digits | Says | Tone | SendRtp | RtpAs | WrongKey | HearsOnly | Echo | Codecs | SrtpManner | NoEvents
)

MAX_DIGITS: Final = 1_000
MAX_SPOKEN_CHARACTERS: Final = 500
HIGHEST_HERTZ: Final = 8_000

FOREIGN_CODECS: Final = {"G729": (18, 8_000), "GSM": (3, 8_000), "G723": (4, 8_000), "iLBC": (97, 8_000)}
"""Codecs that the carrier can name and nobody here speaks: payload type and clock rate."""

FIXED_AUDIO: dict[str, AudioStep] = {
    "carrier: rtp": SendRtp(sending=True),
    "carrier: no rtp": SendRtp(sending=False),
    "carrier: rtp with wrong key": WrongKey(),
    "carrier: hears only": HearsOnly(),
    "carrier: echo": Echo(),
    "carrier: no telephone-event": NoEvents(),
}
ALIASES: dict[str, AudioStep] = {
    "carrier: rtp on": SendRtp(sending=True),
    "carrier: rtp off": SendRtp(sending=False),
}
"""Other spellings; they are written as above."""

AUDIO_FORMS: Final = (
    *FIXED_AUDIO,
    "carrier: rtp as 18",
    "carrier: digits 1234#",
    'carrier: says "sales"',
    "carrier: tone 440 Hz 2 s",
    "carrier: codecs PCMA opus",
    "carrier: srtp required",
)

_DIGITS = re.compile(r"[0-9A-D*#]+")
_TONE = re.compile(r"(\d{1,5}) ?Hz (.+)")


def _parse_digits(rest: str) -> Digits:
    if not _DIGITS.fullmatch(rest) or len(rest) > MAX_DIGITS:
        raise Wrong(
            f"{rest[:40]!r} are no digits", f"Write digits 1234#: 0-9, *, #, A-D, at most {MAX_DIGITS}."
        )
    return Digits(rest)


def _parse_says(rest: str) -> Says:
    text = unquoted(rest)
    if not text.strip() or len(text) > MAX_SPOKEN_CHARACTERS:
        raise Wrong(f"{rest[:40]!r} cannot be said", f'Write says "sales", at most {MAX_SPOKEN_CHARACTERS}.')
    return Says(text)


def _parse_tone(rest: str) -> Tone:
    matched = _TONE.fullmatch(rest)
    if matched is None or not 1 <= int(matched[1]) <= HIGHEST_HERTZ:
        raise Wrong(f"{rest[:40]!r} is no tone", f"Write tone 440 Hz 2 s, at most {HIGHEST_HERTZ} Hz.")
    return Tone(int(matched[1]), parse_milliseconds(matched[2], "tone 440 Hz 2 s"))


def _parse_rtp(rest: str) -> RtpAs:
    number = rest.removeprefix("as ")
    if not (number.isascii() and number.isdigit()) or number == rest or int(number) > 127:
        raise Wrong(f"rtp {rest[:40]!r} is unknown", "Write rtp, no rtp, rtp as 18 or rtp with wrong key.")
    return RtpAs(int(number))


def _parse_codecs(rest: str) -> Codecs:
    names = tuple(rest.removesuffix(" only").split())
    unknown = next((name for name in names if name not in VOICES and name not in FOREIGN_CODECS), "")
    if unknown or not names or len(set(names)) < len(names):
        known = ", ".join((*VOICES, *FOREIGN_CODECS))
        raise Wrong(f"{rest[:40]!r} are no codecs", f"Write codecs PCMA opus; known are {known}, each once.")
    return Codecs(names)


def _parse_srtp(rest: str) -> SrtpManner:
    for secrecy in SECRECIES:
        if rest == secrecy:
            return SrtpManner(secrecy)
    raise Wrong(f"srtp {rest[:20]!r} is unknown", "Write srtp off, srtp optional or srtp required.")


AUDIO_READERS: dict[tuple[str, str], Callable[[str], AudioStep]] = {
    ("carrier", "digits"): _parse_digits,
    ("carrier", "says"): _parse_says,
    ("carrier", "tone"): _parse_tone,
    ("carrier", "rtp"): _parse_rtp,
    ("carrier", "codec"): _parse_codecs,
    ("carrier", "codecs"): _parse_codecs,
    ("carrier", "srtp"): _parse_srtp,
}


def write_audio(step: AudioStep) -> str:
    match step:
        case Digits():
            return f"carrier: digits {step.digits}"
        case Says():
            return f'carrier: says "{step.text}"'
        case Tone():
            return f"carrier: tone {step.hertz} Hz {duration(step.milliseconds)}"
        case RtpAs():
            return f"carrier: rtp as {step.payload_type}"
        case Codecs():
            return f"carrier: codecs {' '.join(step.names)}"
        case SrtpManner():
            return f"carrier: srtp {step.srtp}"
        case _:
            return next(text for text, fixed in FIXED_AUDIO.items() if fixed == step)
