"""The settings and limits of prompts; config/parts.py fills them from `[media]`."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

PlainHttp: TypeAlias = Literal["never", "loopback", "always"]


@dataclass(frozen=True, slots=True)
class PromptSettings:
    prompt_http: PlainHttp = "loopback"
    """Where prompts may be fetched by http instead of https."""
    prompt_file_root: str = ""
    """Folder below which file: URLs may name prompts; empty: none may."""
    prompt_max_bytes: int = 33_554_432
    """Largest file: 17 minutes of PCM."""
    prompt_fetch_seconds: float = 15.0
    """From the begin of a fetch to its last byte, redirects included."""
    prompt_cache_bytes: int = 134_217_728
    """Sound kept in memory for sources with a playSourceCacheId, and of texts; the oldest goes first."""
    prompt_cache_seconds: float = 3600.0
    """Documented for playSourceCacheId (how-tos/call-automation/play-action)."""
    max_redirects: int = 5
    max_fetches: int = 64
    """Under way at a time; more wait for their turn."""
