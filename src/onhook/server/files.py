"""Files of the data directory that must be whole, and some of them secret."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, *, mode: int) -> None:
    """Whole or not at all, and never readable by others for a moment. Raises OSError."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    beside.replace(path)
