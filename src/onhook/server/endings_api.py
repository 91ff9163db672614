"""/endings and /codes: what endings are and what codes mean, a page for each that can be linked to.

| Path                                   | Gives                                                     |
|----------------------------------------|-----------------------------------------------------------|
| /endings[?q=TEXT]                      | every ending, or those that fit                           |
| /endings/callee-busy                   | the page of an ending                                     |
| /codes[?q=TEXT]                        | what `onhook why TEXT` says                               |
| /codes/486/560486, /codes/560486       | what is known of a pair, of a code or a subcode alone     |

The same under /onhook/. A browser gets HTML, a program JSON; `?format=`, or `.json`, `.md`, `.txt`, `.html`
at the end of the path, ask for a form. Read only, for callers on this machine (see forms.py).
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from onhook.acs.errors import ApiError, shown
from onhook.endings.lookup import look_up
from onhook.endings.pages import pages, pages_by_codes
from onhook.endings.render_answer import answer_dict, answer_markdown, answer_text
from onhook.endings.shelf import detail_of, page_text, search_pages, summary_of
from onhook.server.endings_pages import answer_page, ending_page, endings_page
from onhook.server.forms import HTML, TYPES, Page, form_of, guarded, json_response, suffix_of
from onhook.server.settings import ServerSettings

MAX_DIGITS = 9
MAX_QUERY = 4_000
"""Characters of a question in a URL; longer ones go to `onhook why -`."""


class EndingsApi:
    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        paths: list[tuple[str, Page]] = [
            ("/endings", self.endings),
            ("/endings/{name}", self.ending),
            ("/codes", self.codes),
            ("/codes/{subcode}", self.code),
            ("/codes/{code}/{subcode}", self.code),
        ]
        return [
            Route(root + path, guarded(page, self._settings), methods=["GET"])
            for root in ("", "/onhook")
            for path, page in paths
        ]

    async def endings(self, request: Request) -> Response:
        query = _query(request)
        form = form_of(request, "json", "html")
        searched = search_pages(query)
        found = [hit.page for hit in searched.hits] if query else list(pages().values())
        if form == "html":
            return Response(endings_page(found, query, searched.suggestions), media_type=HTML)
        listed = [summary_of(page) for page in found]
        return json_response({"endings": listed, "suggestions": searched.suggestions})

    async def ending(self, request: Request) -> Response:
        name, form = suffix_of(request.path_params["name"])
        page = pages().get(name)
        if page is None:
            near = ", ".join(search_pages(name).suggestions)
            more = f" Did you mean {near}?" if near else ""
            raise ApiError(404, "NotFound", f"No ending is called {shown(name)}.{more}", target="name")
        form = form or form_of(request, "json", "html", "markdown", "text")
        if form == "json":
            return json_response(detail_of(page))
        if form == "markdown":
            return Response(page.text, media_type=TYPES[form])
        return Response(ending_page(page) if form == "html" else page_text(page), media_type=TYPES[form])

    async def codes(self, request: Request) -> Response:
        return _explained(_query(request), "", request)

    async def code(self, request: Request) -> Response:
        last, form = suffix_of(request.path_params["subcode"])
        numbers = [number for number in (request.path_params.get("code"), last) if number is not None]
        for number in numbers:
            if not number.isascii() or not number.isdecimal() or len(number) > MAX_DIGITS:
                raise ApiError(404, "NotFound", f"{shown(number)} is no code: a number is.", target="code")
        return _explained("/".join(numbers), form, request)


def _explained(query: str, form: str, request: Request) -> Response:
    """404 if nothing at all can be said; 200 for what only the digits tell, with `known` false."""
    form = form or form_of(request, "json", "html", "markdown", "text")
    answer = look_up(query, pages_by_codes())
    status = 200 if answer.matches or not query else 404
    if form == "json":
        return json_response(answer_dict(answer), status)
    made = {"html": answer_page, "markdown": answer_markdown, "text": answer_text}[form]
    return Response(made(answer), status, media_type=TYPES[form])


def _query(request: Request) -> str:
    query = request.query_params.get("q", "").strip()
    if len(query) > MAX_QUERY:
        raise ApiError(400, "InvalidQuery", f"q has more than {MAX_QUERY} characters.", target="q")
    return query
