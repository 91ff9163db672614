"""/onhook/events: Event Grid subscriptions over HTTP, for people, programs and `onhook events`.

| Request                                      | Does                                                       |
|----------------------------------------------|------------------------------------------------------------|
| GET /onhook/events                           | all subscriptions                                          |
| POST /onhook/events                          | subscribe; answers when the endpoint is validated or not   |
| GET /onhook/events/{name}[?limit=N]          | one, with its newest deliveries                            |
| DELETE /onhook/events/{name}                 | delete it; what waits for it is dropped                    |
| POST /onhook/events/{name}/validate          | validate its endpoint once more                            |
| POST /onhook/events/{name}/redeliver         | `{"event_id"}`: send an event again                        |
| GET /onhook/events/{name}/validate?token=…   | the validation URL that endpoints are given                |

Who may ask is settled as for the other pages of /onhook/; the validation URL is for whoever knows it.
Requests that change something are also refused to web pages of other sites.
"""

from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from onhook.acs.errors import ApiError, shown
from onhook.calls.grid import GridDelivery, GridTry, Subscription, SubscriptionRecord, bare
from onhook.delivery.grid.event_grid import EventGrid, newest_try
from onhook.server.forms import TEXT, Page
from onhook.server.own_requests import answering, as_json, commanded, read_body
from onhook.server.settings import ServerSettings
from onhook.store.batch import StoreFailed

DEFAULT_LIMIT, MAX_LIMIT = 20, 1_000
STORE_RETRY_SECONDS = 2


class Resend(msgspec.Struct, frozen=True):
    """Body of redeliver."""

    event_id: str


class GridApi:
    def __init__(self, grid: EventGrid, settings: ServerSettings) -> None:
        self._grid, self._settings = grid, settings

    def routes(self) -> list[Route]:
        """To stand before any route that takes all paths."""
        one = "/onhook/events/{name}"
        guarded: list[tuple[str, str, Page]] = [
            ("GET", "/onhook/events", self.subscriptions),
            ("POST", "/onhook/events", self.subscribe),
            ("GET", one, self.subscription),
            ("DELETE", one, self.delete),
            ("POST", f"{one}/validate", self.validate_again),
            ("POST", f"{one}/redeliver", self.redeliver),
        ]
        routes: list[Route] = [
            Route(path, commanded(page, self._settings), methods=[method]) for method, path, page in guarded
        ]
        opened = answering(self.open_validation_url)
        return [Route(f"{one}/validate", opened, methods=["GET"]), *routes]

    async def subscriptions(self, _request: Request) -> Response:
        found = [subscription_json(each, self._grid.last_try(each)) for each in self._grid.subscriptions()]
        return as_json({"subscriptions": found})

    async def subscribe(self, request: Request) -> Response:
        record = self._grid.subscribe(await read_body(request, Subscription))
        return await self._settled(record.name, 201)

    async def subscription(self, request: Request) -> Response:
        record = self._grid.subscription(_name(request))
        deliveries = self._grid.deliveries(record.name, _limit(request))
        told = subscription_json(record, self._grid.last_try(record))
        if record.state in {"Creating", "AwaitingManualAction"}:
            told["validation_url"] = self._grid.validation_url(record)
        return as_json(told | {"deliveries": [delivery_json(each) for each in deliveries]})

    async def delete(self, request: Request) -> Response:
        self._grid.delete(_name(request))
        await self._written()
        return Response(status_code=204)

    async def validate_again(self, request: Request) -> Response:
        record = self._grid.validate_again(_name(request))
        return await self._settled(record.name, 200)

    async def redeliver(self, request: Request) -> Response:
        resend = await read_body(request, Resend)
        delivery = self._grid.redeliver(_name(request), resend.event_id)
        await self._written()
        return as_json(delivery_json(delivery), 202)

    async def open_validation_url(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        record = self._grid.open_validation_url(_name(request), token)
        await self._written()
        return Response(f"Subscription {record.name} is validated.\n", media_type=TEXT)

    async def _settled(self, name: str, status: int) -> Response:
        await self._written()
        record = await self._grid.settled(name)
        await self._written()
        return as_json(subscription_json(record, self._grid.last_try(record)), status)

    async def _written(self) -> None:
        """Nobody hears of a change before it is on disk."""
        try:
            await self._grid.written()
        except StoreFailed as error:
            raise ApiError(503, "StoreFailed", str(error), retry_after_seconds=STORE_RETRY_SECONDS) from error


def subscription_json(record: SubscriptionRecord, last: GridTry | None) -> dict[str, Any]:
    """A subscription for programs; times are Unix seconds. The endpoint's query may hold keys: left out."""
    fields: dict[str, Any] = msgspec.to_builtins(record.settings)
    return fields | {
        "endpoint": bare(record.settings.endpoint),
        "origin": record.origin,
        "state": record.state,
        "why": record.why,
        "state_at": record.state_at,
        "created_at": record.created_at,
        "validate_until": record.validate_until,
        "handshake": [_try_json(each) for each in record.tries],
        "last_attempt": _try_json(last) if last else None,
    }


class Kept(Protocol):
    """A store that is read while no server runs."""

    def subscriptions(self) -> list[SubscriptionRecord]: ...

    def grid_deliveries(self, *, subscription: str, event_id: str = "", limit: int) -> list[GridDelivery]: ...


def kept_subscriptions(store: Kept) -> list[dict[str, Any]]:
    """The subscriptions of a store, as `GET /onhook/events` would tell them."""
    return [
        subscription_json(
            record, newest_try(store.grid_deliveries(subscription=record.name, limit=1), record)
        )
        for record in store.subscriptions()
    ]


def delivery_json(delivery: GridDelivery) -> dict[str, Any]:
    """A delivery and all its attempts, without the event's data."""
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "subject": delivery.subject,
        "call": delivery.call_id or None,
        "published_at": delivery.published_at,
        "fate": delivery.fate,
        "reason": delivery.reason,
        "due": delivery.due if delivery.open else None,
        "attempts": [_try_json(each) for each in delivery.tries],
    }


def _try_json(made: GridTry) -> dict[str, Any]:
    return {
        "at": made.at,
        "status": made.status,
        "elapsed_ms": made.elapsed_ms,
        "outcome": made.outcome,
        "error": made.error,
    }


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise ApiError(400, "InvalidLimit", f"limit {shown(text)} is not 1 to {MAX_LIMIT}.", target="limit")
    return int(text)
