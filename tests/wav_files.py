"""WAV files for tests, right and wrong."""

import struct

import numpy as np

from onhook.media.parts import Samples

PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def tone(seconds: float = 0.1, hertz: float = 440.0, rate: int = 16_000) -> Samples:
    times = np.arange(round(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    padding = b"\0" * (len(body) & 1)
    return name + struct.pack("<I", len(body) if size is None else size) + body + padding


def form(
    tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, align: int | None = None
) -> bytes:
    align = channels * bits // 8 if align is None else align
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits))


def extensible(subformat: bytes = PCM_GUID, valid: int = 16, rate: int = 16_000) -> bytes:
    head = struct.pack("<HHIIHH", 0xFFFE, 1, rate, rate * 2, 2, 16)
    return chunk(b"fmt ", head + struct.pack("<HHI", 22, valid, 4) + subformat)


def riff(*chunks: bytes, name: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return name + struct.pack("<I", len(body) if size is None else size) + body


def wav(samples: Samples, **format_fields: int) -> bytes:
    return riff(form(**format_fields), chunk(b"data", samples.tobytes()))
