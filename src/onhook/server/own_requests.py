"""Requests to our own APIs: who may make them, how their JSON is read, how refusals are rendered.

Beside forms.py, which is about reading our pages: these change something, so web pages of other sites are
refused as well.
"""

import re
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from onhook.acs.bodies import JSON_WORDS
from onhook.acs.errors import ApiError, shown
from onhook.server.forms import JSON, Page, check_caller
from onhook.server.settings import ServerSettings

MAX_BODY_BYTES = 65_536
MAX_FIELD_CHARACTERS = 100
PATH_IN_MESSAGE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")


def commanded(page: Page, settings: ServerSettings) -> Page:
    """`page` for those who may change something here."""

    async def checked(request: Request) -> Response:
        check_caller(request, settings)
        check_origin(request)
        return await page(request)

    return answering(checked)


def answering(page: Page) -> Page:
    """`page`; what it refuses is rendered as an ACS error."""

    async def answer(request: Request) -> Response:
        try:
            return await page(request)
        except ApiError as refusal:
            headers: dict[str, str] = {}
            if refusal.retry_after_seconds is not None:
                headers["Retry-After"] = str(refusal.retry_after_seconds)
            return Response(refusal.body(), refusal.status, headers, media_type=JSON)

    return answer


def as_json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.format(msgspec.json.encode(value), indent=2), status, media_type=JSON)


T = TypeVar("T", bound=msgspec.Struct)


async def read_body(request: Request, kind: type[T], max_bytes: int = MAX_BODY_BYTES) -> T:
    """The JSON body; raises ApiError 400, 413 or 415 that says what and where."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(
            415, "UnsupportedMediaType", "The body must be application/json.", target="Content-Type"
        )
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:
                raise ApiError(413, "RequestEntityTooLarge", f"The body is longer than {max_bytes} bytes.")
    except ClientDisconnect:
        raise ApiError(400, "ClientGone", "The body ended early.") from None
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
        known = kind.__struct_fields__
        if unknown := sorted(fields.keys() - set(known)):
            raise _misfit(unknown[0], f"there is no such field; there are {', '.join(known)}")
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as fault:
        where = PATH_IN_MESSAGE.search(str(fault))
        raise _misfit(where["path"] if where else "", PATH_IN_MESSAGE.sub("", str(fault))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise _misfit("", f"it is no JSON: {fault}") from None


def _misfit(field: str, why: str) -> ApiError:
    where = field or "The body"
    for word, plain in JSON_WORDS.items():
        why = why.replace(word, plain)
    return ApiError(400, "InvalidBody", f"{where[:MAX_FIELD_CHARACTERS]}: {why}.", target=field or None)


def check_origin(request: Request) -> None:
    """A page of another site can make a browser post here; the browser then says whose page it is."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ApiError(403, "Forbidden", f"A page of {shown(origin)} may not ask this.", target="Origin")
