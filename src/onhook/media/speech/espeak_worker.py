"""The process that speaks: `python -m onhook.media.speech.espeak_worker`. It answers espeak_words.py."""

from typing import Final

import msgspec
import numpy as np

from onhook.media.parts import Samples
from onhook.media.resampling import Resampler
from onhook.media.speech.espeak_library import Library, TooLong
from onhook.media.speech.espeak_words import EspeakRequest, ListLanguages, Pronounce, Speak
from onhook.media.speech.worker_loop import Refused, serve

RATE: Final = 16_000


class Speaker:
    """Answers requests with one eSpeak NG."""

    def __init__(self) -> None:
        self._library = Library()
        self._decoder: msgspec.msgpack.Decoder[EspeakRequest] = msgspec.msgpack.Decoder(EspeakRequest)

    def __call__(self, body: bytes) -> bytes:
        """Raises Refused."""
        request = self._decoder.decode(body)
        match request:
            case Speak():
                return self._speak(request).tobytes()
            case Pronounce():
                spoken = [self._library.phonemes(request.voice, word) for word in request.words]
                return msgspec.msgpack.encode(spoken)
            case ListLanguages():
                return msgspec.msgpack.encode(self._library.languages())

    def _speak(self, request: Speak) -> Samples:
        left = request.max_seconds
        sounds: list[Samples] = []
        for part in request.parts:
            try:
                spoken = np.frombuffer(self._library.speak(part.voice, part.ssml, left), np.int16)
            except TooLong:
                raise Refused(f"it speaks longer than {request.max_seconds:g} s") from None
            left -= len(spoken) / self._library.rate
            sounds.append(spoken)
        return resampled(np.concatenate(sounds), self._library.rate)


def resampled(samples: Samples, rate: int) -> Samples:
    """At 16 kHz, all of it: filled up with silence to whole steps, and for the filter's delay."""
    resampler = Resampler(rate, RATE)
    step = resampler.step
    tail = -len(samples) % step + step
    return resampler(np.concatenate((samples, np.zeros(tail, np.int16))))


if __name__ == "__main__":
    serve(Speaker())
