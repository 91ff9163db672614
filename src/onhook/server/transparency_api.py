"""/onhook/lab/transparency: what trunks make of causes, measured and kept.

| Request                             | Does                                                             |
|-------------------------------------|------------------------------------------------------------------|
| POST /onhook/lab/transparency       | measure: `{"trunk", "number"}`, a number that it routes back here |
| GET /onhook/lab/transparency/{name} | how far that is, and the newest table of the trunk               |

Tables are kept; calls over the trunk that begin later are judged by them.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onhook.acs.errors import ApiError, shown
from onhook.acs.models import CommunicationIdentifierModel, CreateCallRequest, PhoneNumberIdentifierModel
from onhook.acs.requests import Asked
from onhook.calls.directory import Directory, Resource
from onhook.calls.routing import Chosen, choose_trunk
from onhook.endings.transparency import in_words
from onhook.facts import Timeline
from onhook.lab.transparency import FarSide, NotReached, Row, Table, causes, measure
from onhook.server.forms import Page
from onhook.server.own_requests import as_json, commanded, read_body
from onhook.server.settings import ServerSettings
from onhook.server.sip_routing_api import Documents, LiveRouting
from onhook.server.switchboard import Archive, Switchboard
from onhook.store.batch import StoreFailed

DOCUMENT = "transparency"
"""Name in the store of all tables."""
UNHEARD = "/onhook/lab/transparency/unheard"
"""Takes the events of the calls that measure."""
API_VERSION = "2026-03-12"
log = logging.getLogger(__name__)


class MeasureOrder(msgspec.Struct, frozen=True):
    """Body of POST."""

    trunk: str
    number: str


class Calls(Switchboard, Protocol):
    """The switch."""

    @property
    def calls(self) -> Any: ...


@dataclass(slots=True)
class Running:
    number: str
    of: int
    done: int = 0
    last: str = ""
    failed: str = ""
    task: "asyncio.Task[None] | None" = None


class TransparencyApi:
    def __init__(
        self,
        routing: LiveRouting,
        switch: Calls,
        archive: Archive,
        documents: Documents,
        far_side: FarSide | None,
        *,
        settings: ServerSettings,
        now: Callable[[], float],
        url: Callable[[], str],
    ) -> None:
        self._routing, self._switch, self._archive, self._documents = routing, switch, archive, documents
        self._far_side, self._settings, self._now, self._url = far_side, settings, now, url
        self._running: dict[str, Running] = {}
        self._tables = self._read()
        self._learn()

    def routes(self) -> list[Route]:
        pages: list[tuple[str, str, Page]] = [
            ("POST", UNHEARD, self.unheard),
            ("POST", "/onhook/lab/transparency", self.begin),
            ("GET", "/onhook/lab/transparency/{name}", self.show),
        ]
        return [
            Route(path, commanded(page, self._settings), methods=[method]) for method, path, page in pages
        ]

    async def unheard(self, _request: Request) -> Response:
        return Response()

    async def begin(self, request: Request) -> Response:
        order = await read_body(request, MeasureOrder)
        if self._far_side is None:
            raise ApiError(409, "NoCarrier", "The built-in carrier is off (carrier.enabled): no far side.")
        if any(each.task and not each.task.done() for each in self._running.values()):
            raise ApiError(409, "Measuring", "A trunk is being measured: wait until that is over.")
        if order.trunk not in self._routing.directory.trunks:
            names = ", ".join(self._routing.directory.trunks) or "none"
            raise ApiError(404, "NotFound", f"No trunk is called {shown(order.trunk)}; there is {names}.")
        resource, caller = _way(self._routing.directory, order)
        running = self._running[order.trunk] = Running(order.number, len(causes()))
        placing = _Placing(self._switch, self._archive, resource, caller, f"{self._url()}{UNHEARD}")
        running.task = asyncio.create_task(self._measure(order, running, self._far_side, placing))
        return as_json(self._told(order.trunk), 202)

    async def _measure(
        self, order: MeasureOrder, running: Running, far_side: FarSide, placing: "_Placing"
    ) -> None:
        def tell(done: int, of: int, row: Row) -> None:
            running.done, running.of, running.last = done, of, in_words(row.sent)

        try:
            rows = await measure(order.number, far_side, placing, tell)
            table = Table(trunk=order.trunk, number=order.number, measured_at=self._now(), rows=rows)
            self._tables[order.trunk] = table
            self._documents.save_document(DOCUMENT, msgspec.json.encode(self._tables))
            self._learn()
        except NotReached as why:
            running.failed = str(why)
        except ApiError as refusal:
            running.failed = f"a call could not be placed: {refusal.message}"
        except StoreFailed as fault:
            running.failed = f"the table could not be kept: {fault}"

    async def show(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        if name not in self._running and name not in self._tables:
            raise ApiError(404, "NotFound", f"Trunk {shown(name)} has not been measured.", target="name")
        return as_json(self._told(name))

    def _told(self, trunk: str) -> dict[str, Any]:
        running, table = self._running.get(trunk), self._tables.get(trunk)
        busy = running is not None and running.task is not None and not running.task.done()
        state = "measuring" if busy else "failed" if running and running.failed else "measured"
        return {
            "trunk": trunk,
            "state": "measuring" if table is None and state == "measured" else state,
            "done": running.done if running else 0,
            "of": running.of if running else 0,
            "last": running.last if running else "",
            "why": running.failed if running else "",
            "table": None if table is None else msgspec.to_builtins(table),
        }

    def _read(self) -> dict[str, Table]:
        kept = self._documents.document(DOCUMENT)
        try:
            return msgspec.json.decode(kept, type=dict[str, Table]) if kept else {}
        except msgspec.MsgspecError as fault:
            log.warning("tables of trunks in the store cannot be read, measure again: %s", fault)
            return {}

    def _learn(self) -> None:
        self._routing.learn({name: table.rewrites for name, table in self._tables.items()})


class _Placing:
    """Places calls as an application of `resource` would, from its number `caller`."""

    def __init__(
        self, switch: Calls, archive: Archive, resource: Resource, caller: str, callback: str
    ) -> None:
        self._switch, self._archive, self._resource = switch, archive, resource
        self._caller, self._callback = caller, callback

    def place(self, number: str) -> str:
        request = CreateCallRequest(
            targets=[
                CommunicationIdentifierModel(
                    raw_id=f"4:{number}", phone_number=PhoneNumberIdentifierModel(value=number)
                )
            ],
            source_caller_id_number=PhoneNumberIdentifierModel(value=self._caller),
            callback_uri=self._callback,
        )
        asked = _asked("createCall")
        return str(self._switch.create_call(self._resource, request, asked).call_connection_id)

    def is_open(self, call: str) -> bool:
        return call in self._switch.calls

    def end(self, call: str) -> None:
        self._switch.hang_up(self._resource, call, _asked("terminateCall"), everyone=True)

    async def facts(self, call: str) -> Timeline:
        await self._switch.written()
        return self._archive.facts(call)


def _asked(operation: str) -> Asked:
    return Asked(api_version=API_VERSION, request_id="transparency", operation=operation)


def _way(directory: Directory, order: MeasureOrder) -> tuple[Resource, str]:
    """A resource and a number of it whose calls to the number take the trunk. Raises ApiError 409."""
    why = "no resource owns a number to call from"
    for resource in directory.resources:
        for caller in resource.numbers[:1]:
            routed = choose_trunk(directory, resource, order.number, caller, {})
            if isinstance(routed, Chosen) and routed.trunk.name == order.trunk:
                return resource, caller
            why = (
                f"calls to it take trunk {routed.trunk.name!r}"
                if isinstance(routed, Chosen)
                else f"calls to it take no trunk: {routed.detail}"
            )
    raise ApiError(
        409,
        "OtherTrunk",
        f"{shown(order.number)} cannot be reached over trunk {order.trunk!r}: {why}. Add a route, or name "
        "a number that takes it.",
        target="number",
    )
