"""Posting over real sockets: which answers count, which connections are kept, and what addresses become."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from onhook.delivery import posting
from onhook.delivery.posting import CLOSED, Posted, Poster, PostFailed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PATIENCE_SECONDS = 5.0
GIVE_UP = b""
"""As an answer: close the connection instead."""


class Peer:
    """Answers the n-th request with the n-th of `answers`, byte for byte, then with the last one again."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers) or [OK]
        self.requests: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.pieces_of = 0
        """Bytes written at a time; 0 is all at once."""
        self.greeting = b""
        self.closed = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.greeting:
                writer.write(self.greeting)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == GIVE_UP:
                    break
                await self._write(writer, answer)
        self.closed.set()
        writer.close()

    async def _write(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        size = self.pieces_of or len(answer)
        for start in range(0, len(answer), size):
            writer.write(answer[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)


class Scene:
    """A peer and a poster."""

    def __init__(self, peer: Peer, uri: str) -> None:
        self.peer, self.uri, self.poster = peer, uri, Poster(user_agent="onhook/test")

    async def post(self, body: bytes = b"[]") -> Posted:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.poster.post(self.uri, body)


@contextlib.asynccontextmanager
async def scene(peer: Peer) -> AsyncIterator[Scene]:
    server = await asyncio.start_server(peer.talk, "127.0.0.1", 0)
    made = Scene(peer, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/events")
    try:
        yield made
    finally:
        made.poster.close()
        for writer in peer.writers:
            writer.close()
        server.close()
        await server.wait_closed()


async def turns(count: int = 5) -> None:
    """Let the loop hear what is there already."""
    for _ in range(count):
        await asyncio.sleep(0.005)


async def test_a_request_is_written_as_http_asks() -> None:
    async with scene(Peer()) as on:
        assert await on.post(b'[{"id":"1"}]') == Posted(200, "OK")
        head, _, body = on.peer.requests[0].partition(b"\r\n\r\n")
        authority = on.uri.split("/")[2]
        assert head.decode().split("\r\n") == [
            "POST /events HTTP/1.1",
            f"Host: {authority}",
            "User-Agent: onhook/test",
            "Accept: */*",
            "Content-Type: application/json",
            "Content-Length: 12",
        ]
        assert body == b'[{"id":"1"}]'


async def test_one_connection_serves_one_after_the_other_and_more_serve_at_once() -> None:
    async with scene(Peer()) as on:
        for _ in range(3):
            await on.post()
        assert (on.peer.connections, len(on.poster)) == (1, 1)
        await asyncio.gather(on.post(), on.post(), on.post())
        assert (on.peer.connections, len(on.poster)) == (3, 3)
        await asyncio.gather(on.post(), on.post(), on.post())
        assert on.peer.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 201 Made It\r\nContent-Length: 2\r\n\r\nok",
    ],
)
@pytest.mark.parametrize("pieces_of", [0, 1, 7])
async def test_every_kind_of_answer_leaves_the_connection_ready(answer: bytes, pieces_of: int) -> None:
    peer = Peer(answer)
    peer.pieces_of = pieces_of
    async with scene(peer) as on:
        first = await on.post()
        assert 200 <= first.status < 300
        await turns()  # the last pieces of the body
        assert await on.post() == first
        assert (on.peer.connections, len(on.peer.requests)) == (1, 2)


async def test_a_final_status_is_told_with_its_words_and_without_those_of_interim_ones() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 Not Today\r\nContent-Length: 0\r\n\r\n"
    async with scene(Peer(answer, b"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n")) as on:
        assert await on.post() == Posted(503, "Not Today")
        assert await on.post() == Posted(500, "")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_peer_that_keeps_no_connection_gets_a_new_one_each_time(answer: bytes) -> None:
    async with scene(Peer(answer)) as on:
        assert (await on.post()).status == 200
        assert (await on.post()).status == 200
        assert on.peer.connections == 2
        await turns()
        assert len(on.poster) == 0


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async with scene(Peer()) as on:
        await on.post()
        on.peer.writers[0].close()
        await turns()
        assert len(on.poster) == 0
        assert (await on.post()).status == 200
        assert on.peer.connections == 2


async def test_a_kept_connection_that_is_closed_at_the_request_is_replaced_at_once() -> None:
    """An application's idle time ran out in the same moment: that is no failed try."""
    async with scene(Peer(OK, GIVE_UP, OK)) as on:
        await on.post(b"1")
        assert (await on.post(b"2")).status == 200
        assert [request[-1:] for request in on.peer.requests] == [b"1", b"2", b"2"]


async def test_a_new_connection_that_is_closed_without_an_answer_is_a_failure() -> None:
    async with scene(Peer(GIVE_UP)) as on:
        with pytest.raises(PostFailed, match=CLOSED):
            await on.post()
        assert len(on.peer.requests) == 1


async def test_half_an_answer_is_a_failure_also_on_a_kept_connection() -> None:
    async with scene(Peer(OK, b"HTTP/1.1 20")) as on:
        await on.post()
        failing = asyncio.ensure_future(on.post())
        while len(on.peer.requests) < 2:  # noqa: ASYNC110  # the peer has it within a few turns
            await asyncio.sleep(0.001)
        await turns()
        on.peer.writers[0].close()
        with pytest.raises(PostFailed, match="in the middle of the answer"):
            await failing
        assert len(on.peer.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 xyz\r\n\r\n", b"\x00\x01\x02", b"HTTP/1.1 200 OK\nX\n\n"],
)
async def test_what_is_no_http_is_a_failure(answer: bytes) -> None:
    async with scene(Peer(answer)) as on:
        with pytest.raises(PostFailed, match="no HTTP"):
            await on.post()


async def test_switching_protocols_is_a_failure() -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with scene(Peer(answer)) as on:
        with pytest.raises(PostFailed, match="no HTTP"):
            await on.post()


async def test_a_header_without_end_is_a_failure() -> None:
    answer = b"HTTP/1.1 200 OK\r\nX: " + b"x" * (posting.MAX_ANSWER_BYTES + 1)
    async with scene(Peer(answer)) as on:
        with pytest.raises(PostFailed, match="header is longer"):
            await on.post()


async def test_a_body_beyond_the_limit_costs_the_connection_but_not_the_status() -> None:
    size = posting.MAX_ANSWER_BYTES * 2
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    async with scene(Peer(answer)) as on:
        assert (await on.post()).status == 200
        await asyncio.wait_for(on.peer.closed.wait(), PATIENCE_SECONDS)
        await turns()
        assert len(on.poster) == 0


async def test_a_body_that_does_not_come_costs_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "BODY_SECONDS", 0.02)
    async with scene(Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")) as on:
        assert (await on.post()).status == 200
        await asyncio.wait_for(on.peer.closed.wait(), PATIENCE_SECONDS)
        assert (await on.post()).status == 200
        assert on.peer.connections == 2


async def test_a_body_that_comes_late_keeps_the_connection() -> None:
    async with scene(Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")) as on:
        assert (await on.post()).status == 200
        on.peer.writers[0].write(b"cde")
        await turns()
        assert (await on.post()).status == 200
        assert on.peer.connections == 1


@pytest.mark.parametrize("surplus", [b"noise", OK])
async def test_a_connection_on_which_more_comes_than_was_asked_for_is_dropped(surplus: bytes) -> None:
    async with scene(Peer(OK + surplus, OK)) as on:
        assert (await on.post()).status == 200
        await turns()
        assert (await on.post()).status == 200
        assert on.peer.connections == 2


async def test_a_peer_that_speaks_first_is_a_failure() -> None:
    peer = Peer()
    peer.greeting = b"220 mail.example ESMTP\r\n"
    async with scene(peer) as on:
        with pytest.raises(PostFailed):
            await on.post()


async def test_who_is_no_longer_waited_for_loses_the_connection() -> None:
    async with scene(Peer(b"HTTP/1.1 100 Continue\r\n\r\n")) as on:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await on.poster.post(on.uri, b"[]")
        await asyncio.wait_for(on.peer.closed.wait(), PATIENCE_SECONDS)
        await turns()
        assert len(on.poster) == 0


async def test_idle_connections_are_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "IDLE_SECONDS", 0.03)
    async with scene(Peer()) as on:
        await asyncio.gather(on.post(), on.post())
        assert len(on.poster) == 2
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(on.poster):  # noqa: ASYNC110  # swept after two times the idle time at most
                await asyncio.sleep(0.01)
        assert (await on.post()).status == 200


async def test_closing_breaks_off_what_is_under_way() -> None:
    async with scene(Peer(b"HTTP/1.1 100 Continue\r\n\r\n")) as on:
        waiting = asyncio.ensure_future(on.post())
        while not on.peer.requests:  # noqa: ASYNC110  # the peer has it within a few turns
            await asyncio.sleep(0.001)
        on.poster.close()
        with pytest.raises(PostFailed):
            await waiting


async def test_two_addresses_do_not_share_a_connection() -> None:
    async with scene(Peer()) as one, scene(Peer()) as other:
        await one.post()
        await one.poster.post(other.uri, b"[]")
        assert (one.peer.connections, other.peer.connections) == (1, 1)
        assert len(one.poster) == 2


async def test_remembered_addresses_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "MAX_ADDRESSES", 3)
    async with scene(Peer()) as on:
        for number in range(8):
            await on.poster.post(f"{on.uri}?{number}", b"[]")
        assert [request.split(b" ")[1] for request in on.peer.requests] == [
            b"/events?%d" % number for number in range(8)
        ]
        assert len(on.poster._addresses) <= 3


@pytest.mark.parametrize(
    ("uri", "origin", "target", "host"),
    [
        ("http://app.example", ("http", "app.example", 80), "/", "app.example"),
        ("https://App.Example/e", ("https", "app.example", 443), "/e", "app.example"),
        ("https://app.example:8443/e?a=b", ("https", "app.example", 8443), "/e?a=b", "app.example:8443"),
        ("HTTP://app.example:80/", ("http", "app.example", 80), "/", "app.example"),
        ("http://[::1]:81/e", ("http", "::1", 81), "/e", "[::1]:81"),
        ("http://app.example/a%20b/c%2Fd?x=%2B1", ("http", "app.example", 80), "/a%20b/c%2Fd?x=%2B1", None),
        ("http://app.example/ä ö?ü", ("http", "app.example", 80), "/%C3%A4%20%C3%B6?%C3%BC", None),
        ("http://bücher.example/", ("http", "xn--bcher-kva.example", 80), "/", "xn--bcher-kva.example"),
        ("http://app.example/e#part", ("http", "app.example", 80), "/e", None),
    ],
)
def test_what_becomes_of_an_address(
    uri: str, origin: tuple[str, str, int], target: str, host: str | None
) -> None:
    address = posting._read_address(uri, "onhook")
    lines = address.head.decode().split("\r\n")
    assert address.origin == origin
    assert lines[0] == f"POST {target} HTTP/1.1"
    assert lines[1] == f"Host: {host or origin[1]}"
    assert lines[-1] == "Content-Length: "


def test_a_name_and_password_in_an_address_are_sent_as_basic_authorization() -> None:
    address = posting._read_address("http://me%40home:s%3Acret@app.example/e", "onhook")
    assert b"\r\nAuthorization: Basic bWVAaG9tZTpzOmNyZXQ=\r\n" in address.head
    assert b"\r\nHost: app.example\r\n" in address.head


@pytest.mark.parametrize(
    "uri", ["", "nonsense", "ftp://app.example/", "http://", "http://app.example:x/", "http://[::1/", "//x/e"]
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of urllib's and our own making, in many words
        posting._read_address(uri, "onhook")


@pytest.mark.parametrize("uri", ["http://app.example/\r\nX: y", "http://app.example/a?b\nX: y"])
def test_line_ends_in_an_address_forge_no_header(uri: str) -> None:
    head = posting._read_address(uri, "onhook").head
    assert b"\nX: y" not in head
    assert head.count(b"\r\n") == 5
