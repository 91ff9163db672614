"""An endpoint in the shape of Azure Speech speaks, or what it refuses is told."""

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest

from odd_server import OddServer, endless, odd_server, ok, silent, slow_drip, status
from onhook.effects import SpokenMarkup, SpokenText
from onhook.media.prompts.source_failed import SourceFailed
from onhook.media.speech.azure_speaking import MAX_SOUND_BYTES, PATH, AzureSpeaking
from onhook.media.speech.settings import SpeechEndpoint
from wav_files import tone, wav

SOUND = wav(tone())
HELLO = SpokenText("Hello & welcome", "en-US", "male")


@pytest.fixture
async def server() -> AsyncGenerator[OddServer]:
    async with odd_server() as odd:
        yield odd


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def speaking(
    server: OddServer, session: aiohttp.ClientSession, seconds: float = 20.0, **others: str
) -> AzureSpeaking:
    return AzureSpeaking(SpeechEndpoint(server.url("/"), **others), lambda: session, seconds)


async def refused(speaker: AzureSpeaking) -> SourceFailed:
    with pytest.raises(SourceFailed) as failed:
        await speaker.speak(HELLO)
    return failed.value


async def test_it_is_asked_as_azure_is(server: OddServer, session: aiohttp.ClientSession) -> None:
    server.on(PATH, ok(SOUND))
    spoken = await speaking(server, session, key="k3y").speak(HELLO)
    assert np.array_equal(spoken.samples, tone())
    (head,) = server.requests
    lines = head.split("\r\n")
    assert lines[0] == f"POST {PATH} HTTP/1.1"
    assert {
        "Ocp-Apim-Subscription-Key: k3y",
        "Content-Type: application/ssml+xml",
        "X-Microsoft-OutputFormat: riff-16khz-16bit-mono-pcm",
    } <= set(lines)
    root = ET.fromstring(server.bodies[0])
    voice = root[0]
    assert root.tag.endswith("speak")
    assert voice.get("name") == "en-US-GuyNeural"
    assert voice.text == "Hello & welcome"


async def test_settings_change_where_and_with_what_key(
    server: OddServer, session: aiohttp.ClientSession
) -> None:
    server.on(f"/tts{PATH}", ok(SOUND))
    speaker = speaking(
        server, session, key="Bearer x", key_header="Authorization", speak_url=server.url("/tts/")
    )
    await speaker.speak(SpokenMarkup("<speak>as it is</speak>", model="dep loy"))
    assert server.requests[0].startswith(f"POST /tts{PATH}?deploymentId=dep+loy HTTP/1.1")
    assert "Authorization: Bearer x\r\n" in server.requests[0]
    assert server.bodies == [b"<speak>as it is</speak>"]


@pytest.mark.parametrize(
    ("source", "attributes"),
    [
        (SpokenText("a", voice="xx-Whatever"), {"name": "xx-Whatever"}),
        (SpokenText("a", "de-DE"), {"name": "de-DE-KatjaNeural"}),
        (SpokenText("a"), {"name": "en-US-JennyNeural"}),
        (
            SpokenText("a", "sw-KE", "female"),
            {"name": None, "{http://www.w3.org/XML/1998/namespace}lang": "sw-KE"},
        ),
    ],
)
async def test_a_voice_is_named_if_one_is_known(
    server: OddServer, session: aiohttp.ClientSession, source: SpokenText, attributes: dict[str, str | None]
) -> None:
    server.on(PATH, ok(SOUND))
    await speaking(server, session).speak(source)
    voice = ET.fromstring(server.bodies[0])[0]
    assert {name: voice.get(name) for name in attributes} == attributes
    assert "Ocp-Apim-Subscription-Key" not in server.requests[0]


@pytest.mark.parametrize("code", [400, 401, 403, 408, 429])
async def test_a_refusal_is_told_with_its_status(
    server: OddServer, session: aiohttp.ClientSession, code: int
) -> None:
    server.on(PATH, status(code, body=b"Quota of the tier is used up" + b"!" * 1000))
    failed = await refused(speaking(server, session, key="s3cret"))
    assert (failed.fault, failed.http_status) == ("speech-refused", code)
    assert failed.detail.startswith(f"{server.url('/')} answered {code} So: Quota of the tier is used up!!")
    assert len(failed.detail) < 300
    assert "s3cret" not in failed.detail


@pytest.mark.parametrize("code", [204, 302, 404, 500, 503])
async def test_any_other_status_is_a_failure(
    server: OddServer, session: aiohttp.ClientSession, code: int
) -> None:
    server.on(PATH, status(code))
    failed = await refused(speaking(server, session))
    assert (failed.fault, failed.http_status) == ("speech-failed", code)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (ok(b"ID3 mp3"), "sent no riff-16khz-16bit-mono-pcm: it is no WAV file"),
        (
            ok(wav(tone(), rate=24_000)),
            "sent no riff-16khz-16bit-mono-pcm: it is WAV, PCM, 16 bits, mono, 24 kHz",
        ),
        (ok(SOUND, length=99_999), "could not be asked: "),
        (b"garbage\r\n\r\n", "could not be asked: "),
        (b"", "could not be asked: "),
        (endless, f"sent more than {MAX_SOUND_BYTES} bytes"),
    ],
    ids=["mp3", "24 kHz", "cut off", "no HTTP", "nothing", "endless"],
)
async def test_what_is_no_sound_is_a_failure(
    server: OddServer, session: aiohttp.ClientSession, answer: Any, problem: str
) -> None:
    server.on(PATH, answer)
    failed = await refused(speaking(server, session))
    assert failed.fault == "speech-failed"
    assert problem in failed.detail


@pytest.mark.parametrize("behaviour", [silent, slow_drip])
async def test_who_is_slow_is_left(
    server: OddServer, session: aiohttp.ClientSession, behaviour: Callable[..., Any]
) -> None:
    server.on(PATH, behaviour)
    failed = await refused(speaking(server, session, seconds=0.2))
    assert failed.fault == "speech-failed"
    assert "did not answer within 0.2 s" in failed.detail


async def test_nobody_listens(session: aiohttp.ClientSession) -> None:
    async with await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0) as closed:
        port = closed.sockets[0].getsockname()[1]
    failed = await refused(AzureSpeaking(SpeechEndpoint(f"http://127.0.0.1:{port}"), lambda: session, 5.0))
    assert failed.fault == "speech-failed"
