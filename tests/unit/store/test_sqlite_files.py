"""The SQLite store as a file: readers beside the writer, files that are none, and disks that fail."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from onhook.calls.outbox import Settlement
from onhook.store.batch import Batch, KeptReply, StoreFailed
from onhook.store.encoding import decode_facts, decode_record, encode, repair
from onhook.store.sqlite import VERSION, SqliteStore
from store_samples import asked, event, record, verdict


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    opened.close()


def full() -> Batch:
    return Batch(
        facts=[("call-1", [asked()])],
        records={"call-1": record()},
        events=[event("e1")],
        replies=[KeptReply("k", 1.0, b"r")],
    )


def assert_empty(store: SqliteStore) -> None:
    assert store.facts("call-1") == []
    assert store.calls(1) == []
    assert store.undelivered() == []
    assert store.reply("k") is None


# All or nothing


def test_a_batch_that_fails_at_its_end_leaves_nothing_of_itself(store: SqliteStore) -> None:
    batch = full()
    batch.replies.append(KeptReply("other", 1.0, object()))  # type: ignore[arg-type]  # what SQLite refuses
    with pytest.raises(StoreFailed, match="cannot write to the store"):
        store.save(batch)
    assert_empty(store)
    store.save(full())
    assert store.facts("call-1") == [asked()]


def test_what_cannot_be_written_as_messagepack_fails_before_anything_is(store: SqliteStore) -> None:
    batch = full()
    batch.records["bad"] = record("bad", local=("192.0.2.1", 2**70))
    with pytest.raises(OverflowError):
        store.save(batch)
    assert_empty(store)
    store.save(full())
    assert len(store.calls(9)) == 1


def test_a_write_that_is_locked_out_fails_and_can_be_tried_again(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store._db.execute("pragma busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(StoreFailed, match="locked"):
        store.save(full())
    other.execute("rollback")
    other.close()
    store.save(full())
    assert store.reply("k") == b"r"


def test_a_disk_that_is_full_fails_with_the_path_and_heals(store: SqliteStore, path: Path) -> None:
    pages = store._db.execute("pragma page_count").fetchone()[0]
    store._db.execute(f"pragma max_page_count = {pages + 2}")
    batch = full()
    batch.facts = [("call-1", [asked(operation="x" * 100_000)])]
    with pytest.raises(StoreFailed, match="full") as refused:
        store.save(batch)
    assert str(path) in str(refused.value)
    assert_empty(store)
    store._db.execute("pragma max_page_count = 1000000")
    store.save(batch)
    assert store.facts("call-1") == [asked(operation="x" * 100_000)]


def test_a_cleaning_that_fails_drops_nothing(store: SqliteStore) -> None:
    store.save(Batch(records={"call-1": record(ended_at=101.0)}, facts=[("call-1", [asked()])]))
    store._db.execute(
        "create trigger refuse before delete on call begin select raise(abort, 'no deleting today'); end"
    )
    with pytest.raises(StoreFailed, match=r"cannot clean the store .*no deleting today"):
        store.forget(calls_before=1e9, replies_before=1e9)
    assert store.facts("call-1") == [asked()]
    assert store.call("call-1") is not None


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    for use in (lambda: store.save(full()), lambda: store.facts("a"), store.undelivered):
        with pytest.raises(StoreFailed, match="closed"):
            use()


# Another process that reads


def test_a_reader_sees_every_batch_as_soon_as_it_is_saved(store: SqliteStore, path: Path) -> None:
    reader = SqliteStore(path, read_only=True)
    assert reader.calls(1) == []
    store.save(full())
    assert reader.call("call-1") == record()
    assert reader.facts("call-1") == [asked()]
    store.save(Batch(settlements=[Settlement("e1", "delivered", 1)]))
    assert reader.undelivered() == []
    reader.close()


def test_a_reader_never_sees_half_a_batch_and_never_stops_the_writer(path: Path) -> None:
    """Each batch adds one fact and raises the record's connected_at by one: a reader always finds both."""
    writer = SqliteStore(path)
    writer.save(Batch(records={"call-1": record(connected_at=0.0)}))
    stop, torn, looked = threading.Event(), list[tuple[float, int]](), [0]

    def read() -> None:
        reader = SqliteStore(path, read_only=True)
        while not stop.is_set():
            reader._db.execute("begin")
            kept, facts = reader.call("call-1"), reader.facts("call-1")
            reader._db.execute("rollback")
            assert kept is not None
            assert kept.connected_at is not None
            if kept.connected_at != len(facts):
                torn.append((kept.connected_at, len(facts)))
            looked[0] += 1
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 301):
        kept = record(connected_at=float(number))
        writer.save(Batch(facts=[("call-1", [asked(float(number))])], records={"call-1": kept}))
    stop.set()
    thread.join()
    writer.close()
    assert looked[0] > 0
    assert torn == []


def test_a_reader_cannot_write(store: SqliteStore, path: Path) -> None:
    reader = SqliteStore(path, read_only=True)
    with pytest.raises(StoreFailed, match="readonly"):
        reader.save(full())
    with pytest.raises(StoreFailed, match="readonly"):
        reader.forget(calls_before=1e9, replies_before=1e9)
    reader.close()
    assert_empty(store)


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(StoreFailed, match=r"cannot open the store .*calls\.db"):
        SqliteStore(path, read_only=True)
    assert not path.exists()


# Files


@pytest.mark.parametrize("name", ["plain.db", "with space.db", "50%.db", "what?.db", "a#b.db", "ü.db"])
def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    store = SqliteStore(path)
    store.save(full())
    reader = SqliteStore(path, read_only=True)
    assert reader.call("call-1") == record()
    reader.close()
    store.close()
    assert path.exists()


def test_a_store_is_opened_again_with_all_that_was_in_it(path: Path) -> None:
    for number in range(3):
        store = SqliteStore(path)
        assert len(store.calls(10)) == number
        store.save(Batch(records={f"c{number}": record(f"c{number}", verdict=verdict())}))
        store.close()


@pytest.mark.parametrize("found", [VERSION + 1, 99, -1])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_another_version_is_refused_and_left_as_it_is(
    path: Path, found: int, *, read_only: bool
) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"pragma user_version = {found}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreFailed, match=rf"calls\.db was written by another version .*schema {found}"):
        SqliteStore(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_of_somebody_else_is_refused_and_left_as_it_is(path: Path, *, read_only: bool) -> None:
    with sqlite3.connect(path) as db:
        db.execute("create table customers (name text)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreFailed, match="is no store of Onhook"):
        SqliteStore(path, read_only=read_only)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store_and_is_none_to_a_reader(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreFailed, match="is no store of Onhook"):
        SqliteStore(path, read_only=True)
    store = SqliteStore(path)
    store.save(full())
    store.close()
    assert path.stat().st_size > 0


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_is_refused_with_its_path(path: Path, *, read_only: bool) -> None:
    path.write_bytes(b"this is a letter to a friend, not a database\n" * 100)
    with pytest.raises(StoreFailed, match=r"cannot open the store .*calls\.db: file is not a database"):
        SqliteStore(path, read_only=read_only)


def test_a_damaged_file_is_told_when_the_damage_is_met(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(200):
        store.save(Batch(facts=[(f"c{number}", [asked(operation="x" * 500)])]))
    store.close()
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(StoreFailed, match=r"the store .*calls\.db: database disk image is malformed"):
        read_all(path)


def read_all(path: Path) -> None:
    store = SqliteStore(path)
    try:
        for number in range(200):
            store.facts(f"c{number}")
    finally:
        store.close()


def test_a_row_that_is_no_messagepack_is_told_with_the_path(store: SqliteStore, path: Path) -> None:
    store._db.execute("insert into fact (call_id, body) values ('a', x'c1c1')")
    store._db.execute("insert into call values ('a', 1.0, null, x'93')")
    for read in (lambda: store.facts("a"), lambda: store.call("a"), store.open_calls):
        with pytest.raises(StoreFailed, match=r"cannot read the store .*calls\.db"):
            read()


@pytest.mark.parametrize("place", ["a directory", "no directory"])
def test_a_place_where_no_file_can_be_is_told(tmp_path: Path, place: str) -> None:
    path = tmp_path if place == "a directory" else tmp_path / "missing" / "calls.db"
    with pytest.raises(StoreFailed, match="cannot open the store") as refused:
        SqliteStore(path)
    assert str(path) in str(refused.value)


def test_the_journal_of_writes_is_a_log_beside_the_file(store: SqliteStore, path: Path) -> None:
    """Readers beside a writer need it; a store on a file system without it would still work, one by one."""
    assert store._db.execute("pragma journal_mode").fetchone()[0] == "wal"
    store.save(full())
    assert path.with_name(path.name + "-wal").exists()


# Encoding


def test_repair_changes_only_what_cannot_be_written() -> None:
    assert repair("plain ü ☎") == "plain ü ☎"
    assert "\udc80" not in repair("a\udc80b")
    assert repair("a\udc80b").startswith("a")
    assert repair("a\udc80b").endswith("b")


def test_encoded_facts_and_records_are_read_back() -> None:
    assert decode_facts(encode([asked()])) == [asked()]
    assert decode_record(encode(record(verdict=verdict()))) == record(verdict=verdict())
    assert decode_record(encode(record(local=("h\udc80", 5)))).local[1] == 5
    for read in (decode_facts, decode_record):
        with pytest.raises(msgspec.MsgspecError):
            read(b"\xc1")
