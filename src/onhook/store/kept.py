"""What is kept beside calls: users of the Identity API, and small documents such as the routing table.

Each change is written by itself, before its request is answered; a caller that must not lose it needs no
journal. One table each, one class for each of the two stores.
"""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from onhook.acs.identity import UserRecord

SCHEMA = (
    """create table if not exists user (
    id text primary key, resource_id text not null, created_at real not null, generation integer not null
) without rowid""",
    "create table if not exists document (name text primary key, body blob not null) without rowid",
)
UPSERT_USER = (
    "insert into user values (?, ?, ?, ?) on conflict (id) do update set generation = excluded.generation"
)
UPSERT_DOCUMENT = "insert into document values (?, ?) on conflict (name) do update set body = excluded.body"

Doing: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Says what is being done, and turns what goes wrong within into StoreFailed."""


class MemoryKept:
    def __init__(self) -> None:
        self._users: dict[str, UserRecord] = {}
        self._documents: dict[str, bytes] = {}

    def user(self, user_id: str) -> UserRecord | None:
        return self._users.get(user_id)

    def save_user(self, record: UserRecord) -> None:
        self._users[record.id] = record

    def delete_user(self, user_id: str) -> None:
        """Nothing happens if there is none."""
        self._users.pop(user_id, None)

    def document(self, name: str) -> bytes | None:
        return self._documents.get(name)

    def save_document(self, name: str, body: bytes) -> None:
        self._documents[name] = body


class SqliteKept:
    """Works on the connection of the SQLite store; every method raises StoreFailed."""

    def __init__(self, db: sqlite3.Connection, told: Doing, transaction: Doing) -> None:
        self._db, self._told, self._transaction = db, told, transaction

    def user(self, user_id: str) -> UserRecord | None:
        with self._told("read"):
            row = self._db.execute("select * from user where id = ?", (user_id,)).fetchone()
        if row is None:
            return None
        return UserRecord(id=row[0], resource_id=row[1], created_at=row[2], generation=row[3])

    def save_user(self, record: UserRecord) -> None:
        values = (record.id, record.resource_id, record.created_at, record.generation)
        with self._transaction("write to"):
            self._db.execute(UPSERT_USER, values)

    def delete_user(self, user_id: str) -> None:
        """Nothing happens if there is none."""
        with self._transaction("write to"):
            self._db.execute("delete from user where id = ?", (user_id,))

    def document(self, name: str) -> bytes | None:
        with self._told("read"):
            row = self._db.execute("select body from document where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def save_document(self, name: str, body: bytes) -> None:
        with self._transaction("write to"):
            self._db.execute(UPSERT_DOCUMENT, (name, body))
