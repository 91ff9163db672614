"""Recognises through an HTTP endpoint in the shape of Azure Speech: one request an utterance.

Documented: learn.microsoft.com, Speech service, "Speech to text REST API for short audio". Phrases are found
in what comes back; a custom model is asked for by its deployment id (`cid`).
"""

import asyncio
import io
import wave
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import aiohttp
import msgspec
from yarl import URL

from onhook.effects import Listen
from onhook.media.parts import Samples
from onhook.media.speech.phrases import Phrases
from onhook.media.speech.recognising import RATE, Heard, ListeningRefused
from onhook.media.speech.settings import SpeechEndpoint

PATH: Final = "/speech/recognition/conversation/cognitiveservices/v1"
MAX_ANSWER_BYTES: Final = 262_144
TRIES: Final = 3
"""For an utterance of a transcription, which goes on. Who waits for an answer is told at once."""
PAUSE_SECONDS: Final = 0.5
LASTING: Final = frozenset({400, 401, 403, 404})
"""Statuses that another try does not change."""
UNDERSTOOD: Final = "Success"
NOTHING_HEARD: Final = frozenset({"NoMatch", "InitialSilenceTimeout", "BabbleTimeout"})


class _Guess(msgspec.Struct, rename="pascal"):
    confidence: float = 0.0
    display: str = ""


class _Answer(msgspec.Struct, rename="pascal"):
    recognition_status: str
    display_text: str = ""
    n_best: list[_Guess] = msgspec.field(name="NBest", default_factory=list[_Guess])


Session: TypeAlias = Callable[[], aiohttp.ClientSession]


class AzureListening:
    """`session` gives the HTTP session to use; an answer may take `seconds`."""

    def __init__(self, endpoint: SpeechEndpoint, session: Session, seconds: float) -> None:
        self._endpoint, self._session, self._seconds = endpoint, session, seconds
        self._url = URL((endpoint.listen_url or endpoint.endpoint).rstrip("/") + PATH)

    def check(self, effect: Listen) -> None:
        """The endpoint knows which languages it has."""

    async def recognise(self, samples: Samples, effect: Listen) -> Heard:
        query = {"language": effect.language or "en-US", "format": "detailed"}
        if effect.model:
            query["cid"] = effect.model
        headers = {
            "Content-Type": f"audio/wav; codecs=audio/pcm; samplerate={RATE}",
            "Accept": "application/json",
        }
        if self._endpoint.key:
            headers[self._endpoint.key_header] = self._endpoint.key
        ask = partial(self._ask, self._url.with_query(query), headers, _wav(samples))
        answer = await self._asked(ask, TRIES if effect.keep_on else 1)
        return _read(answer, effect)

    async def guess(self, samples: Samples, effect: Listen) -> str:  # noqa: ARG002  # as the protocol has it
        """Each would be a request of its own: none is made."""
        return ""

    async def _asked(self, ask: Callable[[], Awaitable[_Answer]], tries: int) -> _Answer:
        """The first answer; what may be better in a moment is asked for again."""
        for left in reversed(range(tries)):
            try:
                async with asyncio.timeout(self._seconds):
                    return await ask()
            except TimeoutError:
                raise ListeningRefused(f"{self._url} gave no answer within {self._seconds:g} s") from None
            except (aiohttp.ClientError, OSError) as error:
                refusal = ListeningRefused(f"{self._url} cannot be reached: {error or type(error).__name__}")
            except ListeningRefused as error:
                refusal = error
            if not left or refusal.http_status in LASTING:
                raise refusal
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError  # the last try returned or raised

    async def _ask(self, url: URL, headers: dict[str, str], body: bytes) -> _Answer:
        async with self._session().post(url, headers=headers, data=body, allow_redirects=False) as response:
            if response.status != 200:
                raise ListeningRefused(f"{self._url} answered {response.status}", response.status)
            data = bytearray()
            async for piece in response.content.iter_any():
                data += piece
                if len(data) > MAX_ANSWER_BYTES:
                    raise ListeningRefused(f"{self._url} answered more than {MAX_ANSWER_BYTES} bytes")
        try:
            return msgspec.json.decode(data, type=_Answer)
        except msgspec.MsgspecError as error:
            raise ListeningRefused(f"{self._url} answered what cannot be read: {error}") from None


def _read(answer: _Answer, effect: Listen) -> Heard:
    if answer.recognition_status in NOTHING_HEARD:
        return Heard("", 0.0)
    if answer.recognition_status != UNDERSTOOD:
        raise ListeningRefused(f"the speech endpoint says {answer.recognition_status}")
    best = max(answer.n_best, key=lambda each: each.confidence, default=_Guess(1.0, answer.display_text))
    text = best.display or answer.display_text
    # What is none of the phrases is told as it was heard: so that it can be said what was said instead.
    return Heard(Phrases(effect.phrases).said_in(text) or text, best.confidence)


def _wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()
