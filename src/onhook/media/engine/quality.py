"""How a leg sounds, as a number: the E-model (ITU-T G.107) from codec, lost packets and delay.

All of the model's other parameters have their defaults, so that the best R is 93.2.
"""

from typing import Final

BEST: Final = 93.2
IMPAIRMENTS: Final = {"PCMU": (0.0, 25.1), "PCMA": (0.0, 25.1), "G722": (0.0, 25.1), "OPUS": (0.0, 20.0)}
"""By codec: Ie, and Bpl, how well it bears loss. G.711 with concealment: G.113 Appendix I. The model knows
telephone sound only: the others are taken as no worse (assumed), so their MOS tells of the network."""
UNKNOWN_CODEC: Final = (11.0, 19.0)
"""G.729A, which others like it resemble (G.113 Appendix I)."""


def rating(codec: str, lost: float, delay_ms: float) -> float:
    """R, 0 to 100. `lost` is the part of packets that could not be played, 0 to 1; `delay_ms` is one way."""
    equipment, robustness = IMPAIRMENTS.get(codec.upper(), UNKNOWN_CODEC)
    percent = 100 * lost
    effective = equipment + (95 - equipment) * percent / (percent + robustness)
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    return max(0.0, BEST - delay - effective)


def mos(r: float) -> float:
    """The mean opinion score that goes with R, 1 to 4.5 (G.107 Annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, min(4.5, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6))
