"""What we are willing to speak with a peer: codecs in their order, and whether media is encrypted."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from onhook.sip.sdes import SUITES, Crypto, key_for
from onhook.sip.sdp import Codec

Secrecy: TypeAlias = Literal["off", "optional", "required"]
SECRECIES: tuple[Secrecy, ...] = get_args(Secrecy)

VOICES: Final = {
    "PCMU": Codec(0, "PCMU", 8000),
    "PCMA": Codec(8, "PCMA", 8000),
    "G722": Codec(9, "G722", 8000),  # 16 kHz in truth: the clock is RFC 3551's mistake, kept for ever
    "opus": Codec(111, "opus", 48_000, 2),  # always two channels in SDP, whatever is sent (RFC 7587)
}
"""Under the payload types that we offer them with."""
EVENTS: Final = {
    8_000: Codec(101, "telephone-event", 8_000, 1, "0-16"),
    48_000: Codec(110, "telephone-event", 48_000, 1, "0-16"),
}
"""Digits (RFC 4733), by the clock of the voices beside which they are sent."""
COMFORT_NOISE: Final = Codec(13, "CN", 8_000)
"""RFC 3389. Never offered, for who may fall silent looks like who is gone; understood where it comes."""
DEFAULT_CODECS: Final = tuple(VOICES)


@dataclass(frozen=True, slots=True)
class Terms:
    """`codecs` are names of VOICES, the best first. `secret` makes our keys; without one SRTP is off.

    `srtp`: "off" offers and takes plain RTP only; "required" SRTP only. "optional" takes either, and offers
    RTP/AVP with a=crypto lines: who knows no SRTP passes them over, and who does answers with a key. It is
    what the phones and SBCs on the market call best effort. The clean ways fail in the field: RTP/SAVP alone
    is refused by who has none, two m= lines are often answered with the wrong one or none, and hardly anybody
    reads capabilities (RFC 5939).
    """

    codecs: tuple[str, ...] = DEFAULT_CODECS
    srtp: Secrecy = "off"
    secret: bytes = b""

    @property
    def secrecy(self) -> Secrecy:
        return self.srtp if self.secret else "off"

    @property
    def voices(self) -> tuple[Codec, ...]:
        return tuple(VOICES[name] for name in self.codecs)

    @property
    def offered(self) -> tuple[Codec, ...]:
        """All of an offer: voices, and digits for each clock among them.

        And for that of the telephone: many phones know no other for keys, beside Opus too.
        """
        voices = self.voices
        clocks = {8_000, *(voice.clock_rate for voice in voices)} if voices else set[int]()
        return (*voices, *(EVENTS[clock] for clock in sorted(clocks)))

    @property
    def protocol(self) -> str:
        """Of our offers."""
        return "RTP/SAVP" if self.secrecy == "required" else "RTP/AVP"

    @property
    def keys(self) -> tuple[Crypto, ...]:
        """Of our offers; a tag for each suite."""
        if self.secrecy == "off":
            return ()
        return tuple(Crypto(tag, suite, self.key(suite)) for tag, suite in enumerate(SUITES, 1))

    def key(self, suite: str) -> bytes:
        return key_for(self.secret, suite)
