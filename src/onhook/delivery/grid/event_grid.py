"""Event Grid as the rest of the house sees it: subscribe, publish, show, deliver again."""

import logging
import ssl
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path

import msgspec

from onhook.acs.callback_uri import PlainHttp
from onhook.acs.errors import ApiError, shown
from onhook.acs.grid_events import GridEvent
from onhook.calls.grid import GridDelivery, GridTry, Subscription, SubscriptionRecord
from onhook.delivery.grid.checks import checked
from onhook.delivery.grid.dead_letters import DeadLetters
from onhook.delivery.grid.dispatch import Dispatch
from onhook.delivery.grid.filters import passed_over
from onhook.delivery.grid.posting import Poster
from onhook.delivery.grid.provisioning import Provisioning
from onhook.delivery.grid.retries import Patience
from onhook.delivery.grid.surroundings import Archive, Journal, Post, Sources
from onhook.delivery.grid.wire import as_json, printable
from onhook.delivery.refused_networks import RefusedNetworks
from onhook.facts import GridListener, GridUnheard

INCOMING_CALL = "Microsoft.Communication.IncomingCall"
MAX_SUBSCRIPTIONS = 500
"""As many as Event Grid allows a topic (documented)."""
MAX_WAITING = 10_000
"""Deliveries of one subscription that wait at a time; an event beyond it passes the subscription over."""
MAX_LISTENERS_TOLD = 20
DEFAULT_PATIENCE = Patience()
log = logging.getLogger(__name__)


class EventGrid:
    """`resources` are the names of this server's; `http` says which endpoints may be http://, `trust` how
    https ones are verified, `refused` where none may be; dead letters are written below that folder.
    """

    def __init__(
        self,
        archive: Archive,
        journal: Journal,
        sources: Sources,
        *,
        resources: Collection[str],
        dead_letters: Path,
        http: PlainHttp = "loopback",
        trust: ssl.SSLContext | None = None,
        user_agent: str = "onhook",
        refused: RefusedNetworks | None = None,
        patience: Patience = DEFAULT_PATIENCE,
        post: Post | None = None,
    ) -> None:
        self._archive, self._journal, self._sources = archive, journal, sources
        self._resources = tuple(resources)
        self._http: PlainHttp = http
        self._poster = None if post else Poster(trust=trust, user_agent=user_agent, refused=refused)
        sender = post or self._poster
        assert sender is not None
        self._provisioning = Provisioning(journal, sender, sources, patience, self._changed)
        self._dispatch = Dispatch(
            journal,
            sender,
            sources,
            patience,
            subscription=self._provisioning.get,
            write=DeadLetters(dead_letters).write,
        )
        self._unsaved: dict[str, GridDelivery] = {}
        self._started = False
        self.provoked: Callable[[str], str] = lambda _call_id: ""
        """Asked of each IncomingCall by its call: why no subscription shall take it. For the lab."""

    def start(self, base_url: str, configured: Iterable[Subscription] = ()) -> None:
        """Take up what the last run left, then subscribe what the configuration says.

        `base_url` is how endpoints reach this server, for the validation URL. Raises ApiError for a
        configured subscription that cannot be.
        """
        if self._poster:
            self._poster.start()
        wanted = {each.name: self._checked(each) for each in configured}
        kept = self._archive.subscriptions()
        gone = [each for each in kept if each.origin == "config" and each.name not in wanted]
        self._provisioning.start(base_url, [each for each in kept if not self._is_replaced(each, wanted)])
        for record in gone:
            self._provisioning.drop(record.name)
        for settings in wanted.values():
            if self._provisioning.get(settings.name) is None:
                self._provisioning.create(settings, from_config=True)
        self._started = True
        self._dispatch.add(self._archive.open_grid_deliveries())

    def _is_replaced(self, record: SubscriptionRecord, wanted: dict[str, Subscription]) -> bool:
        """One of the configuration stays as it is only if it was validated and nothing of it changed."""
        now_wanted = wanted.get(record.name)
        if now_wanted is None:
            return False
        return (record.settings, record.origin, record.state) != (now_wanted, "config", "Succeeded")

    async def close(self) -> None:
        """Stop at once; what is not delivered stays in the store for the next start."""
        await self._provisioning.close()
        await self._dispatch.close()
        if self._poster:
            await self._poster.close()

    # Subscriptions

    def subscribe(self, settings: Subscription) -> SubscriptionRecord:
        """Create or replace a subscription; its validation begins. Raises ApiError."""
        settings = self._checked(settings)
        known = self._provisioning.get(settings.name)
        if known is None and len(self._provisioning.records) >= MAX_SUBSCRIPTIONS:
            raise ApiError(409, "TooManySubscriptions", f"There are {MAX_SUBSCRIPTIONS} already, the limit.")
        return self._provisioning.create(settings, from_config=False)

    def validate_again(self, name: str) -> SubscriptionRecord:
        """Ask the endpoint once more, as an update of the subscription would. Raises ApiError 404."""
        record = self.subscription(name)
        return self._provisioning.create(record.settings, from_config=record.origin == "config")

    async def settled(self, name: str) -> SubscriptionRecord:
        """The subscription once it is no longer Creating. Raises ApiError 404 if it is deleted first."""
        record = await self._provisioning.settled(name)
        if record is None:
            raise _unknown(name)
        return record

    def open_validation_url(self, name: str, token: str) -> SubscriptionRecord:
        """Raises ApiError: 404 for a URL that was never given out, 410 for one that is no longer good."""
        return self._provisioning.open_url(name, token)

    def validation_url(self, record: SubscriptionRecord) -> str:
        return self._provisioning.url_of(record)

    def subscriptions(self) -> list[SubscriptionRecord]:
        """In the order of their names."""
        return self._provisioning.records

    def subscription(self, name: str) -> SubscriptionRecord:
        record = self._provisioning.get(name)
        if record is None:
            raise _unknown(name)
        return record

    def delete(self, name: str) -> None:
        """What waits for it is dropped; one of the configuration is back at the next start. Raises 404."""
        self.subscription(name)
        self._provisioning.drop(name)

    def _checked(self, settings: Subscription) -> Subscription:
        return checked(settings, resources=self._resources, http=self._http)

    def _changed(self, name: str) -> None:
        self._dispatch.look_again(name)

    async def written(self) -> None:
        """Return once every change so far is on disk; raises what the journal raises."""
        await self._journal.written()

    # Events

    def publish(self, resource: str, event: GridEvent, call_id: str = "") -> str:
        """Store a delivery for every subscription that takes the event; they leave once they are saved.

        The event's id. If no subscription takes it, that is a fact of the call.
        """
        at, event_id = self._sources.now(), self._sources.guid()
        data = as_json(event.data)
        missed: list[GridListener] = []
        taken = False
        provoked = self.provoked(call_id) if event.type == INCOMING_CALL else ""
        for record in self._provisioning.of(resource):
            why = provoked or self._why_not(record, event)
            if why:
                missed.append(self._listener(record, why))
                continue
            taken = True
            delivery = GridDelivery(
                id=self._sources.guid(),
                event_id=event_id,
                subscription=record.name,
                resource=resource,
                event_type=event.type,
                subject=printable(event.subject),
                call_id=call_id,
                data=data,
                event_at=at,
                published_at=at,
                due=at,
            )
            self._leave_when_saved(delivery)
        if not taken and event.type == INCOMING_CALL:  # what else happens in a call, nobody has to hear
            self._note_unheard(resource, event, event_id, call_id, missed)
        return event_id

    @property
    def waiting(self) -> int:
        """Events that some subscription has not taken yet, and is to be offered."""
        return sum(self._dispatch.waiting(record.name) for record in self.subscriptions())

    def has_subscribers(self, resource: str) -> bool:
        return bool(self._provisioning.of(resource))

    def withdraw(self, call_ids: Collection[str]) -> None:
        """Calls that could not be saved never were: nothing of theirs leaves (see store/journal.py)."""
        self._unsaved = {key: each for key, each in self._unsaved.items() if each.call_id not in call_ids}

    def deliveries(self, name: str, limit: int) -> list[GridDelivery]:
        """The newest first. Raises ApiError 404."""
        self.subscription(name)
        return self._archive.grid_deliveries(subscription=name, limit=limit)

    def redeliver(self, name: str, event_id: str) -> GridDelivery:
        """Send an event that this subscription got, or should have got, once more. Raises ApiError 404."""
        record = self.subscription(name)
        found = self._archive.grid_deliveries(subscription=name, event_id=event_id, limit=1)
        if not found:
            raise ApiError(
                404,
                "NotFound",
                f"No event {shown(event_id)} was kept for subscription {name}.",
                target="event_id",
            )
        if record.state != "Succeeded":
            raise ApiError(
                409,
                "NotValidated",
                f"Subscription {name} is {record.state}: {record.why}. Validate it first.",
            )
        now = self._sources.now()
        again = msgspec.structs.replace(
            found[0],
            id=self._sources.guid(),
            published_at=now,
            due=now,
            fate="waiting",
            reason="",
            tries=(),
        )
        self._leave_when_saved(again)
        return again

    def last_try(self, record: SubscriptionRecord) -> GridTry | None:
        """The newest request to the endpoint: of a delivery, else of the handshake."""
        made = self._dispatch.last_tries.get(record.name)
        if made is None:
            return newest_try(self._archive.grid_deliveries(subscription=record.name, limit=1), record)
        return max((made, *record.tries[-1:]), key=_tried_at)

    def _why_not(self, record: SubscriptionRecord, event: GridEvent) -> str:
        if why := passed_over(record.settings, event.type, event.subject):
            return why
        if record.state != "Succeeded":
            return record.why or "its endpoint has not answered the validation yet"
        if self._dispatch.waiting(record.name) >= MAX_WAITING:
            return f"{MAX_WAITING} events wait for it already, the limit"
        return ""

    def _listener(self, record: SubscriptionRecord, why: str) -> GridListener:
        made = self.last_try(record)
        return GridListener(
            subscription=record.name,
            state=record.state,
            why=why,
            last_attempt=made.told if made else "",
            last_attempt_at=made.at if made else None,
        )

    def _note_unheard(
        self, resource: str, event: GridEvent, event_id: str, call_id: str, missed: list[GridListener]
    ) -> None:
        states = ", ".join(f"{each.subscription} ({each.state}: {each.why})" for each in missed)
        log.info(
            "%s of resource %s: no subscription took it: %s", event.type, resource, states or "none exists"
        )
        if call_id:
            fact = GridUnheard(
                at=self._sources.now(),
                event_id=event_id,
                event_type=event.type,
                resource=resource,
                listeners=tuple(missed[:MAX_LISTENERS_TOLD]),
            )
            self._journal.note(call_id, fact)

    def _leave_when_saved(self, delivery: GridDelivery) -> None:
        self._journal.add_grid_delivery(delivery)
        self._unsaved[delivery.id] = delivery
        self._journal.then(partial(self._leave, delivery.id))

    def _leave(self, delivery_id: str) -> None:
        """It is saved. Before `start` it stays there: start takes up whatever is open."""
        delivery = self._unsaved.pop(delivery_id, None)
        if delivery is not None and self._started:
            self._dispatch.add([delivery])


def newest_try(deliveries: Iterable[GridDelivery], record: SubscriptionRecord) -> GridTry | None:
    """The newest request among these deliveries and the handshake."""
    made = [*(each for delivery in deliveries for each in delivery.tries[-1:]), *record.tries[-1:]]
    return max(made, key=_tried_at, default=None)  # of two at one time the delivery


def _tried_at(made: GridTry) -> float:
    return made.at


def _unknown(name: str) -> ApiError:
    return ApiError(404, "NotFound", f"There is no event subscription {shown(name)}.", target="name")
