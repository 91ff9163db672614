"""/onhook/lab: provoke endings and faults in the running server; for `onhook provoke`, programs and people.

| Request                               | Does                                                            |
|---------------------------------------|-----------------------------------------------------------------|
| GET /onhook/lab/endings               | what can be provoked, what cannot, and why                      |
| GET /onhook/lab/provocations          | what is armed, how often it hit, and what is spent              |
| POST /onhook/lab/provocations         | arm what lab/provocations.Wanted says, as JSON                  |
| GET /onhook/lab/provocations/{id}     | one                                                             |
| DELETE /onhook/lab/provocations/{id}  | disarm one, or `all`                                            |

Who may ask is settled as for Event Grid subscriptions (grid_api.py).
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onhook.acs.errors import ApiError, shown
from onhook.lab.causes import REQUESTS, causes, command, reasons
from onhook.lab.provocations import NotProvokable, Provocation, Wanted
from onhook.lab.provoking import Provoking
from onhook.lab.scenario import ScenarioError
from onhook.server.calling import ConnectionCut
from onhook.server.certificates import CertificatePaths, expired
from onhook.server.forms import Page
from onhook.server.own_requests import as_json, commanded, read_body
from onhook.server.serving import HttpServer, TlsFiles
from onhook.server.settings import ServerSettings
from onhook.server.throttle import KNOWN

SLOW_SECONDS: Final = 5.0
RETRY_AFTER_SECONDS: Final = 2
ROOT: Final = "/onhook/lab"


class LabApi:
    def __init__(self, provoking: Provoking, settings: ServerSettings) -> None:
        self._provoking, self._settings = provoking, settings

    def routes(self) -> list[Route]:
        """To stand before any route that takes all paths."""
        pages: list[tuple[str, str, Page]] = [
            ("GET", f"{ROOT}/endings", self.endings),
            ("GET", f"{ROOT}/provocations", self.provocations),
            ("POST", f"{ROOT}/provocations", self.arm),
            ("GET", f"{ROOT}/provocations/{{id}}", self.provocation),
            ("DELETE", f"{ROOT}/provocations/{{id}}", self.disarm),
        ]
        return [
            Route(path, commanded(page, self._settings), methods=[method]) for method, path, page in pages
        ]

    async def endings(self, _request: Request) -> Response:
        return as_json(catalogue())

    async def provocations(self, _request: Request) -> Response:
        return as_json({"provocations": [self._told(each) for each in self._provoking.listed()]})

    async def provocation(self, request: Request) -> Response:
        name: str = request.path_params["id"]
        found = self._provoking.armed.get(name)
        if found is None:
            raise _unknown(name)
        return as_json(self._told(found))

    async def arm(self, request: Request) -> Response:
        wanted = await read_body(request, Wanted)
        if wanted.operation and wanted.operation.lower() not in KNOWN:
            raise ApiError(
                400,
                "NotProvokable",
                f"{shown(wanted.operation)} is no operation; COVERAGE.md lists them.",
                target="operation",
            )
        try:
            made = self._provoking.arm(wanted)
        except (NotProvokable, ScenarioError) as refusal:
            raise ApiError(400, "NotProvokable", _sentence(str(refusal)), target="ending") from None
        return as_json(self._told(made), 201)

    async def disarm(self, request: Request) -> Response:
        name: str = request.path_params["id"]
        gone = self._provoking.disarm(name)
        if not gone and name != "all":
            raise _unknown(name)
        return as_json({"disarmed": [each.id for each in gone]})

    def _told(self, made: Provocation) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(made)
        return fields | {"in_force": any(made is each for each in self._provoking.in_force())}


class RequestFaults:
    """What `calling.CallingApi` asks of each request with a good signature."""

    def __init__(self, provoking: Provoking) -> None:
        self._provoking = provoking

    def cut(self, client: tuple[str, int]) -> None:
        """Break the connection that comes from `client`."""
        self._provoking.cut(client)

    async def meet(self, operation: str, call: str) -> bool:
        """Wait, refuse (ApiError), or break (ConnectionCut); True breaks when all is done."""
        made = self._provoking.request(operation, call)
        if made is None:
            return False
        if made.name == "slow-answer":
            await asyncio.sleep(SLOW_SECONDS)
        elif made.name == "connection-cut":
            raise ConnectionCut
        elif made.name in REQUESTS:
            status, code, words = REQUESTS[made.name]
            raise ApiError(
                status,
                code,
                f"{words}. Provoked ({made.id}).",
                target=operation,
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        return made.name == "answer-lost"


def follow_http(
    provoking: Provoking, http: HttpServer, certificates: CertificatePaths | None, hostnames: Sequence[str]
) -> None:
    """Let the lab break connections; while `certificate-expired` is armed, show one that ran out."""
    provoking.cut = http.cut
    if certificates is None:
        return
    good = TlsFiles(certificates.certificate, certificates.key)

    def show() -> None:
        if provoking.holds("certificate"):
            http.show(TlsFiles(*expired(certificates, hostnames, datetime.now(UTC))))
        else:
            http.show(good)

    provoking.changed = show


def catalogue() -> dict[str, Any]:
    """What can be provoked and by which command, and what cannot and why."""
    found = [
        {
            "name": cause.name,
            "ending": cause.ending,
            "arm": cause.arm,
            "text": cause.text,
            "scenario": cause.scenario,
            "then": cause.then,
            "needs": cause.needs,
            "command": command(cause.name),
        }
        for cause in causes().values()
    ]
    return {"provokable": found, "not_provokable": [{"name": n, "why": w} for n, w in reasons().items()]}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _unknown(name: str) -> ApiError:
    return ApiError(404, "NotFound", f"There is no provocation {shown(name)}.", target="id")
