"""Tables of the SQLite store for Event Grid: subscriptions, and deliveries that are open or done with."""

import sqlite3
from collections.abc import Iterable, Mapping

from onhook.calls.grid import GridDelivery, SubscriptionRecord
from onhook.store.batch import MAX_DELIVERIES_FORGOTTEN_AT_A_TIME
from onhook.store.encoding import decode_delivery, decode_subscription, encode

TABLES = ("grid_subscription", "grid_delivery")
SCHEMA = (
    "create table if not exists grid_subscription (name text primary key, body blob not null) without rowid",
    """create table if not exists grid_delivery (
    seq integer primary key, id text not null unique, subscription text not null, event_id text not null,
    published_at real not null, is_open integer not null, body blob not null
)""",
    "create index if not exists grid_delivery_newest on grid_delivery (subscription, seq)",
    "create index if not exists grid_delivery_open on grid_delivery (seq) where is_open",
    "create index if not exists grid_delivery_done on grid_delivery (published_at) where not is_open",
)
UPSERT_SUBSCRIPTION = (
    "insert into grid_subscription values (?, ?) on conflict (name) do update set body = excluded.body"
)
UPSERT_DELIVERY = (
    "insert into grid_delivery (id, subscription, event_id, published_at, is_open, body)"
    " values (?, ?, ?, ?, ?, ?)"
    " on conflict (id) do update set is_open = excluded.is_open, body = excluded.body"
)
SELECT_NEWEST = (
    "select body from grid_delivery where subscription = ?1 and (?2 = '' or event_id = ?2)"
    " order by seq desc limit ?3"
)
FORGET = (
    "delete from grid_delivery where seq in"
    " (select seq from grid_delivery where not is_open and published_at < ? limit ?)"
)


def save(
    db: sqlite3.Connection,
    subscriptions: Mapping[str, SubscriptionRecord | None],
    deliveries: Iterable[GridDelivery],
) -> None:
    """Within the transaction of the whole batch. What has to be encoded is, before anything is written."""
    rows = [
        (each.id, each.subscription, each.event_id, each.published_at, each.open, encode(each))
        for each in deliveries
    ]
    for name, record in subscriptions.items():
        if record is None:
            db.execute("delete from grid_subscription where name = ?", (name,))
        else:
            db.execute(UPSERT_SUBSCRIPTION, (name, encode(record)))
    if rows:
        db.executemany(UPSERT_DELIVERY, rows)


def subscriptions(db: sqlite3.Connection) -> list[SubscriptionRecord]:
    rows = db.execute("select body from grid_subscription order by name")
    return [decode_subscription(body) for (body,) in rows]


def open_deliveries(db: sqlite3.Connection) -> list[GridDelivery]:
    rows = db.execute("select body from grid_delivery where is_open order by seq")
    return [decode_delivery(body) for (body,) in rows]


def newest_deliveries(
    db: sqlite3.Connection, subscription: str, event_id: str, limit: int
) -> list[GridDelivery]:
    rows = db.execute(SELECT_NEWEST, (subscription, event_id, limit))
    return [decode_delivery(body) for (body,) in rows]


def forget(db: sqlite3.Connection, published_before: float) -> None:
    db.execute(FORGET, (published_before, MAX_DELIVERIES_FORGOTTEN_AT_A_TIME))
