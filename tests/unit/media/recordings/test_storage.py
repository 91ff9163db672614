"""External storage: a folder, and a small server that takes blobs as the Blob service does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from onhook.effects import StopRecording
from onhook.facts import RecordingChanged
from onhook.media.recordings import storage as part
from unit.media.recordings.recording_rig import Recorder, read_mp3, read_wav, recorder, tone

SAS = "sv=2021-08-06&sig=a%2Fb%2Bc%3D&se=2030-01-01T00%3A00%3A00Z"


@dataclass
class Blobs:
    """Put Blob, and nothing else. `statuses` are answered first, one a request; None cuts the connection."""

    statuses: list[int | None] = field(default_factory=list[int | None])
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    headers: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    queries: list[str] = field(default_factory=list[str])
    url: str = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.queries.append(request.rel_url.raw_query_string)
        status = self.statuses.pop(0) if self.statuses else 201
        if status is None:
            assert request.transport
            request.transport.abort()
            return web.Response()
        if status != 201:
            headers = {"x-ms-error-code": "AuthenticationFailed"} if status == 403 else {}
            return web.Response(status=status, headers=headers, text="<Error>no</Error>")
        assert request.method == "PUT"
        assert request.headers["x-ms-blob-type"] == "BlockBlob"
        self.blobs[request.rel_url.raw_path] = body
        self.headers[request.rel_url.raw_path] = dict(request.headers)
        return web.Response(status=201)


@contextlib.asynccontextmanager
async def blob_server(*statuses: int | None) -> AsyncIterator[Blobs]:
    blobs = Blobs(list(statuses))
    runner = web.ServerRunner(web.Server(blobs), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    blobs.url = f"http://127.0.0.1:{runner.addresses[0][1]}/calls"
    try:
        yield blobs
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "PAUSES_SECONDS", (0.0,))


async def recorded(recording: Recorder, storage: str, **more: Any) -> RecordingChanged:
    """A second is recorded; its last fact."""
    recording.start(storage=storage, **more)
    await recording.until("active")
    recording.room.play({"a": tone(440, 1)})
    recording.recordings.perform(StopRecording("r1"))
    done, _ = await asyncio.wait(
        [asyncio.create_task(recording.until(state)) for state in ("closed", "failed")],
        return_when=asyncio.FIRST_COMPLETED,
    )
    (first,) = done
    return first.result()


@pytest.mark.parametrize("form", ["wav", "mp3"])
async def test_content_and_metadata_become_blobs(tmp_path: Path, form: str) -> None:
    async with blob_server() as blobs, recorder(tmp_path) as recording:
        closed = await recorded(recording, f"{blobs.url}/?{SAS}", format=form)
        (chunk,) = closed.chunks
    name = "/calls/20231114/call/r1/doc-0"
    assert list(blobs.blobs) == [f"{name}.{form}", f"{name}.json"]
    sound = tmp_path / f"sound.{form}"
    sound.write_bytes(blobs.blobs[f"{name}.{form}"])
    assert len(read_wav(sound) if form == "wav" else read_mp3(sound)) == 16_000
    assert b'"chunkDocumentId":"doc-0"' in blobs.blobs[f"{name}.json"]
    assert blobs.headers[f"{name}.{form}"]["Content-Type"] == {"wav": "audio/wav", "mp3": "audio/mpeg"}[form]
    assert blobs.queries == [SAS, SAS]  # letter by letter
    assert closed.state == "closed"
    assert chunk.content == chunk.deletion == f"{blobs.url}/20231114/call/r1/doc-0.{form}"
    assert chunk.metadata == f"{blobs.url}/20231114/call/r1/doc-0.json"
    assert chunk.bytes == len(blobs.blobs[f"{name}.{form}"])
    assert not list(recording.folder.iterdir())


async def test_ids_cannot_break_out_of_their_names(tmp_path: Path) -> None:
    async with blob_server() as blobs, recorder(tmp_path) as recording:
        await recorded(recording, blobs.url, call_id="../../a b?c")
    assert next(iter(blobs.blobs)) == "/calls/20231114/..%2F..%2Fa%20b%3Fc/r1/doc-0.wav"


async def test_what_a_busy_store_refuses_is_tried_again(tmp_path: Path) -> None:
    async with blob_server(503, None, 429) as blobs, recorder(tmp_path) as recording:
        closed = await recorded(recording, blobs.url)
    assert closed.state == "closed"
    assert len(blobs.queries) == 5
    assert len(blobs.blobs) == 2


async def test_a_store_that_stays_busy_fails_the_recording_and_it_is_kept(tmp_path: Path) -> None:
    async with blob_server(*[500] * 4) as blobs, recorder(tmp_path) as recording:
        failed = await recorded(recording, f"{blobs.url}?{SAS}")
        kept = recording.recordings.shelf.find("doc-0")
    assert failed.state == "failed"
    assert "doc-0.wav could not be stored after 4 tries: " in failed.detail
    assert (
        "answered 500 Internal Server Error <Error>no</Error>. It is kept here for 24 hours" in failed.detail
    )
    assert "sig=" not in failed.detail
    assert kept is not None
    assert failed.chunks[0].content == "https://localhost/v1/objects/doc-0/content/audio"
    assert failed.duration_ms == 1_000


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409, 412])
async def test_a_refusal_is_final(tmp_path: Path, status: int) -> None:
    async with blob_server(status) as blobs, recorder(tmp_path, retention_hours=0) as recording:
        failed = await recorded(recording, blobs.url)
    assert failed.state == "failed"
    assert len(blobs.queries) == 1
    assert f"answered {status}" in failed.detail
    assert ("AuthenticationFailed" in failed.detail) == (status == 403)
    assert "kept here until it is deleted" in failed.detail


async def test_of_two_chunks_the_first_may_be_there_and_the_second_here(tmp_path: Path) -> None:
    async with (
        blob_server(201, 201, 403) as blobs,
        recorder(tmp_path, chunk_hours=1 / 3_600) as recording,
    ):
        recording.start(storage=blobs.url)
        await recording.until("active")
        recording.room.play({"a": tone(440, 1)})
        await recording.until_written(1.0)
        recording.room.play({"a": tone(440, 0.4)})
        recording.recordings.perform(StopRecording("r1"))
        failed = await recording.until("failed")
    assert [chunk.content.startswith(blobs.url) for chunk in failed.chunks] == [True, False]
    assert [path.name for path in recording.folder.glob("*.wav")] == ["doc-1.wav"]


async def test_a_store_that_nobody_runs(tmp_path: Path) -> None:
    async with blob_server() as blobs:
        url = blobs.url
    async with recorder(tmp_path, upload_tries=1) as recording:
        failed = await recorded(recording, url)
    assert "ClientConnectorError" in failed.detail


async def test_a_store_that_never_answers(tmp_path: Path) -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with recorder(tmp_path, upload_tries=2, upload_seconds=0.2) as recording:
        failed = await recorded(recording, f"http://127.0.0.1:{port}/calls")
    server.close()
    assert "took longer than 0.2 s" in failed.detail


async def test_an_upload_that_a_stop_cuts_off_goes_on_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onhook.media.recordings.recordings.CLOSING_SECONDS", 0.3)
    asked = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.sleep(30)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with recorder(tmp_path) as recording:
        recording.start(storage=f"http://127.0.0.1:{port}/calls")
        await recording.until("active")
        recording.room.play({"a": tone(440, 1)})
        recording.recordings.perform(StopRecording("r1"))
        await asked.wait()
    server.close()
    assert recording.states() == ["active"]
    async with recorder(tmp_path, upload_tries=1) as again:
        failed = await again.until("failed")  # nobody is there any more
    assert failed.duration_ms == 1_000
    assert failed.chunks[0].document == "doc-0"


# A folder of this machine


async def test_a_folder_below_the_one_that_is_open(tmp_path: Path) -> None:
    outside = tmp_path / "outside/of it"
    async with recorder(tmp_path, storage_folder=str(tmp_path / "outside")) as recording:
        closed = await recorded(recording, outside.as_uri())
        (chunk,) = closed.chunks
    path = outside / "20231114/call/r1/doc-0.wav"
    assert chunk.content == path.as_uri()
    assert len(read_wav(path)) == 16_000
    assert path.with_suffix(".json").exists()
    assert not list(recording.folder.iterdir())


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("a file where a folder should be")
    async with recorder(tmp_path, storage_folder=str(tmp_path), upload_tries=2) as recording:
        failed = await recorded(recording, (tmp_path / "outside").as_uri())
    assert "doc-0.wav could not be stored after 2 tries" in failed.detail
    assert recording.recordings.shelf.find("doc-0") is not None


async def test_a_link_that_leads_out_of_the_open_folder(tmp_path: Path) -> None:
    opened, secret = tmp_path / "open", tmp_path / "secret"
    opened.mkdir()
    secret.mkdir()
    (opened / "way").symlink_to(secret)
    async with recorder(tmp_path, storage_folder=str(opened)) as recording:
        recording.start(storage=(opened / "way").as_uri())
        failed = await recording.until("failed")
    assert "is not below" in failed.detail
    assert not list(secret.iterdir())


@pytest.mark.parametrize(
    ("storage", "settings", "said"),
    [
        ("file:///var/calls", {}, "recording.storage_folder opens none"),
        ("file:///var/calls", {"storage_folder": "/srv"}, "the storage /var/calls is not below /srv"),
        ("file:///srv/../var", {"storage_folder": "/srv"}, "is not below /srv"),
        ("file:///srv/%2e%2e/var", {"storage_folder": "/srv"}, "is not below /srv"),
        ("http://store.example/calls", {}, "the storage http://store.example is not https:// "),
        ("http://127.0.0.1/calls", {"storage_http": "never"}, "is not https:// (recording.storage_http)"),
        ("ftp://store.example/calls", {}, "the storage ftp://store.example is neither https:// nor file://"),
        ("calls", {}, "the storage without scheme:// is neither"),
        ("https:///calls", {}, "the storage https:// is neither"),
        ("https://[::1/calls", {}, "the storage is no URL"),
        ("https://store.example:99999/calls", {}, "the storage is no URL"),
    ],
)
async def test_storage_that_nothing_may_go_to_is_refused_at_once(
    tmp_path: Path, storage: str, settings: dict[str, Any], said: str
) -> None:
    async with recorder(tmp_path, **settings) as recording:
        recording.start(storage=storage)
        failed = await recording.until("failed")
        assert not recording.room.taps
    assert said in failed.detail
    assert not failed.chunks


async def test_plain_http_elsewhere_when_the_setting_says_so(tmp_path: Path) -> None:
    async with recorder(tmp_path, storage_http="always", upload_tries=1) as recording:
        recording.start(storage="http://store.invalid/calls")
        assert (await recording.until("active")).state == "active"
        recording.recordings.perform(StopRecording("r1"))
        failed = await recording.until("failed")
    assert "store.invalid" in failed.detail


async def test_no_tries_at_all(tmp_path: Path) -> None:
    async with recorder(tmp_path, upload_tries=0) as recording:
        failed = await recorded(recording, "http://127.0.0.1:9/calls")
    assert "recording.upload_tries is 0" in failed.detail
