"""/onhook/lab/replays: the far end of a recorded call, armed at the built-in carrier or calling again.

| Request                           | Does                                                             |
|-----------------------------------|------------------------------------------------------------------|
| POST /onhook/lab/replays          | replay `{"call": id}`, or an export's `{"facts"}`; `number` else |
| GET /onhook/lab/replays/{id}      | whether its call has come, and once it is over, how it compares  |
| DELETE /onhook/lab/replays/{id}   | disarm it, while its call has not come                           |

Who may ask is settled as for the other pages of /onhook/.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onhook.acs.errors import ApiError, shown
from onhook.calls.numbers import fault_in
from onhook.calls.record import CallRecord
from onhook.effects import Destination
from onhook.facts import SipSeen, Timeline
from onhook.lab.replay.call import Part
from onhook.lab.replay.compare import Comparison, compare
from onhook.lab.replay.kept import NotAnExport, read_export
from onhook.lab.replay.script import Script, scripts_of
from onhook.server.forms import Page
from onhook.server.own_requests import as_json, commanded, read_body
from onhook.server.settings import ServerSettings
from onhook.server.switchboard import Archive

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_REPLAYS = 1_000
"""Kept to be asked about; the oldest go first."""
MAX_SEARCHED = 1_000
"""Newest calls among which the one of a replay is looked for."""


class Players(Protocol):
    """Who plays far ends: lab/carrier.py. `arm` raises ValueError if too much is armed."""

    def arm(self, part: Part) -> None: ...
    def disarm(self, part: Part) -> bool: ...
    def replay(self, part: Part, to: Destination) -> None: ...


class ReplayOrder(msgspec.Struct, frozen=True):
    """Body of POST."""

    call: str = ""
    facts: list[Any] = []
    number: str = ""


@dataclass(slots=True)
class Replay:
    id: str
    recorded: Timeline
    parts: list[Part]
    began_at: float
    found: str = ""
    """callConnectionId of the call of today."""
    comparison: Comparison | None = None
    untold: list[str] = field(default_factory=list[str])


class ReplaysApi:
    """`sip` gives our own SIP address for a transport, where calls come in."""

    def __init__(
        self,
        archive: Archive,
        players: Players | None,
        settings: ServerSettings,
        now: Callable[[], float],
        sip: Callable[[str], Destination],
    ) -> None:
        self._archive, self._players, self._settings = archive, players, settings
        self._now, self._sip = now, sip
        self._replays: OrderedDict[str, Replay] = OrderedDict()
        self._made = 0

    def routes(self) -> list[Route]:
        one = "/onhook/lab/replays/{id}"
        pages: list[tuple[str, str, Page]] = [
            ("POST", "/onhook/lab/replays", self.begin),
            ("GET", one, self.show),
            ("DELETE", one, self.disarm),
        ]
        return [
            Route(path, commanded(page, self._settings), methods=[method]) for method, path, page in pages
        ]

    async def begin(self, request: Request) -> Response:
        order = await read_body(request, ReplayOrder, MAX_BODY_BYTES)
        recorded = self._recorded(order)
        players = self._players
        if players is None:
            raise ApiError(
                409,
                "NoCarrier",
                "The built-in carrier is off (carrier.enabled): nobody plays the far end.",
            )
        scripts = scripts_of(recorded)
        if not scripts:
            raise ApiError(
                409, "NothingToReplay", "The call reached no far end: no trunk was chosen, and none called."
            )
        replay = self._replay(recorded, scripts, order.number)
        try:
            for part in replay.parts:
                if not part.script.inbound:
                    players.arm(part)
        except ValueError as full:
            raise ApiError(409, "TooManyArmed", f"{full}.") from None
        for part in replay.parts:
            if part.script.inbound:
                players.replay(part, self._sip(_transport_of(recorded)))
        return as_json(self._told(replay), 201)

    def _recorded(self, order: ReplayOrder) -> Timeline:
        if bool(order.call) == bool(order.facts):
            raise ApiError(400, "InvalidBody", 'Give either "call", an id, or "facts" of an exported call.')
        if order.facts:
            try:
                return read_export({"facts": order.facts})
            except NotAnExport as fault:
                raise ApiError(400, "InvalidBody", f"The export cannot be read: {fault}.") from None
        record = self._archive.call(order.call)
        if record is None:
            raise ApiError(404, "NotFound", f"No call has the id {shown(order.call)}.", target="call")
        if record.ended_at is None:
            raise ApiError(409, "CallOpen", "The call is open: what is not over cannot be replayed.")
        return self._archive.facts(record.id)

    def _replay(self, recorded: Timeline, scripts: list[Script], number: str) -> Replay:
        if number and (fault := fault_in(number)):
            raise ApiError(400, "InvalidNumber", f"{shown(number)} is no number: {fault}.", target="number")
        first = scripts[0]
        if number and first.inbound:
            first = replace(first, dial_instead=number)
        parts = [Part(first, number or first.number), *(Part(each, each.number) for each in scripts[1:])]
        self._made += 1
        replay = Replay(f"r{self._made}", recorded, parts, self._now())
        replay.untold = list(dict.fromkeys(line for part in parts for line in part.script.untold))
        self._replays[replay.id] = replay
        if len(self._replays) > MAX_REPLAYS:
            self._replays.popitem(last=False)
        return replay

    async def show(self, request: Request) -> Response:
        return as_json(self._told(self._one(request)))

    async def disarm(self, request: Request) -> Response:
        replay = self._one(request)
        if self._players is not None:
            for part in replay.parts:
                self._players.disarm(part)
        del self._replays[replay.id]
        return Response(status_code=204)

    def _one(self, request: Request) -> Replay:
        name: str = request.path_params["id"]
        replay = self._replays.get(name)
        if replay is None:
            raise ApiError(404, "NotFound", f"No replay is called {shown(name)}.", target="id")
        return replay

    def _told(self, replay: Replay) -> dict[str, Any]:
        record = self._call_of(replay)
        if record is not None and record.ended_at is not None and replay.comparison is None:
            replay.comparison = compare(replay.recorded, self._archive.facts(record.id))
        played = [part.call for part in replay.parts if part.call is not None]
        state = "over" if replay.comparison else "playing" if played else "waiting"
        told: dict[str, Any] = {
            "id": replay.id,
            "state": state,
            "call": replay.found or None,
            "parts": [_part(part) for part in replay.parts],
            "not_replayed": replay.untold,
            "departures": [how for call in played for how in call.departures],
            "unplayed": [what for call in played for what in call.unplayed] if state == "over" else [],
        }
        if replay.comparison is not None:
            told["comparison"] = msgspec.to_builtins(replay.comparison)
            told["result"] = replay.comparison.lines()
        return told

    def _call_of(self, replay: Replay) -> CallRecord | None:
        """The call of today: the one that has the Call-ID of the first part that plays."""
        if replay.found:
            return self._archive.call(replay.found)
        played = next((part.call for part in replay.parts if part.call is not None), None)
        wanted = f"\r\ncall-id: {played.call_id}\r\n".encode().lower() if played else b""
        for record in self._archive.calls(MAX_SEARCHED) if wanted else []:
            if record.started_at < replay.began_at:
                break
            if any(_has(fact, wanted) for fact in self._archive.facts(record.id)):
                replay.found = record.id
                return record
        return None


def _has(fact: object, line: bytes) -> bool:
    return isinstance(fact, SipSeen) and line in fact.message.lower()


def _part(part: Part) -> dict[str, Any]:
    return {
        "number": part.number,
        "direction": "inbound" if part.script.inbound else "outbound",
        "script": part.script.lines(),
        "state": "waiting" if part.call is None else "over" if part.call.over else "playing",
    }


def _transport_of(recorded: Timeline) -> str:
    return next((fact.transport for fact in recorded if isinstance(fact, SipSeen)), "udp")
