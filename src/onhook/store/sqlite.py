"""The store in SQLite: write-ahead log, one transaction per batch.

`synchronous=NORMAL` keeps every committed batch through a crash of the process; a power cut may lose
the last ones, but never tears one. Records and facts are MessagePack, so that a batch of facts is one
row; readers in other processes (`onhook why`) may read while the server writes.
"""

import contextlib
import sqlite3
from collections.abc import Generator, Iterable
from pathlib import Path

import msgspec

from onhook.calls.grid import GridDelivery, SubscriptionRecord
from onhook.calls.outbox import OutboxEvent, Settlement
from onhook.calls.record import CallRecord
from onhook.facts import Timeline
from onhook.store import grid_tables
from onhook.store.batch import MAX_FORGOTTEN_AT_A_TIME, Batch, StoreFailed
from onhook.store.encoding import decode_facts, decode_record, encode, repair
from onhook.store.kept import SCHEMA as KEPT_SCHEMA
from onhook.store.kept import SqliteKept

VERSION = 1
BUSY_SECONDS = 5.0
"""How long another process may hold the file before a write fails."""
TABLES = ("call", "connection", "fact", "outbox", "reply", *grid_tables.TABLES)
SCHEMA = (
    """create table if not exists call (
    id text primary key, started_at real not null, ended_at real, body blob not null
) without rowid""",
    "create index if not exists call_started on call (started_at)",
    "create index if not exists call_open on call (id) where ended_at is null",
    """create table if not exists connection (
    id text primary key, call_id text not null
) without rowid""",
    "create index if not exists connection_call on connection (call_id)",
    "create index if not exists call_ended on call (ended_at) where ended_at is not null",
    "create table if not exists fact (seq integer primary key, call_id text not null, body blob not null)",
    "create index if not exists fact_call on fact (call_id)",
    """create table if not exists outbox (
    seq integer primary key, id text not null unique, call_id text not null,
    type text not null, uri text not null, body blob not null,
    created_at real not null, due real not null, attempts integer not null,
    abandoned integer not null default 0
)""",
    """create table if not exists reply (
    key text primary key, at real not null, body blob not null
) without rowid""",
    "create index if not exists reply_at on reply (at)",
    *grid_tables.SCHEMA,
)
OUTBOX_COLUMNS = "id, call_id, type, uri, body, created_at, due, attempts"
INSERT_EVENT = (
    f"insert into outbox ({OUTBOX_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # constants
    " on conflict (id) do nothing"
)
SELECT_EVENTS = f"select {OUTBOX_COLUMNS} from outbox where abandoned = ? order by seq"  # noqa: S608  # constants
UPSERT_CALL = (
    "insert into call values (?, ?, ?, ?) on conflict (id) do update set "
    "ended_at = excluded.ended_at, body = excluded.body"
)
SELECT_CALL = (
    "select body from call where id = ?1"
    " union all select call.body from connection join call on call.id = connection.call_id"
    " where connection.id = ?1 limit 1"
)
"""By its own id, or by that of another connection to it."""
LAST_END = "select max(ended_at) from call where ended_at is not null"
OLD_CALLS = "select id from call where ended_at < ? order by ended_at limit ?"


class SqliteStore:
    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        """Open or make the file at `path`; raises StoreFailed with the reason."""
        self._path = Path(path)
        with self._told("open"):
            target = f"{self._path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
            self._db = sqlite3.connect(target, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            with self._told("open"):
                self._check_version(read_only=read_only)
                if not read_only:
                    self._prepare()
        except StoreFailed:
            self._db.close()
            raise
        self.kept = SqliteKept(self._db, self._told, self._transaction)
        """Users and documents."""

    def _check_version(self, *, read_only: bool) -> None:
        """Before anything is changed: a file of somebody else stays as it is."""
        found: int = self._db.execute("pragma user_version").fetchone()[0]
        if found == VERSION:
            return
        tables = self._db.execute("select count(*) from sqlite_master where type = 'table'").fetchone()[0]
        if found:
            raise StoreFailed(
                f"{self._path} was written by another version of Onhook (schema {found}, this one reads"
                f" {VERSION}). Name another file in [store] path."
            )
        if tables or read_only:
            raise StoreFailed(f"{self._path} is no store of Onhook. Name another file in [store] path.")

    def _prepare(self) -> None:
        execute = self._db.execute
        execute("pragma journal_mode = wal")
        execute("pragma synchronous = normal")
        execute("pragma wal_autocheckpoint = 4000")
        with self._transaction("prepare"):
            for statement in (*SCHEMA, *KEPT_SCHEMA):
                execute(statement)
            execute(f"pragma user_version = {VERSION}")

    @contextlib.contextmanager
    def _told(self, doing: str) -> Generator[None]:
        """What SQLite or a damaged row raises becomes StoreFailed, with the path."""
        try:
            yield
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise StoreFailed(f"cannot {doing} the store {self._path}: {error}") from error

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Generator[None]:
        """All or nothing, whatever is raised within."""
        with self._told(doing):
            try:
                self._db.execute("begin immediate")
                yield
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.rollback()
                raise

    def save(self, batch: Batch) -> None:
        """Write all of `batch`, or nothing; raises StoreFailed. An event known already stays as it is."""
        facts = [(call_id, encode(facts)) for call_id, facts in batch.facts]
        records = [
            (record.id, record.started_at, record.ended_at, encode(record))
            for record in batch.records.values()
        ]
        aliases = [(each.id, record.id) for record in batch.records.values() for each in record.connections]
        events = [
            (e.id, e.call_id, e.type, repair(e.uri), e.body, e.created_at, e.due, e.attempts)
            for e in batch.events
        ]
        replies = [(reply.key, reply.at, reply.body) for reply in batch.replies]
        many = self._db.executemany
        with self._transaction("write to"):
            if facts:
                many("insert into fact (call_id, body) values (?, ?)", facts)
            if records:
                many(UPSERT_CALL, records)
            if aliases:
                many("insert or ignore into connection values (?, ?)", aliases)
            if events:
                many(INSERT_EVENT, events)
            self._settle(batch.settlements)
            if replies:
                many("insert or ignore into reply values (?, ?, ?)", replies)
            grid_tables.save(self._db, batch.subscriptions, batch.grid_deliveries.values())

    def _settle(self, settlements: Iterable[Settlement]) -> None:
        for settled in settlements:
            if settled.fate == "delivered":
                self._db.execute("delete from outbox where id = ?", (settled.event_id,))
            else:
                self._db.execute(
                    "update outbox set attempts = ?, due = ?, abandoned = ? where id = ?",
                    (settled.attempts, settled.due, settled.fate == "abandoned", settled.event_id),
                )

    def facts(self, call_id: str) -> Timeline:
        with self._told("read"):
            rows = self._db.execute("select body from fact where call_id = ? order by seq", (call_id,))
            return [fact for (body,) in rows for fact in decode_facts(body)]

    def call(self, call_id: str) -> CallRecord | None:
        """By its id, or by the callConnectionId of any of its connections."""
        with self._told("read"):
            row = self._db.execute(SELECT_CALL, (call_id,)).fetchone()
            return decode_record(row[0]) if row else None

    def calls(self, limit: int) -> list[CallRecord]:
        """The newest first."""
        return self._records("order by started_at desc limit ?", limit)

    def open_calls(self) -> list[CallRecord]:
        """The oldest first."""
        return self._records("where ended_at is null order by started_at limit ?", -1)

    def ended_last(self, seconds: float) -> list[CallRecord]:
        """Calls that ended within `seconds` before the last end of a call, the earliest first."""
        return self._records(f"where ended_at >= ({LAST_END}) - ? order by ended_at", seconds)

    def _records(self, clause: str, limit: float) -> list[CallRecord]:
        with self._told("read"):
            rows = self._db.execute(f"select body from call {clause}", (limit,))  # noqa: S608  # literals
            return [decode_record(body) for (body,) in rows]

    def undelivered(self) -> list[OutboxEvent]:
        """In the order in which they were published."""
        return self._events(abandoned=False)

    def abandoned(self) -> list[OutboxEvent]:
        return self._events(abandoned=True)

    def _events(self, *, abandoned: bool) -> list[OutboxEvent]:
        names = OUTBOX_COLUMNS.split(", ")
        with self._told("read"):
            return [
                OutboxEvent(**dict(zip(names, row, strict=True)))
                for row in self._db.execute(SELECT_EVENTS, (abandoned,))
            ]

    def reply(self, key: str) -> bytes | None:
        with self._told("read"):
            row = self._db.execute("select body from reply where key = ?", (key,)).fetchone()
            return row[0] if row else None

    def subscriptions(self) -> list[SubscriptionRecord]:
        """In the order of their names."""
        with self._told("read"):
            return grid_tables.subscriptions(self._db)

    def open_grid_deliveries(self) -> list[GridDelivery]:
        """In the order in which they were published."""
        with self._told("read"):
            return grid_tables.open_deliveries(self._db)

    def grid_deliveries(self, *, subscription: str, event_id: str = "", limit: int) -> list[GridDelivery]:
        """The newest first; of all events if none is named."""
        with self._told("read"):
            return grid_tables.newest_deliveries(self._db, subscription, event_id, limit)

    def forget(self, *, calls_before: float, replies_before: float) -> int:
        """Drop calls that ended before the one time, replies kept before the other; how many calls.

        At most MAX_FORGOTTEN_AT_A_TIME calls, the oldest first, so that nobody waits long: ask again while
        it gives that many. What a call could not deliver goes with it.
        """
        with self._transaction("clean"):
            old = (calls_before, MAX_FORGOTTEN_AT_A_TIME)
            execute = self._db.execute
            execute(f"delete from fact where call_id in ({OLD_CALLS})", old)  # noqa: S608  # a constant
            execute(f"delete from outbox where abandoned and call_id in ({OLD_CALLS})", old)  # noqa: S608  # as above
            execute(f"delete from connection where call_id in ({OLD_CALLS})", old)  # noqa: S608  # as above
            dropped = execute(f"delete from call where id in ({OLD_CALLS})", old).rowcount  # noqa: S608  # as above
            execute("delete from reply where at < ?", (replies_before,))
            grid_tables.forget(self._db, calls_before)
        return dropped

    def close(self) -> None:
        self._db.close()
