"""Event Grid on virtual time: endpoints that answer by script, a store in memory, ids that count."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from onhook.acs.grid_events import GridEvent, incoming_call
from onhook.acs.identifiers import communication_user, phone_number
from onhook.calls.grid import GridDelivery, Subscription, SubscriptionRecord
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.event_grid import EventGrid
from onhook.delivery.grid.retries import Patience
from onhook.delivery.grid.surroundings import Sources
from onhook.delivery.grid.wire import Outgoing
from onhook.lab import virtual_time
from onhook.store.journal import Journal
from onhook.store.memory import MemoryStore
from onhook.store.sqlite import SqliteStore

START = 1_800_000_000.0
BASE_URL = "https://localhost:8443"
ENDPOINT = "https://app.example/events?code=a%20b"
CALL = "call-1"
OK = Answer(200)
EXACT = Patience(jitter=0.0)


class Sent(NamedTuple):
    """A request and when it left, in seconds since START."""

    at: float
    request: Outgoing
    timeout_seconds: float

    @property
    def is_validation(self) -> bool:
        kind = self.request.headers.get("aeg-event-type")
        return self.request.method == "OPTIONS" or kind == "SubscriptionValidation"

    def json(self) -> Any:
        return msgspec.json.decode(self.request.body)


Script = Callable[[Outgoing], "Answer | Coroutine[Any, Any, Answer]"]


def echo(request: Outgoing) -> Answer:
    """What an endpoint does that wants events."""
    if request.method == "OPTIONS":
        return Answer(200, headers={"webhook-allowed-origin": "*", "webhook-allowed-rate": "100"})
    (event,) = msgspec.json.decode(request.body)
    return Answer(200, body=msgspec.json.encode({"validationResponse": event["data"]["validationCode"]}))


class FakePost:
    """`answers` are given to deliveries one by one, then `otherwise`; `handshake` answers validations."""

    def __init__(self, *answers: Answer, otherwise: Answer = OK, handshake: Script = echo) -> None:
        self.answers = list(answers)
        self.otherwise = otherwise
        self.handshake = handshake
        self.sent: list[Sent] = []
        self.at_a_time = self.most_at_a_time = 0
        self.takes_seconds = 0.0

    async def send(self, request: Outgoing, timeout_seconds: float) -> Answer:
        sent = Sent(asyncio.get_running_loop().time() - START, request, timeout_seconds)
        self.sent.append(sent)
        self.at_a_time += 1
        self.most_at_a_time = max(self.at_a_time, self.most_at_a_time)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._answer(sent)
        except TimeoutError:
            return Answer(None, f"no answer within {timeout_seconds:g} s", "TimedOut")
        finally:
            self.at_a_time -= 1

    async def _answer(self, sent: Sent) -> Answer:
        if sent.is_validation:
            answer = self.handshake(sent.request)
            return answer if isinstance(answer, Answer) else await answer
        await asyncio.sleep(self.takes_seconds)
        return self.answers.pop(0) if self.answers else self.otherwise

    @property
    def deliveries(self) -> list[Sent]:
        return [each for each in self.sent if not each.is_validation]

    @property
    def validations(self) -> list[Sent]:
        return [each for each in self.sent if each.is_validation]

    @property
    def times(self) -> list[float]:
        """When deliveries left, in seconds since START."""
        return [round(each.at, 3) for each in self.deliveries]


def subscription(name: str = "calls", **changes: Any) -> Subscription:
    fields: dict[str, Any] = {"name": name, "resource": "dev", "endpoint": ENDPOINT}
    return Subscription(**(fields | changes))


def record(settings: Subscription | None = None, **changes: Any) -> SubscriptionRecord:
    fields: dict[str, Any] = {
        "settings": settings or subscription(),
        "origin": "api",
        "code": "code-1",
        "token": "token-1",
        "created_at": START,
        "state_at": START,
        "validate_until": START + 600,
    }
    return SubscriptionRecord(**(fields | changes))


def delivery(**changes: Any) -> GridDelivery:
    fields: dict[str, Any] = {
        "id": "delivery-1",
        "event_id": "event-1",
        "subscription": "calls",
        "resource": "dev",
        "event_type": "Microsoft.Communication.IncomingCall",
        "subject": "/caller/4:+14255550123/recipient/4:+14255550100",
        "call_id": CALL,
        "data": b'{"serverCallId":"s"}',
        "event_at": START,
        "published_at": START,
        "due": START,
    }
    return GridDelivery(**(fields | changes))


def an_event(caller: str = "+14255550123") -> GridEvent:
    return incoming_call(
        to=phone_number("+14255550100"),
        from_=phone_number(caller) if caller.startswith("+") else communication_user(caller),
        server_call_id="server-call",
        incoming_call_context="context",
        correlation_id="correlation",
    )


class Rig:
    """All of Event Grid within a virtual loop; `now` is the loop's clock."""

    def __init__(
        self,
        post: FakePost,
        *,
        store: MemoryStore | SqliteStore | None = None,
        patience: Patience = EXACT,
        folder: Path = Path("never-written"),
        resources: tuple[str, ...] = ("dev",),
        jitter: float = 0.0,
    ) -> None:
        loop = asyncio.get_running_loop()
        numbers = count(1)
        self.post = post
        self.store = store or MemoryStore()
        self.journal = Journal(self.store)
        self.now = loop.time
        self.grid = EventGrid(
            self.store,
            self.journal,
            Sources(loop.time, lambda: f"id-{next(numbers)}", lambda: jitter),
            resources=resources,
            dead_letters=folder,
            patience=patience,
            post=post,
        )

    async def subscribed(self, *wanted: Subscription) -> "Rig":
        """Start, subscribe, and wait for the handshakes."""
        self.grid.start(BASE_URL)
        for settings in wanted or (subscription(),):
            self.grid.subscribe(settings)
            await self.grid.settled(settings.name)
        return self

    def publish(self, event: GridEvent | None = None, call_id: str = CALL) -> str:
        return self.grid.publish("dev", event or an_event(), call_id)

    def kept(self, name: str = "calls") -> list[GridDelivery]:
        """Deliveries of a subscription, the oldest first."""
        return self.store.grid_deliveries(subscription=name, limit=1_000)[::-1]

    async def stop(self) -> None:
        await self.grid.close()
        self.journal.flush()


def on_virtual_time(main: Coroutine[Any, Any, None], days: float = 8.0) -> None:
    virtual_time.run(main, start_seconds=START, limit_seconds=days * 24 * 3600)


def states(records: Iterable[SubscriptionRecord]) -> dict[str, str]:
    return {each.name: each.state for each in records}
