"""The courier's lanes on virtual time: order, retries, and what must never stop one."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.delivery.courier import Courier
from onhook.delivery.schedule import Schedule
from onhook.facts import EventAttempted, Fact
from onhook.lab.virtual_time import run
from onhook.store.batch import Batch
from onhook.store.memory import MemoryStore
from store_samples import event

Answer = int | str | Exception
SCHEDULE = Schedule(delays_seconds=(1.0, 2.0, 5.0), give_up_seconds=60.0, timeout_seconds=30.0)


class Notes:
    """A journal that keeps everything at once."""

    def __init__(self) -> None:
        self.facts: list[EventAttempted] = []
        self.settled: list[Settlement] = []
        self.faults = 0

    def note(self, call_id: str, fact: Fact) -> None:
        if self.faults:
            self.faults -= 1
            raise RuntimeError("no room")
        assert isinstance(fact, EventAttempted)
        self.facts.append(fact)

    def add_settlement(self, settled: Settlement) -> None:
        self.settled.append(settled)


class Scripted(Courier):
    """A courier whose application answers by a script: by event, then 200. Every answer takes a while."""

    def __init__(
        self,
        notes: Notes,
        *,
        schedule: Schedule = SCHEDULE,
        takes_seconds: float = 0.25,
        posts_at_a_time: int = 200,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(notes, loop.time, schedule, posts_at_a_time=posts_at_a_time)
        self.answers: dict[str, list[Answer]] = {}
        self.takes_seconds = takes_seconds
        self.posted: list[tuple[float, str]] = []
        self.under_way = self.most_under_way = 0

    async def _post(self, event: OutboxEvent) -> tuple[int | None, str]:
        self.posted.append((self._now(), event.id))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.takes_seconds)
        self.under_way -= 1
        script = self.answers.get(event.id, [])
        answer = script.pop(0) if script else 200
        if isinstance(answer, Exception):
            raise answer
        return (answer, "") if isinstance(answer, int) else (None, answer)

    @property
    def order(self) -> list[str]:
        return [event_id for _, event_id in self.posted]


def events(*ids: str, call_id: str = "call-1", **changes: Any) -> list[OutboxEvent]:
    """Events that were published at time 0."""
    return [event(event_id, call_id, **({"created_at": 0.0, "due": 0.0} | changes)) for event_id in ids]


def play(scene: Callable[[Notes], Coroutine[Any, Any, Courier]]) -> Notes:
    notes = Notes()

    async def main() -> None:
        courier = await scene(notes)
        await courier.close()

    run(main())
    return notes


async def settle(courier: Courier) -> None:
    """Until every lane is empty."""
    while courier.waiting:  # noqa: ASYNC110  # virtual time: to look again costs nothing
        await asyncio.sleep(1 / 16)


def test_events_of_one_call_go_one_by_one_in_order() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.deliver(events("a", "b"))
        await asyncio.sleep(0.1)
        courier.deliver(events("c"))
        assert courier.waiting == 3
        await settle(courier)
        assert courier.posted == [(0.0, "a"), (0.25, "b"), (0.5, "c")]
        assert courier.most_under_way == 1
        return courier

    notes = play(scene)
    assert notes.settled == [Settlement(name, "delivered", 1) for name in ("a", "b", "c")]


def test_calls_go_side_by_side() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        for number in range(20):
            courier.deliver(events(f"{number}", call_id=f"call-{number}"))
        await settle(courier)
        assert {at for at, _ in courier.posted} == {0.0}
        assert courier.most_under_way == 20
        return courier

    play(scene)


def test_posts_at_a_time_are_limited() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes, posts_at_a_time=3)
        for number in range(10):
            courier.deliver(events(f"{number}", call_id=f"call-{number}"))
        await settle(courier)
        assert courier.most_under_way == 3
        return courier

    assert len(play(scene).settled) == 10


def test_a_failed_event_is_tried_again_by_the_schedule_and_holds_back_its_own_call_only() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.answers["a"] = [500, "refused", 404]
        courier.deliver([*events("a", "b"), *events("x", "y", call_id="call-2")])
        await settle(courier)
        # 0.25 s for each answer, then the pauses 1, 2 and 5 s
        assert [at for at, name in courier.posted if name == "a"] == [0.0, 1.25, 3.5, 8.75]
        assert [at for at, name in courier.posted if name == "b"] == [9.0]
        assert [at for at, name in courier.posted if name in "xy"] == [0.0, 0.25]
        return courier

    notes = play(scene)
    mine = [each for each in notes.settled if each.event_id == "a"]
    assert [(each.fate, each.attempts, each.due) for each in mine] == [
        ("retry", 1, 1.25),
        ("retry", 2, 3.5),
        ("retry", 3, 8.75),
        ("delivered", 4, 8.75),
    ]


def test_every_attempt_is_a_fact() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.answers["a"] = [503, "ClientOSError: reset"]
        courier.deliver(events("a"))
        await settle(courier)
        return courier

    facts = play(scene).facts
    assert [(fact.attempt, fact.status, fact.error) for fact in facts] == [
        (1, 503, ""),
        (2, None, "ClientOSError: reset"),
        (3, 200, ""),
    ]
    assert {(fact.event_id, fact.event_type, fact.uri) for fact in facts} == {
        ("a", "CallConnected", "https://app.example/events?key=1")
    }
    assert {fact.elapsed_ms for fact in facts} == {250.0}
    assert [fact.at for fact in facts] == [0.25, 1.5, 3.75]  # answers; the pauses are 1 and 2 s


@pytest.mark.parametrize(("answer", "posts"), [(410, 1), (413, 1), (500, 13)])
def test_an_event_is_given_up_and_the_next_one_goes(answer: int, posts: int) -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.answers["a"] = [answer] * 100
        courier.deliver(events("a", "b"))
        await settle(courier)
        assert courier.order == ["a"] * posts + ["b"]
        assert courier.posted[-1][0] <= 60.0
        return courier

    settled = play(scene).settled
    assert [each.fate for each in settled] == ["retry"] * (posts - 1) + ["abandoned", "delivered"]
    assert settled[-2] == Settlement("a", "abandoned", posts)


def test_after_a_restart_it_goes_on_with_the_attempts_and_times_that_were_kept() -> None:
    store = MemoryStore()
    kept = [*events("a", attempts=2, due=4.0), *events("b"), *events("x", call_id="call-2")]
    store.save(Batch(events=kept))

    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.answers["a"] = [500]
        courier.deliver(store.undelivered())
        await settle(courier)
        assert courier.posted == [(0.0, "x"), (4.0, "a"), (9.25, "a"), (9.5, "b")]  # its third pause is 5 s
        return courier

    notes = play(scene)
    assert [fact.attempt for fact in notes.facts if fact.event_id == "a"] == [3, 4]


def test_a_clock_that_was_set_back_does_not_put_an_event_off_for_years() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.deliver(events("a", due=1e9))
        await asyncio.sleep(6)
        assert courier.order == ["a"]
        return courier

    assert play(scene).settled == [Settlement("a", "delivered", 1, 1e9)]


@pytest.mark.parametrize("fault", [RuntimeError("Session is closed"), AssertionError(), KeyError("x")])
def test_a_lane_survives_whatever_is_raised(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.answers["a"] = [fault]
        courier.deliver(events("a", "b"))
        await settle(courier)
        assert courier.order == ["a", "a", "b"]
        return courier

    with caplog.at_level(logging.ERROR):
        notes = play(scene)
    assert [each.fate for each in notes.settled] == ["delivered", "delivered"]
    assert "event a could not be settled" in caplog.text


def test_a_journal_that_refuses_does_not_lose_the_event() -> None:
    """At least once: it is posted again, since nobody knows that it was taken."""

    async def scene(notes: Notes) -> Courier:
        notes.faults = 2
        courier = Scripted(notes)
        courier.deliver(events("a", "b"))
        await settle(courier)
        assert courier.order == ["a", "a", "a", "b"]
        return courier

    assert [each.event_id for each in play(scene).settled] == ["a", "b"]


def test_a_lane_that_was_emptied_is_opened_again() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        for name in ("a", "b", "c"):
            courier.deliver(events(name))
            await settle(courier)
        assert courier.order == ["a", "b", "c"]
        await asyncio.sleep(0.1)
        assert courier._lanes == {}
        assert courier._tasks == set()
        return courier

    play(scene)


def test_what_is_brought_after_closing_waits_in_the_store() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.deliver(events("a", "b"))
        await asyncio.sleep(0.1)
        await courier.close()
        courier.deliver(events("c"))
        await asyncio.sleep(100)
        assert courier.order == ["a"]
        return courier

    assert play(scene).settled == []


def test_many_calls_with_random_failures_all_arrive_in_their_order() -> None:
    """3,000 events of 500 calls; every seventh try fails."""
    calls = 500
    brought: list[OutboxEvent] = [
        each for number in range(6) for call in range(calls) for each in _numbered(call, number)
    ]

    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes, takes_seconds=0.01)
        courier.answers = {each.id: [500] for index, each in enumerate(brought) if index % 7 == 0}
        courier.deliver(brought)
        await settle(courier)
        return courier

    delivered = [each.event_id for each in play(scene).settled if each.fate == "delivered"]
    assert len(delivered) == len(set(delivered)) == len(brought)
    for call in range(calls):
        assert [name for name in delivered if name.startswith(f"{call}.")] == [
            f"{call}.{n}" for n in range(6)
        ]


def _numbered(call: int, number: int) -> Iterable[OutboxEvent]:
    return events(f"{call}.{number}", call_id=f"call-{call}")


def test_what_a_call_has_still_to_say_can_be_asked_for_and_given_up() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes)
        courier.answers["a"] = [503] * 9
        courier.deliver(events("a", "b"))
        courier.deliver(events("c", call_id="call-2"))
        await asyncio.sleep(0.5)
        assert [event.id for event in courier.waiting_of("call-1")] == ["a", "b"]
        assert not courier.is_done_with("call-1")
        assert courier.is_done_with("call-2")
        assert courier.waiting_of("call-2") == []
        courier.abandon("call-1")
        courier.abandon("call-2")
        assert courier.is_done_with("call-1")
        assert courier.waiting == 0
        await asyncio.sleep(60)
        assert courier.order == ["a", "c"], "nothing is tried again"
        courier.deliver(events("d"))
        await settle(courier)
        assert courier.order[-1] == "d", "what comes later finds its way"
        return courier

    fates = {settled.event_id: settled.fate for settled in play(scene).settled}
    assert fates == {"a": "abandoned", "b": "abandoned", "c": "delivered", "d": "delivered"}


def test_a_try_under_way_is_broken_off_when_its_call_is_given_up() -> None:
    async def scene(notes: Notes) -> Courier:
        courier = Scripted(notes, takes_seconds=5.0)
        courier.deliver(events("a"))
        await asyncio.sleep(1)
        courier.abandon("call-1")
        await asyncio.sleep(10)
        return courier

    notes = play(scene)
    assert notes.facts == []
    assert [settled.fate for settled in notes.settled] == ["abandoned"]
