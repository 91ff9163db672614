"""Digits as they are pressed (RFC 4733), and as ACS calls them."""

from onhook.acs.models import Tone

TONES: dict[str, Tone] = {
    "0": Tone.ZERO,
    "1": Tone.ONE,
    "2": Tone.TWO,
    "3": Tone.THREE,
    "4": Tone.FOUR,
    "5": Tone.FIVE,
    "6": Tone.SIX,
    "7": Tone.SEVEN,
    "8": Tone.EIGHT,
    "9": Tone.NINE,
    "A": Tone.A,
    "B": Tone.B,
    "C": Tone.C,
    "D": Tone.D,
    "#": Tone.POUND,
    "*": Tone.ASTERISK,
}
DIGITS: dict[Tone, str] = {tone: digit for digit, tone in TONES.items()}
