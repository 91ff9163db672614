"""In which form a page of our own is answered, and who may read it: shared by the APIs beside ACS's."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from onhook.acs.callback_uri import is_loopback
from onhook.acs.errors import ApiError, shown
from onhook.server.settings import ServerSettings

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
SVG = "image/svg+xml"
TYPES = {"json": JSON, "html": HTML, "text": TEXT, "markdown": MARKDOWN, "svg": SVG}
ACCEPTED_AS = {content_type.partition(";")[0]: form for form, content_type in TYPES.items()}
SUFFIXES = {".json": "json", ".html": "html", ".txt": "text", ".md": "markdown"}

Page = Callable[[Request], Awaitable[Response]]


def guarded(page: Page, settings: ServerSettings) -> Page:
    """`page` for those who may read it; what it refuses is rendered as an ACS error."""

    async def answer(request: Request) -> Response:
        try:
            check_caller(request, settings)
            return await page(request)
        except ApiError as refusal:
            return Response(refusal.body(), refusal.status, media_type=JSON)

    return answer


def check_caller(request: Request, settings: ServerSettings) -> None:
    """Raises ApiError 403 for a caller that may not read our own pages."""
    if settings.own_api == "always":
        return
    peer = request.client.host if request.client else ""
    name = request.url.hostname or ""
    if not is_loopback(peer):
        raise _forbidden(f"{peer or 'An unknown peer'} is not this machine")
    if not is_loopback(name) and name not in settings.hostnames:
        raise _forbidden(f"{shown(name)} is no name of this machine")


def form_of(request: Request, default: str, *others: str) -> str:
    """The form asked for, out of those that the page has: by `?format=`, else by the Accept header."""
    forms = (default, *others)
    asked = request.query_params.get("format")
    if asked is not None:
        if asked not in forms:
            raise ApiError(
                400, "InvalidFormat", f"format {shown(asked)} is none of {', '.join(forms)}.", target="format"
            )
        return asked
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept", "").split(",")]
    return next((form for a in accepted if (form := ACCEPTED_AS.get(a)) in forms), default)


def suffix_of(name: str) -> tuple[str, str]:
    """A name and the form that its ending asks for: "callee-busy.json" is ("callee-busy", "json")."""
    for suffix, form in SUFFIXES.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix), form
    return name, ""


def json_response(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.format(msgspec.json.encode(value), indent=2), status, media_type=JSON)


def _forbidden(why: str) -> ApiError:
    return ApiError(
        403, "Forbidden", f"{why}; /onhook/ is for this machine. Setting server.own_api = always opens it."
    )
