"""Prompts are fetched from servers that nobody vouches for."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from odd_server import OddServer, endless, odd_server, ok, redirect, silent, slow_drip, status
from onhook.delivery.refused_networks import RefusedNetworks
from onhook.media.prompts.fetching import Fetching
from onhook.media.prompts.settings import PromptSettings
from onhook.media.prompts.source_failed import SourceFailed

BODY = b"RIFF" + bytes(range(256)) * 400
PATIENT = PromptSettings(max_bytes=200_000, fetch_seconds=20)
HURRIED = PromptSettings(fetch_seconds=0.2)


@asynccontextmanager
async def fetching(settings: PromptSettings = PATIENT, **others: Any) -> AsyncGenerator[Fetching]:
    made = Fetching(settings, **others)
    try:
        yield made
    finally:
        await made.close()


async def refused(uri: str, settings: PromptSettings = PATIENT, **others: Any) -> SourceFailed:
    async with fetching(settings, **others) as made:
        with pytest.raises(SourceFailed) as failed:
            await made.fetch(uri)
    return failed.value


@pytest.fixture
async def server() -> AsyncGenerator[OddServer]:
    async with odd_server() as odd:
        yield odd


async def test_every_byte_comes_and_the_address_goes_out_letter_by_letter(server: OddServer) -> None:
    server.on("/a%20b.wav", ok(BODY))
    async with fetching(user_agent="onhook/1") as made:
        assert await made.fetch(server.url("/a%20b.wav?sig=a%2Bb%3d&x=%e4")) == BODY
    (head,) = server.requests
    assert head.startswith("GET /a%20b.wav?sig=a%2Bb%3d&x=%e4 HTTP/1.1\r\n")
    assert "User-Agent: onhook/1" in head
    assert "Accept-Encoding: identity" in head


async def test_redirects_are_followed(server: OddServer) -> None:
    server.on("/there.wav", ok(BODY))
    server.on("/next", redirect("there.wav", 307))
    async with fetching() as made:
        assert await made.fetch(server.on("/first", redirect(server.url("/next")))) == BODY


async def test_a_redirect_that_goes_round_is_left(server: OddServer) -> None:
    failed = await refused(server.on("/round", redirect("/round")))
    assert failed.fault == "unreachable"
    assert failed.detail == f"{server.url('/round')} was redirected more than 5 times"
    assert len(server.requests) == 6


async def test_a_redirect_is_checked_like_the_first_address(server: OddServer, tmp_path: Path) -> None:
    inside = tmp_path / "a.wav"
    inside.write_bytes(BODY)
    for target, problem in {
        "http://192.0.2.1/a.wav": "by https (prompt.http is loopback)",
        inside.as_uri(): "files may be played once",
        "ftp://127.0.0.1/a.wav": "is no https address",
    }.items():
        settings = PromptSettings(file_root=str(tmp_path))
        failed = await refused(server.on("/away", redirect(target)), settings)
        assert failed.fault == "uri", target
        assert problem in failed.detail
        assert f"(where {server.url('/away')} leads)" in failed.detail


async def test_a_redirect_to_nowhere(server: OddServer) -> None:
    failed = await refused(server.on("/nowhere", status(302)))
    assert (failed.fault, failed.http_status) == ("status", 302)
    assert failed.detail.endswith("answered 302 without saying where to")


@pytest.mark.parametrize("code", [204, 206, 304, 401, 403, 404, 410, 429, 500, 503])
async def test_a_status_that_is_no_success_is_told(server: OddServer, code: int) -> None:
    failed = await refused(server.on("/a.wav", status(code, body=b"" if code in {204, 304} else b"no")))
    assert (failed.fault, failed.http_status) == ("status", code)
    assert failed.detail == f"{server.url('/a.wav')} answered {code} So"


async def test_an_endless_body_is_left_at_the_limit(server: OddServer) -> None:
    failed = await refused(server.on("/endless", endless))
    assert failed.fault == "too-large"
    assert failed.detail.endswith("has more, and 200000 are the most (prompt.max_bytes)")


async def test_a_body_that_is_announced_too_large_is_not_read(server: OddServer) -> None:
    failed = await refused(server.on("/large", ok(b"R", length=200_001)))
    assert failed.fault == "too-large"
    assert "has 200001 bytes, and 200000 are the most" in failed.detail


@pytest.mark.parametrize("behaviour", [slow_drip, silent], ids=["drip", "silence"])
async def test_who_is_slow_is_left_in_time(server: OddServer, behaviour: Callable[..., Any]) -> None:
    failed = await refused(server.on("/slow", behaviour), HURRIED)
    assert failed.fault == "too-slow"
    assert failed.detail.endswith("was not there within 0.2 s (prompt.fetch_seconds)")


async def test_a_redirect_does_not_begin_the_time_anew(server: OddServer) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.7)
        writer.write(redirect("/again"))

    failed = await refused(server.on("/again", slowly), PromptSettings(fetch_seconds=1.2))
    assert failed.fault == "too-slow"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (ok(b"RIFFRIFF", length=4), "what it answered is no HTTP"),
        (ok(BODY, length=150_000), "the answer broke off before its end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nRIFF", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "could not be fetched"),
        (b"", "could not be fetched"),
        (b"\x00\x01\x02\x03\r\n\r\n", "what it answered is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "could not be fetched"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "could not be fetched"),
    ],
    ids=[
        "too long",
        "too short",
        "chunk cut off",
        "bad chunk",
        "nothing",
        "no HTTP",
        "huge header",
        "negative",
    ],
)
async def test_what_is_broken_is_unreachable(server: OddServer, answer: bytes, problem: str) -> None:
    failed = await refused(server.on("/broken", answer))
    assert failed.fault == "unreachable"
    assert problem in failed.detail


async def test_compression_that_was_not_asked_for_is_refused(server: OddServer) -> None:
    failed = await refused(server.on("/zip", ok(BODY, "Content-Encoding: gzip")))
    assert failed.fault == "format"
    assert "Content-Encoding 'gzip'" in failed.detail


async def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        failed = await refused(f"http://127.0.0.1:{unused.getsockname()[1]}/a.wav")
    assert failed.fault == "unreachable"
    assert "could not be fetched" in failed.detail


async def test_a_name_that_nobody_has() -> None:
    failed = await refused("https://prompt.invalid/a.wav?code=secret")
    assert failed.fault == "unreachable"
    assert failed.detail.startswith("https://prompt.invalid/a.wav could not be fetched: ")
    assert "secret" not in failed.detail


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "",
            "a.wav",
            "/a.wav",
            "//host/a.wav",
            "https://",
            "https:///a.wav",
            "http://[::1/a.wav",
            "data:,x",
        ),
        *(
            "javascript:alert(1)",
            "https://host:port/a.wav",
            "https://host:99999/a.wav",
            "gopher://127.0.0.1/",
        ),
    ],
)
async def test_what_is_no_address(uri: str) -> None:
    assert (await refused(uri)).fault == "uri"


async def test_keys_in_an_address_are_never_shown(server: OddServer) -> None:
    server.on("/a.wav", status(403))
    failed = await refused(f"http://user:hush@127.0.0.1:{server.port}/a.wav?sig=hush#hush")
    assert failed.detail == f"{server.url('/a.wav')} answered 403 So"


@pytest.mark.parametrize(
    ("allowed", "host", "taken"),
    [
        ("never", "127.0.0.1", False),
        ("loopback", "127.0.0.1", True),
        ("loopback", "localhost", True),
        ("loopback", "127.0.0.1.example.invalid", False),
        ("always", "127.0.0.1", True),
    ],
)
async def test_plain_http_is_a_setting(server: OddServer, allowed: Any, host: str, taken: bool) -> None:  # noqa: FBT001  # a row
    server.on("/a.wav", ok(BODY))
    settings = PromptSettings(http=allowed)
    if not taken:
        failed = await refused(server.url("/a.wav", host), settings)
        assert failed.fault == "uri"
        assert f"prompt.http is {allowed}" in failed.detail
        return
    async with fetching(settings) as made:
        assert await made.fetch(server.url("/a.wav", host)) == BODY


async def test_a_refused_network_is_never_connected_to(server: OddServer) -> None:
    server.on("/a.wav", ok(BODY))
    network = RefusedNetworks(["127.0.0.0/8"])
    for host in ("127.0.0.1", "localhost"):
        failed = await refused(server.url("/a.wav", host), open_socket=network.open_socket)
        assert failed.fault == "unreachable"
        assert "127.0.0.1 lies in 127.0.0.0/8" in failed.detail
    assert not server.requests


async def test_a_redirect_into_a_refused_network_ends_there(server: OddServer) -> None:
    network = RefusedNetworks(["127.0.0.2/32"])
    url = server.on("/a.wav", redirect(f"http://127.0.0.2:{server.port}/b.wav"))
    failed = await refused(url, open_socket=network.open_socket)
    assert failed.fault == "unreachable"
    assert "127.0.0.2 lies in" in failed.detail


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def trust(authority: trustme.CA) -> Generator[ssl.SSLContext]:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    yield context  # noqa: PT022  # typed like the others


async def test_a_certificate_of_a_trusted_authority_is_taken(
    authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    async with odd_server(server_tls(authority, "127.0.0.1")) as odd, fetching(trust=trust) as made:
        assert await made.fetch(odd.on("/a.wav", ok(BODY))) == BODY


async def test_a_stranger_certificate_or_name_is_not(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    async with odd_server(server_tls(authority, "127.0.0.1")) as odd:
        failed = await refused(odd.on("/a.wav", ok(BODY)))
        assert failed.fault == "unreachable"
        assert "certificate verify failed" in failed.detail
    async with odd_server(server_tls(authority, "other.example")) as odd:
        failed = await refused(odd.on("/a.wav", ok(BODY)), trust=trust)
        assert failed.fault == "unreachable"
        assert "127.0.0.1" in failed.detail
    assert not odd.requests


async def test_https_to_a_port_that_speaks_http() -> None:
    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(status(400))
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        failed = await refused(f"https://127.0.0.1:{port}/a.wav")
    assert failed.fault == "unreachable"
    assert "SSL" in failed.detail


async def test_only_so_many_are_fetched_at_a_time(server: OddServer) -> None:
    go, under_way = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(writer: asyncio.StreamWriter) -> None:
        under_way.release()
        await go.wait()
        writer.write(ok(BODY))

    server.on("/a.wav", wait)
    async with fetching(PromptSettings(max_fetches=3)) as made:
        tasks = [asyncio.ensure_future(made.fetch(server.url(f"/a.wav?{number}"))) for number in range(10)]
        for _ in range(3):
            await under_way.acquire()
        assert len(server.requests) == 3
        go.set()
        assert await asyncio.gather(*tasks) == [BODY] * 10


class TestFiles:
    def settings(self, root: Path, **others: Any) -> PromptSettings:
        return PromptSettings(file_root=str(root), **others)

    async def test_below_the_root(self, tmp_path: Path) -> None:
        folder = tmp_path / "in here"
        folder.mkdir()
        (folder / "a.wav").write_bytes(BODY)
        async with fetching(self.settings(tmp_path)) as made:
            assert await made.fetch((folder / "a.wav").as_uri()) == BODY
            assert await made.fetch(f"file://localhost{folder}/a.wav".replace(" ", "%20")) == BODY

    async def test_no_root_no_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(BODY)
        failed = await refused((tmp_path / "a.wav").as_uri())
        assert failed.fault == "uri"
        assert "files may be played once prompt.file_root names their folder" in failed.detail

    @pytest.mark.parametrize(
        "way", ["outside.wav", "in/../outside.wav", "in/%2e%2e/outside.wav", "in/link.wav"]
    )
    async def test_nothing_outside_the_root(self, tmp_path: Path, way: str) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "outside.wav").write_bytes(BODY)
        (tmp_path / "in/link.wav").symlink_to(tmp_path / "outside.wav")
        failed = await refused(f"file://{tmp_path}/{way}", self.settings(tmp_path / "in"))
        assert failed.fault == "uri"
        assert "is not below prompt.file_root" in failed.detail

    async def test_another_machine_has_no_files_here(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(BODY)
        failed = await refused(f"file://other.example{tmp_path}/a.wav", self.settings(tmp_path))
        assert failed.fault == "uri"

    async def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.wav")
        for name, problem in {
            "none.wav": os.strerror(errno.ENOENT),
            "pipe.wav": "is no file",
            "": "is no file",
        }.items():
            failed = await refused(f"file://{tmp_path}/{name}", self.settings(tmp_path))
            assert failed.fault == "unreachable", name
            assert problem in failed.detail
        failed = await refused(f"file://{tmp_path}/a%00b.wav", self.settings(tmp_path))
        assert failed.fault == "unreachable"

    async def test_a_file_has_a_largest_size(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(BODY)
        uri = (tmp_path / "a.wav").as_uri()
        async with fetching(self.settings(tmp_path, max_bytes=len(BODY))) as made:
            assert await made.fetch(uri) == BODY
        failed = await refused(uri, self.settings(tmp_path, max_bytes=len(BODY) - 1))
        assert failed.fault == "too-large"
