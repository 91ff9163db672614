"""Dead-letter files: one folder, one JSON object a line. Event Grid itself writes blobs."""

import os
from pathlib import Path

MAX_FILE_BYTES = 256 * 1024 * 1024
"""A file this long takes no more; move it away."""


class DeadLetters:
    """Appends to files below `folder`, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, line: bytes) -> None:
        """Raises OSError if it cannot be written, or the file is at its limit."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        with path.open("ab") as file:
            if os.fstat(file.fileno()).st_size + len(line) > MAX_FILE_BYTES:
                raise OSError(f"{path} has reached {MAX_FILE_BYTES} bytes: move it away")
            file.write(line)
