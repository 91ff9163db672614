"""What every store keeps beside calls: users and documents."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.acs.identity import UserRecord
from onhook.store.batch import StoreFailed
from onhook.store.memory import MemoryStore
from onhook.store.sqlite import SqliteStore

Store: TypeAlias = MemoryStore | SqliteStore
Reopen: TypeAlias = Callable[[Store], Store]
ANN = UserRecord(id="8:acs:r_ann", resource_id="r", created_at=100.5)
BOB = UserRecord(id="8:acs:r_bob", resource_id="r", created_at=200.0, generation=3)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "calls.db")
    yield opened
    opened.close()


@pytest.fixture
def reopen(tmp_path: Path) -> Reopen:
    """What a restarted server finds: for the store in memory, itself."""

    def again(store: Store) -> Store:
        if isinstance(store, MemoryStore):
            return store
        store.close()
        return SqliteStore(tmp_path / "calls.db")

    return again


def test_users_come_back_as_they_were_saved(store: Store, reopen: Reopen) -> None:
    store.kept.save_user(ANN)
    store.kept.save_user(BOB)
    again = reopen(store)
    assert again.kept.user(ANN.id) == ANN
    assert again.kept.user(BOB.id) == BOB
    assert again.kept.user("8:acs:r_nobody") is None
    again.close()


def test_a_user_saved_again_has_its_new_generation(store: Store, reopen: Reopen) -> None:
    store.kept.save_user(ANN)
    store.kept.save_user(msgspec.structs.replace(ANN, generation=7))
    again = reopen(store)
    assert again.kept.user(ANN.id) == msgspec.structs.replace(ANN, generation=7)
    again.close()


def test_a_deleted_user_is_gone_for_good(store: Store, reopen: Reopen) -> None:
    store.kept.save_user(ANN)
    store.kept.save_user(BOB)
    store.kept.delete_user(ANN.id)
    store.kept.delete_user(ANN.id)
    again = reopen(store)
    assert again.kept.user(ANN.id) is None
    assert again.kept.user(BOB.id) == BOB
    again.close()


def test_ids_differ_by_case(store: Store) -> None:
    store.kept.save_user(ANN)
    assert store.kept.user(ANN.id.upper()) is None


def test_documents_are_kept_by_name_the_last_one_counts(store: Store, reopen: Reopen) -> None:
    assert store.kept.document("routing") is None
    store.kept.save_document("routing", b"one")
    store.kept.save_document("other", b"")
    store.kept.save_document("routing", b"\x00\xff")
    again = reopen(store)
    assert again.kept.document("routing") == b"\x00\xff"
    assert again.kept.document("other") == b""
    again.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    users=st.lists(
        st.builds(
            UserRecord,
            id=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
            resource_id=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
            created_at=st.floats(0, 4e9),
            generation=st.integers(0, 2**40),
        ),
        unique_by=lambda user: user.id,
    )
)
def test_any_users_come_back(store: Store, users: list[UserRecord]) -> None:
    for user in users:
        store.kept.delete_user(user.id)
        store.kept.save_user(user)
    assert [store.kept.user(user.id) for user in users] == users


def test_cleaning_calls_away_leaves_users_and_documents(store: Store) -> None:
    store.kept.save_user(ANN)
    store.kept.save_document("routing", b"one")
    store.forget(calls_before=1e12, replies_before=1e12)
    assert store.kept.user(ANN.id) == ANN
    assert store.kept.document("routing") == b"one"


def test_a_store_of_before_gets_the_tables(tmp_path: Path) -> None:
    """Files written before there were users are opened and go on."""
    path = tmp_path / "calls.db"
    store = SqliteStore(path)
    for table in ("user", "document"):
        store._db.execute(f"drop table {table}")
    store.close()
    again = SqliteStore(path)
    again.kept.save_user(ANN)
    assert again.kept.user(ANN.id) == ANN
    again.close()


def test_what_sqlite_refuses_is_told_with_the_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "calls.db")
    store.close()
    for attempt in (
        lambda: store.kept.user("a"),
        lambda: store.kept.save_user(ANN),
        lambda: store.kept.delete_user("a"),
        lambda: store.kept.document("a"),
        lambda: store.kept.save_document("a", b""),
    ):
        with pytest.raises(StoreFailed, match=r"calls\.db"):
            attempt()
