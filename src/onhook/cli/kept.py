"""Calls out of the store, read beside a running server: `onhook calls`, `onhook ladder`."""

import contextlib
import sqlite3
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from onhook.calls.record import CallRecord
from onhook.cli.configuring import read_config
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import print_json, print_table, say
from onhook.endings.quality import as_dict, worst
from onhook.store.batch import StoreFailed
from onhook.store.sqlite import SqliteStore

MAX_SEARCHED = 10_000
"""Newest calls among which the beginning of an id is looked for."""


@contextlib.contextmanager
def opened(config: str | None) -> Generator[SqliteStore]:
    """The store for reading; CommandError if there is none, or it cannot be read."""
    path = Path(read_config(config).store.path)
    if not path.exists():
        raise CommandError(
            f"no calls are kept: the store {path} does not exist. Start `onhook run` here, or name "
            "the configuration with --config.",
            Exit.UNAVAILABLE,
        )
    try:
        store = SqliteStore(path, read_only=True)
    except StoreFailed as error:
        raise CommandError(f"{error}", Exit.UNAVAILABLE) from None
    try:
        yield store
    except sqlite3.Error as error:
        raise CommandError(f"cannot read the store {path}: {error}.", Exit.UNAVAILABLE) from None
    finally:
        store.close()


def find(store: SqliteStore, call_id: str) -> CallRecord:
    """The call with this id, the only one whose id begins so, or the `last` one; else CommandError.

    A correlation id finds its call too, the newest of those that share it: events and logs have it at hand.
    """
    if call_id == "last":
        newest = store.calls(1)
        if newest:
            return newest[0]
        raise CommandError("no call has been placed yet.", Exit.NO)
    exact = store.call(call_id.lower())
    if exact is not None:
        return exact
    newest = store.calls(MAX_SEARCHED)
    beginning = [record for record in newest if record.id.startswith(call_id.lower())]
    beginning = beginning or [record for record in newest if record.correlation_id == call_id.lower()][:1]
    if len(beginning) == 1:
        return beginning[0]
    if beginning:
        raise CommandError(
            f"{len(beginning)} calls have ids that begin with {call_id}: give more of it.", Exit.NO
        )
    raise CommandError(f"no call has the id {call_id[:80]}. `onhook calls` lists the newest.", Exit.NO)


def calls(config: str | None, limit: int, *, json: bool) -> int:
    with opened(config) as store:
        records = store.calls(limit)
    if json:
        print_json({"calls": [summary(record) for record in records]})
    elif not records:
        say("No call has been placed yet.")
    else:
        headings = ("id", "started", "from", "to", "trunk", "lasted", "audio", "code", "ending")
        print_table(headings, [_line(record) for record in records])
    return Exit.DONE


def ladder(call_id: str, config: str | None, form: str) -> int:
    """`form` is text, svg, mermaid or json."""
    from onhook.server.explanations import tell  # noqa: PLC0415  # the list of calls needs no explainer

    with opened(config) as store:
        record = find(store, call_id)
        told = tell(record, store.facts(record.id))
    if form == "json":
        print_json({"id": record.id, "ladder": told.ladder().splitlines()})
    else:
        drawn = {"svg": told.ladder_svg, "mermaid": told.ladder_mermaid}.get(form, told.ladder)
        say(drawn().rstrip("\n"))
    return Exit.DONE


def summary(record: CallRecord) -> dict[str, Any]:
    """A call in one line for programs; times are Unix seconds. Callback addresses may hold keys: left out."""
    verdict = record.verdict
    return {
        "id": record.id,
        "resource": record.resource,
        "direction": record.direction,
        "from": record.source,
        "to": record.target,
        "trunk": record.trunk,
        "started_at": record.started_at,
        "connected_at": record.connected_at,
        "ended_at": record.ended_at,
        "skipped_seconds": record.skipped_seconds,
        "ending": verdict.ending if verdict else None,
        "code": verdict.code if verdict else None,
        "subcode": verdict.subcode if verdict else None,
        "message": verdict.message if verdict else None,
        "audio": worst(record.quality) if record.quality else None,
        "legs": [as_dict(leg) for leg in record.quality],
    }


def _line(record: CallRecord) -> tuple[str, ...]:
    verdict = record.verdict
    started = datetime.fromtimestamp(record.started_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    lasted = "-" if record.ended_at is None else f"{record.ended_at - record.started_at:.1f} s"
    lasted += f" ({record.skipped_seconds:.1f} s skipped)" if record.skipped_seconds else ""
    return (
        record.id,
        started,
        record.source or "-",
        record.target,
        record.trunk or "-",
        lasted,
        worst(record.quality) if record.quality else "-",
        f"{verdict.code}/{verdict.subcode}" if verdict else "-",
        verdict.ending if verdict else "(open)",
    )
