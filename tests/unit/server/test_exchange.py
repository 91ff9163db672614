"""Heads, bodies in parts, answers."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from onhook.acs.errors import ApiError
from onhook.server.exchange import Answer, ClientGone, Head, head_of, read_whole_body, send_answer

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/a:b",
    "raw_path": b"/a%3Ab",
    "query_string": b"x=%41",
    "headers": [(b"host", b"localhost"), (b"x-name", b"J\xfcrg")],
}


async def read(parts: Sequence[bytes], limit: int = 100, headers: dict[str, str] | None = None) -> bytes:
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return await read_whole_body(receive, headers or {}, limit)


def test_the_target_stays_as_raw_as_it_came() -> None:
    head = head_of(SCOPE)
    assert head == Head("GET", "/a%3Ab", "x=%41", {"host": "localhost", "x-name": "Jürg"})
    assert head.target == "/a%3Ab?x=%41"
    assert head._replace(query="").target == "/a%3Ab"


def test_a_server_without_raw_paths_gives_the_decoded_one() -> None:
    scope = {name: value for name, value in SCOPE.items() if name != "raw_path"}
    assert head_of(scope).raw_path == "/a:b"


@pytest.mark.parametrize("parts", [[b""], [b"abc"], [b"ab", b"c"], [b"a", b"", b"bc"], [b"abc", b""]])
async def test_a_body_in_parts(parts: list[bytes]) -> None:
    assert await read(parts) == b"".join(parts)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.integers(0, 120))
async def test_the_limit_holds_however_the_body_is_cut(parts: list[bytes], limit: int) -> None:
    if sum(map(len, parts)) <= limit:
        assert await read(parts, limit) == b"".join(parts)
        return
    with pytest.raises(ApiError) as raised:
        await read(parts, limit)
    assert raised.value.status == 413


async def test_a_length_announced_too_long_is_refused_unread() -> None:
    with pytest.raises(ApiError, match="longer than 100 bytes") as raised:
        await read([], headers={"content-length": "101"})
    assert raised.value.status == 413


@pytest.mark.parametrize("announced", ["", "abc", "-5", "1.5", "²"])
async def test_an_odd_announcement_is_not_believed(announced: str) -> None:
    assert await read([b"abc"], headers={"content-length": announced}) == b"abc"


async def test_a_client_that_goes_away_in_its_body() -> None:
    with pytest.raises(ClientGone):
        await read([])


async def sent_by(answer: Answer) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await send_answer(send, answer)
    return messages


async def test_an_answer_with_a_body() -> None:
    start, body = await sent_by(Answer(200, b"{}", (("x-a", "ü"),)))
    assert start["status"] == 200
    assert start["headers"] == [
        (b"x-a", b"\xfc"),
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", b"2"),
    ]
    assert body["body"] == b"{}"


async def test_a_204_has_neither_body_nor_content_headers() -> None:
    start, body = await sent_by(Answer(204))
    assert (start["headers"], body["body"]) == ([], b"")


async def test_an_empty_202_says_its_length() -> None:
    start, _ = await sent_by(Answer(202))
    assert (b"content-length", b"0") in start["headers"]
