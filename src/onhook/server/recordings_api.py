"""Files of recordings over HTTP, as the SDKs fetch and delete them, and for people on this machine.

| Request                                   | Gives                                                        |
|-------------------------------------------|--------------------------------------------------------------|
| GET /v1/objects/{id}/content/audio        | the sound; Range is understood                               |
| GET /v1/objects/{id}/content/acsmetadata  | its metadata, JSON                                           |
| DELETE /v1/objects/{id}                   | 200 when both are deleted                                    |
| GET /onhook/recordings[?limit=N]          | the newest files, without signature (see own_api.py)         |
| GET /onhook/recordings/{id}[/metadata]    | a file, without signature                                    |

Paths of the first three are validated (recordings of the vendor's tests; `audio` is assumed there, `video`
was seen). Their signatures are made over the endpoint of the connection string, not over the host of the
URL; the SDKs name it in x-ms-host, Python without its port (validated). A file belongs to the resource
whose call was recorded; to others it is not there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from onhook.acs.errors import ApiError, shown
from onhook.media.recordings.shelf import KeptFile, Shelf
from onhook.server.authentication import Authentication
from onhook.server.exchange import head_of
from onhook.server.forms import check_caller
from onhook.server.settings import ServerSettings

JSON = "application/json; charset=utf-8"
METADATA = "acsmetadata"
VIEWS = ("audio", "video", METADATA)
DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000
MAX_BODY_BYTES = 1_024
"""These requests have none."""

Page = Callable[[Request], Awaitable[Response]]


class Places(NamedTuple):
    """Paths of a document."""

    content: str
    metadata: str
    deletion: str


def places(document: str) -> Places:
    deletion = f"/v1/objects/{document}"
    return Places(f"{deletion}/content/audio", f"{deletion}/content/{METADATA}", deletion)


class RecordingsApi:
    def __init__(self, shelf: Shelf, authentication: Authentication, settings: ServerSettings) -> None:
        self._shelf, self._authentication, self._settings = shelf, authentication, settings

    def routes(self) -> list[Route]:
        """To stand before any route that takes all paths."""
        one, own = "/v1/objects/{id}", "/onhook/recordings"
        return [
            Route(f"{one}/content/{{view}}", self._answering(self.content), methods=["GET"]),
            Route(one, self._answering(self.delete), methods=["DELETE"]),
            Route(own, self._answering(self.listing), methods=["GET"]),
            Route(f"{own}/{{id}}", self._answering(self.own_content), methods=["GET"]),
            Route(f"{own}/{{id}}/metadata", self._answering(self.own_metadata), methods=["GET"]),
        ]

    def _answering(self, page: Page) -> Page:
        async def answer(request: Request) -> Response:
            try:
                return await page(request)
            except ApiError as refusal:
                headers = {"WWW-Authenticate": "HMAC-SHA256"} if refusal.status == 401 else None
                return Response(refusal_body(refusal), refusal.status, headers, media_type=JSON)

        return answer

    async def content(self, request: Request) -> Response:
        file = await self._signed_for(request)
        view: str = request.path_params["view"]
        if view not in VIEWS:
            raise _not_found(f"{file.document}/content/{view}")
        return _metadata(file) if view == METADATA else _sound(file)

    async def delete(self, request: Request) -> Response:
        file = await self._signed_for(request)
        if not await asyncio.to_thread(self._shelf.delete, file.document):
            raise _not_found(file.document)
        return Response(status_code=200)

    async def listing(self, request: Request) -> Response:
        check_caller(request, self._settings)
        files = await asyncio.to_thread(self._shelf.listing, _limit(request))
        told = [
            {
                "document": file.document,
                "content": f"/onhook/recordings/{file.document}",
                "metadata": msgspec.to_builtins(file.told),
            }
            for file in files
        ]
        return Response(_pretty({"recordings": told}), media_type=JSON)

    async def own_content(self, request: Request) -> Response:
        check_caller(request, self._settings)
        return _sound(await self._found(request))

    async def own_metadata(self, request: Request) -> Response:
        check_caller(request, self._settings)
        return _metadata(await self._found(request))

    async def _signed_for(self, request: Request) -> KeptFile:
        """The file, if a key of its resource signed the request. Raises ApiError 401, 404, 413."""
        head = head_of(request.scope)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                raise ApiError(
                    413, "RequestEntityTooLarge", f"The body is longer than {MAX_BODY_BYTES} bytes."
                )
        resource = self._authentication.resource_of(head, bytes(body), endpoints=_endpoints(request))
        file = await self._found(request)
        if file.resource_id.lower() != resource.id.lower():
            raise _not_found(file.document)
        return file

    async def _found(self, request: Request) -> KeptFile:
        document: str = request.path_params["id"]
        file = await asyncio.to_thread(self._shelf.find, document)
        if file is None:
            raise _not_found(document)
        return file


def refusal_body(refusal: ApiError) -> bytes:
    """Beside the error of ACS, `status` and `message` at the top: all that the JavaScript SDK reads here."""
    told: dict[str, Any] = msgspec.json.decode(refusal.body())
    return msgspec.json.encode({**told, "status": refusal.status, "message": refusal.message})


def _endpoints(request: Request) -> tuple[str, ...]:
    """What the host that the client names may be in full: Python leaves its port out."""
    named = request.headers.get("x-ms-host", "")
    server = request.scope.get("server")
    return (f"{named}:{server[1]}",) if named and server else ()


def _sound(file: KeptFile) -> Response:
    return FileResponse(file.content, media_type=file.content_type, filename=file.content.name)


def _metadata(file: KeptFile) -> Response:
    return FileResponse(file.metadata, media_type="application/json")


def _not_found(what: str) -> ApiError:
    return ApiError(
        404,
        "NotFound",
        f"No recording of this resource is {shown(what)}. It never existed, was deleted, is older than"
        " recording.retention_hours, or went to external storage.",
        target="id",
    )


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise ApiError(400, "InvalidLimit", f"limit {shown(text)} is not 1 to {MAX_LIMIT}.", target="limit")
    return int(text)


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)
