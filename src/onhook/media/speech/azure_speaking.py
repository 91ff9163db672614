"""Speaks through an HTTP endpoint in the shape of Azure Speech.

Documented: learn.microsoft.com, Speech service, "Text to speech REST API". A custom voice is asked for by
its deployment id, as its own endpoints have it.
"""

import asyncio
from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import aiohttp
from yarl import URL

from onhook.effects import SpokenMarkup, SpokenText
from onhook.media.parts import Clip
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.prompts.wav import NotPlayable, read_wav
from onhook.media.speech.settings import SpeechEndpoint

PATH: Final = "/cognitiveservices/v1"
OUTPUT: Final = "riff-16khz-16bit-mono-pcm"
REFUSALS: Final = frozenset({400, 401, 403, 408, 429})
"""Statuses that applications are told as they are (documented: PlayFailed 8565)."""
MAX_SOUND_BYTES: Final = 33_554_432
MAX_ERROR_BYTES: Final = 200
PIECE_BYTES: Final = 65_536
VOICES: Final = {
    ("de-DE", "female"): "KatjaNeural",
    ("de-DE", "male"): "ConradNeural",
    ("en-GB", "female"): "SoniaNeural",
    ("en-GB", "male"): "RyanNeural",
    ("en-US", "female"): "JennyNeural",
    ("en-US", "male"): "GuyNeural",
    ("es-ES", "female"): "ElviraNeural",
    ("es-ES", "male"): "AlvaroNeural",
    ("fr-FR", "female"): "DeniseNeural",
    ("fr-FR", "male"): "HenriNeural",
    ("it-IT", "female"): "ElsaNeural",
    ("it-IT", "male"): "DiegoNeural",
    ("ja-JP", "female"): "NanamiNeural",
    ("ja-JP", "male"): "KeitaNeural",
    ("pt-BR", "female"): "FranciscaNeural",
    ("pt-BR", "male"): "AntonioNeural",
    ("zh-CN", "female"): "XiaoxiaoNeural",
    ("zh-CN", "male"): "YunxiNeural",
}
"""For texts with a locale and a kind only (documented: language support, the first of each)."""


class AzureSpeaking:
    """`session` gives the HTTP session to use."""

    def __init__(
        self, endpoint: SpeechEndpoint, session: Callable[[], aiohttp.ClientSession], seconds: float
    ) -> None:
        self._endpoint, self._session, self._seconds = endpoint, session, seconds
        self._url = URL((endpoint.speak_url or endpoint.endpoint).rstrip("/") + PATH)

    async def speak(self, source: SpokenText | SpokenMarkup) -> Clip:
        """Raises SourceFailed: speech-refused, speech-failed, too-slow, empty-text."""
        url = self._url.with_query(deploymentId=source.model) if source.model else self._url
        headers = {"Content-Type": "application/ssml+xml", "X-Microsoft-OutputFormat": OUTPUT}
        if self._endpoint.key:
            headers[self._endpoint.key_header] = self._endpoint.key
        try:
            async with asyncio.timeout(self._seconds):
                async with self._session().post(
                    url, data=ssml_of(source).encode(), headers=headers, allow_redirects=False
                ) as answer:
                    return await self._sound(answer)
        except TimeoutError:
            raise self._failed(f"did not answer within {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failed(f"could not be asked: {error or type(error).__name__}") from error

    async def _sound(self, answer: aiohttp.ClientResponse) -> Clip:
        if answer.status != 200:
            said = (await answer.content.read(MAX_ERROR_BYTES)).decode(errors="replace").strip()
            told = f"answered {answer.status} {answer.reason or ''}".rstrip() + (f": {said}" if said else "")
            if answer.status in REFUSALS:
                raise SourceFailed("speech-refused", f"{self._endpoint.endpoint} {told}", answer.status)
            raise self._failed(told, answer.status)
        body = bytearray()
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            body += piece
            if len(body) > MAX_SOUND_BYTES:
                raise self._failed(f"sent more than {MAX_SOUND_BYTES} bytes")
        try:
            return read_wav(bytes(body))
        except NotPlayable as problem:
            raise self._failed(f"sent no {OUTPUT}: {problem}") from None

    def _failed(self, told: str, status: int | None = None) -> SourceFailed:
        return SourceFailed("speech-failed", f"{self._endpoint.endpoint} {told}", status)


def ssml_of(source: SpokenText | SpokenMarkup) -> str:
    """The application's own SSML as it is; a text with the voice that it asks for."""
    if isinstance(source, SpokenMarkup):
        return source.ssml
    locale, gender = source.locale or "en-US", source.gender or "female"
    usual = VOICES.get((locale, gender), "")
    wanted = {
        "name": source.voice or (f"{locale}-{usual}" if usual else ""),
        "xml:lang": locale,
        "xml:gender": source.gender.capitalize(),
    }
    voice = " ".join(f"{name}={quoteattr(value)}" for name, value in wanted.items() if value)
    root = f'version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang={quoteattr(locale)}'
    return f"<speak {root}><voice {voice}>{escape(source.text)}</voice></speak>"
