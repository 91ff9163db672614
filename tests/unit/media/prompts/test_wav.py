"""WAV files: what may be played is, bit for bit; what may not is named."""

import io
import re
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.prompts.wav import MAX_CHUNKS, NotPlayable, NotWav, read_wav
from wav_files import PCM_GUID, chunk, extensible, form, riff, tone, wav

SOUND = tone()
DATA = chunk(b"data", SOUND.tobytes())

PLAYABLE = {
    "plain": riff(form(), DATA),
    "written to a pipe by ffmpeg": riff(form(), chunk(b"data", SOUND.tobytes(), 0xFFFFFFFF), size=0xFFFFFFFF),
    "written to a pipe by sox": riff(form(), chunk(b"data", SOUND.tobytes(), 0x7FFFF000), size=0x7FFFF024),
    "size never filled in": riff(form(), chunk(b"data", SOUND.tobytes(), 0), size=0),
    "a riff size that is wrong": riff(form(), DATA, size=4),
    "extensible": riff(extensible(), DATA),
    "extensible without valid bits": riff(extensible(valid=0), DATA),
    "chunks before": riff(chunk(b"LIST", b"INFOISFT\6\0\0\0Lavf60"), form(), DATA),
    "an odd chunk between": riff(form(), chunk(b"note", b"odd"), DATA),
    "an empty chunk between": riff(form(), chunk(b"JUNK", b""), DATA),
    "chunks after": riff(form(), DATA, chunk(b"LIST", b"INFO")),
    "a fact chunk": riff(form(), chunk(b"fact", b"\0\0\0\0"), DATA),
    "a long format chunk": riff(
        chunk(b"fmt ", bytes.fromhex("01000100803e0000007d000002001000") + b"\0\0"), DATA
    ),
}


@pytest.mark.parametrize("name", PLAYABLE)
def test_it_is_played_bit_for_bit(name: str) -> None:
    clip = read_wav(PLAYABLE[name])
    assert clip.rate == 16_000
    assert clip.samples.dtype == np.int16
    assert np.array_equal(clip.samples, SOUND)


def test_what_the_standard_library_writes_is_read() -> None:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((1, 2, 16_000, len(SOUND), "NONE", ""))
        file.writeframes(SOUND.tobytes())
    assert np.array_equal(read_wav(written.getvalue()).samples, SOUND)


NAMED = {
    "stereo": (wav(SOUND, channels=2), "it is WAV, PCM, 16 bits, stereo, 16 kHz"),
    "six channels": (wav(SOUND, channels=6), "6 channels"),
    "rate": (wav(SOUND, rate=44_100), "it is WAV, PCM, 16 bits, mono, 44.1 kHz"),
    "telephone rate": (wav(SOUND, rate=8_000), "mono, 8 kHz"),
    "eight bits": (wav(SOUND, bits=8), "WAV, PCM, 8 bits, mono"),
    "24 bits": (wav(SOUND, bits=24), "24 bits"),
    "µ-law": (wav(SOUND, tag=7, bits=8, rate=8000), "it is WAV, µ-law, 8 bits, mono, 8 kHz"),
    "A-law": (wav(SOUND, tag=6, bits=8, rate=8000), "A-law"),
    "float": (wav(SOUND, tag=3, bits=32), "floating point, 32 bits"),
    "mp3 in wav": (wav(SOUND, tag=0x55, bits=0), "it is WAV, MP3, mono"),
    "unknown tag": (wav(SOUND, tag=0x1234), "format 0x1234"),
    "extensible float": (riff(extensible(b"\3" + PCM_GUID[1:]), DATA), "floating point"),
    "extensible of its own kind": (riff(extensible(b"\1" * 16), DATA), "format 0xfffe"),
    "20 valid bits": (riff(extensible(valid=12), DATA), "12 bits"),
    "align": (wav(SOUND, align=4), "contradicts itself: 4 bytes for 16 bits of mono"),
    "RF64": (riff(form(), DATA, name=b"RF64"), "it is RF64, the format for WAV files over 4 GB"),
    "BW64": (riff(form(), DATA, name=b"BW64"), "it is BW64"),
    "RIFX": (riff(form(), DATA, name=b"RIFX"), "big-endian"),
    "data first": (riff(DATA, form()), "no format chunk before its sound"),
    "no data": (riff(form()), "there is no data chunk"),
    "empty data": (riff(form(), chunk(b"data", b"")), "its data chunk is empty"),
    "half a sample": (riff(form(), chunk(b"data", b"\1")), "its data chunk is empty"),
    "header only": (riff(), "there is no data chunk"),
    "short format": (riff(chunk(b"fmt ", b"\1\0\1\0"), DATA), "format chunk has 4 bytes instead of 16"),
    "short extensible": (
        riff(chunk(b"fmt ", bytes.fromhex("feff0100803e0000007d000002001000")), DATA),
        "extensible format has 16 bytes instead of 40",
    ),
    "cut off": (riff(form(), DATA)[:-100], r"cut off: 3100 of 3200 bytes of sound are there"),
    "cut off in a chunk": (riff(form(), chunk(b"LIST", b"x" * 10, 1000)), "its chunk b'LIST' does not end"),
    "endless chunks": (
        riff(*[chunk(b"JUNK", b"")] * (MAX_CHUNKS + 1), form(), DATA),
        "there is no data chunk",
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_it_is_named_instead(name: str) -> None:
    data, problem = NAMED[name]
    with pytest.raises(NotPlayable, match=re.escape(problem)) as refused:
        read_wav(data)
    assert not isinstance(refused.value, NotWav)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"ID3\4", b"<html>", b"RIFF\0\0\0\0AVI ", b"WAVE" * 10])
def test_what_is_something_else_altogether_is_told_apart(data: bytes) -> None:
    with pytest.raises(NotWav):
        read_wav(data)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, headed: bool) -> None:  # noqa: FBT001  # drawn
    try:
        said = str(len(read_wav(riff(form(), data) if headed else data).samples))
    except NotPlayable as refusal:
        said = str(refusal)
    assert said != "0"
    assert said.isdigit() or said.startswith("it is")


@given(st.data())
def test_a_file_with_any_byte_changed_or_cut_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(riff(extensible(), chunk(b"note", b"odd"), chunk(b"data", SOUND[:50].tobytes())))
    where = data.draw(st.integers(0, len(whole) - 1))
    whole[where] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        clip = read_wav(bytes(whole[:cut]))
    except NotPlayable:
        return
    assert 0 < len(clip.samples) <= 50
