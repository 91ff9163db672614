"""Digits sent to a leg as telephone-events (RFC 4733): an update each 20 ms, the end three times."""

from typing import Final, NamedTuple

from onhook.media.engine.digits_in import KEYS
from onhook.media.engine.rows import FRAME

ENDS: Final = 3
VOLUME: Final = 10
"""-10 dBm0: as telephones send it."""
_END: Final = 0x80
_LONGEST: Final = 0xFFFF


class Tones(NamedTuple):
    """In samples at 8,000 Hz."""

    tone: int
    gap: int


class Update(NamedTuple):
    payload: bytes
    first: bool
    """Begins a tone: its packet is marked, and its timestamp holds for all that follow."""


class DigitsOut:
    """One string of digits, tick by tick."""

    def __init__(self, digits: str, tones: Tones, clock: int = 8000) -> None:
        """`clock` is that of events, in Hz. Raises ValueError for what is no digit."""
        unknown = sorted(set(digits.upper()) - set(KEYS))
        if unknown:
            raise ValueError(f"{''.join(unknown)!r} cannot be sent: a digit is one of {KEYS}")
        self._keys = [KEYS.index(digit) for digit in digits.upper()]
        self._tones, self._scale = tones, clock // 8000
        self._number = 0
        self._elapsed = 0
        """Samples since the tone began."""
        self._ends = 0
        self.sent = 0
        """Digits whose tone is over."""

    @property
    def over(self) -> bool:
        return self._number >= len(self._keys)

    def tick(self) -> Update | None:
        """What goes out in these 20 ms instead of voice; None in the gap between two tones."""
        tone = min(self._tones.tone, _LONGEST // self._scale)
        first = self._elapsed == 0
        self._elapsed += FRAME
        if self._elapsed < tone:
            return Update(self._payload(self._elapsed, end=False), first)
        if self._ends < ENDS:
            self._ends += 1
            self.sent += self._ends == 1
            update = Update(self._payload(tone, end=True), first)
            self._step(tone)
            return update
        self._step(tone)
        return None

    def _step(self, tone: int) -> None:
        """On to the next digit, once its end was sent three times and the gap is over."""
        last = self._number == len(self._keys) - 1
        if self._ends == ENDS and (last or self._elapsed >= tone + self._tones.gap):
            self._number += 1
            self._elapsed = self._ends = 0

    def _payload(self, duration: int, *, end: bool) -> bytes:
        key = self._keys[self._number]
        duration *= self._scale
        return bytes((key, (_END if end else 0) | VOLUME, duration >> 8, duration & 0xFF))
