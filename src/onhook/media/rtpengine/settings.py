"""The settings and limits of a fleet of rtpengines; config/parts.py fills them from `[media]`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FleetSettings:
    engines: tuple[tuple[str, int], ...] = ()
    """Host and port of each ng socket."""
    interfaces: tuple[str, ...] = ()
    """Names of rtpengine's interfaces towards us and towards telephones; none: its first for both."""
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    """Spoken between rtpengine and us; a telephone's other codec is transcoded to the first."""
    ready: int = 32
    """Ports kept ready at each engine, so that calls find one at once."""
    ready_seconds: float = 45.0
    """After that a port that nobody took is replaced: rtpengine drops what is not answered for long."""
    ping_seconds: float = 2.0
    """How often an engine is asked whether it is there."""
    count_seconds: float = 10.0
    """How often the counts of each leg are read."""
    start_seconds: float = 4.0
    """How long the start waits for the engines."""
