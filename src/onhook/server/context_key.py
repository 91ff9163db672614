"""The key that incoming call contexts are signed with: made once, kept in the data directory.

Contexts outlive a restart by it. Whoever can read it can answer calls that were offered to others, so it
is readable by its owner only.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from onhook.acs.incoming_context import MIN_KEY_BYTES

FILE = "incoming-context.key"


class ContextKeyError(Exception):
    """The kept key cannot be used; the text says which file and what to do."""


def context_key(directory: Path) -> bytes:
    """The key of this data directory, made if there is none yet; MIN_KEY_BYTES long.

    Raises ContextKeyError if the kept one is damaged, OSError if it cannot be read or written.
    """
    path = directory / FILE
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if len(key) != MIN_KEY_BYTES:
        raise ContextKeyError(
            f"{path} has {len(key)} bytes, {MIN_KEY_BYTES} are expected. Delete it to make a new one;"
            " calls that ring meanwhile can then not be answered"
        )
    return key


def _make(path: Path) -> None:
    """Whole or not at all; of two servers that start at once, the first one's key stays."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(MIN_KEY_BYTES))
    with suppress(FileExistsError):
        path.hardlink_to(beside)
    beside.unlink()
