"""The settings and limits of prompts; config/parts.py fills them from `[prompt]`."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

PlainHttp: TypeAlias = Literal["never", "loopback", "always"]


@dataclass(frozen=True, slots=True)
class PromptSettings:
    http: PlainHttp = "loopback"
    """Where prompts may be fetched by http instead of https."""
    file_root: str = ""
    """Folder below which file: URLs may name prompts; empty: none may."""
    max_bytes: int = 33_554_432
    """Largest file: 17 minutes of PCM."""
    fetch_seconds: float = 15.0
    """From the begin of a fetch to its last byte, redirects included."""
    cache_bytes: int = 134_217_728
    """Sound kept in memory for sources with a playSourceCacheId, and of texts; the oldest goes first."""
    cache_seconds: float = 3600.0
    """Documented for playSourceCacheId (how-tos/call-automation/play-action)."""
    max_redirects: int = 5
    max_fetches: int = 64
    """Under way at a time; more wait for their turn."""
