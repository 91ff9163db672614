"""What is kept of a call beside its facts: one row for lists, and for finding it again."""

import msgspec

from onhook.endings.verdict import Verdict


class CallRecord(msgspec.Struct, kw_only=True):
    """Times are Unix seconds. A call without `ended_at` is open."""

    id: str
    """callConnectionId"""
    server_call_id: str
    correlation_id: str
    resource: str
    direction: str
    source: str
    """Caller id, E.164; empty if none was given."""
    source_user: str = ""
    """Raw id of the application's own identity in the call."""
    target: str
    callback_uri: str
    api_version: str
    operation_context: str = ""
    source_display_name: str = ""
    trunk: str = ""
    seed: str = ""
    """From it derive all identifiers on the SIP side; with the facts it replays the call."""
    local: tuple[str, int] = ("", 0)
    """Our SIP address towards the trunk."""
    media: tuple[str, int] = ("", 0)
    """Our RTP address of the leg."""
    started_at: float
    connected_at: float | None = None
    ended_at: float | None = None
    verdict: Verdict | None = None
