"""The process that recognises: `python -m onhook.media.speech.sphinx_worker`. It answers sphinx_words.py.

An utterance is read twice: as one of the phrases (or, without phrases, with a language model), and as free
phones, against which the confidence is measured. Both readings take the whole utterance, because a few words
are too little for a recogniser to learn a telephone line from while they are said.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pocketsphinx  # pyright: ignore[reportMissingTypeStubs]  # has none

from onhook.media.parts import Samples
from onhook.media.speech.confidence import Reading, Segment, confidence
from onhook.media.speech.phrases import grammar
from onhook.media.speech.sphinx_words import (
    FindUnknown,
    Recognise,
    Recognised,
    RecognisedWord,
    SphinxRequest,
)
from onhook.media.speech.widening import widened
from onhook.media.speech.worker_loop import serve

MAX_GRAMMARS: Final = 30
"""Kept ready in one process; the one that was not used longest is built anew."""
MAX_WORDS_ADDED: Final = 10_000
"""Then the dictionary begins anew: it forgets nothing."""
FREE_PHONES: Final = "phones"
LANGUAGE: Final = "language"
FRAME_MS: Final = 10
FRAME_SAMPLES: Final = 160
UNLIKELIEST: Final = 1e-300


class Recogniser:
    """One decoder, whose searches are the phrases that were asked for, free phones, and a language model."""

    def __init__(self) -> None:
        self._requests: msgspec.msgpack.Decoder[SphinxRequest] = msgspec.msgpack.Decoder(SphinxRequest)
        self._begin()

    def _begin(self) -> None:
        """Take a new decoder, with nothing but its own words."""
        library: Any = pocketsphinx
        self._model = Path(library.get_model_path()) / "en-us"
        self._decoder: Any = library.Decoder(
            hmm=str(self._model / "en-us"),
            dict=str(self._model / "cmudict-en-us.dict"),
            lm=None,
            loglevel="FATAL",
        )
        self._decoder.add_allphone_file(FREE_PHONES, str(self._model / "en-us-phone.lm.bin"))
        self._grammars: OrderedDict[tuple[tuple[str, ...], ...], str] = OrderedDict()
        self._has_language = False
        self._made = self._added = 0

    def __call__(self, body: bytes) -> bytes:
        request = self._requests.decode(body)
        if isinstance(request, FindUnknown):
            unknown = [word for word in request.words if self._decoder.lookup_word(word) is None]
            return msgspec.msgpack.encode(unknown)
        return msgspec.msgpack.encode(self.recognise(request))

    def recognise(self, request: Recognise) -> Recognised:
        samples = widened(np.frombuffer(request.samples, np.int16))
        frames = len(samples) // FRAME_SAMPLES
        words = self._read(self._search(request), samples)
        said = [segment for segment in words.segments if not segment.is_filler]
        if not said:
            return Recognised((), 0.0)
        free = self._read(FREE_PHONES, samples)
        sure = confidence(words, self._pronounced(said), free, frames)
        return Recognised(tuple(map(_word, said)), sure)

    def _search(self, request: Recognise) -> str:
        """The name of the search for these phrases, made if need be."""
        if not request.phrases:
            if not self._has_language:
                self._decoder.add_lm_file(LANGUAGE, str(self._model / "en-us.lm.bin"))
                self._has_language = True
            return LANGUAGE
        known = self._grammars.get(request.phrases)
        if known:
            self._grammars.move_to_end(request.phrases)
            return known
        self._add(request.pronunciations)
        if len(self._grammars) >= MAX_GRAMMARS:
            _, oldest = self._grammars.popitem(last=False)
            self._decoder.remove_search(oldest)
        self._made += 1
        name = self._grammars[request.phrases] = f"menu-{self._made}"
        self._decoder.add_jsgf_string(name, grammar(request.phrases))
        return name

    def _add(self, pronunciations: tuple[tuple[str, str], ...]) -> None:
        if self._added + len(pronunciations) > MAX_WORDS_ADDED:
            self._begin()
        for word, phones in pronunciations:
            if self._decoder.lookup_word(word) is None:
                self._decoder.add_word(word, phones, False)  # noqa: FBT003  # no search is to know it yet
                self._added += 1

    def _read(self, search: str, samples: Samples) -> Reading:
        decoder = self._decoder
        decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        segments = [Segment(each.word, each.start_frame, each.end_frame) for each in decoder.seg() or ()]
        likelihood = hypothesis.best_score if hypothesis else 0.0
        return Reading(decoder.logmath.log(max(likelihood, UNLIKELIEST)), tuple(segments))

    def _pronounced(self, said: list[Segment]) -> list[str]:
        return [phone for word in said for phone in (self._decoder.lookup_word(word.name) or "").split()]


def _word(segment: Segment) -> RecognisedWord:
    text = segment.name.partition("(")[0]  # "read(2)" is another way to say "read"
    return RecognisedWord(text, segment.first * FRAME_MS, (segment.last - segment.first + 1) * FRAME_MS)


if __name__ == "__main__":
    serve(Recogniser())
