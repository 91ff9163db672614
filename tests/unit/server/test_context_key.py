"""The key of incoming call contexts: made once, kept, private, never half written."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from onhook.acs.incoming_context import MIN_KEY_BYTES
from onhook.server.context_key import FILE, ContextKeyError, context_key


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "data"
    key = context_key(directory)
    assert len(key) == MIN_KEY_BYTES
    assert context_key(directory) == key
    assert (directory / FILE).read_bytes() == key


def test_two_servers_have_two_keys(tmp_path: Path) -> None:
    assert context_key(tmp_path / "one") != context_key(tmp_path / "two")


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    context_key(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    context_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_what_a_crash_left_beside_it_is_no_hindrance(tmp_path: Path) -> None:
    """A crash may leave the file that was being written, under a process id that comes again."""
    context_key(tmp_path)
    (tmp_path / FILE).unlink()
    for number in range(3):
        (tmp_path / f"{FILE}.{number}.new").write_bytes(b"half")
    assert len(context_key(tmp_path)) == MIN_KEY_BYTES


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(MIN_KEY_BYTES + 1)])
def test_a_damaged_key_is_named(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / FILE).write_bytes(damaged)
    with pytest.raises(ContextKeyError, match=rf"{FILE} has {len(damaged)} bytes.*Delete it"):
        context_key(tmp_path)
    assert (tmp_path / FILE).read_bytes() == damaged


def test_a_directory_that_cannot_be_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        context_key(tmp_path / "file")


def test_reading_it_many_times_at_once(tmp_path: Path) -> None:
    context_key(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(lambda _: context_key(tmp_path), range(20)))
    assert len(keys) == 1
