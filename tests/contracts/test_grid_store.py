"""What both stores must do for Event Grid."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.calls.grid import GridDelivery, GridTry, SubscriptionRecord
from onhook.facts import FaultRaised
from onhook.store.batch import MAX_DELIVERIES_FORGOTTEN_AT_A_TIME, Batch, StoreFailed
from onhook.store.journal import Journal
from onhook.store.memory import MemoryStore
from onhook.store.sqlite import SqliteStore
from store_samples import TIMES
from unit.delivery.grid.grid_rig import delivery, record, subscription

Store: TypeAlias = MemoryStore | SqliteStore
Reopen: TypeAlias = Callable[[Store], Store]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "calls.db")
    yield opened
    opened.close()


@pytest.fixture
def reopen(tmp_path: Path) -> Reopen:
    def again(store: Store) -> Store:
        if isinstance(store, MemoryStore):
            return store
        store.close()
        return SqliteStore(tmp_path / "calls.db")

    return again


def named(name: str, **changes: Any) -> SubscriptionRecord:
    return record(subscription(name), **changes)


def deliveries(*kept: GridDelivery) -> Batch:
    return Batch(grid_deliveries={each.id: each for each in kept})


def numbered(number: int, **changes: Any) -> GridDelivery:
    return delivery(id=f"d{number}", event_id=f"e{number}", **changes)


def ids(found: list[GridDelivery]) -> list[str]:
    return [each.id for each in found]


TRIES = st.builds(
    GridTry,
    at=TIMES,
    status=st.none() | st.integers(100, 599),
    elapsed_ms=TIMES,
    outcome=st.text(max_size=9),
    error=st.text(max_size=9),
)
DELIVERIES = st.builds(
    delivery,
    id=st.text(),
    event_id=st.text(),
    subject=st.text(),
    data=st.binary(),
    published_at=TIMES,
    due=TIMES,
    fate=st.sampled_from(["waiting", "delivered", "dead-lettering", "dead-lettered", "dropped"]),
    reason=st.text(max_size=9),
    tries=st.lists(TRIES, max_size=3).map(tuple),
)


class TestSubscriptions:
    def test_they_come_back_by_name(self, store: Store, reopen: Reopen) -> None:
        records = [named(name) for name in ("b", "c", "a")]
        store.save(Batch(subscriptions={each.name: each for each in records}))
        again = reopen(store)
        assert again.subscriptions() == sorted(records, key=lambda each: each.name)
        again.close()

    def test_the_newest_stands(self, store: Store, reopen: Reopen) -> None:
        store.save(Batch(subscriptions={"a": named("a")}))
        tries = (GridTry(at=1.0, status=None, elapsed_ms=2.0, outcome="TimedOut", error="slow"),)
        changed = named("a", state="Failed", why="slow", tries=tries)
        store.save(Batch(subscriptions={"a": changed}))
        again = reopen(store)
        assert again.subscriptions() == [changed]
        again.close()

    def test_one_can_be_deleted(self, store: Store, reopen: Reopen) -> None:
        store.save(Batch(subscriptions={"a": named("a"), "b": named("b")}))
        store.save(Batch(subscriptions={"a": None, "nobody": None}))
        again = reopen(store)
        assert [each.name for each in again.subscriptions()] == ["b"]
        again.close()

    def test_an_empty_store_has_none(self, store: Store) -> None:
        assert store.subscriptions() == []
        assert store.open_grid_deliveries() == []
        assert store.grid_deliveries(subscription="a", limit=10) == []


class TestDeliveries:
    def test_open_ones_come_back_in_order(self, store: Store, reopen: Reopen) -> None:
        store.save(deliveries(numbered(2), numbered(1)))
        store.save(deliveries(numbered(3)))
        again = reopen(store)
        assert ids(again.open_grid_deliveries()) == ["d2", "d1", "d3"]
        assert again.open_grid_deliveries()[0] == numbered(2)
        again.close()

    @pytest.mark.parametrize(
        ("fate", "is_open"),
        [
            ("waiting", True),
            ("dead-lettering", True),
            ("delivered", False),
            ("dead-lettered", False),
            ("dropped", False),
        ],
    )
    def test_what_is_done_with_is_not_open(self, fate: str, *, is_open: bool, store: Store) -> None:
        store.save(deliveries(numbered(1)))
        store.save(deliveries(numbered(1, fate=fate)))
        assert bool(store.open_grid_deliveries()) == is_open
        assert [each.fate for each in store.grid_deliveries(subscription="calls", limit=5)] == [fate]

    def test_a_change_keeps_its_place(self, store: Store, reopen: Reopen) -> None:
        store.save(deliveries(numbered(1), numbered(2)))
        made = GridTry(at=3.0, status=500, elapsed_ms=1.5, outcome="Busy", error="Broken")
        store.save(deliveries(numbered(1, due=7.0, tries=(made,))))
        again = reopen(store)
        first, second = again.open_grid_deliveries()
        assert (first.id, first.due, first.tries) == ("d1", 7.0, (made,))
        assert second.id == "d2"
        again.close()

    def test_the_newest_of_a_subscription(self, store: Store, reopen: Reopen) -> None:
        for number in range(6):
            store.save(deliveries(numbered(number, subscription="ab"[number % 2])))
        again = reopen(store)
        assert ids(again.grid_deliveries(subscription="a", limit=2)) == ["d4", "d2"]
        assert ids(again.grid_deliveries(subscription="b", limit=10)) == ["d5", "d3", "d1"]
        assert again.grid_deliveries(subscription="c", limit=10) == []
        again.close()

    def test_those_of_one_event(self, store: Store) -> None:
        store.save(deliveries(numbered(1), numbered(2), delivery(id="again", event_id="e1")))
        assert ids(store.grid_deliveries(subscription="calls", event_id="e1", limit=10)) == ["again", "d1"]
        assert store.grid_deliveries(subscription="other", event_id="e1", limit=10) == []

    def test_a_batch_of_only_these_is_no_empty_one(self) -> None:
        assert deliveries(numbered(1))
        assert Batch(subscriptions={"a": None})
        assert not Batch()

    def test_text_that_no_encoding_writes_is_repaired(self, store: Store, reopen: Reopen) -> None:
        made = GridTry(at=1.0, status=500, elapsed_ms=1.0, outcome="Busy", error="Z\udcff")
        store.save(deliveries(numbered(1, tries=(made,))))
        store.save(Batch(subscriptions={"a": named("a", why="Z\udcff")}))
        again = reopen(store)
        if isinstance(again, SqliteStore):
            assert again.open_grid_deliveries()[0].tries[0].error.startswith("Z\ufffd")
            assert again.subscriptions()[0].why.startswith("Z\ufffd")
        again.close()

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(kept=st.lists(DELIVERIES, max_size=4, unique_by=lambda each: each.id))
    def test_any_delivery_comes_back_as_it_was(self, kept: list[GridDelivery], tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / f"{next(NUMBERS)}.db")
        store.save(deliveries(*kept))
        assert store.open_grid_deliveries() == [each for each in kept if each.open]
        store.close()


NUMBERS = count(1)


class TestForgetting:
    def forget(self, store: Store, before: float) -> None:
        store.forget(calls_before=before, replies_before=0.0)

    def test_old_ones_that_are_done_with_go(self, store: Store, reopen: Reopen) -> None:
        store.save(
            deliveries(
                numbered(1, published_at=10.0, fate="delivered"),
                numbered(2, published_at=10.0),
                numbered(3, published_at=20.0, fate="dropped"),
                numbered(4, published_at=10.0, fate="dead-lettering"),
            )
        )
        self.forget(store, 20.0)
        again = reopen(store)
        assert ids(again.grid_deliveries(subscription="calls", limit=9)) == ["d4", "d3", "d2"]
        again.close()

    def test_subscriptions_stay(self, store: Store) -> None:
        store.save(Batch(subscriptions={"a": named("a")}))
        self.forget(store, 1e12)
        assert len(store.subscriptions()) == 1

    def test_so_many_at_a_time(self, store: Store) -> None:
        many = MAX_DELIVERIES_FORGOTTEN_AT_A_TIME + 5
        store.save(deliveries(*(numbered(each, published_at=1.0, fate="delivered") for each in range(many))))
        self.forget(store, 2.0)
        assert len(store.grid_deliveries(subscription="calls", limit=many)) == 5
        self.forget(store, 2.0)
        assert store.grid_deliveries(subscription="calls", limit=many) == []


class TestOneTransaction:
    def test_facts_and_deliveries_are_saved_together_or_not_at_all(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "calls.db")
        store._db.execute("drop table grid_delivery")
        fact = FaultRaised(at=1.0, where="here", traceback="")
        batch = Batch(facts=[("call", [fact])], grid_deliveries={"d1": numbered(1)})
        with pytest.raises(StoreFailed, match="grid_delivery"):
            store.save(batch)
        assert store.facts("call") == []
        store.close()

    def test_a_damaged_row_is_told_as_such(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "calls.db")
        store.save(Batch(subscriptions={"a": named("a")}, grid_deliveries={"d1": numbered(1)}))
        store._db.execute("update grid_delivery set body = x'00'")
        store._db.execute("update grid_subscription set body = x'00'")
        for read in (
            store.subscriptions,
            store.open_grid_deliveries,
            lambda: store.grid_deliveries(subscription="calls", limit=1),
        ):
            with pytest.raises(StoreFailed, match="cannot read"):
                read()
        store.close()


class TestJournal:
    async def test_it_saves_the_newest_of_a_turn(self, store: Store) -> None:
        journal = Journal(store)
        journal.add_grid_delivery(numbered(1))
        journal.add_grid_delivery(numbered(1, fate="delivered"))
        journal.add_subscription(named("a"))
        journal.add_subscription(named("b"))
        journal.drop_subscription("a")
        assert store.subscriptions() == []
        await journal.written()
        assert [each.name for each in store.subscriptions()] == ["b"]
        assert store.open_grid_deliveries() == []
        assert len(store.grid_deliveries(subscription="calls", limit=5)) == 1

    async def test_calls_that_are_taken_back_take_their_deliveries_along(self, store: Store) -> None:
        journal = Journal(store)
        journal.add_grid_delivery(numbered(1, call_id="gone"))
        journal.add_grid_delivery(numbered(2, call_id="kept"))
        journal.add_grid_delivery(numbered(3, call_id=""))
        journal.discard({"gone"}, set())
        await journal.written()
        assert ids(store.open_grid_deliveries()) == ["d2", "d3"]


def test_what_is_kept_never_changes_afterwards() -> None:
    kept = numbered(1)
    with pytest.raises(AttributeError):
        kept.fate = "dropped"  # type: ignore[misc]  # that is the point
    assert msgspec.structs.replace(kept, fate="dropped") != kept
