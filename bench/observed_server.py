"""`onhook run` with one thing added: it notes when each verdict was on disk.

    python observed_server.py CONFIG NOTES    # NOTES gets {call id: Unix seconds}, written at the end

With ONHOOK_BENCH_PROFILE=FILE the loop's thread is profiled as well, by cProfile.
"""

import cProfile
import json
import os
import sys
import time
from pathlib import Path

from onhook import cli
from onhook.store.batch import Batch
from onhook.store.sqlite import SqliteStore

stored: dict[str, float] = {}
_save = SqliteStore.save


def save(self: SqliteStore, batch: Batch) -> None:
    _save(self, batch)
    if batch.records:
        at = time.time()
        for record in batch.records.values():
            if record.verdict is not None:
                stored.setdefault(record.id, at)


def main() -> int:
    config, notes = sys.argv[1:3]
    SqliteStore.save = save  # type: ignore[method-assign]  # the one thing added
    profile = os.environ.get("ONHOOK_BENCH_PROFILE", "")
    profiler = cProfile.Profile() if profile else None
    try:
        if profiler is None:
            return cli.main(["run", "--config", config])
        return profiler.runcall(cli.main, ["run", "--config", config])
    finally:
        if profiler is not None:
            profiler.dump_stats(profile)
        Path(notes).write_text(json.dumps(stored))


if __name__ == "__main__":
    sys.exit(main())
