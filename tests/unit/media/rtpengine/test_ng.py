"""The ng client: cookies, repeats, refusals, silence; over real UDP with a peer that loses datagrams."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from onhook.media.rtpengine import ng
from onhook.media.rtpengine.bencode import Dictionary
from onhook.media.rtpengine.ng import REPEAT_SECONDS, EngineRefused, EngineSilent, NgClient
from unit.media.rtpengine.ng_peer import Answer, NgPeer, ng_peer

PONG: Dictionary = {"result": "pong"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "REPEAT_SECONDS", (0.02, 0.03, 0.05))


@asynccontextmanager
async def client_and_peer(answer: Answer) -> AsyncGenerator[tuple[NgClient, NgPeer]]:
    async with ng_peer(answer) as peer:
        client = NgClient("127.0.0.1", peer.port)
        await client.open()
        try:
            yield client, peer
        finally:
            client.close()


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def test_a_request_is_answered() -> None:
    async def scene() -> None:
        async with client_and_peer(lambda request: {"result": "ok", "echo": request}) as (client, peer):
            answer = await client.ask("query", {"call-id": "a", "flags": ["x", "y"]})
            assert answer["echo"] == {"command": "query", "call-id": "a", "flags": ["x", "y"]}
            assert (client.repeats, client.strays) == (0, 0)
            assert client.address == f"127.0.0.1:{peer.port}"

    run(scene)


def test_answers_find_their_requests() -> None:
    async def scene() -> None:
        def echo(request: Dictionary) -> Dictionary:
            return {"result": "ok", "call-id": request["call-id"]}

        async with client_and_peer(echo) as (client, peer):
            asked = [client.ask("query", {"call-id": f"call-{number}"}) for number in range(50)]
            answers = await asyncio.gather(*asked)
            assert [answer["call-id"] for answer in answers] == [f"call-{number}" for number in range(50)]
            assert len({cookie for cookie, _ in peer.seen}) == 50

    run(scene)


def test_a_lost_request_is_sent_again() -> None:
    async def scene() -> None:
        async with client_and_peer(lambda _: PONG) as (client, peer):
            peer.to_lose = 2
            assert await client.ask("ping") == PONG
            assert client.repeats == 2
            assert len(peer.seen) == 1

    run(scene)


def test_a_lost_answer_is_asked_for_under_the_same_cookie() -> None:
    async def scene() -> None:
        answers: list[Dictionary | None] = [PONG, None]
        async with client_and_peer(lambda _: answers.pop()) as (client, peer):
            assert await client.ask("ping") == PONG
            (first, _), (second, _) = peer.seen
            assert first == second

    run(scene)


def test_silence_is_told_with_the_time_waited() -> None:
    async def scene() -> None:
        async with client_and_peer(lambda _: None) as (client, peer):
            with pytest.raises(EngineSilent, match=r"rtpengine 127.0.0.1:\d+: no answer to offer in 0.1 s"):
                await client.ask("offer", {"call-id": "a"})
            assert len(peer.seen) == 3

    run(scene)


def test_a_request_gets_three_seconds() -> None:
    assert sum(REPEAT_SECONDS) == 3.0


def test_nobody_listening_is_told_as_the_system_says() -> None:
    async def scene() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        client = NgClient("127.0.0.1", port)
        await client.open()
        with pytest.raises(EngineSilent, match="Connection refused"):
            await client.ask("ping")
        client.close()

    run(scene)


def test_a_refusal_says_why() -> None:
    async def scene() -> None:
        unknown: Dictionary = {"result": "error", "error-reason": "Unknown call-id"}
        async with client_and_peer(lambda _: unknown) as (client, _):
            with pytest.raises(EngineRefused, match="query refused: Unknown call-id") as refused:
                await client.ask("query", {"call-id": "a"})
            assert refused.value.address == client.address
            assert refused.value.why == "query refused: Unknown call-id"

    run(scene)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"result": "load limit", "message": "too many sessions"}, "ping refused: too many sessions"),
        ({"result": "perhaps"}, "ping refused: result 'perhaps'"),
        (b"li1ee", "no dictionary"),
        (b"d6:result", "no bencode: it ends too early"),
        (b"", "no bencode"),
    ],
)
def test_whatever_is_no_success_is_a_refusal(answer: Dictionary | bytes, why: str) -> None:
    async def scene() -> None:
        async with client_and_peer(lambda _: answer) as (client, _):
            with pytest.raises(EngineRefused, match=why):
                await client.ask("ping")

    run(scene)


def test_statistics_come_without_a_result() -> None:
    """Seen with rtpengine 10.5."""

    async def scene() -> None:
        async with client_and_peer(lambda _: {"statistics": {"x": 1}}) as (client, _):
            assert await client.ask("statistics") == {"statistics": {"x": 1}}

    run(scene)


def test_a_second_answer_is_a_stray() -> None:
    async def scene() -> None:
        async with client_and_peer(lambda _: PONG) as (client, peer):
            await client.ask("ping")
            client.receive(peer.seen[0][0] + b" d6:result4:ponge")
            client.receive(b"rubbish")
            assert client.strays == 2

    run(scene)


def test_more_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "MAX_UNANSWERED", 2)

    async def scene() -> None:
        async with client_and_peer(lambda _: None) as (client, _):
            waiting = [asyncio.ensure_future(client.ask("ping")) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(EngineRefused, match="2 requests wait for an answer, the limit"):
                await client.ask("ping")
            ended = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(each) for each in ended] == [EngineSilent, EngineSilent]

    run(scene)


def test_closing_ends_what_waits_and_nothing_is_asked_after() -> None:
    async def scene() -> None:
        async with client_and_peer(lambda _: None) as (client, _):
            waiting = asyncio.ensure_future(client.ask("ping"))
            await asyncio.sleep(0)
            client.close()
            with pytest.raises(EngineSilent, match="closed"):
                await waiting
            with pytest.raises(EngineSilent, match="not connected"):
                await client.ask("ping")
            assert not client.is_open

    run(scene)


def test_a_name_that_nobody_knows() -> None:
    async def scene() -> None:
        client = NgClient("no-such-host.invalid", 2223)
        with pytest.raises(EngineSilent, match=r"no-such-host.invalid:2223: \S"):
            await client.open()

    run(scene)


def test_telling_waits_for_nothing() -> None:
    async def scene() -> None:
        heard = asyncio.Event()
        async with client_and_peer(lambda _: heard.set()) as (client, peer):
            client.tell("delete", {"call-id": "a"})
            await asyncio.wait_for(heard.wait(), 5)
            assert peer.seen[0][1] == {"command": "delete", "call-id": "a"}

    run(scene)


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert NgClient("::1", 2223).address == "[::1]:2223"
