"""The official Python SDK, unmodified, fetches and deletes recordings from the whole server.

SDK 1.6.0 refuses every host but those of Microsoft before it sends anything. Here the name that the setting
recording.public_host puts into the certificate is one of these, and is resolved to this machine, as a line
in /etc/hosts or a DNS of one's own would do.
"""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.communication.callautomation import CallAutomationClient, recording_url_validator
from azure.communication.callautomation.aio import CallAutomationClient as AsyncClient
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError

from recorded_files import PUBLIC_HOST, put_recording
from running_server import ServerThread

pytestmark = pytest.mark.interop

WRONG_KEY = "b25ob29rOm5vdC10aGUta2V5"


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerThread]:
    resolve = socket.getaddrinfo

    def as_hosts_file(host: Any, *how: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == PUBLIC_HOST else host, *how, **more)

    monkeypatch.setattr(socket, "getaddrinfo", as_hosts_file)
    server = ServerThread(tmp_path, RECORDING__PUBLIC_HOST=PUBLIC_HOST)
    yield server
    server.stop()


def stored(running: ServerThread, document: str = "0-onhook-1") -> tuple[str, bytes]:
    """URL of a recording without its view, and the bytes of its content."""
    directory = Path(running.server.config.server.data_directory) / "recordings"
    content = put_recording(directory, document)
    return f"https://{PUBLIC_HOST}:{running.server.http.port}/v1/objects/{document}", content


def read(download: Any) -> bytes:
    """What the SDK gives is a response, whatever its types say."""
    return b"".join(download.iter_bytes())


def client(running: ServerThread, **more: Any) -> CallAutomationClient:
    return CallAutomationClient.from_connection_string(running.connection_string(**more), **running.trust)


def test_content_and_metadata_are_downloaded(running: ServerThread) -> None:
    url, content = stored(running)
    sdk = client(running)
    assert read(sdk.download_recording(f"{url}/content/audio")) == content
    metadata = read(sdk.download_recording(f"{url}/content/acsmetadata"))
    assert json.loads(metadata)["chunkDuration"] == 1_000
    assert metadata.startswith(b'{"resourceId"')


def test_a_piece_is_downloaded(running: ServerThread) -> None:
    url, content = stored(running)
    sdk = client(running)
    piece = sdk.download_recording(f"{url}/content/audio", offset=100, length=50)
    assert getattr(piece, "status_code", 0) == 206
    assert read(piece) == content[100:150]
    rest = sdk.download_recording(f"{url}/content/audio", offset=30_000)
    assert read(rest) == content[30_000:]


def test_a_recording_is_deleted(running: ServerThread) -> None:
    url, _ = stored(running)
    sdk = client(running)
    sdk.delete_recording(url)
    with pytest.raises(ResourceNotFoundError) as gone:
        sdk.download_recording(f"{url}/content/audio")
    assert gone.value.status_code == 404
    with pytest.raises(ResourceNotFoundError):
        sdk.delete_recording(url)


def test_a_wrong_key_gets_nothing(running: ServerThread) -> None:
    url, _ = stored(running)
    with pytest.raises(ClientAuthenticationError) as refused:
        client(running, key=WRONG_KEY).download_recording(f"{url}/content/audio")
    assert refused.value.status_code == 401


async def test_the_asynchronous_client(running: ServerThread) -> None:
    url, content = stored(running)
    trust = running.trust
    async with AsyncClient.from_connection_string(running.connection_string(), **trust) as sdk:
        stream: Any = await sdk.download_recording(f"{url}/content/audio", offset=44)
        parts = [part async for part in stream.iter_bytes()]
        assert b"".join(parts) == content[44:]
        await sdk.delete_recording(url)
        with pytest.raises(ResourceNotFoundError):
            await sdk.delete_recording(url)


def test_without_such_a_name_the_sdk_asks_nobody(running: ServerThread) -> None:
    stored(running)
    url = f"https://localhost:{running.server.http.port}/v1/objects/0-onhook-1/content/audio"
    with pytest.raises(ValueError, match="is not a valid Azure Communication Services recording endpoint"):
        client(running).download_recording(url)


def test_another_way_is_to_allow_a_name_in_the_sdk(
    running: ServerThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, content = stored(running)
    monkeypatch.setattr(recording_url_validator, "ALLOWED_HOST_SUFFIXES", ("localhost",))
    url = f"https://localhost:{running.server.http.port}/v1/objects/0-onhook-1/content/audio"
    assert read(client(running).download_recording(url)) == content


async def test_another_way_on_this_machine_is_plain_https(running: ServerThread) -> None:
    _, content = stored(running)
    assert running.server.certificates is not None
    root = f"https://localhost:{running.server.http.port}/onhook/recordings"
    bundle = str(running.server.certificates.bundle)

    def fetch() -> tuple[Any, bytes]:
        listed = requests.get(root, verify=bundle, timeout=20).json()
        return listed, requests.get(f"{root}/0-onhook-1", verify=bundle, timeout=20).content

    listed, fetched = await asyncio.to_thread(fetch)
    assert [each["document"] for each in listed["recordings"]] == ["0-onhook-1"]
    assert fetched == content
