"""Recognises through an HTTP endpoint in the shape of Azure Speech: one request an utterance.

Documented: learn.microsoft.com, Speech service, "Speech to text REST API for short audio". Phrases are found
in what comes back; a custom model is asked for by its deployment id (`cid`).
"""

import asyncio
import io
import wave
from collections.abc import Callable
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
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._ask(self._url.with_query(query), headers, _wav(samples))
        except TimeoutError:
            raise ListeningRefused(f"{self._url} gave no answer within {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ListeningRefused(f"{self._url} cannot be reached: {error}") from None
        return _read(answer, effect)

    async def _ask(self, url: URL, headers: dict[str, str], body: bytes) -> _Answer:
        async with self._session().post(url, headers=headers, data=body, allow_redirects=False) as response:
            data = await response.content.read(MAX_ANSWER_BYTES)
            if response.status != 200:
                raise ListeningRefused(f"{self._url} answered {response.status}", response.status)
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
    if effect.phrases:
        return Heard(Phrases(effect.phrases).said_in(text), best.confidence)
    return Heard(text, best.confidence)


def _wav(samples: Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()
