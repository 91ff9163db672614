"""Files of recordings over HTTP: who may fetch and delete them, in which pieces, and how it is refused."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from onhook.calls.directory import Directory, Resource
from onhook.media.recordings.mp3 import Mp3File
from onhook.media.recordings.shelf import OpenChunk, Plan, Shelf
from onhook.media.recordings.wav import WavFile
from onhook.server.authentication import Authentication
from onhook.server.recordings_api import RecordingsApi, places
from onhook.server.settings import ServerSettings
from unit.media.recordings.recording_rig import tone
from unit.server.signed_requests import KEY, NOW, OTHER_KEY, Answered, put, signed

OWN_ID, OTHER_ID = "0d0e0f00-0000-4000-8000-000000000001", "0d0e0f00-0000-4000-8000-000000000002"
DIRECTORY = Directory((Resource("dev", OWN_ID, (KEY,)), Resource("other", OTHER_ID, (OTHER_KEY,))))
PUBLIC = "rec.local.asm.skype.com:8443"
DOCUMENT = "0-onhook-1"


class Site:
    """A folder with one recording, and the API before it."""

    def __init__(self, folder: Path, form: str = "wav", resource_id: str = OWN_ID, **settings: Any) -> None:
        self.shelf = Shelf(folder)
        given = ServerSettings(**settings)
        authentication = Authentication(DIRECTORY, given, lambda: NOW)
        self.app = Starlette(routes=[*RecordingsApi(self.shelf, authentication, given).routes()])
        content = self.shelf.content(DOCUMENT, form)
        file = Mp3File(content) if form == "mp3" else WavFile(content, 1)
        file.append(tone(440, 1))
        file.close()
        plan = Plan(
            recording="r1",
            room="room",
            resource_id=resource_id,
            server_call_id="server-call",
            call_id="call",
            format=form,
            mixed=True,
            storage="",
            began_at=NOW,
        )
        self.shelf.finish(
            OpenChunk(plan=plan, document=DOCUMENT, index=0, began_at=NOW), 16_000, "SessionEnded"
        )
        self.bytes = content.read_bytes()

    async def ask(self, method: str, target: str, more: dict[str, str] | None = None, **how: Any) -> Answered:
        """As an SDK asks: signed over the endpoint, sent to the host of the URL."""
        headers = signed(method, target, host=PUBLIC, signed_host="localhost:8443", **how)
        return await put(self.app, method, target, {**headers, "x-ms-host": "localhost", **(more or {})})


AUDIO, METADATA, DELETION = places(DOCUMENT)


@pytest.mark.parametrize(("form", "content_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
async def test_the_sound_is_fetched_whole(tmp_path: Path, form: str, content_type: str) -> None:
    site = Site(tmp_path, form)
    got = await site.ask("GET", AUDIO)
    assert (got.status, got.body) == (200, site.bytes)
    assert got.headers["content-type"] == content_type
    assert got.headers["content-disposition"] == f'attachment; filename="{DOCUMENT}.{form}"'
    assert got.headers["content-length"] == str(len(site.bytes))
    assert (await site.ask("GET", f"/v1/objects/{DOCUMENT}/content/video")).body == site.bytes


async def test_the_metadata_are_fetched(tmp_path: Path) -> None:
    got = await Site(tmp_path).ask("GET", METADATA)
    assert got.status == 200
    assert got.json()["chunkDocumentId"] == DOCUMENT
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-149", 100, 150),
        ("bytes=32000-", 32_000, None),
        ("bytes=-44", -44, None),
    ],
)
async def test_a_piece_is_fetched(tmp_path: Path, asked: str, start: int, end: int | None) -> None:
    site = Site(tmp_path)
    got = await site.ask("GET", AUDIO, {"range": asked})
    assert (got.status, got.body) == (206, site.bytes[start:end])
    assert got.headers["content-range"].endswith(f"/{len(site.bytes)}")


async def test_a_piece_beyond_the_end(tmp_path: Path) -> None:
    got = await Site(tmp_path).ask("GET", AUDIO, {"range": "bytes=99999999-"})
    assert got.status == 416


async def test_deleting_takes_both_files_and_is_answered_200(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert (await site.ask("DELETE", DELETION)).status == 200
    assert site.shelf.find(DOCUMENT) is None
    assert not site.shelf.content(DOCUMENT, "wav").exists()
    again = await site.ask("DELETE", DELETION)
    assert again.status == 404


# How the SDKs sign


@pytest.mark.parametrize(
    ("host", "named", "target", "signed_target"),
    [
        ("localhost:8443", "localhost", AUDIO, AUDIO),  # Python names the host without its port
        ("localhost:8443", "localhost:8443", AUDIO, AUDIO),
        ("localhost:8443", "localhost:8443", f"{AUDIO}?a=b", AUDIO),  # JavaScript signs the path alone
        ("localhost:8443", "localhost", f"{AUDIO}?a=b", f"{AUDIO}?a=b"),
        (PUBLIC, "localhost", AUDIO, AUDIO),  # as if the endpoint were the host of the URL
    ],
)
async def test_signatures_over_the_endpoint(
    tmp_path: Path, host: str, named: str, target: str, signed_target: str
) -> None:
    headers = signed("GET", target, host=PUBLIC, signed_host=host, signed_target=signed_target)
    got = await put(Site(tmp_path).app, "GET", target, {**headers, "x-ms-host": named})
    assert got.status == 200


async def test_an_endpoint_behind_a_proxy_is_named_in_the_settings(tmp_path: Path) -> None:
    headers = signed("GET", AUDIO, host=PUBLIC, signed_host="calls.example.com:443")
    asked = {**headers, "x-ms-host": "calls.example.com"}
    assert (await put(Site(tmp_path).app, "GET", AUDIO, asked)).status == 401
    site = Site(tmp_path, endpoints=("calls.example.com:443",))
    assert (await put(site.app, "GET", AUDIO, asked)).status == 200


async def test_a_plain_signed_request_needs_no_other_host(tmp_path: Path) -> None:
    assert (await put(Site(tmp_path).app, "GET", AUDIO, signed("GET", AUDIO))).status == 200


# Refusals


async def test_nobody_fetches_or_deletes_without_a_signature(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for method, target in (
        ("GET", AUDIO),
        ("GET", METADATA),
        ("DELETE", DELETION),
        ("GET", "/v1/objects/x/content/y"),
    ):
        got = await put(site.app, method, target, {"host": PUBLIC})
        assert (got.status, got.error["code"]) == (401, "7509")
        assert got.headers["www-authenticate"] == "HMAC-SHA256"
        assert got.json()["status"] == 401  # what the JavaScript SDK reads
        assert got.json()["message"] == got.error["message"]
    assert site.shelf.find(DOCUMENT) is not None


async def test_a_recording_of_another_resource_is_not_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for method, target in (("GET", AUDIO), ("DELETE", DELETION)):
        got = await site.ask(method, target, key=OTHER_KEY)
        assert (got.status, got.error["code"]) == (404, "NotFound")
    assert (await Site(tmp_path, resource_id=OTHER_ID).ask("GET", AUDIO, key=OTHER_KEY)).status == 200


@pytest.mark.parametrize("document", ["nothing", "..%2F..%2Fetc%2Fpasswd", "0-ONHOOK-1", "x" * 200])
async def test_what_is_not_there(tmp_path: Path, document: str) -> None:
    got = await Site(tmp_path).ask("GET", f"/v1/objects/{document}/content/audio")
    assert (got.status, got.error["code"], got.json()["status"]) == (404, "NotFound", 404)


async def test_a_view_that_does_not_exist(tmp_path: Path) -> None:
    got = await Site(tmp_path).ask("GET", f"/v1/objects/{DOCUMENT}/content/picture")
    assert got.status == 404


async def test_a_body_that_is_none_of_its_business(tmp_path: Path) -> None:
    body = b"x" * 2_000
    headers = {**signed("DELETE", DELETION, body), "x-ms-host": "localhost"}
    assert (await put(Site(tmp_path).app, "DELETE", DELETION, headers, body)).status == 413


# Without signature, on this machine


async def test_people_on_this_machine_list_and_fetch(tmp_path: Path) -> None:
    site = Site(tmp_path)
    listed = await put(site.app, "GET", "/onhook/recordings", {"host": "localhost:8443"})
    (told,) = listed.json()["recordings"]
    assert told["document"] == DOCUMENT
    assert told["metadata"]["chunkDuration"] == 1_000
    got = await put(site.app, "GET", told["content"], {"host": "localhost:8443"})
    assert (got.status, got.body) == (200, site.bytes)
    metadata = await put(site.app, "GET", f"{told['content']}/metadata", {"host": "localhost:8443"})
    assert metadata.json()["callId"] == "call"


async def test_people_elsewhere_do_not(tmp_path: Path) -> None:
    site = Site(tmp_path)
    own = ("/onhook/recordings", f"/onhook/recordings/{DOCUMENT}", f"/onhook/recordings/{DOCUMENT}/metadata")
    for target in own:
        assert (await put(site.app, "GET", target, {"host": "localhost"}, client="192.0.2.9")).status == 403
        assert (await put(site.app, "GET", target, {"host": "evil.example"})).status == 403


@pytest.mark.parametrize(
    ("limit", "status"), [("1", 200), ("1000", 200), ("0", 400), ("1001", 400), ("x", 400)]
)
async def test_how_many_are_listed(tmp_path: Path, limit: str, status: int) -> None:
    got = await put(Site(tmp_path).app, "GET", f"/onhook/recordings?limit={limit}", {"host": "localhost"})
    assert got.status == status
