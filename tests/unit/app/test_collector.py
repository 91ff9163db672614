"""The garbage collector of a running server: seldom at work, and as before when the server is gone."""

import gc
import weakref
from pathlib import Path

import pytest

from onhook import app
from onhook.config import load


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


def serverless(folder: Path) -> dict[str, str]:
    """Settings of a server that disturbs nobody: its own ports and files."""
    return {
        "ONHOOK_SERVER__PORT": "0",
        "ONHOOK_SERVER__HTTPS": "false",
        "ONHOOK_SIP__PORT": "0",
        "ONHOOK_CARRIER__ENABLED": "false",
        "ONHOOK_STORE__PATH": str(folder / "onhook.db"),
    }


async def test_a_running_server_collects_seldom_and_leaves_things_as_they_were(tmp_path: Path) -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    async with app.running(load(None, serverless(tmp_path))):
        assert gc.get_threshold() == app.COLLECT_AFTER
        assert gc.get_freeze_count() > frozen
        assert gc.isenabled()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_cycles_are_still_found() -> None:
    with app._seldom_collecting():
        lost = weakref.ref(Cycle())
        # More new objects than the first threshold: the collector has to come by itself.
        kept = [[number] for number in range(app.COLLECT_AFTER[0] + 1_000)]
        assert lost() is None
    assert len(kept) > app.COLLECT_AFTER[0]


def test_things_are_as_before_when_the_server_failed() -> None:
    before = gc.get_threshold()

    def serve_and_fail() -> None:
        with app._seldom_collecting():
            raise OSError("the port is taken")

    with pytest.raises(OSError, match="taken"):
        serve_and_fail()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
