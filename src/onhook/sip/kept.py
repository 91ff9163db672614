"""What has to be known of a session that is up, so that another process can go on with it.

Transactions that are open at that moment are not kept: their far ends repeat what they want to be answered.
"""

import msgspec

from onhook.effects import Destination
from onhook.sip.dialog import Dialog
from onhook.sip.inside import Inside
from onhook.sip.session_timer import Agreed, SessionTimer


class KeptSession(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed dialog (RFC 3261 section 12) and the counters from which identifiers are made."""

    call_id: str
    local: str
    remote: str
    local_tag: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int | None
    remote_target: str
    route_set: tuple[str, ...]
    peer: tuple[str, str, int]
    """Transport, host and port: where requests go that the dialog leads nowhere else."""
    tokens: int
    allowed: tuple[str, ...]
    invite: bytes = b""
    """That of a caller; empty for a session of ours."""
    described: bytes = b""
    """Our last description of the session."""
    interval_seconds: int = 0
    """Of the session timer; 0 without one."""
    refreshes: bool = False
    """Whether our side keeps it going."""


def keep(dialog: Dialog, inside: Inside, agreed: Agreed, *, tokens: int, invite: bytes = b"") -> KeptSession:
    return KeptSession(
        call_id=dialog.call_id,
        local=dialog.local,
        remote=dialog.remote,
        local_tag=dialog.local_tag,
        remote_tag=dialog.remote_tag,
        local_cseq=dialog.local_cseq,
        remote_cseq=dialog.remote_cseq,
        remote_target=dialog.remote_target,
        route_set=tuple(dialog.route_set),
        peer=(dialog.fallback.transport, dialog.fallback.host, dialog.fallback.port),
        tokens=tokens,
        allowed=tuple(sorted(inside.allowed_there)),
        invite=invite,
        described=inside.described,
        interval_seconds=agreed.seconds,
        refreshes=agreed.who == "us",
    )


def go_on(inside: Inside, timer: SessionTimer, kept: KeptSession, now: float) -> None:
    """What both have to know. The session timer counts anew."""
    inside.allowed_there = frozenset(kept.allowed)
    inside.described = kept.described
    timer.by_update = not kept.allowed or "UPDATE" in kept.allowed
    timer.agree(Agreed(kept.interval_seconds, "us" if kept.refreshes else "them"), now)


def dialog_of(kept: KeptSession) -> Dialog:
    dialog = Dialog(
        call_id=kept.call_id,
        local=kept.local,
        remote=kept.remote,
        local_tag=kept.local_tag,
        remote_tag=kept.remote_tag,
        local_cseq=kept.local_cseq,
        remote_target=kept.remote_target,
        route_set=list(kept.route_set),
        fallback=Destination(*kept.peer),
    )
    dialog.remote_cseq = kept.remote_cseq
    return dialog
