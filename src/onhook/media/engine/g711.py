"""G.711 by tables: decoding, and encoding together with a soft limit (ITU-T G.711; RFC 3551 section 4.5.14).

A sum of voices may leave 16 bits. The encoding table takes 17 bits and more, and bends what is louder than
`KNEE` towards full scale, so that two loud talkers sound loud and not broken.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PCMU: Final = 0
PCMA: Final = 1
KNEE: Final = 24_576
FULL_SCALE: Final = 32_767
LOUDEST_SUM: Final = 131_071
"""Sums beyond it are cut: four voices at full scale."""
SILENCE: Final = (0xFF, 0xD5)
"""Amplitude zero, by codec."""
_ORIGIN: Final = LOUDEST_SUM + 1
_SPAN: Final = 2 * _ORIGIN


def _mu_law() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = code >> 4 & 7, code & 15
    magnitude = ((mantissa * 8 + 132) << exponent) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _a_law() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    magnitude = np.where(
        exponent == 0, mantissa * 16 + 8, (mantissa * 16 + 264) << np.maximum(exponent - 1, 0)
    )
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest(levels: NDArray[np.int16], silence: int) -> NDArray[np.uint8]:
    """The code whose level is nearest, for each 16-bit value from -32768 up; zero is `silence`."""
    order = np.argsort(levels, kind="stable")
    sorted_levels = levels[order].astype(np.int32)
    middles = (sorted_levels[1:] + sorted_levels[:-1] + 1) // 2
    values = np.arange(-32_768, 32_768)
    codes = order[np.searchsorted(middles, values, side="right")].astype(np.uint8)
    codes[values == 0] = silence
    return codes


def softly_limited(sums: NDArray[Any]) -> NDArray[np.int16]:
    """16 bits of any sums: unchanged up to `KNEE`, bent towards full scale beyond."""
    places = np.clip(sums.astype(np.int32), -_ORIGIN, LOUDEST_SUM) + _ORIGIN
    return LIMITED.take(places)


def _limits() -> NDArray[np.int16]:
    sums = np.arange(-_ORIGIN, _ORIGIN)
    room = FULL_SCALE - KNEE
    beyond = np.abs(sums) - KNEE
    bent = KNEE + room * np.tanh(np.maximum(beyond, 0) / room)
    return np.where(beyond > 0, np.sign(sums) * bent, sums).astype(np.int16)


LEVELS: Final = np.stack((_mu_law(), _a_law()))
"""LEVELS[codec, code]: 16-bit linear."""
LIMITED: Final = _limits()
_CODES: Final = np.concatenate(
    [_nearest(LEVELS[codec], SILENCE[codec])[LIMITED.astype(np.int32) + 32_768] for codec in (PCMU, PCMA)]
)
_FLAT_LEVELS: Final = LEVELS.reshape(-1)


def decode(codes: NDArray[np.uint8], codecs: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
    """Linear samples of rows of codes; `codecs` has PCMU or PCMA for each row."""
    if not codecs.any():
        return _FLAT_LEVELS.take(codes)
    return _FLAT_LEVELS.take(codes + (codecs.astype(np.int16) << 8)[:, None])


def encode(sums: NDArray[np.int32], codecs: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Codes of rows of sums, softly limited. `sums` is used up: it holds something else afterwards."""
    np.clip(sums, -_ORIGIN, LOUDEST_SUM, out=sums)
    sums += (codecs.astype(np.int32) * _SPAN + _ORIGIN)[:, None]
    return _CODES.take(sums)
