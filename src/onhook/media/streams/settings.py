"""The settings and limits of streams; config fills them from `[streaming]`."""

from dataclasses import dataclass

from onhook.acs.callback_uri import PlainHttp


@dataclass(frozen=True, slots=True)
class StreamSettings:
    plain_ws: PlainHttp = "loopback"
    """Which applications may be reached by ws:// instead of wss://."""
    connect_seconds: float = 10.0
    """How long one try to open the WebSocket may take, until the answer to its handshake."""
    redial_delays_seconds: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    """Pauses before the second, third … try, when it was lost or could not be opened; then it has failed."""
    queue_seconds: float = 5.0
    """Audio that waits for a slow application; more is dropped and counted."""
    slow_seconds: float = 15.0
    """An application that takes nothing for so long is given up."""
    ping_seconds: float = 20.0
    """After so long without anything from the application it is asked for a sign of life; half of it later
    it is taken for dead."""
    playback_seconds: float = 300.0
    """Audio of the application that waits to be played; more is dropped."""
    max_message_bytes: int = 1_048_576
    """Longest message of the application that is read."""
    max_streams: int = 1_000
    """At a time."""
