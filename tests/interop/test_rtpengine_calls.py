"""A whole Onhook with an rtpengine for its media: telephones that we did not write call in."""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.communication.callautomation import PhoneNumberIdentifier
from azure.core.exceptions import HttpResponseError

from interop.baresip.desk import NUMBER, Desk, answer, desk
from interop.baresip.phone import Kit, Phone, baresip
from onhook.media.rtpengine import ng
from rtpengine_daemon import Rtpengine, rtpengine

pytestmark = pytest.mark.interop
PACKETS = 40
"""Enough to say that it was heard."""
PHONE: dict[str, Any] = {"trunk__phones__host": "127.0.0.1", "carrier__enabled": "false"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "REPEAT_SECONDS", (0.1, 0.2, 0.2))


@asynccontextmanager
async def calling(folder: Path, kit: Kit, **settings: Any) -> AsyncGenerator[tuple[Desk, Phone, Rtpengine]]:
    """A telephone talks to an application through an rtpengine."""
    with rtpengine(folder) as engine:
        given: dict[str, Any] = {"media__engine": "rtpengine", "media__rtpengine": engine.address}
        async with (
            desk(folder, answer, **PHONE, **given, **settings) as opened,
            baresip(folder / "phone", kit) as phone,
        ):
            phone.dial(NUMBER, port=opened.sip_port, transport="udp")
            await opened.event("CallConnected")
            await phone.talks()
            await phone.hears()
            await opened.hears_caller()
            yield opened, phone, engine


async def sessions(engine: Rtpengine) -> dict[str, Any]:
    """Calls there, by their ids."""
    client = ng.NgClient(*engine.ng)
    await client.open()
    listed: Any = await client.ask("list")
    calls = {name: await client.ask("query", {"call-id": name}) for name in listed["calls"]}
    client.close()
    return calls


async def counted(engine: Rtpengine) -> dict[str, int]:
    """Of the only telephone."""
    (talking,) = [each for each in (await sessions(engine)).values() if "outer" in each["tags"]]
    counts: dict[str, int] = talking["tags"]["outer"]["medias"][0]["streams"][0]["stats"]
    return counts


@pytest.mark.parametrize(
    ("kit", "settings", "codec"),
    [
        (Kit(), {}, "PCMU"),
        (Kit(codecs="PCMA"), {}, "PCMA"),
        (Kit(codecs="opus/48000/2"), {"trunk__phones__codecs": "opus,PCMU"}, "opus"),
        (Kit(codecs="G722/16000/1"), {"trunk__phones__codecs": "G722"}, "G722"),
        (Kit(srtp=True), {"trunk__phones__srtp": "required"}, "PCMU"),
        (
            Kit(srtp=True, codecs="opus/48000/2"),
            {"trunk__phones__srtp": "optional", "trunk__phones__codecs": "opus"},
            "opus",
        ),
    ],
    ids=["PCMU", "PCMA", "opus", "G722", "srtp", "srtp-opus"],
)
async def test_a_telephone_of_any_kind(
    kit: Kit, settings: dict[str, str], codec: str, tmp_path: Path
) -> None:
    async with calling(tmp_path, kit, **settings) as (opened, phone, engine):
        (talking,) = [each for each in (await sessions(engine)).values() if "outer" in each["tags"]]
        outer = talking["tags"]["outer"]["medias"][0]
        assert outer["protocol"] == ("RTP/SAVP" if kit.srtp else "RTP/AVP")
        assert talking["tags"]["inner"]["medias"][0]["protocol"] == "RTP/AVP"
        async with asyncio.timeout(10):
            while (await counted(engine))["packets"] < PACKETS:  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)
        phone.hang_up()
        told = await opened.told()
        assert told.why["ending"] == "caller-hung-up"
        assert told.answers(f"c=IN IP4 {engine.host}") == 1
        heard = told.heard
        assert (heard["codec"], heard.get("lost", 0), heard.get("undecipherable", 0)) == (codec, 0, 0)
        # It sends at once when it is answered, and rtpengine is told of it in that very moment.
        assert heard["received"] >= PACKETS / 2
        assert "relay-failed" not in told.kinds
        printed = await phone.quit()
        assert ("SRTP is Enabled" in printed) == kit.srtp
        async with asyncio.timeout(10):
            while any("outer" in each["tags"] for each in (await sessions(engine)).values()):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)


async def test_health_tells_of_the_engines(tmp_path: Path) -> None:
    async with calling(tmp_path, Kit()) as (opened, _, engine):
        health = await opened.health()
        (there,) = health["rtpengine"]
        assert (health["ready"], there["engine"], there["up"], there["legs"]) == (
            True,
            engine.address,
            True,
            1,
        )
        assert there["cannot"] == []


async def test_an_engine_that_dies_is_in_the_facts_of_its_calls(tmp_path: Path) -> None:
    async with calling(
        tmp_path, Kit(), media__end_after_silence_seconds=2, media__silent_after_seconds=1
    ) as (
        opened,
        _,
        engine,
    ):
        engine.kill()
        told = await opened.told()
        assert told.why["ending"] == "media-relay-failed"
        assert f"rtpengine {engine.address}" in told.shows
        (failed,) = [fact for fact in told.facts if fact["kind"] == "relay-failed"]
        assert failed["engine"] == engine.address
        assert "no answer to" in failed["why"]
        assert (await opened.health())["rtpengine"][0]["up"] is False


async def test_without_an_engine_no_call_is_begun(tmp_path: Path) -> None:
    with rtpengine(tmp_path) as engine:
        given: dict[str, Any] = {"media__engine": "rtpengine", "media__rtpengine": engine.address}
        async with desk(tmp_path, answer, **PHONE, **given) as opened:
            engine.kill()
            async with asyncio.timeout(10):
                while (await opened.health())["rtpengine"][0]["up"]:  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.02)
            with pytest.raises(HttpResponseError) as refused:
                await opened.client.create_call(
                    PhoneNumberIdentifier("+14255550177"),
                    f"{opened.address}/events",
                    source_caller_id_number=PhoneNumberIdentifier(NUMBER),
                    retry_total=0,
                )
            assert refused.value.status_code == 503
            assert f"no rtpengine has a port ready: {engine.address}" in str(refused.value)
