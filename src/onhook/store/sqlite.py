"""The store in SQLite: write-ahead log, one transaction per batch.

`synchronous=NORMAL` keeps every committed batch through a crash of the process; a power cut may lose
the last ones, but never tears one. Records and facts are MessagePack, so that a batch of facts is one
row; readers in other processes (`onhook why`) may read while the server writes.
"""

import sqlite3
from pathlib import Path

import msgspec

from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord
from onhook.facts import Fact, Timeline
from onhook.store.batch import Batch, StoreFailed

VERSION = 1
SCHEMA = """
create table if not exists call (
    id text primary key, started_at real not null, ended_at real, body blob not null
) without rowid;
create index if not exists call_started on call (started_at);
create index if not exists call_open on call (id) where ended_at is null;
create table if not exists fact (seq integer primary key, call_id text not null, body blob not null);
create index if not exists fact_call on fact (call_id);
create table if not exists outbox (
    seq integer primary key, id text not null unique, call_id text not null,
    type text not null, uri text not null, body blob not null,
    created_at real not null, due real not null, attempts integer not null,
    abandoned integer not null default 0
);
create table if not exists reply (key text primary key, at real not null, body blob not null) without rowid;
"""
OUTBOX_COLUMNS = "id, call_id, type, uri, body, created_at, due, attempts"
INSERT_EVENT = f"insert into outbox ({OUTBOX_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # constants
SELECT_EVENTS = f"select {OUTBOX_COLUMNS} from outbox where abandoned = ? order by seq"  # noqa: S608  # constants

_facts_encoder = msgspec.msgpack.Encoder()
_facts_decoder = msgspec.msgpack.Decoder(list[Fact])
_record_decoder = msgspec.msgpack.Decoder(CallRecord)


class SqliteStore:
    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        """Open or make the file at `path`; raises StoreFailed with the reason."""
        self._path = str(path)
        try:
            if read_only:
                self._db = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            else:
                self._db = sqlite3.connect(self._path, isolation_level=None)
                self._prepare()
        except sqlite3.Error as error:
            raise StoreFailed(f"cannot open the store {self._path}: {error}") from error

    def _prepare(self) -> None:
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma busy_timeout = 5000")
        self._db.execute("pragma wal_autocheckpoint = 4000")
        found = self._db.execute("pragma user_version").fetchone()[0]
        if found not in {0, VERSION}:
            raise StoreFailed(
                f"{self._path} was written by another version of Onhook (schema {found}, this one reads"
                f" {VERSION}). Name another file in [store] path."
            )
        self._db.executescript(SCHEMA)
        self._db.execute(f"pragma user_version = {VERSION}")

    def save(self, batch: Batch) -> None:
        """Write all of `batch`, or nothing; raises StoreFailed."""
        execute, many = self._db.execute, self._db.executemany
        try:
            execute("begin immediate")
            many(
                "insert into fact (call_id, body) values (?, ?)",
                [(call_id, _facts_encoder.encode(facts)) for call_id, facts in batch.facts],
            )
            many(
                "insert into call values (?, ?, ?, ?) on conflict (id) do update set "
                "ended_at = excluded.ended_at, body = excluded.body",
                [
                    (record.id, record.started_at, record.ended_at, _facts_encoder.encode(record))
                    for record in batch.records.values()
                ],
            )
            many(
                INSERT_EVENT,
                [
                    (e.id, e.call_id, e.type, e.uri, e.body, e.created_at, e.due, e.attempts)
                    for e in batch.events
                ],
            )
            for settled in batch.settlements:
                if settled.fate == "delivered":
                    execute("delete from outbox where id = ?", (settled.event_id,))
                else:
                    execute(
                        "update outbox set attempts = ?, due = ?, abandoned = ? where id = ?",
                        (settled.attempts, settled.due, settled.fate == "abandoned", settled.event_id),
                    )
            many(
                "insert or ignore into reply values (?, ?, ?)",
                [(reply.key, reply.at, reply.body) for reply in batch.replies],
            )
            execute("commit")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.rollback()
            raise StoreFailed(f"cannot write to the store {self._path}: {error}") from error

    def facts(self, call_id: str) -> Timeline:
        rows = self._db.execute("select body from fact where call_id = ? order by seq", (call_id,))
        return [fact for (body,) in rows for fact in _facts_decoder.decode(body)]

    def call(self, call_id: str) -> CallRecord | None:
        row = self._db.execute("select body from call where id = ?", (call_id,)).fetchone()
        return _record_decoder.decode(row[0]) if row else None

    def calls(self, limit: int) -> list[CallRecord]:
        """The newest first."""
        return self._records("order by started_at desc limit ?", limit)

    def open_calls(self) -> list[CallRecord]:
        return self._records("where ended_at is null order by started_at limit ?", -1)

    def _records(self, clause: str, limit: int) -> list[CallRecord]:
        rows = self._db.execute(f"select body from call {clause}", (limit,))  # noqa: S608  # clauses are literals
        return [_record_decoder.decode(body) for (body,) in rows]

    def undelivered(self) -> list[OutboxEvent]:
        """In the order in which they were published."""
        return self._events(abandoned=False)

    def abandoned(self) -> list[OutboxEvent]:
        return self._events(abandoned=True)

    def _events(self, *, abandoned: bool) -> list[OutboxEvent]:
        names = OUTBOX_COLUMNS.split(", ")
        return [
            OutboxEvent(**dict(zip(names, row, strict=True)))
            for row in self._db.execute(SELECT_EVENTS, (abandoned,))
        ]

    def reply(self, key: str) -> bytes | None:
        row = self._db.execute("select body from reply where key = ?", (key,)).fetchone()
        return row[0] if row else None

    def forget(self, *, calls_before: float, replies_before: float) -> int:
        """Drop calls that ended before the one time, replies kept before the other; how many calls."""
        try:
            self._db.execute("begin immediate")
            self._db.execute(
                "delete from fact where call_id in (select id from call where ended_at < ?)", (calls_before,)
            )
            dropped = self._db.execute("delete from call where ended_at < ?", (calls_before,)).rowcount
            self._db.execute("delete from reply where at < ?", (replies_before,))
            self._db.execute("commit")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.rollback()
            raise StoreFailed(f"cannot clean the store {self._path}: {error}") from error
        return dropped

    def close(self) -> None:
        self._db.close()
