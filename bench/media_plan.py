"""What bench/media.py asks of an engine, and how the engine's process tells that it is ready and what it saw.

The plan is a file that the process is started with; `ready.json` and `figures.json` beside it are the
answers.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from media_far_end import ENGINE_HOST

PLAYING, BRIDGED, THREES = "playing", "bridged", "in threes"
SIZES: Final = {PLAYING: 1, BRIDGED: 2, THREES: 3}
"""Legs of a room."""
FIRST_PORT: Final = 20_000
READY, FIGURES = "ready.json", "figures.json"
READY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    shape: str
    encrypted: bool
    ports: list[int]
    """Of the far ends, one a leg."""
    keys: list[tuple[str, str]]
    """In hex, what each far end encrypts with and what it decrypts with; empty without SRTP."""

    @property
    def rooms(self) -> list[list[int]]:
        """Legs by their numbers."""
        size = SIZES[self.shape]
        return [list(range(at, at + size)) for at in range(0, len(self.ports), size)]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Plan":
        told: dict[str, Any] = json.loads(path.read_text())
        told["keys"] = [(says, hears) for says, hears in told["keys"]]
        return cls(**told)


def tell(path: Path, figures: Any) -> None:
    """Whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(figures))
    draft.rename(path)


def wait_for(path: Path, alive: Callable[[], bool], seconds: float = READY_SECONDS) -> Any:
    """What was told there. Raises TimeoutError, also as soon as who should tell it is not alive any more."""
    give_up_at = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > give_up_at or not (alive() or path.exists()):
            raise TimeoutError(f"{path.name} did not come in {seconds} s")
        time.sleep(0.02)
    return json.loads(path.read_text())


def addresses(ports: list[int]) -> list[tuple[str, int]]:
    return [(ENGINE_HOST, port) for port in ports]
