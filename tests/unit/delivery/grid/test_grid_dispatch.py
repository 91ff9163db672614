"""Deliveries on virtual time: schedule, limits, dead letters, lanes that do not hold each other up."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onhook.calls.grid import GridDelivery
from onhook.delivery.grid import dispatch
from onhook.delivery.grid.answer import Answer
from onhook.delivery.grid.dead_letters import DeadLetters
from onhook.delivery.grid.retries import Patience
from onhook.delivery.grid.wire import Outgoing
from onhook.facts import GridAttempted
from onhook.store.memory import MemoryStore
from unit.delivery.grid.grid_rig import (
    BASE_URL,
    CALL,
    ENDPOINT,
    START,
    FakePost,
    Rig,
    echo,
    on_virtual_time,
    subscription,
)

BROKEN = Answer(500, "Internal Server Error")
SLOW = Answer(None, "no answer within 30 s", "TimedOut")
WEEK = 7 * 24 * 3600.0
SCHEDULE = [0, 10, 40, 100, 400, 1000, 2800, 6400, 17_200, 38_800, 82_000]
"""When attempts fall due within a day, in seconds after the publication."""


def attempts(rig: Rig) -> list[GridAttempted]:
    return [fact for fact in rig.store.facts(CALL) if isinstance(fact, GridAttempted)]


def only(rig: Rig) -> GridDelivery:
    (delivery,) = rig.kept()
    return delivery


class TestSchedule:
    def test_an_event_that_is_taken_goes_out_once(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            event_id = rig.publish()
            await asyncio.sleep(WEEK)
            assert rig.post.times == [0]
            assert rig.post.deliveries[0].timeout_seconds == 30
            assert (only(rig).fate, only(rig).event_id) == ("delivered", event_id)
            (fact,) = attempts(rig)
            assert fact == GridAttempted(
                at=START,
                event_id=event_id,
                event_type="Microsoft.Communication.IncomingCall",
                subscription="calls",
                endpoint="https://app.example/events?…",
                attempt=1,
                status=200,
                elapsed_ms=0.0,
                fate="delivered",
            )
            await rig.stop()

        on_virtual_time(main())

    def test_500_twice_is_tried_after_10_and_30_seconds(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(BROKEN, BROKEN)).subscribed()
            rig.publish()
            await asyncio.sleep(WEEK)
            assert rig.post.times == [0, 10, 40]
            counts = [each.request.headers["aeg-delivery-count"] for each in rig.post.deliveries]
            assert counts == ["0", "1", "2"]
            assert [(fact.attempt, fact.status, fact.fate) for fact in attempts(rig)] == [
                (1, 500, "retry"),
                (2, 500, "retry"),
                (3, 200, "delivered"),
            ]
            bodies = {each.request.body for each in rig.post.deliveries}
            assert len(bodies) == 1
            await rig.stop()

        on_virtual_time(main())

    def test_a_day_of_failures_is_the_documented_schedule(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(otherwise=BROKEN)).subscribed()
            rig.publish()
            await asyncio.sleep(WEEK)
            assert rig.post.times == SCHEDULE
            assert (only(rig).fate, only(rig).reason) == ("dropped", "TimeToLiveExceeded")
            assert attempts(rig)[-1].fate == "retry"
            await rig.stop()

        on_virtual_time(main())

    @settings(max_examples=15, deadline=None)
    @given(jitter=st.floats(0, 1))
    def test_jitter_only_ever_delays(self, jitter: float) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(otherwise=BROKEN), jitter=jitter).subscribed()
            rig.grid._dispatch._patience = Patience()
            rig.publish()
            await asyncio.sleep(WEEK)
            pairs = list(zip(SCHEDULE, rig.post.times, strict=False))
            assert len(rig.post.times) in {10, 11}
            assert all(exact <= at + 0.001 and at <= exact * 1.1 + 0.001 for exact, at in pairs)
            await rig.stop()

        on_virtual_time(main())

    @pytest.mark.parametrize("most", [1, 2, 5])
    def test_attempts_have_their_limit(self, most: int) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(otherwise=BROKEN)).subscribed(subscription(max_attempts=most))
            rig.publish()
            await asyncio.sleep(WEEK)
            assert rig.post.times == SCHEDULE[:most]
            assert (only(rig).fate, only(rig).reason) == ("dropped", "MaxDeliveryAttemptsExceeded")
            assert attempts(rig)[-1].fate == "dropped"
            await rig.stop()

        on_virtual_time(main())

    def test_age_is_looked_at_when_an_attempt_is_due(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(otherwise=BROKEN)).subscribed(subscription(ttl_minutes=1))
            rig.publish()
            await asyncio.sleep(99)
            assert only(rig).fate == "waiting"
            await asyncio.sleep(2)
            assert rig.post.times == [0, 10, 40]
            assert (only(rig).fate, only(rig).reason) == ("dropped", "TimeToLiveExceeded")
            await rig.stop()

        on_virtual_time(main())

    @pytest.mark.parametrize("status", [400, 401, 403, 413])
    def test_a_refusal_for_good_is_not_tried_again(self, status: int) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(Answer(status, "No"))).subscribed()
            rig.publish()
            await asyncio.sleep(WEEK)
            assert rig.post.times == [0]
            assert (only(rig).fate, only(rig).reason) == ("dropped", "NonRetryableError")
            assert [(fact.status, fact.error, fact.fate) for fact in attempts(rig)] == [
                (status, "No", "dropped")
            ]
            await rig.stop()

        on_virtual_time(main())

    @pytest.mark.parametrize(
        ("answer", "second"),
        [(Answer(503), 30), (Answer(408), 120), (Answer(404), 10), (Answer(302), 10), (SLOW, 10)],
    )
    def test_what_is_tried_again_and_when(self, answer: Answer, second: float) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(answer)).subscribed()
            rig.publish()
            await asyncio.sleep(WEEK)
            assert rig.post.times == [0, second]
            assert only(rig).fate == "delivered"
            await rig.stop()

        on_virtual_time(main())

    def test_an_event_without_a_call_leaves_no_fact_but_its_attempts(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(BROKEN)).subscribed()
            rig.publish(call_id="")
            await asyncio.sleep(WEEK)
            assert rig.store.facts("") == []
            assert [(each.status, each.outcome) for each in only(rig).tries] == [
                (500, "Busy"),
                (200, "Delivered"),
            ]
            await rig.stop()

        on_virtual_time(main())


class TestDeadLetters:
    def test_it_is_written_five_minutes_after_the_last_attempt(self, tmp_path: Path) -> None:
        async def main() -> None:
            wanted = subscription(max_attempts=2, dead_letter_file="dead.jsonl")
            rig = await Rig(FakePost(otherwise=BROKEN), folder=tmp_path / "dead").subscribed(wanted)
            event_id = rig.publish()
            await asyncio.sleep(309)
            assert only(rig).fate == "dead-lettering"
            assert not (tmp_path / "dead").exists()
            await asyncio.sleep(2)
            assert only(rig).fate == "dead-lettered"
            (line,) = (tmp_path / "dead/dead.jsonl").read_text().splitlines()
            letter = json.loads(line)
            assert letter["id"] == event_id
            assert letter["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
            assert letter["deliveryAttempts"] == 2
            assert attempts(rig)[-1].fate == "dead-lettering"
            await rig.stop()

        on_virtual_time(main())

    def test_a_refusal_for_good_is_written_too(self, tmp_path: Path) -> None:
        async def main() -> None:
            wanted = subscription(schema="cloudevents", dead_letter_file="d")
            rig = await Rig(FakePost(Answer(413)), folder=tmp_path).subscribed(wanted)
            rig.publish()
            await asyncio.sleep(400)
            letter = json.loads((tmp_path / "d").read_text())
            assert letter["lastdeliveryoutcome"] == "PayloadTooLarge"
            await rig.stop()

        on_virtual_time(main())

    def test_several_share_a_file(self, tmp_path: Path) -> None:
        async def main() -> None:
            wanted = [subscription(name, max_attempts=1, dead_letter_file="all.jsonl") for name in ("a", "b")]
            rig = await Rig(FakePost(otherwise=BROKEN), folder=tmp_path).subscribed(*wanted)
            for _ in range(3):
                rig.publish()
            await asyncio.sleep(1000)
            lines = (tmp_path / "all.jsonl").read_text().splitlines()
            assert len([json.loads(line)["id"] for line in lines]) == 6
            await rig.stop()

        on_virtual_time(main())

    def test_a_file_that_cannot_be_written_is_tried_for_four_hours(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def main() -> None:
            (tmp_path / "taken").write_text("a file where the folder should be")
            wanted = subscription(max_attempts=1, dead_letter_file="d")
            rig = await Rig(FakePost(otherwise=BROKEN), folder=tmp_path / "taken").subscribed(wanted)
            rig.publish()
            await asyncio.sleep(4 * 3600)
            assert only(rig).fate == "dead-lettering"
            await asyncio.sleep(700)
            assert only(rig).fate == "dropped"
            await rig.stop()

        on_virtual_time(main())
        assert "dead-letter file d cannot be written" in caplog.text

    def test_a_file_that_can_be_written_again_gets_it(self, tmp_path: Path) -> None:
        async def main() -> None:
            folder = tmp_path / "late"
            folder.write_text("in the way")
            wanted = subscription(max_attempts=1, dead_letter_file="d")
            rig = await Rig(FakePost(otherwise=BROKEN), folder=folder).subscribed(wanted)
            rig.publish()
            await asyncio.sleep(3600)
            folder.unlink()
            await asyncio.sleep(600)
            assert only(rig).fate == "dead-lettered"
            assert (folder / "d").read_text().count("\n") == 1
            await rig.stop()

        on_virtual_time(main())

    def test_a_file_does_not_grow_for_ever(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("onhook.delivery.grid.dead_letters.MAX_FILE_BYTES", 10)
        letters = DeadLetters(tmp_path / "a/b")
        letters.write("d", b"12345\n")
        with pytest.raises(OSError, match="move it away"):
            letters.write("d", b"12345\n")
        assert (tmp_path / "a/b/d").read_bytes() == b"12345\n"

    def test_without_a_file_it_is_dropped_and_the_log_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(BROKEN)).subscribed(subscription(max_attempts=1))
            rig.publish()
            await asyncio.sleep(1)
            await rig.stop()

        with caplog.at_level(logging.WARNING):
            on_virtual_time(main())
        assert "for subscription calls is given up: MaxDeliveryAttemptsExceeded; 500 Internal" in caplog.text


class TestLanes:
    def test_many_at_a_time_but_not_too_many(self) -> None:
        async def main() -> None:
            post = FakePost()
            post.takes_seconds = 1.0
            rig = await Rig(post).subscribed()
            for _ in range(250):
                rig.publish()
            await asyncio.sleep(2.5)
            assert post.most_at_a_time == dispatch.MAX_POSTS_AT_A_TIME == 100
            assert post.times == [0] * 100 + [1] * 100 + [2] * 50
            assert rig.grid._dispatch.waiting("calls") == 50
            await asyncio.sleep(1)
            assert rig.grid._dispatch.waiting("calls") == 0
            assert {each.fate for each in rig.kept()} == {"delivered"}
            await rig.stop()

        on_virtual_time(main())

    def test_a_slow_endpoint_holds_up_no_other(self) -> None:
        async def main() -> None:
            class OneIsSlow(FakePost):
                async def send(self, request: Outgoing, timeout_seconds: float) -> Answer:
                    self.takes_seconds = 100.0 if "slow" in request.url else 0.0
                    return await super().send(request, timeout_seconds)

            rig = await Rig(OneIsSlow()).subscribed(
                subscription("slow", endpoint="https://slow.example/"), subscription("quick")
            )
            for _ in range(150):
                rig.publish()
            await asyncio.sleep(0.1)
            assert {each.fate for each in rig.kept("quick")} == {"delivered"}
            assert {each.fate for each in rig.kept("slow")} == {"waiting"}
            assert rig.grid._dispatch.waiting("slow") == 150
            await rig.stop()

        on_virtual_time(main())

    def test_one_that_fails_does_not_hold_up_the_next(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(BROKEN)).subscribed()
            first, second = rig.publish(), rig.publish()
            await asyncio.sleep(5)
            fates = {each.event_id: each.fate for each in rig.kept()}
            assert fates == {first: "waiting", second: "delivered"}
            await rig.stop()

        on_virtual_time(main())

    def test_deleting_a_subscription_drops_what_waits(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(otherwise=BROKEN)).subscribed()
            rig.publish()
            await asyncio.sleep(1)
            rig.grid.delete("calls")
            await asyncio.sleep(0)
            await asyncio.sleep(WEEK)
            assert rig.post.times == [0]
            assert (only(rig).fate, only(rig).reason) == ("dropped", "the subscription was deleted")
            await rig.stop()

        on_virtual_time(main())

    def test_a_subscription_that_is_validated_anew_holds_its_events_meanwhile(self) -> None:
        async def main() -> None:
            async def slow(request: Outgoing) -> Answer:
                await asyncio.sleep(25)
                return echo(request)

            rig = await Rig(FakePost(BROKEN)).subscribed()
            rig.publish()
            await asyncio.sleep(1)
            rig.post.handshake = slow
            rig.grid.subscribe(subscription(endpoint="https://new.example/"))
            await asyncio.sleep(100)
            assert rig.post.times == [0, 30]
            assert [each.request.url for each in rig.post.deliveries] == [ENDPOINT, "https://new.example/"]
            await rig.stop()

        on_virtual_time(main())

    def test_held_events_grow_old_too(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost(BROKEN)).subscribed(subscription(ttl_minutes=1))
            rig.publish()
            await asyncio.sleep(1)
            rig.post.handshake = lambda _request: Answer(404)
            rig.grid.subscribe(subscription(ttl_minutes=1))
            await asyncio.sleep(100)
            assert rig.post.times == [0]
            assert (only(rig).fate, only(rig).reason) == ("dropped", "TimeToLiveExceeded")
            await rig.stop()

        on_virtual_time(main())

    def test_a_fault_of_ours_is_tried_again(self, caplog: pytest.LogCaptureFixture) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            real = rig.post.send
            calls = iter([True, False])

            async def send(request: Outgoing, timeout_seconds: float) -> Answer:
                if next(calls):
                    raise ZeroDivisionError
                return await real(request, timeout_seconds)

            rig.grid._dispatch._post = type("Post", (), {"send": staticmethod(send)})()
            rig.publish()
            await asyncio.sleep(60)
            assert only(rig).fate == "delivered"
            assert rig.post.times == [10]
            await rig.stop()

        on_virtual_time(main())
        assert "is stuck; it is tried again" in caplog.text


class TestRestart:
    def test_what_waits_goes_on_by_the_same_schedule(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            first = await Rig(FakePost(otherwise=BROKEN), store=store).subscribed()
            event_id = first.publish()
            await asyncio.sleep(15)
            assert first.post.times == [0, 10]
            await first.stop()
            await asyncio.sleep(5)
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL)
            await asyncio.sleep(60)
            assert second.post.times == [40]
            assert second.post.validations == []
            assert second.post.deliveries[0].request.headers["aeg-delivery-count"] == "2"
            assert (only(second).fate, only(second).event_id) == ("delivered", event_id)
            await second.stop()

        on_virtual_time(main())

    def test_what_fell_due_meanwhile_goes_out_at_once(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            first = await Rig(FakePost(BROKEN), store=store).subscribed()
            first.publish()
            await asyncio.sleep(1)
            await first.stop()
            await asyncio.sleep(500)
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL)
            await asyncio.sleep(1)
            assert second.post.times == [501]
            await second.stop()

        on_virtual_time(main())

    def test_an_attempt_that_was_cut_off_is_made_again(self) -> None:
        async def main() -> None:
            store = MemoryStore()
            post = FakePost()
            post.takes_seconds = 20.0
            first = await Rig(post, store=store).subscribed()
            first.publish()
            await asyncio.sleep(10)
            await first.stop()
            second = Rig(FakePost(), store=store)
            second.grid.start(BASE_URL)
            await asyncio.sleep(1)
            assert second.post.times == [10]
            assert second.post.deliveries[0].request.headers["aeg-delivery-count"] == "0"
            await second.stop()

        on_virtual_time(main())

    def test_dead_letters_are_written_after_it_too(self, tmp_path: Path) -> None:
        async def main() -> None:
            store = MemoryStore()
            wanted = subscription(max_attempts=1, dead_letter_file="d")
            first = await Rig(FakePost(BROKEN), store=store, folder=tmp_path).subscribed(wanted)
            first.publish()
            await asyncio.sleep(1)
            await first.stop()
            second = Rig(FakePost(), store=store, folder=tmp_path)
            second.grid.start(BASE_URL)
            await asyncio.sleep(300)
            assert (tmp_path / "d").exists()
            await second.stop()

        on_virtual_time(main())

    def test_nothing_begins_after_close(self) -> None:
        async def main() -> None:
            rig = await Rig(FakePost()).subscribed()
            await rig.grid.close()
            rig.publish()
            await asyncio.sleep(WEEK)
            assert rig.post.deliveries == []
            assert only(rig).fate == "waiting"

        on_virtual_time(main())
