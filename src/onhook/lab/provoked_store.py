"""A store that is full when somebody asked for it."""

from collections.abc import Callable

from onhook.store.batch import Batch
from onhook.store.journal import Store


class ProvokedStore:
    """What the journal saves to; `check` raises StoreFailed while nothing shall be saved."""

    def __init__(self, store: Store, check: Callable[[], None]) -> None:
        self._store, self._check = store, check

    def save(self, batch: Batch) -> None:
        self._check()
        self._store.save(batch)
