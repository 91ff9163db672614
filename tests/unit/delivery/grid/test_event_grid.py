"""Subscribing and publishing: who takes an event, and what is noted when nobody does."""

import asyncio
from typing import Any

import pytest

from onhook.acs.errors import ApiError
from onhook.acs.grid_events import CallOf, call_started
from onhook.acs.identifiers import communication_user
from onhook.calls.grid import Subscription
from onhook.delivery.grid import event_grid
from onhook.delivery.grid.answer import Answer
from onhook.facts import GridListener, GridUnheard
from onhook.store.batch import Batch, StoreFailed
from onhook.store.memory import MemoryStore
from unit.delivery.grid.grid_rig import (
    BASE_URL,
    CALL,
    START,
    FakePost,
    Rig,
    an_event,
    on_virtual_time,
    states,
    subscription,
)

STARTED = call_started(CallOf("s", "c", communication_user("8:acs:a_b")))


def unheard(rig: Rig) -> list[GridUnheard]:
    return [fact for fact in rig.store.facts(CALL) if isinstance(fact, GridUnheard)]


def refused(status: int = 200) -> FakePost:
    return FakePost(handshake=lambda _request: Answer(status, "Not Found" if status == 404 else ""))


class TestPublishing:
    def test_every_subscription_that_wants_it_gets_it(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed(
                subscription("a"),
                subscription("b", schema="cloudevents"),
                subscription("c", event_types=("CallStarted",)),
                subscription("d", subject_begins_with="/caller/8:"),
            )
            event_id = rig.publish()
            await asyncio.sleep(1)
            names = [each.request.headers["aeg-subscription-name"] for each in rig.post.deliveries]
            assert sorted(names) == ["A", "B"]
            assert [each.json()[0]["id"] for each in rig.post.deliveries[:1]] == [event_id]
            assert rig.post.deliveries[1].json()["id"] == event_id
            assert unheard(rig) == []
            await rig.stop()

        on_virtual_time(main())

    def test_what_waits_for_subscribers_is_counted(self) -> None:
        async def main() -> None:
            post = FakePost()
            post.takes_seconds = 1.0
            rig = await Rig(post).subscribed(subscription("a"), subscription("b"))
            assert rig.grid.waiting == 0
            rig.publish()
            await asyncio.sleep(0.5)
            assert rig.grid.waiting == 2
            await asyncio.sleep(5)
            assert rig.grid.waiting == 0
            await rig.stop()

        on_virtual_time(main())

    def test_nothing_leaves_before_it_is_saved(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            rig.publish()
            assert rig.kept() == []
            assert rig.post.deliveries == []
            await rig.journal.written()
            assert [each.fate for each in rig.kept()] == ["waiting"]
            await asyncio.sleep(1)
            assert len(rig.post.deliveries) == 1
            await rig.stop()

        on_virtual_time(main())

    def test_while_the_store_fails_nothing_leaves(self) -> None:
        async def main() -> None:
            class Sick(MemoryStore):
                sick = False

                def save(self, batch: Batch) -> None:
                    if self.sick:
                        raise StoreFailed("disk full")
                    super().save(batch)

            store = Sick()
            rig = await Rig(FakePost(), store=store).subscribed()
            store.sick = True
            rig.publish()
            await asyncio.sleep(10)
            assert rig.post.deliveries == []
            store.sick = False
            await asyncio.sleep(2)
            assert len(rig.post.deliveries) == 1
            await rig.stop()

        on_virtual_time(main())

    def test_events_of_calls_that_were_withdrawn_never_leave(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            rig.publish(call_id="gone")
            kept = rig.publish(call_id="kept")
            rig.journal.discard({"gone"}, set())
            rig.grid.withdraw({"gone"})
            await asyncio.sleep(1)
            assert [each.event_id for each in rig.kept()] == [kept]
            assert [each.json()[0]["id"] for each in rig.post.deliveries] == [kept]
            await rig.stop()

        on_virtual_time(main())

    def test_events_before_the_start_wait_for_it(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            first = await Rig(FakePost(), store=store).subscribed()
            await first.stop()
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL)
            second.grid._started = False
            second.publish()
            await second.journal.written()
            await asyncio.sleep(10)
            assert second.post.deliveries == []
            assert [each.fate for each in second.kept()] == ["waiting"]
            await second.stop()

        on_virtual_time(main())

    def test_a_subscription_with_too_much_waiting_passes_events_over(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_grid, "MAX_WAITING", 2)

        async def main() -> None:
            rig = await Rig(FakePost(otherwise=Answer(500))).subscribed()
            for _ in range(3):
                rig.publish()
                await asyncio.sleep(0.1)
            assert len(rig.kept()) == 2
            (fact,) = unheard(rig)
            assert fact.listeners[0].why == "2 events wait for it already, the limit"
            await rig.stop()

        on_virtual_time(main())


class TestUnheard:
    def test_an_endpoint_that_never_validated_is_named_with_its_last_attempt(self) -> None:
        async def main() -> None:
            rig = await Rig(refused(404)).subscribed(subscription("shop"))
            await asyncio.sleep(10)
            event_id = rig.publish()
            await rig.journal.written()
            assert unheard(rig) == [
                GridUnheard(
                    at=START + 10,
                    event_id=event_id,
                    event_type="Microsoft.Communication.IncomingCall",
                    resource="dev",
                    listeners=(
                        GridListener(
                            subscription="shop",
                            state="Failed",
                            why="the endpoint answered 404 Not Found to the validation event: answer 200 "
                            'with {"validationResponse": code} within 30 s',
                            last_attempt="404 Not Found",
                            last_attempt_at=START,
                        ),
                    ),
                )
            ]
            assert rig.post.deliveries == []
            await rig.stop()

        on_virtual_time(main())

    def test_no_subscription_at_all(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            rig.grid.start(BASE_URL)
            rig.publish()
            await rig.journal.written()
            (fact,) = unheard(rig)
            assert (fact.resource, fact.listeners) == ("dev", ())
            await rig.stop()

        on_virtual_time(main())

    def test_each_has_its_own_reason(self) -> None:
        async def main() -> None:
            rig = await Rig(refused(200)).subscribed(
                subscription("waits"), subscription("other", event_types=("CallEnded",))
            )
            rig.publish()
            await rig.journal.written()
            (fact,) = unheard(rig)
            told = {each.subscription: (each.state, each.why) for each in fact.listeners}
            assert told["waits"][0] == "AwaitingManualAction"
            assert "no validationResponse" in told["waits"][1]
            assert told["other"] == (
                "AwaitingManualAction",
                "its event types are Microsoft.Communication.CallEnded",
            )
            await rig.stop()

        on_virtual_time(main())

    def test_one_still_being_asked(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            rig.grid.start(BASE_URL)
            rig.grid.subscribe(subscription())
            rig.publish()
            await rig.journal.written()
            (fact,) = unheard(rig)
            assert fact.listeners == (
                GridListener(
                    subscription="calls",
                    state="Creating",
                    why="its endpoint has not answered the validation yet",
                ),
            )
            await rig.stop()

        on_virtual_time(main())

    def test_subscriptions_of_other_resources_do_not_count(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(), resources=("dev", "shop")).subscribed(subscription(resource="shop"))
            rig.publish()
            await rig.journal.written()
            assert unheard(rig)[0].listeners == ()
            rig.grid.publish("shop", an_event(), CALL)
            await asyncio.sleep(1)
            assert len(rig.post.deliveries) == 1
            await rig.stop()

        on_virtual_time(main())

    def test_the_last_delivery_is_the_last_attempt(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(Answer(500, "Broken"))).subscribed(
                subscription(event_types=("CallStarted",))
            )
            rig.publish(STARTED)
            await asyncio.sleep(1)
            rig.publish()
            await rig.journal.written()
            (fact,) = unheard(rig)
            (listener,) = fact.listeners
            assert (listener.state, listener.last_attempt) == ("Succeeded", "500 Broken")
            await rig.stop()

        on_virtual_time(main())

    def test_the_last_attempt_is_known_after_a_restart(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            wanted = subscription(event_types=("CallStarted",), max_attempts=1)
            first = await Rig(FakePost(Answer(500, "Broken")), store=store).subscribed(wanted)
            first.publish(STARTED)
            await asyncio.sleep(1)
            await first.stop()
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL)
            second.publish()
            await second.journal.written()
            assert unheard(second)[0].listeners[0].last_attempt == "500 Broken"
            await second.stop()

        on_virtual_time(main())

    def test_what_else_happens_in_a_call_nobody_has_to_hear(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            rig.publish(STARTED)
            await rig.journal.written()
            assert unheard(rig) == []
            await rig.stop()

        on_virtual_time(main())

    def test_of_many_only_some_are_told(self) -> None:
        async def main() -> None:
            many = [subscription(f"s{number:02}") for number in range(30)]
            rig = await Rig(refused(404)).subscribed(*many)
            rig.publish()
            await rig.journal.written()
            assert len(unheard(rig)[0].listeners) == event_grid.MAX_LISTENERS_TOLD
            await rig.stop()

        on_virtual_time(main())

    def test_an_event_without_a_call_is_told_to_the_log_only(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            rig.grid.start(BASE_URL)
            rig.publish(call_id="")
            await rig.journal.written()
            assert rig.store.facts("") == []
            await rig.stop()

        on_virtual_time(main())


class TestSubscribing:
    @pytest.mark.parametrize(
        ("changes", "field", "why"),
        [
            ({"name": ""}, "name", "is not 1 to 64 letters"),
            ({"name": "a b"}, "name", "is not 1 to 64 letters"),
            ({"name": "x" * 65}, "name", "is not 1 to 64 letters"),
            ({"resource": "shop"}, "resource", "'shop' is none of them; name one of dev"),
            ({"endpoint": "http://app.example/"}, "endpoint", "http:// address"),
            ({"endpoint": "ftp://app.example/"}, "endpoint", "does not begin with https://"),
            ({"endpoint": "https://"}, "endpoint", "names no host"),
            ({"max_attempts": 0}, "max_attempts", "0 is not 1 to 30"),
            ({"max_attempts": 31}, "max_attempts", "31 is not 1 to 30"),
            ({"ttl_minutes": 1441}, "ttl_minutes", "1441 is not 1 to 1440"),
            ({"event_types": ("a b",)}, "event_types", "'a b' is no event type"),
            ({"event_types": ("a",) * 101}, "event_types", "101 are more than 100"),
            ({"subject_ends_with": "x" * 1001}, "subject_ends_with", "1001 characters are more than 1000"),
            ({"dead_letter_file": "a/b"}, "dead_letter_file", "is no file name"),
            ({"dead_letter_file": ".."}, "dead_letter_file", "is no file name"),
        ],
    )
    def test_what_is_wrong_is_refused_with_its_name(
        self, changes: dict[str, Any], field: str, why: str
    ) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            rig.grid.start(BASE_URL)
            with pytest.raises(ApiError) as raised:
                rig.grid.subscribe(subscription(**changes))
            assert (raised.value.status, raised.value.target) == (400, field)
            assert why in raised.value.message
            assert rig.grid.subscriptions() == []
            await rig.stop()

        on_virtual_time(main())

    @pytest.mark.parametrize("host", ["localhost:7000", "127.0.0.1", "[::1]:80", "app.localhost"])
    def test_http_is_good_enough_for_this_machine(self, host: str) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed(subscription(endpoint=f"http://{host}/events"))
            assert states(rig.grid.subscriptions()) == {"calls": "Succeeded"}
            await rig.stop()

        on_virtual_time(main())

    def test_short_event_types_become_full_ones_and_the_only_resource_is_meant(self) -> None:
        async def main() -> None:
            wanted = Subscription(
                name="calls",
                endpoint="https://a.example/",
                event_types=("IncomingCall", "a.b", "IncomingCall"),
            )
            rig = await Rig(FakePost()).subscribed(wanted)
            kept = rig.grid.subscription("calls").settings
            assert kept.event_types == ("Microsoft.Communication.IncomingCall", "a.b")
            assert kept.resource == "dev"
            await rig.stop()

        on_virtual_time(main())

    def test_with_several_resources_one_must_be_named(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost(), resources=("shop", "dev"))
            rig.grid.start(BASE_URL)
            with pytest.raises(ApiError) as raised:
                rig.grid.subscribe(subscription(resource=""))
            assert "there are several; name one of dev, shop" in raised.value.message
            await rig.stop()

        on_virtual_time(main())

    def test_there_is_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_grid, "MAX_SUBSCRIPTIONS", 2)

        async def main() -> None:
            rig = await Rig(FakePost()).subscribed(subscription("a"), subscription("b"))
            with pytest.raises(ApiError) as raised:
                rig.grid.subscribe(subscription("c"))
            assert raised.value.status == 409
            rig.grid.subscribe(subscription("b"))
            await rig.stop()

        on_virtual_time(main())

    def test_what_is_not_there_is_said_to_be_so(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            rig.grid.start(BASE_URL)
            for act in (
                lambda: rig.grid.subscription("no"),
                lambda: rig.grid.delete("no"),
                lambda: rig.grid.validate_again("no"),
                lambda: rig.grid.deliveries("no", 1),
                lambda: rig.grid.redeliver("no", "x"),
            ):
                with pytest.raises(ApiError) as raised:
                    act()
                assert raised.value.status == 404
                assert "'no'" in raised.value.message
            await rig.stop()

        on_virtual_time(main())


class TestConfigured:
    def test_they_are_subscribed_at_the_start(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            rig.grid.start(BASE_URL, [subscription("a"), subscription("b")])
            assert states(rig.grid.subscriptions()) == {"a": "Creating", "b": "Creating"}
            await rig.grid.settled("a")
            await rig.grid.settled("b")
            assert {each.origin for each in rig.grid.subscriptions()} == {"config"}
            await rig.stop()

        on_virtual_time(main())

    def test_one_that_was_validated_stays_so(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            for run in (1, 2):
                rig = Rig(FakePost(), store=store)
                rig.grid.start(BASE_URL, [subscription(event_types=("IncomingCall",))])
                await rig.grid.settled("calls")
                assert len(rig.post.validations) == (1 if run == 1 else 0)
                await rig.stop()

        on_virtual_time(main())

    @pytest.mark.parametrize("change", [{"endpoint": "https://new.example/"}, {"max_attempts": 2}])
    def test_one_that_changed_is_validated_anew(self, change: dict[str, Any]) -> None:
        async def main() -> None:
            store = MemoryStore()
            for wanted in (subscription(), subscription(**change)):
                rig = Rig(FakePost(), store=store)
                rig.grid.start(BASE_URL, [wanted])
                await rig.grid.settled("calls")
                assert len(rig.post.validations) == 1
                await rig.stop()
            (kept,) = store.subscriptions()
            assert kept.settings == subscription(**change)

        on_virtual_time(main())

    def test_one_that_failed_is_asked_at_the_next_start(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            first = Rig(refused(404), store=store)
            first.grid.start(BASE_URL, [subscription()])
            assert (await first.grid.settled("calls")).state == "Failed"
            await first.stop()
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL, [subscription()])
            assert (await second.grid.settled("calls")).state == "Succeeded"
            await second.stop()

        on_virtual_time(main())

    def test_one_that_is_gone_from_the_configuration_is_deleted(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            first = Rig(FakePost(), store=store)
            first.grid.start(BASE_URL, [subscription("configured")])
            first.grid.subscribe(subscription("asked"))
            await first.grid.settled("configured")
            await first.grid.settled("asked")
            await first.stop()
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL)
            assert states(second.grid.subscriptions()) == {"asked": "Succeeded"}
            await second.stop()
            assert states(store.subscriptions()) == {"asked": "Succeeded"}

        on_virtual_time(main())

    def test_one_that_was_asked_for_becomes_the_configurations_own(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            first = await Rig(FakePost(), store=store).subscribed()
            await first.stop()
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL, [subscription()])
            assert (await second.grid.settled("calls")).origin == "config"
            await second.stop()

        on_virtual_time(main())

    def test_a_configured_one_that_cannot_be_stops_the_start(self) -> None:
        async def main() -> None:
            rig = Rig(FakePost())
            with pytest.raises(ApiError):
                rig.grid.start(BASE_URL, [subscription(resource="nobody")])
            await rig.stop()

        on_virtual_time(main())


class TestRedelivery:
    def test_an_event_goes_out_again_as_a_delivery_of_its_own(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(Answer(400))).subscribed()
            event_id = rig.publish()
            await asyncio.sleep(100)
            again = rig.grid.redeliver("calls", event_id)
            await asyncio.sleep(1)
            assert rig.post.times == [0, 100]
            first, second = (each.json()[0] for each in rig.post.deliveries)
            assert first == second
            fates = [(each.event_id, each.fate, each.published_at - START) for each in rig.kept()]
            assert fates == [(event_id, "dropped", 0), (event_id, "delivered", 100)]
            assert again.id == rig.kept()[1].id
            await rig.stop()

        on_virtual_time(main())

    def test_its_attempts_and_its_age_count_from_now(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(Answer(400), Answer(500))).subscribed(
                subscription(max_attempts=2, ttl_minutes=1)
            )
            event_id = rig.publish()
            await asyncio.sleep(1000)
            rig.grid.redeliver("calls", event_id)
            await asyncio.sleep(1000)
            assert rig.post.times == [0, 1000, 1010]
            assert rig.kept()[1].fate == "delivered"
            await rig.stop()

        on_virtual_time(main())

    def test_an_event_that_was_taken_can_be_sent_again_too(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            event_id = rig.publish()
            await asyncio.sleep(1)
            rig.grid.redeliver("calls", event_id)
            await asyncio.sleep(1)
            assert len(rig.post.deliveries) == 2
            await rig.stop()

        on_virtual_time(main())

    def test_an_unknown_event(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            with pytest.raises(ApiError) as raised:
                rig.grid.redeliver("calls", "no-event")
            assert (raised.value.status, raised.value.target) == (404, "event_id")
            await rig.stop()

        on_virtual_time(main())

    def test_a_subscription_that_is_not_validated(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            event_id = rig.publish()
            await asyncio.sleep(1)
            rig.post.handshake = lambda _request: Answer(404)
            rig.grid.validate_again("calls")
            await rig.grid.settled("calls")
            with pytest.raises(ApiError) as raised:
                rig.grid.redeliver("calls", event_id)
            assert raised.value.status == 409
            assert "Failed" in raised.value.message
            await rig.stop()

        on_virtual_time(main())
