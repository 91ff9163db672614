"""/onhook/…: what happened to calls and why, for people and programs. Read only, without signature.

| Path                                  | Gives                                                    |
|---------------------------------------|----------------------------------------------------------|
| /onhook/health                        | whether the server takes calls                           |
| /onhook/calls[?limit=N]               | the newest calls                                         |
| /onhook/calls/{id}                    | one call with all its facts                              |
| /onhook/calls/{id}/why                | the verdict, its evidence, what to do                    |
| /onhook/calls/{id}/ladder[.svg]       | the call as a ladder                                     |
| /onhook/trunks                        | how the trunks are (own_trunks.py)                       |

The form follows `?format=`, else the Accept header: a browser gets HTML, a program JSON (why and ladder:
text unless JSON or another form is asked for). Unless the setting says otherwise, only callers on this
machine are answered, and only under a name of this machine: a web page elsewhere cannot read it by
pointing its own name here. The pages of endings and codes are in endings_api.py.
"""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from onhook import __version__
from onhook.acs.errors import ApiError, call_not_found, shown
from onhook.calls.record import CallRecord
from onhook.server import explanations
from onhook.server.discretion import call_fields, fact_fields
from onhook.server.forms import HTML, SVG, TEXT, TYPES, Page, form_of, guarded, json_response
from onhook.server.own_pages import call_page, calls_page
from onhook.server.settings import ServerSettings
from onhook.server.switchboard import Archive

DEFAULT_LIMIT = 100


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
        ]
        return [Route(path, guarded(page, self._settings), methods=["GET"]) for path, page in paths]

    async def health(self, _request: Request) -> Response:
        ready = self._ready()
        return json_response(
            {"ready": ready, "version": __version__, **self._health()}, 200 if ready else 503
        )

    async def calls(self, request: Request) -> Response:
        records = self._archive.calls(self._limit(request))
        if form_of(request, "json", "html") == "html":
            return Response(calls_page(records), media_type=HTML)
        return json_response({"calls": [call_fields(record) for record in records]})

    async def call(self, request: Request) -> Response:
        record = self._record(request)
        timeline = self._archive.facts(record.id)
        if form_of(request, "json", "html") == "html":
            told = explanations.tell(record, timeline)
            return Response(call_page(record, told.text(), told.ladder_svg()), media_type=HTML)
        facts = [{"number": number, **fact_fields(fact)} for number, fact in enumerate(timeline, 1)]
        return json_response({"call": call_fields(record), "facts": facts})

    async def why(self, request: Request) -> Response:
        record = self._record(request)
        told = explanations.tell(record, self._archive.facts(record.id))
        form = form_of(request, "text", "json", "markdown")
        if form == "json":
            return json_response(told.json())
        return Response(told.markdown() if form == "markdown" else told.text(), media_type=TYPES[form])

    async def ladder(self, request: Request) -> Response:
        if form_of(request, "text", "svg") == "svg":
            return await self.ladder_svg(request)
        record = self._record(request)
        ladder = explanations.tell(record, self._archive.facts(record.id)).ladder()
        return Response(ladder, media_type=TEXT)

    async def ladder_svg(self, request: Request) -> Response:
        record = self._record(request)
        ladder = explanations.tell(record, self._archive.facts(record.id)).ladder_svg()
        return Response(ladder, media_type=SVG)

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
