"""The built-in recogniser hears what eSpeak says at telephone quality; an endpoint is asked as Azure is."""

import asyncio
import os
import signal
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
from onhook.media.speech.recognising import MODULE, Heard, ListeningRefused, Sphinx
from onhook.media.speech.settings import SpeechEndpoint
from onhook.media.speech.workers import Workers

MENU = ("yes", "no", "sales", "support", "billing")
PAUSE = np.zeros(8_000, np.int16)


def listen(**changes: Any) -> Listen:
    return Listen("l", "room", "leg", **changes)


@pytest.fixture
async def espeak() -> AsyncIterator[Espeak]:
    workers = Workers(ESPEAK, count=1, max_waiting=50, seconds=60)
    yield Espeak(workers)
    await workers.close()


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers(MODULE, count=1, max_waiting=10, seconds=60)
    yield made
    await made.close()


@pytest.fixture
def sphinx(workers: Workers, espeak: Espeak) -> Sphinx:
    return Sphinx(workers, espeak)


async def spoken(espeak: Espeak, text: str) -> Samples:
    """ESpeak's voice through a telephone: 8 kHz, as 16 kHz."""
    clip = await espeak.speak(SpokenText(text, "en-US", voice="en-US-GuyNeural"))
    down, up = Resampler(clip.rate, 8_000), Resampler(8_000, 16_000)
    whole = clip.samples[: len(clip.samples) // 320 * 320]
    return np.concatenate((PAUSE, up(down(whole)), PAUSE))


async def test_words_of_a_menu_are_understood(sphinx: Sphinx, espeak: Espeak) -> None:
    found = {
        word: (await sphinx.recognise(await spoken(espeak, word), listen(phrases=MENU))).text for word in MENU
    }
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


async def test_other_words_than_those_of_the_menu_are_not_understood(sphinx: Sphinx, espeak: Espeak) -> None:
    others = ("banana", "the weather is nice today", "strawberry", "what is the time", "elephant", "umbrella")
    heard = [await sphinx.recognise(await spoken(espeak, other), listen(phrases=MENU)) for other in others]
    assert sum(1 for each in heard if each.text) <= 1, heard
    assert all(each.confidence < 0.75 for each in heard), heard


async def test_the_words_come_with_their_times(sphinx: Sphinx, espeak: Espeak) -> None:
    phrase = "main menu"
    sound = await spoken(espeak, phrase)
    heard = await sphinx.recognise(sound, listen(phrases=(phrase, "cancel")))
    assert [word.text for word in heard.words] == ["main", "menu"]
    first, second = heard.words
    assert 300 < first.offset_ms < first.offset_ms + first.duration_ms <= second.offset_ms
    assert second.offset_ms + second.duration_ms < len(sound) / 16


async def test_a_phrase_is_told_as_the_application_wrote_it(sphinx: Sphinx, espeak: Espeak) -> None:
    sound = await spoken(espeak, "support, please")
    heard = await sphinx.recognise(sound, listen(phrases=("Sales!", "Support!", "Billing")))
    assert heard.text == "Support!"


async def test_names_that_no_dictionary_has_are_understood(sphinx: Sphinx, espeak: Espeak) -> None:
    menu = ("Contoso", "Fabrikam", "Zyxcorp", "help desk")
    found = {
        name: (await sphinx.recognise(await spoken(espeak, name), listen(phrases=menu))).text for name in menu
    }
    assert sum(name == text for name, text in found.items()) >= 3, found
    assert found["Contoso"] == "Contoso"


async def test_the_begin_of_an_utterance_is_guessed_while_there_is_time(
    sphinx: Sphinx, espeak: Espeak, workers: Workers
) -> None:
    sound = await spoken(espeak, "yes")
    assert await sphinx.guess(sound, listen(phrases=("yes", "no"))) == "yes"
    assert await sphinx.guess(np.zeros(16_000 * 13, np.int16), listen()) == ""
    busy = asyncio.ensure_future(sphinx.recognise(sound, listen(phrases=("yes", "no"))))
    await asyncio.sleep(0)
    assert workers.waiting == 1
    assert await sphinx.guess(sound, listen(phrases=("yes", "no"))) == ""
    assert (await busy).text == "yes"


async def test_a_recogniser_killed_at_work_is_replaced_and_the_word_understood(
    sphinx: Sphinx, espeak: Espeak, workers: Workers
) -> None:
    sound = await spoken(espeak, "support")
    assert (await sphinx.recognise(sound, listen(phrases=MENU))).text == "support"
    (pid,) = workers.processes
    again = asyncio.ensure_future(sphinx.recognise(np.tile(sound, 8), listen(phrases=MENU)))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    await again
    assert workers.died == 1
    assert (await sphinx.recognise(sound, listen(phrases=MENU))).text == "support"


async def test_a_recogniser_that_is_down_is_told(sphinx: Sphinx, workers: Workers) -> None:
    await workers.close()
    with pytest.raises(ListeningRefused, match="the built-in recogniser: the server stops"):
        await sphinx.recognise(PAUSE, listen(phrases=MENU))
    assert await sphinx.guess(PAUSE, listen()) == ""


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


async def test_what_is_none_of_the_phrases_is_told_as_it_was_heard(
    endpoint: tuple[Endpoint, AzureListening],
) -> None:
    service, azure = endpoint
    service.answer = lambda _: web.json_response(
        {"RecognitionStatus": "Success", "NBest": [{"Confidence": 0.8, "Display": "Banana."}]}
    )
    assert await azure.recognise(PAUSE, listen(phrases=("sales",))) == Heard("Banana.", 0.8)
    assert await azure.guess(PAUSE, listen()) == ""
    assert len(service.requests) == 1


async def test_a_transcription_asks_again_and_who_waits_does_not(
    endpoint: tuple[Endpoint, AzureListening],
) -> None:
    service, azure = endpoint
    good = {"RecognitionStatus": "Success", "DisplayText": "Hello."}

    def recovering(_: web.Request) -> web.Response:
        return web.Response(status=503) if len(service.requests) < 3 else web.json_response(good)

    service.answer = recovering
    assert (await azure.recognise(PAUSE, listen(keep_on=True))).text == "Hello."
    assert len(service.requests) == 3
    service.requests.clear()
    with pytest.raises(ListeningRefused, match="answered 503"):
        await azure.recognise(PAUSE, listen())
    assert len(service.requests) == 1
    service.answer = lambda _: web.Response(status=401)
    with pytest.raises(ListeningRefused, match="answered 401"):
        await azure.recognise(PAUSE, listen(keep_on=True))
    assert len(service.requests) == 2


async def test_an_endless_answer_is_left(endpoint: tuple[Endpoint, AzureListening]) -> None:
    service, azure = endpoint
    service.answer = lambda _: web.Response(body=b" " * 300_000)
    with pytest.raises(ListeningRefused, match="answered more than 262144 bytes"):
        await azure.recognise(PAUSE, listen())


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
