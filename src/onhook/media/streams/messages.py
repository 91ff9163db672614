"""The messages of a stream, both ways: JSON texts on a WebSocket.

What we send is documented (Microsoft, "Audio streaming concepts", "Real-time transcription"), and validated
with the JavaScript SDK's own parser. What an application sends comes in two spellings (validated: the
JavaScript SDK writes `kind`, Microsoft's Python samples write `Kind`), so names are read in any case, and
`kind` decides. assumed: `offset` and `duration` of a transcription are ticks (100 ns) since its stream was
asked for; Microsoft's samples show ticks counted backwards from the end of time there.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np

from onhook.acs.errors import shown
from onhook.effects import OpenStream
from onhook.facts import HeardWord, SpeechHeard
from onhook.media.parts import Samples

TICKS_A_MS: Final = 10_000
BYTES_A_SAMPLE: Final = 2
FRAMES_A_SECOND: Final = 50
MAX_KIND_CHARACTERS: Final = 40

# What we send


def audio_metadata(stream: OpenStream) -> bytes:
    """The first message of an audio stream; `length` is the bytes of each frame."""
    return msgspec.json.encode(
        {
            "kind": "AudioMetadata",
            "audioMetadata": {
                "subscriptionId": stream.id,
                "encoding": "PCM",
                "sampleRate": stream.rate,
                "channels": 1,
                "length": stream.rate // FRAMES_A_SECOND * BYTES_A_SAMPLE,
            },
        }
    )


def audio_data(samples: Samples, at: float, *, participant: str = "", silent: bool) -> bytes:
    """20 ms of sound at Unix time `at`; `participant` is a raw id, empty for mixed sound.

    Put together by hand: a server sends fifty a second to each application.
    """
    data = b2a_base64(samples.astype("<i2", copy=False).tobytes(), newline=False)
    return b'%b%b"data":"%b","silent":%b}}' % (
        _begin_at(round(at * 1000)),
        _named(participant) if participant else b"",
        data,
        b"true" if silent else b"false",
    )


@lru_cache(maxsize=64)  # all streams of a tick share it
def _begin_at(ms: int) -> bytes:
    when = datetime.fromtimestamp(ms // 1000, UTC)
    return (
        b'{"kind":"AudioData","audioData":{"timestamp":"'
        + f"{when:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z".encode()
        + b'",'
    )


@lru_cache(maxsize=4096)
def _named(participant: str) -> bytes:
    return b'"participantRawID":' + msgspec.json.encode(participant) + b","


def dtmf_data(digit: str) -> bytes:
    return msgspec.json.encode({"kind": "DtmfData", "dtmfData": {"data": digit}})


def transcription_metadata(stream: OpenStream) -> bytes:
    """The first message of a transcription."""
    told: dict[str, Any] = {
        "subscriptionId": stream.id,
        "locale": stream.locale,
        "callConnectionId": stream.connection,
        "correlationId": stream.correlation_id,
    }
    if stream.model:
        told["speechRecognitionModelEndpointId"] = stream.model
    return msgspec.json.encode({"kind": "TranscriptionMetadata", "transcriptionMetadata": told})


def transcription_data(heard: SpeechHeard, participant: str, after_ms: int) -> bytes:
    """`after_ms` is how long after the stream was asked for the listening began."""
    return msgspec.json.encode(
        {
            "kind": "TranscriptionData",
            "transcriptionData": {
                "text": heard.text,
                "format": "display",
                "confidence": round(heard.confidence, 6),
                "offset": (after_ms + heard.offset_ms) * TICKS_A_MS,
                "duration": heard.duration_ms * TICKS_A_MS,
                "words": [_word(word, after_ms) for word in heard.words or _evenly(heard)],
                "participantRawID": participant,
                "resultStatus": "Final" if heard.final else "Intermediate",
            },
        }
    )


def _word(word: HeardWord, after_ms: int) -> dict[str, Any]:
    return {
        "text": word.text,
        "offset": (after_ms + word.offset_ms) * TICKS_A_MS,
        "duration": word.duration_ms * TICKS_A_MS,
    }


def _evenly(heard: SpeechHeard) -> list[HeardWord]:
    """Words of a recogniser that tells no times of words: by their letters."""
    words = heard.text.split()
    letters = sum(map(len, words))
    placed: list[HeardWord] = []
    before = 0
    for word in words:
        begin = heard.duration_ms * before // letters
        before += len(word)
        length = heard.duration_ms * before // letters - begin
        placed.append(HeardWord(word, heard.offset_ms + begin, length))
    return placed


# What applications send


class Audio(NamedTuple):
    """To be played: 16-bit mono at the rate of the stream."""

    samples: Samples


class StopAudio(NamedTuple):
    """What was sent before is not to be played any more."""


class Unreadable(NamedTuple):
    why: str


Inbound: TypeAlias = Audio | StopAudio | Unreadable


def read_inbound(message: bytes) -> Inbound:
    """A text message of an application; never raises."""
    try:
        decoded: object = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        return Unreadable(f"it is no JSON: {fault}")
    told = _any_case(decoded)
    if told is None:
        return Unreadable("it is no JSON object")
    kind = told.get("kind")
    if not isinstance(kind, str):
        return Unreadable("it has no kind")
    match kind.lower():
        case "audiodata":
            return _audio(_any_case(told.get("audiodata")))
        case "stopaudio":
            return StopAudio()
        case _:
            kind = kind[:MAX_KIND_CHARACTERS]
            return Unreadable(f"its kind {shown(kind)} is neither AudioData nor StopAudio")


def _any_case(value: object) -> Mapping[str, object] | None:
    """An object of JSON with its names in lower case."""
    if not isinstance(value, dict):
        return None
    found: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]  # JSON's names are texts
    return {name.lower(): inner for name, inner in found.items()}


def _audio(told: Mapping[str, object] | None) -> Inbound:
    data = told.get("data") if told else None
    if not isinstance(data, str):
        return Unreadable("its audioData has no data")
    try:
        sound = a2b_base64(data.encode(), strict_mode=True)
    except Base64Error as fault:
        return Unreadable(f"its data is no base64: {fault}")
    if len(sound) % BYTES_A_SAMPLE:
        return Unreadable(f"its data has {len(sound)} bytes, and 16-bit samples have two each")
    return Audio(np.frombuffer(sound, "<i2").astype(np.int16, copy=False))
