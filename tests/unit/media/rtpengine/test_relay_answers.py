"""What a relay makes of an rtpengine that answers otherwise than it should: it is refused, in clear words."""

import asyncio
import re

import pytest

from onhook.effects import Srtp, StartMedia
from onhook.media.rtpengine.bencode import Dictionary
from onhook.media.rtpengine.ng import EngineRefused, NgClient
from onhook.media.rtpengine.relay import Options, Relay
from unit.media.rtpengine.ng_peer import ng_peer

KEY = bytes(range(30))
SRTP = Srtp("AES_CM_128_HMAC_SHA1_80", KEY, KEY)
EFFECT = StartMedia("leg", "192.0.2.7", 4000, 8, "PCMA", telephone_event=101)


def sdp(port: int, formats: str, *lines: str) -> str:
    head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    return "\r\n".join([*head, f"m=audio {port} RTP/AVP {formats}", *lines, ""])


OUTER = sdp(30_000, "0 101", "a=rtpmap:101 telephone-event/8000")
TO_US = sdp(30_010, "8 96", "a=rtpmap:96 telephone-event/8000")
TO_THEM = sdp(30_000, "8 101", "a=rtpmap:101 telephone-event/8000")


class Script:
    """What rtpengine answers: to our offers, to the far end's, to our answer."""

    def __init__(self, ours: str = OUTER, theirs: str = TO_US, answer: str = TO_THEM) -> None:
        self.ours, self.theirs, self.answer = ours, theirs, answer

    def __call__(self, request: Dictionary) -> Dictionary:
        if request["command"] == "answer":
            return {"result": "ok", "sdp": self.answer}
        return {"result": "ok", "sdp": self.ours if request["from-tag"] == "inner" else self.theirs}


async def connected(script: Script, effect: StartMedia) -> tuple[StartMedia, list[Dictionary]]:
    async with ng_peer(script) as peer:
        client = NgClient("127.0.0.1", peer.port)
        await client.open()
        try:
            relay = Relay(client, "call", Options())
            await relay.reserve()
            script.ours = script.ours.replace("30001", "30000")
            relay.inner = "127.0.0.9", 20_000
            inside = await relay.connect(effect, effect.host)
        finally:
            client.close()
        return inside, [request for _, request in peer.seen]


def refused(script: Script, effect: StartMedia = EFFECT) -> str:
    with pytest.raises(EngineRefused) as caught:
        asyncio.run(connected(script, effect))
    return caught.value.why


def test_what_goes_well() -> None:
    inside, requests = asyncio.run(connected(Script(), EFFECT))
    assert (inside.host, inside.port, inside.codec, inside.telephone_event) == (
        "127.0.0.1",
        30_010,
        "PCMA",
        96,
    )
    reserve, offer, answer = requests
    assert "m=audio 9 RTP/AVP 0 101" in str(reserve["sdp"])
    assert "c=IN IP4 192.0.2.7\r\n" in str(offer["sdp"])
    assert "m=audio 4000 RTP/AVP 8 101" in str(offer["sdp"])
    assert (offer["from-tag"], offer["to-tag"], offer["label"]) == ("outer", "inner", "leg")
    assert offer["codec"] == {"mask": ["all"], "transcode": ["PCMA", "telephone-event"]}
    assert "c=IN IP4 127.0.0.9\r\n" in str(answer["sdp"])
    assert "m=audio 20000 RTP/AVP 8 96" in str(answer["sdp"])


def test_ipv6_is_written_as_such() -> None:
    effect = StartMedia("leg", "2001:db8::7", 4000, 8, "PCMA")
    _, requests = asyncio.run(connected(Script(), effect))
    assert "c=IN IP6 2001:db8::7\r\n" in str(requests[1]["sdp"])


def test_keys_are_offered_for_ours_and_given_for_theirs() -> None:
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
    crypto = f"a=crypto:1 {SRTP.suite} inline:{key}"
    effect = StartMedia("leg", "192.0.2.7", 4000, 8, "PCMA", srtp=SRTP)
    _, requests = asyncio.run(connected(Script(answer=TO_THEM + crypto + "|2^31\r\n"), effect))
    _, ours, theirs, answer = requests
    assert crypto in str(ours["sdp"])
    assert crypto in str(theirs["sdp"])
    assert "RTP/SAVP" in str(theirs["sdp"])
    assert "crypto" not in str(answer["sdp"])
    assert theirs["transport protocol"] == "RTP/AVP"


def test_a_key_of_its_own_is_refused() -> None:
    other = f"a=crypto:1 {SRTP.suite} inline:{'A' * 40}\r\n"
    effect = StartMedia("leg", "192.0.2.7", 4000, 8, "PCMA", srtp=SRTP)
    assert refused(Script(answer=TO_THEM + other), effect) == f"it took no key of ours for {SRTP.suite}"
    assert refused(Script(answer=TO_THEM), effect) == f"it took no key of ours for {SRTP.suite}"


def test_a_port_that_moves_is_refused() -> None:
    why = refused(Script(answer=TO_THEM.replace("30000", "30002")))
    assert why == "it moved the port of a leg from ('127.0.0.1', 30000) to ('127.0.0.1', 30002)"


def test_a_codec_that_it_does_not_offer_us_is_refused() -> None:
    assert refused(Script(theirs=sdp(30_010, "0"))) == "it offers no PCMA for the far end's PCMA"


def test_a_codec_that_it_does_not_speak_there_is_refused() -> None:
    assert refused(Script(answer=sdp(30_000, "0"))) == "it does not speak PCMA with the far end"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the description is empty"),
        ("v=1\r\n", 'line 1: the first line has to be "v=0"'),
        (sdp(0, "8"), "it has no audio with a port and an address"),
        (
            sdp(30_000, "8").replace("c=IN IP4 127.0.0.1\r\n", ""),
            "it has no audio with a port and an address",
        ),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(text: str, why: str) -> None:
    assert re.match(f"its description after offer: .*{re.escape(why)}", refused(Script(ours=text)))


@pytest.mark.parametrize(
    "answer",
    [
        {"result": "ok"},
        {"result": "ok", "tags": {}},
        {"result": "ok", "tags": {"outer": {"medias": []}}},
        {"result": "ok", "tags": {"outer": {"medias": [{"streams": [{"stats": {}}]}]}}},
        {"result": "ok", "tags": ["outer"]},
    ],
)
def test_counts_that_are_not_there_are_none(answer: Dictionary) -> None:
    async def scene() -> None:
        async with ng_peer(lambda _: answer) as peer:
            client = NgClient("127.0.0.1", peer.port)
            await client.open()
            assert await Relay(client, "call", Options()).count() == (0, 0, "")
            client.close()

    asyncio.run(scene())
