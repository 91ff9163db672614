"""/onhook/…: what happened to calls and why, for people and programs. Read only, without signature.

| Path                                  | Gives                                                    |
|---------------------------------------|----------------------------------------------------------|
| /onhook/health                        | whether the server takes calls                           |
| /onhook/calls[?limit=N]               | the newest calls                                         |
| /onhook/calls/{id}                    | one call with all its facts                              |
| /onhook/calls/{id}/why                | the verdict, its evidence, what to do                    |
| /onhook/calls/{id}/ladder[.svg]       | the call as a ladder                                     |
| /onhook/endings/{id}                  | the page of an ending, as Markdown                       |

The form follows `?format=`, else the Accept header: a browser gets HTML, a program JSON (why and ladder:
text unless JSON or another form is asked for). Unless the setting says otherwise, only callers on this
machine are answered, and only under a name of this machine: a web page elsewhere cannot read it by
pointing its own name here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from onhook import __version__
from onhook.acs.callback_uri import is_loopback
from onhook.acs.errors import ApiError, call_not_found, shown
from onhook.calls.record import CallRecord
from onhook.endings.pages import pages
from onhook.server import explanations
from onhook.server.discretion import call_fields, fact_fields
from onhook.server.own_pages import call_page, calls_page
from onhook.server.settings import ServerSettings
from onhook.server.switchboard import Archive

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
SVG = "image/svg+xml"
TYPES = {"json": JSON, "html": HTML, "text": TEXT, "markdown": MARKDOWN, "svg": SVG}
ACCEPTED_AS = {content_type.partition(";")[0]: form for form, content_type in TYPES.items()}
DEFAULT_LIMIT = 100

Page = Callable[[Request], Awaitable[Response]]


class OwnApi:
    def __init__(
        self,
        archive: Archive,
        settings: ServerSettings,
        ready: Callable[[], bool],
        health: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self._archive, self._settings, self._ready, self._health = archive, settings, ready, health

    def routes(self) -> list[BaseRoute]:
        paths: list[tuple[str, Page]] = [
            ("/onhook/health", self.health),
            ("/onhook/calls", self.calls),
            ("/onhook/calls/{id}", self.call),
            ("/onhook/calls/{id}/why", self.why),
            ("/onhook/calls/{id}/ladder", self.ladder),
            ("/onhook/calls/{id}/ladder.svg", self.ladder_svg),
            ("/onhook/endings/{id}", self.ending),
        ]
        return [Route(path, self._guarded(page), methods=["GET"]) for path, page in paths]

    def _guarded(self, page: Page) -> Page:
        async def answer(request: Request) -> Response:
            try:
                check_caller(request, self._settings)
                return await page(request)
            except ApiError as refusal:
                return Response(refusal.body(), refusal.status, media_type=JSON)

        return answer

    async def health(self, _request: Request) -> Response:
        ready = self._ready()
        return _json({"ready": ready, "version": __version__, **self._health()}, 200 if ready else 503)

    async def calls(self, request: Request) -> Response:
        records = self._archive.calls(self._limit(request))
        if _form(request, "json", "html") == "html":
            return Response(calls_page(records), media_type=HTML)
        return _json({"calls": [call_fields(record) for record in records]})

    async def call(self, request: Request) -> Response:
        record = self._record(request)
        timeline = self._archive.facts(record.id)
        if _form(request, "json", "html") == "html":
            told = explanations.tell(record, timeline)
            return Response(call_page(record, told.text(), told.ladder_svg()), media_type=HTML)
        facts = [{"number": number, **fact_fields(fact)} for number, fact in enumerate(timeline, 1)]
        return _json({"call": call_fields(record), "facts": facts})

    async def why(self, request: Request) -> Response:
        record = self._record(request)
        told = explanations.tell(record, self._archive.facts(record.id))
        form = _form(request, "text", "json", "markdown")
        if form == "json":
            return _json(told.json())
        return Response(told.markdown() if form == "markdown" else told.text(), media_type=TYPES[form])

    async def ladder(self, request: Request) -> Response:
        if _form(request, "text", "svg") == "svg":
            return await self.ladder_svg(request)
        record = self._record(request)
        ladder = explanations.tell(record, self._archive.facts(record.id)).ladder()
        return Response(ladder, media_type=TEXT)

    async def ladder_svg(self, request: Request) -> Response:
        record = self._record(request)
        ladder = explanations.tell(record, self._archive.facts(record.id)).ladder_svg()
        return Response(ladder, media_type=SVG)

    async def ending(self, request: Request) -> Response:
        ending: str = request.path_params["id"]
        if ending not in pages():
            raise ApiError(404, "NotFound", f"No ending is called {shown(ending)}.", target="id")
        return Response(pages()[ending].text, media_type=MARKDOWN)

    def _record(self, request: Request) -> CallRecord:
        call_connection_id: str = request.path_params["id"]
        record = self._archive.call(call_connection_id)
        if record is None:
            raise call_not_found(call_connection_id)
        return record

    def _limit(self, request: Request) -> int:
        text = request.query_params.get("limit", str(DEFAULT_LIMIT))
        most = self._settings.max_calls_listed
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= most:
            raise ApiError(400, "InvalidLimit", f"limit {shown(text)} is not 1 to {most}.", target="limit")
        return int(text)


def check_caller(request: Request, settings: ServerSettings) -> None:
    """Raises ApiError 403 for a caller that may not read /onhook/."""
    if settings.own_api == "always":
        return
    peer = request.client.host if request.client else ""
    name = request.url.hostname or ""
    if not is_loopback(peer):
        raise _forbidden(f"{peer or 'An unknown peer'} is not this machine")
    if not is_loopback(name) and name not in settings.hostnames:
        raise _forbidden(f"{shown(name)} is no name of this machine")


def _form(request: Request, default: str, *others: str) -> str:
    """The form asked for, out of those that the page has."""
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


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.format(msgspec.json.encode(value), indent=2), status, media_type=JSON)


def _forbidden(why: str) -> ApiError:
    return ApiError(
        403, "Forbidden", f"{why}; /onhook/ is for this machine. Setting server.own_api = always opens it."
    )
