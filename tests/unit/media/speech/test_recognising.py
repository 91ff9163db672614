"""The built-in recogniser hears what eSpeak says at telephone quality; an endpoint is asked as Azure is."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from onhook.effects import Listen, SpokenText
from onhook.media.parts import Samples
from onhook.media.resampling import Resampler
from onhook.media.speech.azure_listening import PATH, AzureListening
from onhook.media.speech.espeak import MODULE as ESPEAK
from onhook.media.speech.espeak import Espeak
from onhook.media.speech.recognising import MODULE, ListeningRefused, Sphinx
from onhook.media.speech.settings import SpeechEndpoint
from onhook.media.speech.workers import Workers

MENU = ("yes", "no", "sales", "support", "billing")
PAUSE = np.zeros(8_000, np.int16)


def listen(**changes: Any) -> Listen:
    return Listen("l", "room", "leg", **changes)


@pytest.fixture
async def sphinx() -> AsyncIterator[Sphinx]:
    workers = Workers(MODULE, count=1, max_waiting=10, seconds=60)
    yield Sphinx(workers)
    await workers.close()


async def spoken(text: str) -> Samples:
    """ESpeak's voice through a telephone: 8 kHz, as 16 kHz."""
    workers = Workers(ESPEAK, count=1, max_waiting=10, seconds=30)
    try:
        clip = await Espeak(workers).speak(SpokenText(text, "en-US", voice="en-US-GuyNeural"))
    finally:
        await workers.close()
    down, up = Resampler(clip.rate, 8_000), Resampler(8_000, 16_000)
    whole = clip.samples[: len(clip.samples) // 320 * 320]
    return np.concatenate((PAUSE, up(down(whole)), PAUSE))


async def test_words_of_a_menu_are_understood(sphinx: Sphinx) -> None:
    found = {word: (await sphinx.recognise(await spoken(word), listen(phrases=MENU))).text for word in MENU}
    right = [word for word, text in found.items() if text == word]
    assert len(right) >= len(MENU) - 1, found


async def test_noise_is_not_understood(sphinx: Sphinx) -> None:
    noise = (np.random.default_rng(3).standard_normal(24_000) * 2_000).astype(np.int16)
    assert (await sphinx.recognise(noise, listen(phrases=MENU))).text == ""


async def test_a_language_that_it_does_not_know(sphinx: Sphinx) -> None:
    with pytest.raises(ListeningRefused, match=r"knows English \(en-US\), not 'de-DE'"):
        sphinx.check(listen(language="de-DE"))
    sphinx.check(listen(language="en-US", phrases=MENU))
    sphinx.check(listen(language="en-CA"))
    with pytest.raises(ListeningRefused, match="none of the phrases"):
        sphinx.check(listen(phrases=("???",)))


async def test_words_that_no_dictionary_has(sphinx: Sphinx) -> None:
    with pytest.raises(ListeningRefused, match="knows none of the words qzxv"):
        await sphinx.recognise(PAUSE, listen(phrases=("qzxv",)))


Answer = Callable[[web.Request], web.Response]


class Endpoint:
    """A speech service of the test."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _: web.json_response({"RecognitionStatus": "NoMatch"})
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return self.answer(request)


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[Endpoint, AzureListening]]:
    made, application = Endpoint(), web.Application()
    application.router.add_post(PATH, made.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    settings = SpeechEndpoint(endpoint=f"http://{host}:{port}/", key="secret")
    async with aiohttp.ClientSession() as session:
        yield made, AzureListening(settings, lambda: session, 5.0)
    await runner.cleanup()


async def test_an_endpoint_is_asked_as_azure_is(endpoint: tuple[Endpoint, AzureListening]) -> None:
    service, azure = endpoint
    guesses = [{"Confidence": 0.4, "Display": "No."}, {"Confidence": 0.91, "Display": "Sales, please."}]
    service.answer = lambda _: web.json_response({"RecognitionStatus": "Success", "NBest": guesses})
    heard = await azure.recognise(PAUSE, listen(language="en-GB", model="mine"))
    assert (heard.text, heard.confidence) == ("Sales, please.", 0.91)
    (request,) = service.requests
    assert dict(request.query) == {"language": "en-GB", "format": "detailed", "cid": "mine"}
    assert request.headers["Ocp-Apim-Subscription-Key"] == "secret"
    assert service.bodies[0][:4] == b"RIFF"
    assert len(service.bodies[0]) == len(PAUSE) * 2 + 44
    assert (await azure.recognise(PAUSE, listen(phrases=("sales", "support")))).text == "sales"


async def test_what_an_endpoint_did_not_understand(endpoint: tuple[Endpoint, AzureListening]) -> None:
    assert (await endpoint[1].recognise(PAUSE, listen())).text == ""


@pytest.mark.parametrize("status", [401, 403, 429, 500])
async def test_an_endpoint_that_refuses(endpoint: tuple[Endpoint, AzureListening], status: int) -> None:
    service, azure = endpoint
    service.answer = lambda _: web.Response(status=status)
    with pytest.raises(ListeningRefused, match=f"answered {status}") as refused:
        await azure.recognise(PAUSE, listen())
    assert refused.value.http_status == status


async def test_an_endpoint_that_answers_nonsense(endpoint: tuple[Endpoint, AzureListening]) -> None:
    service, azure = endpoint
    service.answer = lambda _: web.Response(text="<html>")
    with pytest.raises(ListeningRefused, match="cannot be read"):
        await azure.recognise(PAUSE, listen())


async def test_an_endpoint_that_is_not_there() -> None:
    async with aiohttp.ClientSession() as session:
        azure = AzureListening(SpeechEndpoint(endpoint="http://127.0.0.1:9/"), lambda: session, 5.0)
        with pytest.raises(ListeningRefused, match="cannot be reached"):
            await azure.recognise(PAUSE, listen())
