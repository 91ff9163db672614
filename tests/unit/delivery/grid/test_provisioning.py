"""Validation of endpoints on virtual time: attempts, pauses, states, the validation URL."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from onhook.acs.errors import ApiError
from onhook.calls.grid import SubscriptionRecord
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.wire import Outgoing
from onhook.store.memory import MemoryStore
from unit.delivery.grid.grid_rig import (
    BASE_URL,
    START,
    FakePost,
    Rig,
    echo,
    on_virtual_time,
    states,
    subscription,
)


def always(answer: Answer) -> FakePost:
    return FakePost(handshake=lambda _request: answer)


async def asked(post: FakePost, **changes: Any) -> tuple[Rig, SubscriptionRecord]:
    """Subscribe one, and wait until it is settled."""
    rig = await Rig(post).subscribed(subscription(**changes))
    return rig, rig.grid.subscription("calls")


def token_of(rig: Rig, name: str = "calls") -> str:
    url = urlsplit(rig.grid.validation_url(rig.grid.subscription(name)))
    return parse_qs(url.query)["token"][0]


@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_an_endpoint_that_agrees_is_validated_at_once(schema: str) -> None:
    async def main() -> None:
        rig, settled = await asked(FakePost(), schema=schema)
        assert settled.state == "Succeeded"
        assert settled.why
        assert [(each.status, each.outcome) for each in settled.tries] == [(200, "Delivered")]
        assert len(rig.post.validations) == 1
        assert rig.post.validations[0].timeout_seconds == 30
        await rig.stop()
        assert states(rig.store.subscriptions()) == {"calls": "Succeeded"}

    on_virtual_time(main())


def test_202_is_asked_again_after_5_seconds_and_then_fails() -> None:
    async def main() -> None:
        rig, settled = await asked(always(Answer(202, body=b"")))
        assert settled.state == "Failed"
        assert "202, which validates nothing" in settled.why
        assert [each.at for each in rig.post.validations] == [0, 5, 10]
        counts = [each.request.headers["aeg-delivery-count"] for each in rig.post.validations]
        assert counts == ["0", "1", "2"]
        await rig.stop()

    on_virtual_time(main())


def test_an_endpoint_that_comes_up_late_is_validated() -> None:
    async def main() -> None:
        refused = Answer(None, "it refused the connection: nothing listens there", "SocketError")
        first = [refused, refused]

        def handshake(request: Outgoing) -> Answer:
            return first.pop() if first else echo(request)

        rig, settled = await asked(FakePost(handshake=handshake))
        assert settled.state == "Succeeded"
        assert [each.told for each in settled.tries] == [refused.error, refused.error, "200"]
        assert asyncio.get_running_loop().time() == START + 10
        await rig.stop()

    on_virtual_time(main())


def test_a_slow_endpoint_is_given_up_after_three_times_30_seconds() -> None:
    async def never(_request: Outgoing) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        rig, settled = await asked(FakePost(handshake=never))
        assert settled.state == "Failed"
        assert settled.why == "no answer within 30 s"
        assert [each.at for each in rig.post.validations] == [0, 35, 70]
        assert asyncio.get_running_loop().time() == START + 100
        await rig.stop()

    on_virtual_time(main())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(404, "Not Found"), "404 Not Found"),
        (Answer(302, "Found to https://b.example/"), "redirects are not followed"),
        (Answer(None, "its certificate is not trusted: self-signed certificate", "Untrusted"), "self-signed"),
    ],
)
def test_what_will_not_change_is_asked_once(answer: Answer, why: str) -> None:
    async def main() -> None:
        rig, settled = await asked(always(answer))
        assert settled.state == "Failed"
        assert why in settled.why
        assert len(rig.post.validations) == 1
        await rig.stop()

    on_virtual_time(main())


@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_the_url_validates_within_10_minutes(schema: str) -> None:
    async def main() -> None:
        rig, settled = await asked(always(Answer(200)), schema=schema)
        assert settled.state == "AwaitingManualAction"
        await asyncio.sleep(599)
        assert rig.grid.open_validation_url("calls", token_of(rig)).state == "Succeeded"
        assert rig.grid.subscription("calls").why == "the validation URL was opened"
        await asyncio.sleep(100_000)
        assert rig.grid.subscription("calls").state == "Succeeded"
        await rig.stop()

    on_virtual_time(main())


def test_the_url_is_the_one_that_the_endpoint_was_given() -> None:
    async def main() -> None:
        rig, settled = await asked(always(Answer(200)))
        (event,) = rig.post.validations[0].json()
        assert event["data"]["validationUrl"] == rig.grid.validation_url(settled)
        assert event["data"]["validationUrl"].startswith(f"{BASE_URL}/onhook/events/calls/validate?token=")
        assert event["data"]["validationCode"] == settled.code
        assert settled.code != settled.token
        await rig.stop()

    on_virtual_time(main())


def test_after_10_minutes_it_fails() -> None:
    async def main() -> None:
        rig, settled = await asked(always(Answer(200)))
        await asyncio.sleep(599.9)
        assert rig.grid.subscription("calls").state == "AwaitingManualAction"
        await asyncio.sleep(0.2)
        failed = rig.grid.subscription("calls")
        assert failed.state == "Failed"
        assert failed.why == f"{settled.why}; nobody opened the validation URL within 10 minutes"
        with pytest.raises(ApiError) as raised:
            rig.grid.open_validation_url("calls", token_of(rig))
        assert raised.value.status == 410
        assert "Create the subscription again" in raised.value.message
        await rig.stop()

    on_virtual_time(main())


def test_the_url_can_be_opened_before_the_answer() -> None:
    async def main() -> None:
        async def slow(_request: Outgoing) -> Answer:
            await asyncio.sleep(20)
            return Answer(500)

        rig = Rig(FakePost(handshake=slow))
        rig.grid.start(BASE_URL)
        rig.grid.subscribe(subscription())
        await asyncio.sleep(10)
        rig.grid.open_validation_url("calls", token_of(rig))
        assert (await rig.grid.settled("calls")).state == "Succeeded"
        await asyncio.sleep(1_000)
        assert rig.grid.subscription("calls").state == "Succeeded"
        assert len(rig.post.validations) == 1
        await rig.stop()

    on_virtual_time(main())


@pytest.mark.parametrize(
    ("name", "token"), [("calls", "wrong"), ("calls", ""), ("nobody", "id-2"), ("calls", "é")]
)
def test_a_wrong_url_validates_nothing(name: str, token: str) -> None:
    async def main() -> None:
        rig, _ = await asked(always(Answer(200)))
        with pytest.raises(ApiError) as raised:
            rig.grid.open_validation_url(name, token)
        assert raised.value.status == 404
        assert rig.grid.subscription("calls").state == "AwaitingManualAction"
        await rig.stop()

    on_virtual_time(main())


def test_opening_the_url_twice_is_no_fault() -> None:
    async def main() -> None:
        rig, _ = await asked(always(Answer(200)))
        first = rig.grid.open_validation_url("calls", token_of(rig))
        assert rig.grid.open_validation_url("calls", token_of(rig)) == first
        await rig.stop()

    on_virtual_time(main())


def test_creating_it_again_asks_with_a_new_code() -> None:
    async def main() -> None:
        rig, first = await asked(FakePost())
        rig.grid.subscribe(subscription(endpoint="https://other.example/"))
        assert rig.grid.subscription("calls").state == "Creating"
        second = await rig.grid.settled("calls")
        assert second.state == "Succeeded"
        assert second.code != first.code
        assert second.token != first.token
        assert second.created_at == first.created_at
        assert [each.request.url for each in rig.post.validations][1] == "https://other.example/"
        await rig.stop()

    on_virtual_time(main())


def test_creating_it_again_ends_the_handshake_under_way() -> None:
    async def main() -> None:
        async def slow(request: Outgoing) -> Answer:
            await asyncio.sleep(20)
            return echo(request)

        post = FakePost(handshake=slow)
        rig = Rig(post)
        rig.grid.start(BASE_URL)
        rig.grid.subscribe(subscription())
        waiting = asyncio.create_task(rig.grid.settled("calls"))
        await asyncio.sleep(10)
        rig.grid.subscribe(subscription(event_types=("CallEnded",)))
        settled = await waiting
        assert settled.settings.event_types == ("Microsoft.Communication.CallEnded",)
        assert asyncio.get_running_loop().time() == START + 30
        await rig.stop()

    on_virtual_time(main())


def test_deleting_it_ends_the_handshake_and_whoever_waits() -> None:
    async def main() -> None:
        rig = Rig(always(Answer(503)))
        rig.grid.start(BASE_URL)
        rig.grid.subscribe(subscription())
        waiting = asyncio.create_task(rig.grid.settled("calls"))
        await asyncio.sleep(1)
        rig.grid.delete("calls")
        with pytest.raises(ApiError) as raised:
            await waiting
        assert raised.value.status == 404
        await asyncio.sleep(100)
        assert len(rig.post.validations) == 1
        await rig.stop()
        assert rig.store.subscriptions() == []

    on_virtual_time(main())


def test_validating_again_after_the_endpoint_was_mended() -> None:
    async def main() -> None:
        rig, settled = await asked(always(Answer(404, "Not Found")))
        assert settled.state == "Failed"
        rig.post.handshake = echo
        assert rig.grid.validate_again("calls").state == "Creating"
        assert (await rig.grid.settled("calls")).state == "Succeeded"
        await rig.stop()

    on_virtual_time(main())


def test_a_handshake_goes_on_after_a_restart() -> None:
    async def main() -> None:
        store = MemoryStore()
        first = Rig(always(Answer(503)), store=store)
        first.grid.start(BASE_URL)
        first.grid.subscribe(subscription())
        await asyncio.sleep(1)
        await first.stop()
        assert states(store.subscriptions()) == {"calls": "Creating"}
        second = Rig(FakePost(), store=store)
        second.grid.start(BASE_URL)
        assert (await second.grid.settled("calls")).state == "Succeeded"
        await second.stop()

    on_virtual_time(main())


def test_the_ten_minutes_go_on_over_a_restart() -> None:
    async def main() -> None:
        store = MemoryStore()
        first = await Rig(always(Answer(200)), store=store).subscribed()
        token = token_of(first)
        await first.stop()
        await asyncio.sleep(300)
        second = Rig(FakePost(), store=store)
        second.grid.start(BASE_URL)
        assert second.grid.subscription("calls").state == "AwaitingManualAction"
        assert second.post.validations == []
        assert token_of(second) == token
        await asyncio.sleep(301)
        assert second.grid.subscription("calls").state == "Failed"
        await second.stop()

    on_virtual_time(main())


def test_a_fault_of_ours_fails_the_subscription_and_says_so() -> None:
    async def main() -> None:
        def broken(_request: Outgoing) -> Answer:
            raise ZeroDivisionError("oops")

        _, settled = await asked(FakePost(handshake=broken))
        assert settled.state == "Failed"
        assert "our own fault: ZeroDivisionError: oops" in settled.why

    on_virtual_time(main())
