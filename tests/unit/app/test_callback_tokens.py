"""For whom the token of an event is, without a read of the store for each."""

from dataclasses import replace
from pathlib import Path

import pytest

from onhook import app
from onhook.calls.outbox import OutboxEvent
from onhook.calls.record import CallRecord
from onhook.config import load
from onhook.server.keys import CallbackAuthorization, TokenKeys
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore
from store_samples import event, record

NOW = 1_795_000_000.0


class CountingStore(SqliteStore):
    reads = 0

    def call(self, call_id: str) -> CallRecord | None:
        self.reads += 1
        return super().call(call_id)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "onhook.db")


def authorization(store: SqliteStore, folder: Path, reuse_seconds: float) -> CallbackAuthorization:
    config = load(None, {"ONHOOK_SERVER__DATA_DIRECTORY": str(folder / "keys")})
    config = replace(config, delivery=replace(config.delivery, token_reuse_seconds=reuse_seconds))
    keys: TokenKeys = app._token_keys(config, NOW)
    return app._authorization(config, keys, store, lambda: NOW)


def of_call(call_id: str, *names: str) -> list[OutboxEvent]:
    return [event(f"{call_id}-{name}", call_id) for name in names]


@pytest.mark.parametrize("reuse_seconds", [0.0, 60.0])
def test_the_store_is_asked_once_for_each_call(
    store: CountingStore, tmp_path: Path, reuse_seconds: float
) -> None:
    calls = [record("one", resource="dev"), record("two", resource="dev")]
    store.save(Batch(records={each.id: each for each in calls}))
    authorize = authorization(store, tmp_path, reuse_seconds)
    headers = [authorize(each) for call in calls for each in of_call(call.id, "a", "b", "c")]
    assert store.reads == 2
    assert all(header.startswith("Bearer ") for header in headers)
    assert len(set(headers)) == (1 if reuse_seconds else 6)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://localhost:8443"),
        ({"HOSTNAMES": "calls.example,other.example"}, "https://calls.example:8443"),
        ({"HOSTNAMES": "calls.example", "ENDPOINTS": "front.example:443"}, "https://front.example:443"),
        ({"ENDPOINTS": "front.example"}, "https://front.example"),
        ({"HTTPS": "false"}, "http://localhost:8443"),
    ],
)
def test_the_issuer_is_the_address_that_clients_know(settings: dict[str, str], url: str) -> None:
    config = load(None, {f"ONHOOK_SERVER__{name}": value for name, value in settings.items()})
    assert app._own_url(config, 8443) == url


def test_a_call_of_nobody_gets_no_token(store: CountingStore, tmp_path: Path) -> None:
    strange = record("one", resource="somebody else's")
    store.save(Batch(records={strange.id: strange}))
    authorize = authorization(store, tmp_path, 0.0)
    assert [authorize(each) for each in (*of_call("one", "a"), *of_call("unknown", "a"))] == ["", ""]
