"""/onhook/trunks: how each trunk is, since when and why; a page for people, JSON for programs.

Who may ask is settled as for the other pages of /onhook/ (forms.py).
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onhook.server.forms import HTML, JSON, form_of, guarded
from onhook.server.own_pages import page, utc
from onhook.server.settings import ServerSettings

HEAD = "<tr><th>Trunk<th>Where<th>State<th>Since (UTC)<th>Why<th>Last heard (UTC)<th>Calls<th>Rests</tr>"


class OwnTrunks:
    """`told` gives what switch/trunks.py knows, one mapping a trunk."""

    def __init__(self, told: Callable[[], Sequence[Mapping[str, Any]]], settings: ServerSettings) -> None:
        self._told, self._settings = told, settings

    def routes(self) -> list[Route]:
        return [Route("/onhook/trunks", guarded(self.answer, self._settings), methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        trunks = self._told()
        if form_of(request, "json", "html") == "html":
            return Response(trunks_page(trunks), media_type=HTML)
        body = msgspec.json.format(msgspec.json.encode({"trunks": trunks}), indent=2)
        return Response(body, media_type=JSON)


def trunks_page(trunks: Sequence[Mapping[str, Any]]) -> str:
    if not trunks:
        return page("Trunks", "<p>There is no trunk: add a [trunk.NAME] section.</p>")
    return page("Trunks", f"<table>{HEAD}{''.join(map(_row, trunks))}</table>")


def _row(trunk: Mapping[str, Any]) -> str:
    rest = trunk["rests_for_seconds"]
    cells = (
        f"<td>{escape(trunk['name'])}",
        f"<td>{escape(trunk['transport'])} {escape(trunk['host'])}:{trunk['port']}",
        f"<td>{escape(trunk['state'])}",
        f'<td class="n">{utc(trunk["since"])}',
        f"<td>{escape(trunk['reason'])}",
        f'<td class="n">{utc(trunk["last_heard_at"]) or "never"}',
        f'<td class="n">{trunk["calls"]} of {trunk["max_calls"]}',
        f'<td class="n">{f"{rest:.0f} s" if rest else ""}',
    )
    return f"<tr>{''.join(cells)}</tr>"
