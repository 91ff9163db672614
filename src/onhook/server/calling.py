"""The ACS operations over HTTP: /calling/…, and the APIs beside it (`Surface`) by the same rules.

In this order: path and method, body length, signature, rate, what the lab provokes, api-version, body,
callback addresses, repetition; then the operation itself. Whatever is refused is rendered here, once.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs
from uuid import uuid4

import msgspec
from starlette.types import Receive, Scope, Send

from onhook.acs.callback_uri import check_callback_uri
from onhook.acs.errors import ApiError
from onhook.acs.operations import OPERATIONS
from onhook.acs.requests import Asked, Reply
from onhook.acs.versions import STABLE, Version, choose_version
from onhook.acs.wire import Model
from onhook.calls.directory import Directory, Resource
from onhook.server.authentication import Authentication
from onhook.server.dispatch import Dispatcher, Found, MethodNotAllowed
from onhook.server.exchange import Answer, ClientGone, Head, head_of, read_whole_body, send_answer
from onhook.server.handlers import BUILT, Request
from onhook.server.repeats import RESULT, check_same, fingerprint, repeatability_id
from onhook.server.settings import ServerSettings
from onhook.server.surface import BoundHandler, Surface, bind
from onhook.server.switchboard import Switchboard
from onhook.server.throttle import Throttle
from onhook.store.batch import StoreFailed

log = logging.getLogger(__name__)

API_VERSION_MARK = "api-version="
MAX_CLIENT_REQUEST_ID_LENGTH = 128
RETRY_AFTER_SECONDS = 1
CALLBACK_FIELDS = {
    "callback_uri": ("CallbackUri", "$.callbackUri"),
    "operation_callback_uri": ("OperationCallbackUri", "$.operationCallbackUri"),
    "recording_state_callback_uri": ("RecordingStateCallbackUri", "$.recordingStateCallbackUri"),
}


class Faults(Protocol):
    """What the lab lets happen to requests."""

    def cut(self, client: tuple[str, int]) -> None:
        """Break the connection that comes from `client`."""
        ...

    async def meet(self, operation: str, call: str) -> bool:
        """Wait, refuse (ApiError), or break (ConnectionCut); True breaks when all is done."""
        ...


class ConnectionCut(Exception):
    """The connection of this request has to break, without an answer."""


class _Asking(NamedTuple):
    """A request that is authenticated and understood, and what to warn its sender of."""

    found: Found
    handler: BoundHandler
    request: Request
    warnings: list[str]
    fingerprint: str


class CallingApi:
    """An ASGI application. `now` gives Unix seconds."""

    def __init__(
        self,
        directory: Directory,
        switchboard: Switchboard,
        settings: ServerSettings,
        now: Callable[[], float],
        surfaces: Sequence[Surface] = (),
        *,
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults
        self._switchboard, self._settings, self._now = switchboard, settings, now
        all_surfaces = (Surface(OPERATIONS, STABLE, bind(BUILT, switchboard)), *surfaces)
        self._surfaces = {o.name: surface for surface in all_surfaces for o in surface.operations}
        self._dispatcher = Dispatcher(o for surface in all_surfaces for o in surface.operations)
        self._authentication = Authentication(directory, settings, now)
        self._throttle = Throttle(settings.request_limits)
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = head_of(scope)
        request_id = str(uuid4())
        self._in_flight += 1
        try:
            answer = await self._answer(head, receive, request_id)
        except ApiError as refusal:
            answer = _refusal(refusal)
        except StoreFailed as fault:
            why = f"Nothing was done: {fault}."
            answer = _refusal(ApiError(503, "StoreFailed", why, retry_after_seconds=RETRY_AFTER_SECONDS))
        except ClientGone:
            return
        except ConnectionCut:
            if self._faults is not None:
                self._faults.cut(tuple(scope["client"]))
            return
        except Exception:
            log.exception("%s %s failed, x-ms-request-id %s", head.method, head.raw_path, request_id)
            answer = _refusal(
                ApiError(500, "InternalServerError", f"Onhook failed; its log has it as {request_id}.")
            )
        finally:
            self._in_flight -= 1
        await send_answer(send, answer._replace(headers=answer.headers + _ids(head, request_id)))

    async def _answer(self, head: Head, receive: Receive, request_id: str) -> Answer:
        found = self._dispatcher.find(head.method, head.raw_path)
        if self._in_flight > self._settings.max_requests_in_flight:
            raise ApiError(
                503,
                "ServerBusy",
                f"{self._settings.max_requests_in_flight} requests are being answered: this server's limit.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        body = await read_whole_body(receive, head.headers, self._settings.max_body_bytes)
        resource = self._authentication.resource_of(head, body)
        self._throttle.admit(found.operation.name, resource.id, self._now())
        breaks = self._faults is not None and await self._faults.meet(
            found.operation.name, next(iter(found.ids), "")
        )
        asking = self._understand(found, head, body, resource, request_id)
        reply = self._perform(asking)
        # Nobody hears of a change before it is on disk: after a crash the SDK asks again, and finds it.
        await self._switchboard.written()
        if breaks:
            raise ConnectionCut
        headers = [("Warning", f'299 onhook "{warning}"') for warning in asking.warnings]
        if asking.request.asked.repeatability_id:
            headers.append(RESULT)
        return Answer(reply.status, reply.body, tuple(headers))

    def _understand(
        self, found: Found, head: Head, body: bytes, resource: Resource, request_id: str
    ) -> _Asking:
        operation = found.operation
        surface = self._surfaces[operation.name]
        version = choose_version(_api_version(head.query), surface.versions)
        model = surface.read(operation, body)
        asked = Asked(
            api_version=version.served,
            request_id=_client_request_id(head) or request_id,
            repeatability_id=repeatability_id(head.headers) if operation.repeatable else "",
            operation=operation.name,
        )
        warnings = self._warnings(version, model)
        request = Request(resource, found.ids, model, asked, head.query)
        repeatable = bool(asked.repeatability_id)
        made = fingerprint(operation.name, head.raw_path, body) if repeatable else ""
        return _Asking(found, surface.handler_of(operation), request, warnings, made)

    def _warnings(self, version: Version, model: Model | None) -> list[str]:
        warnings = [version.warning] if version.warning else []
        for attribute, (field, target) in CALLBACK_FIELDS.items():
            uri: str | None = getattr(model, attribute, None)
            if uri is None:
                continue
            warning = check_callback_uri(uri, http=self._settings.callback_http, field=field, target=target)
            if warning:
                warnings.append(warning)
        return warnings

    def _perform(self, asking: _Asking) -> Reply:
        """Do it, or find that it was done before. Nothing waits in here: two attempts cannot both do it."""
        operation, request = asking.found.operation, asking.request
        request_id = request.asked.repeatability_id
        key = f"{request.resource.id} {request_id}"
        if request_id:
            earlier = self._switchboard.recall(key)
            if earlier:
                check_same(request_id, earlier, asking.fingerprint)
                return earlier
        model = asking.handler(request)
        body = b"" if model is None else msgspec.json.encode(model)
        reply = Reply(status=operation.success[0], body=body, fingerprint=asking.fingerprint)
        if request_id:
            self._switchboard.remember(key, reply)
        return reply


def _api_version(query: str) -> str | None:
    if query.startswith(API_VERSION_MARK) and "&" not in query and "%" not in query:
        return query[len(API_VERSION_MARK) :]  # what both SDKs send, nearly always
    values = parse_qs(query).get("api-version", [])
    return values[0] if values else None


def _client_request_id(head: Head) -> str:
    return head.headers.get("x-ms-client-request-id", "")[:MAX_CLIENT_REQUEST_ID_LENGTH]


def _ids(head: Head, request_id: str) -> tuple[tuple[str, str], ...]:
    ours = ("x-ms-request-id", request_id)
    theirs = _client_request_id(head)
    if theirs and head.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        return ours, ("x-ms-client-request-id", theirs)
    return (ours,)


def _refusal(refusal: ApiError) -> Answer:
    headers: list[tuple[str, str]] = []
    if refusal.retry_after_seconds is not None:
        headers.append(("Retry-After", str(refusal.retry_after_seconds)))
    if isinstance(refusal, MethodNotAllowed):
        headers.append(("Allow", refusal.allow))
    if refusal.status == 401:
        headers.append(("WWW-Authenticate", "HMAC-SHA256"))
    if refusal.status == 413:
        headers.append(("Connection", "close"))  # the rest of the body is not read
    return Answer(refusal.status, refusal.body(), tuple(headers))
