"""Subscriptions and their validation: a handshake is a task that ends when the endpoint agreed, or did not.

documented: states, pauses and times (see retries.py and handshake.py). assumed: a subscription that is
created again with the same name is validated anew, as an update is; one that was validated stays so over a
restart of the server.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable
from urllib.parse import quote, urlencode

import msgspec

from onhook.acs.errors import ApiError, shown
from onhook.calls.grid import ProvisioningState, Subscription, SubscriptionRecord
from onhook.delivery.grid.handshake import rule
from onhook.delivery.grid.retries import Patience
from onhook.delivery.grid.surroundings import Journal, Post, Sources
from onhook.delivery.grid.wire import validation

MAX_TRIES_KEPT = 10
MAX_WHY_CHARACTERS = 500
log = logging.getLogger(__name__)


class Provisioning:
    """`changed` is called after every change of state, with the subscription's name."""

    def __init__(
        self,
        journal: Journal,
        post: Post,
        sources: Sources,
        patience: Patience,
        changed: Callable[[str], None],
    ) -> None:
        self._journal, self._post, self._sources, self._patience = journal, post, sources, patience
        self._changed = changed
        self._records: dict[str, SubscriptionRecord] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._settled: dict[str, asyncio.Event] = {}
        self._base_url = ""

    def start(self, base_url: str, records: list[SubscriptionRecord]) -> None:
        """Take up what was kept; handshakes that were not over go on. `base_url` is how we are reached."""
        self._base_url = base_url.rstrip("/")
        for record in records:
            self._records[record.name] = record
            if record.state in {"Creating", "AwaitingManualAction"}:
                self._shake_hands(record.name)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def records(self) -> list[SubscriptionRecord]:
        return [self._records[name] for name in sorted(self._records)]

    def of(self, resource: str) -> list[SubscriptionRecord]:
        return [record for record in self._records.values() if record.settings.resource == resource]

    def get(self, name: str) -> SubscriptionRecord | None:
        return self._records.get(name)

    def create(self, settings: Subscription, *, from_config: bool) -> SubscriptionRecord:
        """Make or replace a subscription, and begin to validate it."""
        now = self._sources.now()
        known = self._records.get(settings.name)
        record = SubscriptionRecord(
            settings=settings,
            origin="config" if from_config else "api",
            code=self._sources.guid(),
            token=self._sources.guid(),
            created_at=known.created_at if known else now,
            state_at=now,
            validate_until=now + self._patience.validation_url_seconds,
        )
        self._keep(record)
        self._settled.pop(record.name, asyncio.Event()).set()
        self._shake_hands(record.name)
        return record

    def drop(self, name: str) -> None:
        if self._records.pop(name, None) is None:
            return
        if task := self._tasks.pop(name, None):
            task.cancel()
        self._settled.pop(name, asyncio.Event()).set()
        self._journal.drop_subscription(name)
        self._changed(name)

    async def settled(self, name: str) -> SubscriptionRecord | None:
        """The subscription once it is no longer Creating; None if it is deleted meanwhile."""
        while (record := self._records.get(name)) is not None and record.state == "Creating":
            await self._settled.setdefault(name, asyncio.Event()).wait()
        return record

    def open_url(self, name: str, token: str) -> SubscriptionRecord:
        """Somebody opened the validation URL. Raises ApiError: 404 for a wrong one, 410 for one too late."""
        record = self._records.get(name)
        if record is None or not hmac.compare_digest(record.token.encode(), token.encode()):
            raise ApiError(404, "NotFound", f"No subscription {shown(name)} waits for this validation URL.")
        if record.state == "Succeeded":
            return record
        if record.state == "Failed" or self._sources.now() > record.validate_until:
            raise ApiError(
                410,
                "ValidationUrlExpired",
                f"The validation URL of subscription {name} is no longer good: {record.why}. "
                "Create the subscription again.",
            )
        if task := self._tasks.pop(name, None):
            task.cancel()
        return self._enter(record, "Succeeded", "the validation URL was opened")

    def _keep(self, record: SubscriptionRecord) -> None:
        self._records[record.name] = record
        self._journal.add_subscription(record)

    def _enter(self, record: SubscriptionRecord, state: ProvisioningState, why: str) -> SubscriptionRecord:
        why = why[:MAX_WHY_CHARACTERS]
        entered = msgspec.structs.replace(record, state=state, why=why, state_at=self._sources.now())
        self._keep(entered)
        self._settled.pop(record.name, asyncio.Event()).set()
        level = logging.INFO if state == "Succeeded" else logging.WARNING
        log.log(level, "subscription %s is %s: %s", record.name, state, why)
        self._changed(record.name)
        return entered

    def _shake_hands(self, name: str) -> None:
        if before := self._tasks.pop(name, None):
            before.cancel()
        task = asyncio.get_running_loop().create_task(self._validate(name), name=f"validating {name}")
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("validating subscription %s failed", name, exc_info=error)
            if record := self._records.get(name):
                self._enter(record, "Failed", f"our own fault: {type(error).__name__}: {error}")

    async def _validate(self, name: str) -> None:
        """Whoever replaces, drops or validates the subscription meanwhile cancels this task."""
        record = self._records[name]
        attempts = 0
        while record.state == "Creating":
            if attempts:
                await asyncio.sleep(self._patience.validation_pause_seconds)
            attempts += 1
            record = await self._ask(record, last=attempts >= self._patience.validation_attempts)
        if record.state == "AwaitingManualAction":
            await asyncio.sleep(max(0.0, record.validate_until - self._sources.now()))
            minutes = self._patience.validation_url_seconds / 60
            why = f"{record.why}; nobody opened the validation URL within {minutes:g} minutes"
            self._enter(record, "Failed", why)

    async def _ask(self, record: SubscriptionRecord, *, last: bool) -> SubscriptionRecord:
        began = self._sources.now()
        request = validation(record, event_id=self._sources.guid(), at=began, url=self.url_of(record))
        answer = await self._post.send(request, self._patience.answer_seconds)
        ended = self._sources.now()
        ruling = rule(record, answer)
        tries = (*record.tries, answer.tried(ended, ended - began))[-MAX_TRIES_KEPT:]
        state: ProvisioningState = "Failed" if last and ruling.state == "Creating" else ruling.state
        tried = msgspec.structs.replace(record, tries=tries, why=ruling.why)
        if state == "Creating":
            self._keep(tried)
            return tried
        return self._enter(tried, state, ruling.why)

    def url_of(self, record: SubscriptionRecord) -> str:
        """The validation URL. The real one is on port 553 of Event Grid; ours is served by this server."""
        query = urlencode({"token": record.token})
        return f"{self._base_url}/onhook/events/{quote(record.name)}/validate?{query}"
