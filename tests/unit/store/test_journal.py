"""The journal: one save a turn, nothing leaves before it, and a store that fails loses nothing."""

import asyncio
import copy
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from onhook.calls.outbox import Settlement
from onhook.facts import Fact
from onhook.lab.virtual_time import run
from onhook.store.batch import Batch, KeptReply, StoreFailed
from onhook.store.journal import RETRY_SECONDS, Journal
from onhook.store.memory import MemoryStore
from store_samples import asked, event, record

DISK_FULL = StoreFailed("cannot write to the store calls.db: disk is full")


class FailingStore(MemoryStore):
    """Fails the next `failures` saves with `error`; remembers every batch that it was given."""

    def __init__(self, failures: int = 0, error: Exception = DISK_FULL) -> None:
        super().__init__()
        self.failures, self.error = failures, error
        self.saved: list[Batch] = []
        self.tried_at: list[float] = []

    def save(self, batch: Batch) -> None:
        self.tried_at.append(asyncio.get_running_loop().time())
        if self.failures:
            self.failures -= 1
            raise self.error
        self.saved.append(copy.deepcopy(batch))
        super().save(batch)


Scene = Callable[[FailingStore, Journal], Coroutine[Any, Any, None]]


def play(scene: Scene, store: FailingStore | None = None) -> FailingStore:
    kept = store or FailingStore()

    async def main() -> None:
        await scene(kept, Journal(kept))

    run(main())
    return kept


def test_everything_of_one_turn_is_one_save() -> None:
    async def scene(store: FailingStore, journal: Journal) -> None:
        kept = record()
        journal.add_facts("call-1", [asked()])
        journal.add_record(kept)
        journal.add_event(event("e1"))
        journal.add_settlement(Settlement("e0", "delivered", 1))
        journal.add_reply(KeptReply("k", 1.0, b"r"))
        journal.add_facts("call-2", [asked(2.0)])
        kept.trunk = "carrier"  # the record is saved as it is at the end of the turn
        assert store.saved == []
        await journal.written()

    store = play(scene)
    assert len(store.saved) == 1
    assert store.saved[0].facts == [("call-1", [asked()]), ("call-2", [asked(2.0)])]
    assert store.saved[0].records["call-1"].trunk == "carrier"
    assert [each.id for each in store.saved[0].events] == ["e1"]
    assert store.saved[0].settlements == [Settlement("e0", "delivered", 1)]
    assert store.saved[0].replies == [KeptReply("k", 1.0, b"r")]


def test_requests_of_one_turn_share_a_save_and_later_ones_have_their_own() -> None:
    async def one(journal: Journal, name: str) -> None:
        journal.add_facts(name, [asked()])
        await journal.written()

    async def scene(store: FailingStore, journal: Journal) -> None:
        await asyncio.gather(*(one(journal, f"c{n}") for n in range(50)))
        assert len(store.saved) == 1
        await one(journal, "later")
        assert len(store.saved) == 2

    play(scene)


def test_no_fact_is_no_work() -> None:
    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("call-1", [])
        await journal.written()
        journal.flush()
        await asyncio.sleep(1)
        assert store.tried_at == []

    play(scene)


def test_what_follows_comes_after_the_save_in_its_order() -> None:
    order: list[str] = []

    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.then(lambda: order.append(f"first, {len(store.saved)} saved"))
        journal.add_facts("call-1", [asked()])
        journal.then(lambda: order.append("second"))
        assert order == []
        await journal.written()
        order.append("told")

    play(scene)
    assert order == ["first, 1 saved", "second", "told"]


def test_what_follows_may_add_more() -> None:
    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        journal.then(lambda: journal.add_facts("b", [asked()]))
        await journal.written()
        await asyncio.sleep(0)
        await journal.written()
        assert [batch.facts[0][0] for batch in store.saved] == ["a", "b"]

    play(scene)


def test_an_action_that_fails_keeps_no_other_from_running(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    def fail() -> None:
        raise ZeroDivisionError

    async def scene(_: FailingStore, journal: Journal) -> None:
        journal.then(lambda: ran.append(1))
        journal.then(fail)
        journal.then(lambda: ran.append(3))
        await journal.written()
        journal.then(lambda: ran.append(4))
        await journal.written()

    with caplog.at_level(logging.ERROR):
        play(scene)
    assert ran == [1, 3, 4]
    assert "what follows a save failed" in caplog.text


def test_flush_saves_at_once_and_once_only() -> None:
    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        journal.flush()
        assert len(store.saved) == 1
        await asyncio.sleep(0.1)
        assert len(store.tried_at) == 1

    play(scene)


# Failure


def test_nothing_leaves_while_the_store_fails_and_all_of_it_when_it_works_again() -> None:
    left: list[str] = []

    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        journal.then(lambda: left.append("a"))
        await asyncio.sleep(RETRY_SECONDS / 2)
        journal.add_facts("b", [asked()])
        journal.then(lambda: left.append("b"))
        assert left == []
        await asyncio.sleep(RETRY_SECONDS * 3)
        assert left == ["a", "b"]
        assert len(store.saved) == 1

    store = play(scene, FailingStore(failures=3))
    assert store.facts("a") == store.facts("b") == [asked()]
    assert store.tried_at == [0.0, 1.0, 2.0, 3.0]


def test_written_raises_to_those_who_wait_and_not_to_those_who_come_later() -> None:
    async def scene(_: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        with pytest.raises(StoreFailed, match="disk is full"):
            await journal.written()
        assert journal.failure == str(DISK_FULL)
        await journal.written()  # the next try succeeds
        assert journal.failure == ""

    play(scene, FailingStore(failures=1))


def test_written_raises_again_as_long_as_the_store_fails() -> None:
    async def scene(_: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        for _number in range(5):
            with pytest.raises(StoreFailed):
                await journal.written()

    play(scene, FailingStore(failures=5))


def test_written_while_nothing_is_open_returns_at_once() -> None:
    async def scene(store: FailingStore, journal: Journal) -> None:
        await journal.written()
        journal.add_facts("a", [asked()])
        await journal.written()
        await journal.written()
        assert len(store.tried_at) == 1

    play(scene)


def test_a_waiter_who_has_gone_is_not_told() -> None:
    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        gone = asyncio.ensure_future(journal.written())
        await asyncio.sleep(0)
        gone.cancel()
        journal.flush()
        await asyncio.sleep(RETRY_SECONDS)
        assert len(store.saved) == 1

    play(scene, FailingStore(failures=1))


def test_any_exception_of_the_store_is_a_failure_and_heals(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the store raises: the journal must never stop trying, nor leave anybody waiting."""

    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        with pytest.raises(StoreFailed, match="cannot save: OverflowError: too big"):
            await journal.written()
        await journal.written()
        assert store.facts("a") == [asked()]

    with caplog.at_level(logging.WARNING):
        play(scene, FailingStore(failures=1, error=OverflowError("too big")))
    assert "too big; nothing is sent until it works again" in caplog.text
    assert "the store works again" in caplog.text
    assert "Traceback" in caplog.text


def test_a_failure_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(_: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        await asyncio.sleep(10)

    with caplog.at_level(logging.WARNING):
        play(scene, FailingStore(failures=4))
    assert [entry.getMessage() for entry in caplog.records] == [
        f"{DISK_FULL}; nothing is sent until it works again",
        "the store works again",
    ]


def test_flushing_by_hand_while_it_fails_starts_no_second_row_of_tries() -> None:
    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        for _number in range(3):
            journal.flush()
        await asyncio.sleep(RETRY_SECONDS * 2.5)
        assert store.tried_at == [0.0, 0.0, 0.0, 1.0, 2.0]

    play(scene, FailingStore(failures=4))


# Taking back


def test_after_a_failure_what_was_new_can_be_taken_back() -> None:
    left: list[str] = []

    async def scene(store: FailingStore, journal: Journal) -> None:
        for name in ("old", "new"):
            journal.add_facts(name, [asked()])
            journal.add_record(record(name))
            journal.add_event(event(f"e-{name}", name))
            journal.add_reply(KeptReply(f"k-{name}", 1.0, b""))
        journal.add_settlement(Settlement("e", "delivered", 1))
        journal.on_failure(lambda: journal.discard({"new"}, {"k-new"}))
        journal.then(lambda: left.append("sent"))
        with pytest.raises(StoreFailed):
            await journal.written()
        await journal.written()
        assert store.call("old") is not None
        assert store.call("new") is None
        assert store.facts("new") == []
        assert [each.id for each in store.undelivered()] == ["e-old"]
        assert store.reply("k-old") == b""
        assert store.reply("k-new") is None

    store = play(scene, FailingStore(failures=1))
    assert store.saved[0].settlements == [Settlement("e", "delivered", 1)]
    assert left == ["sent"]


def test_it_is_taken_back_before_anybody_hears_of_the_failure() -> None:
    order: list[str] = []

    async def ask(journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        with pytest.raises(StoreFailed):
            await journal.written()
        order.append("told")

    async def scene(_: FailingStore, journal: Journal) -> None:
        journal.on_failure(lambda: order.append("taken back"))
        await ask(journal)

    play(scene, FailingStore(failures=1))
    assert order == ["taken back", "told"]


def test_a_batch_of_which_nothing_is_left_still_tries_the_store() -> None:
    """Otherwise a store that fails would look healthy as soon as its one batch is withdrawn."""

    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.on_failure(lambda: journal.discard({"a"}, set()))
        journal.add_facts("a", [asked()])
        await asyncio.sleep(RETRY_SECONDS * 1.5)
        assert journal.failure
        await asyncio.sleep(RETRY_SECONDS)
        assert not journal.failure
        assert len(store.tried_at) == 3

    play(scene, FailingStore(failures=2))


def test_a_handler_that_fails_does_not_stop_the_tries() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.on_failure(fail)
        journal.add_facts("a", [asked()])
        with pytest.raises(StoreFailed):
            await journal.written()
        await journal.written()
        assert len(store.saved) == 1

    play(scene, FailingStore(failures=1))


def test_what_is_lost_is_never_saved_and_never_leaves() -> None:
    left: list[str] = []

    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.add_facts("a", [asked()])
        journal.then(lambda: left.append("a"))
        with pytest.raises(StoreFailed):
            await journal.written()
        waiting = asyncio.ensure_future(journal.written())
        await asyncio.sleep(0)
        journal.lose()
        await asyncio.sleep(RETRY_SECONDS * 2)
        assert store.tried_at == [0.0]
        assert waiting.cancelled()
        journal.add_facts("b", [asked()])
        await journal.written()
        assert [batch.facts for batch in store.saved] == [[("b", [asked()])]]

    play(scene, FailingStore(failures=1))
    assert left == []


# Facts of others


def test_a_noted_fact_is_kept_and_heard_of() -> None:
    heard: list[tuple[str, Fact]] = []

    async def scene(store: FailingStore, journal: Journal) -> None:
        journal.note("a", asked(1.0))
        journal.on_noted(lambda call_id, fact: heard.append((call_id, fact)))
        journal.note("a", asked(2.0))
        journal.add_facts("a", [asked(3.0)])
        await journal.written()
        assert store.facts("a") == [asked(1.0), asked(2.0), asked(3.0)]

    play(scene)
    assert heard == [("a", asked(2.0))]
