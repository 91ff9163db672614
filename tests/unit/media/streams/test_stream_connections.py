"""WebSockets that are refused, lost or closed by the application: what is tried again, and what is told."""

import asyncio
import ssl
from typing import Any

import pytest
import trustme
from aiohttp import WSCloseCode, web

from onhook.delivery.refused_networks import RefusedNetworks
from onhook.media.streams import stream as streaming
from unit.media.recordings.recording_rig import tone
from unit.media.streams.stream_rig import application, raw_server, scene


async def test_the_handshake_has_a_token_of_its_own_and_names_the_call() -> None:
    async def leave(websocket: web.WebSocketResponse) -> None:
        await websocket.close(code=WSCloseCode.GOING_AWAY)

    async with application(handler=leave) as app, scene() as streams:
        streams.open(app.url)
        await streams.until("reopened")
        first, second = app.headers[:2]
    assert first["Authorization"] == "Bearer token-1-of-shop"
    assert second["Authorization"] == "Bearer token-2-of-shop"
    assert first["x-ms-call-connection-id"] == "connection"
    assert first["x-ms-call-correlation-id"] == "correlation"
    assert first["User-Agent"] == "onhook/test"


async def test_without_a_resource_no_token_is_sent() -> None:
    async with application() as app, scene() as streams:
        streams.streams._dialler._authorize = lambda _resource: ""
        streams.open(app.url)
        await streams.until("opened")
        assert "Authorization" not in app.headers[0]


async def test_tls_is_verified() -> None:
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with application(serving) as app:
        async with scene() as streams:
            streams.open(app.url)
            failed = await streams.until("failed")
        assert "the certificate of localhost is not trusted" in failed.detail
        async with scene(trust=trust) as streams:
            streams.open(app.url)
            await streams.until("opened")
            streams.room.play({"a": tone(440, 0.1)})
            await app.until_messages(6)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_handshake_that_is_refused_has_failed(status: int) -> None:
    async with application(refusals=[web.Response(status=status)]) as app, scene() as streams:
        streams.open(f"{app.url}?code=secret")
        failed = await streams.until("failed")
        assert len(app.headers) == 1
    assert (failed.http_status, failed.url) == (status, app.url)
    assert failed.detail == f"the handshake was answered {status}, not 101"
    assert streams.states() == ["failed"]


async def test_an_answer_that_is_no_refusal_and_no_handshake() -> None:
    async with application(refusals=[web.Response(status=200)]) as app, scene() as streams:
        streams.open(app.url)
        failed = await streams.until("failed")
    assert (failed.http_status, failed.detail) == (200, "the handshake was answered 200, not 101")


async def test_a_redirect_is_not_followed() -> None:
    async with application() as other:
        away = web.Response(status=302, headers={"Location": other.url.replace("ws:", "http:")})
        async with application(refusals=[away]) as app, scene() as streams:
            streams.open(app.url)
            failed = await streams.until("failed")
        assert failed.detail == "the handshake was redirected, which is not followed"
        assert not other.headers


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    refusals = [web.Response(status=status), web.Response(status=status), None]
    async with application(refusals=refusals) as app, scene() as streams:
        streams.open(app.url)
        await streams.until("opened")
        assert len(app.headers) == 3
    assert streams.states() == ["opened", "closed"]


async def test_what_does_not_pass_has_failed_in_the_end() -> None:
    refusals: list[Any] = [web.Response(status=503) for _ in range(9)]
    async with application(refusals=refusals) as app, scene() as streams:
        streams.open(app.url)
        failed = await streams.until("failed")
        assert len(app.headers) == 4
    assert (failed.http_status, failed.detail) == (503, "the handshake was answered 503, not 101 (try 4)")


async def test_nobody_listens() -> None:
    async with application() as app:
        url = app.url
    async with scene() as streams:
        streams.open(url)
        failed = await streams.until("failed")
    assert "Cannot connect to host" in failed.detail
    assert failed.http_status is None


async def test_an_application_that_never_answers_the_handshake() -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with (
        raw_server(silent) as url,
        scene(connect_seconds=0.2, redial_delays_seconds=(0.01,)) as streams,
    ):
        streams.open(url)
        failed = await streams.until("failed")
    assert failed.detail == "no answer came within 0.2 s (try 2)"


async def test_a_handshake_that_is_answered_wrongly() -> None:
    async def wrong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: bm8=\r\n\r\n"
        )
        await writer.drain()

    async with raw_server(wrong) as url, scene() as streams:
        streams.open(url)
        failed = await streams.until("failed")
    assert failed.detail.startswith("the handshake was answered wrongly: ")


async def test_no_stream_goes_into_a_refused_network() -> None:
    refused = RefusedNetworks(["127.0.0.0/8"])
    async with application() as app, scene(open_socket=refused.open_socket) as streams:
        streams.open(app.url)
        failed = await streams.until("failed")
        assert not app.headers
    assert "127.0.0.1 lies in 127.0.0.0/8" in failed.detail


@pytest.mark.parametrize(
    ("url", "settings", "said"),
    [
        ("https://app.example/ws", {}, "does not begin with wss:// and a host"),
        ("app.example/ws", {}, "does not begin with wss:// and a host"),
        ("wss:///ws", {}, "does not begin with wss:// and a host"),
        ("wss://[::1/ws?code=secret", {}, "the transportUrl is no URL"),
        ("wss://app.example:99999/", {}, "the transportUrl is no URL"),
        (
            "ws://app.example/ws?code=secret",
            {},
            "'ws://app.example/ws' is ws://, not wss:// (streaming.plain_ws)",
        ),
        ("ws://127.0.0.1/ws", {"plain_ws": "never"}, "is ws://, not wss:// (streaming.plain_ws)"),
    ],
)
async def test_addresses_that_are_never_dialled(url: str, settings: dict[str, Any], said: str) -> None:
    async with scene(**settings) as streams:
        streams.open(url)
        failed = await streams.until("failed")
        assert streams.streams.under_way == 0
    assert said in failed.detail
    assert "secret" not in failed.detail + failed.url


async def test_plain_ws_elsewhere_when_the_setting_says_so() -> None:
    async with scene(plain_ws="always", redial_delays_seconds=(0.0,)) as streams:
        streams.open("ws://app.invalid/ws")
        failed = await streams.until("failed")
    assert "app.invalid" in failed.detail


async def test_too_many_at_a_time() -> None:
    async with application() as app, scene(max_streams=1) as streams:
        streams.open(app.url)
        streams.open(app.url)  # the same again
        streams.open(app.url, id="s2")
        failed = await streams.until("failed", stream="s2")
        await streams.until("opened")
    assert failed.detail == "1 streams are open, the limit of streaming.max_streams"


# Lost, and found again


async def test_a_connection_that_breaks_is_dialled_again_and_begins_with_metadata() -> None:
    async with application() as app, scene() as streams:
        streams.open(app.url)
        await streams.until("opened")
        streams.room.play({"a": tone(440, 0.1)})
        await app.until_messages(6)
        transport = app.sockets[0]._req
        assert transport is not None
        assert transport.transport is not None
        transport.transport.abort()
        lost = await streams.until("lost")
        await streams.until("reopened")
        streams.room.play({"a": tone(440, 0.1)})
        messages = await app.until_messages(12)
    assert "the connection broke" in lost.detail
    assert lost.sent == 5
    assert [told["kind"] for told in messages].index("AudioMetadata", 1) == 6
    assert streams.states() == ["opened", "lost", "reopened", "closed"]
    assert len(streams.room.taps) == 0


async def test_a_connection_that_ends_without_a_word_is_lost() -> None:
    """A FIN without a close frame."""
    done: list[bool] = []

    async def half_closes(websocket: web.WebSocketResponse) -> None:
        if not done:
            done.append(True)
            assert websocket._req is not None
            assert websocket._req.transport is not None
            websocket._req.transport.write_eof()

    async with application(handler=half_closes) as app, scene() as streams:
        streams.open(app.url)
        lost = await streams.until("lost")
        await streams.until("reopened")
    assert lost.detail.startswith("the connection broke")


async def test_while_it_is_lost_nothing_is_sent_or_counted() -> None:
    async def leave(websocket: web.WebSocketResponse) -> None:
        await websocket.close(code=WSCloseCode.SERVICE_RESTART, message=b"back soon")

    refusals = [None, *[web.Response(status=503) for _ in range(20)]]
    async with application(handler=leave, refusals=refusals) as app, scene() as streams:
        streams.open(app.url)
        lost = await streams.until("lost")
        streams.room.play({"a": tone(440, 1)})
        failed = await streams.until("failed")
        assert not streams.room.taps
    assert lost.detail == "the application closed it: 1012 back soon"
    assert (failed.sent, failed.dropped, failed.http_status) == (0, 0, 503)


async def test_one_that_cannot_hold_a_connection_is_given_up() -> None:
    async def leave(websocket: web.WebSocketResponse) -> None:
        await websocket.close(code=WSCloseCode.GOING_AWAY)

    async with application(handler=leave) as app, scene() as streams:
        streams.open(app.url)
        failed = await streams.until("failed")
        assert len(app.sockets) == 4
    assert failed.detail == "the application closed it: 1001 (try 4)"
    assert streams.states() == ["opened", "lost", *["reopened", "lost"] * 2, "reopened", "failed"]


async def test_after_a_steady_time_the_tries_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STEADY_SECONDS", 0.0)

    async def leave(websocket: web.WebSocketResponse) -> None:
        await websocket.close(code=WSCloseCode.GOING_AWAY)

    async with application(handler=leave) as app, scene() as streams:
        streams.open(app.url)
        await streams.until("reopened", 6)  # more than the three that are allowed in a row
    assert "failed" not in streams.states()


# The application closes


async def test_an_application_that_is_done_closes_the_stream() -> None:
    async def done(websocket: web.WebSocketResponse) -> None:
        await websocket.close(message=b"thank you")

    async with application(handler=done) as app, scene() as streams:
        streams.open(app.url)
        closed = await streams.until("closed")
        assert len(app.sockets) == 1
    assert closed.detail == "the application closed it: 1000 thank you"
    assert streams.states() == ["opened", "closed"]


@pytest.mark.parametrize("code", [WSCloseCode.POLICY_VIOLATION, WSCloseCode.UNSUPPORTED_DATA])
async def test_an_application_that_wants_none_of_it_has_the_stream_failed(code: WSCloseCode) -> None:
    async def refuse(websocket: web.WebSocketResponse) -> None:
        await websocket.close(code=code, message=b"not for you")

    async with application(handler=refuse) as app, scene() as streams:
        streams.open(app.url)
        failed = await streams.until("failed")
        assert len(app.sockets) == 1
    assert failed.detail == f"the application closed it: {int(code)} not for you"
