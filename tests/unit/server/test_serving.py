"""The embedded HTTP server: start, answer, stop."""

import asyncio
import signal
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from onhook.server.certificates import client_context, prepare
from onhook.server.exchange import Answer, read_whole_body, send_answer
from onhook.server.serving import HttpServer, TlsFiles, serve


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_whole_body(receive, {}, 10_000_000)
    raw: bytes = scope["raw_path"]
    await send_answer(send, Answer(200, raw + b" " + body))


async def get(server: HttpServer, path: str = "/") -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{server.port}{path}")


async def test_it_serves_on_a_port_of_its_choice() -> None:
    server = await serve(echo, "127.0.0.1", 0)
    assert server.port > 0
    assert server.host == "127.0.0.1"
    assert (await get(server, "/a%3Ab")).text == "/a%3Ab "
    await server.stop()


async def test_the_answer_is_dated_and_unsigned_by_the_server() -> None:
    server = await serve(echo, "127.0.0.1", 0)
    headers = (await get(server)).headers
    assert headers["date"].endswith("GMT")
    assert "server" not in headers
    await server.stop()


async def test_over_tls(tmp_path: Path) -> None:
    paths = prepare(tmp_path, [], datetime.now(UTC))
    server = await serve(echo, "127.0.0.1", 0, TlsFiles(paths.certificate, paths.key))
    async with httpx.AsyncClient(verify=client_context(paths)) as client:
        for host in ("localhost", "127.0.0.1"):
            assert (await client.get(f"https://{host}:{server.port}/")).status_code == 200
    async with httpx.AsyncClient() as stranger:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get(f"https://localhost:{server.port}/")
    await server.stop()


async def test_a_taken_port_is_told_with_its_address() -> None:
    server = await serve(echo, "127.0.0.1", 0)
    with pytest.raises(
        OSError, match=rf"cannot listen on 127.0.0.1:{server.port}: .* Set another server.port"
    ):
        await serve(echo, "127.0.0.1", server.port)
    assert (await get(server)).status_code == 200
    await server.stop()


async def test_files_that_are_no_certificate_leave_the_port_free(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ssl.SSLError):
        await serve(echo, "127.0.0.1", port, TlsFiles(tmp_path / "bad.pem", tmp_path / "bad.pem"))
    server = await serve(echo, "127.0.0.1", port)
    await server.stop()


async def test_after_stop_nobody_listens() -> None:
    server = await serve(echo, "127.0.0.1", 0)
    await server.stop()
    with pytest.raises(httpx.ConnectError):
        await get(server)
    again = await serve(echo, "127.0.0.1", server.port)
    await again.stop()


async def test_stop_lets_a_running_request_finish() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        arrived.set()
        await release.wait()
        await send_answer(send, Answer(200, b"x" * 1_000_000))

    server = await serve(slow, "127.0.0.1", 0)
    asking = asyncio.create_task(get(server))
    await arrived.wait()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    release.set()
    assert len((await asking).content) == 1_000_000
    await stopping


async def test_an_idle_tls_connection_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    paths = prepare(tmp_path, [], datetime.now(UTC))
    server = await serve(echo, "127.0.0.1", 0, TlsFiles(paths.certificate, paths.key))
    _, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, ssl=client_context(paths), server_hostname="localhost"
    )
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 2
    writer.transport.abort()


async def test_the_loops_own_signal_handlers_stay() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    server = await serve(echo, "127.0.0.1", 0)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    await server.stop()


async def test_two_servers_live_in_one_loop() -> None:
    one, other = await serve(echo, "127.0.0.1", 0), await serve(echo, "127.0.0.1", 0)
    assert one.port != other.port
    assert [(await get(server)).status_code for server in (one, other)] == [200, 200]
    await one.stop()
    assert (await get(other)).status_code == 200
    await other.stop()


async def test_one_connection_serves_many_requests() -> None:
    server = await serve(echo, "127.0.0.1", 0)
    async with httpx.AsyncClient() as client:
        for number in range(50):
            answer = await client.post(f"http://127.0.0.1:{server.port}/{number}", content=b"body")
            assert answer.text == f"/{number} body"
    await server.stop()
