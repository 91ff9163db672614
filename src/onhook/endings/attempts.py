"""What reading a timeline yields: each INVITE with what came of it, and when and why the call was over."""

from typing import Literal, TypeAlias

import msgspec

from onhook.endings.parties import Parties
from onhook.endings.signals import Signal
from onhook.facts import (
    RouteTaken,
    Timeline,
)

Stop: TypeAlias = Literal["", "hang-up", "setup", "duration", "no-rtp"]
"""Why our side ended the call: the application asked, or one of the call's own timers ran out."""

EndedBy: TypeAlias = Literal[
    "", "final", "cancel", "bye", "timer", "transport", "route", "user", "left", "restart", "fault", "release"
]


class Attempt(msgspec.Struct, eq=False):
    """One INVITE and what came of it. Numbers are numbers of facts; 0 means that it was never seen."""

    leg: str
    inbound: bool = False
    cseq: int = 0
    invite: int = 0
    invites: int = 0
    """How often the INVITE crossed the wire, repeats included."""
    first_response: int = 0
    ringing: int = 0
    """The first provisional response other than 100."""
    ringing_status: int = 0
    final: Signal | None = None
    """The final response, 3xx to 6xx."""
    answer: int = 0
    """The first 2xx."""
    answer_tag: bytes = b""
    answer_repeats: list[int] = []
    other_answers: list[int] = []
    """2xx of other far ends: another fork answered too."""
    ack: int = 0
    cancel: Signal | None = None
    bye: Signal | None = None
    bye_sent: bool = False
    challenges: list[int] = []
    """401 and 407 that an INVITE with credentials followed."""
    unreadable: list[int] = []
    silent: int = 0
    """The timer that found no response."""
    no_ack: int = 0
    """The timer that found no ACK of our answer."""
    expired: int = 0
    """The session timer, which nobody refreshed."""
    failure: int = 0
    """The transport failure that ended the attempt."""
    media: int = 0
    """The last count of RTP."""
    rtp_stopped: int = 0
    """The last fact that says that no RTP comes."""
    rtp_resumed: list[int] = []
    dismissed: int = 0
    """The fact by which our side took this leg out of the call, by itself."""
    dismissed_why: str = ""
    replaced: int = 0
    """The fact by which another trunk was tried in its place."""


class Reading(msgspec.Struct, eq=False):
    """What `read` found. Numbers are numbers of facts; 0 means that it was never seen."""

    timeline: Timeline
    attempts: list[Attempt] = []
    trunks: dict[str, str] = {}
    rewriting: dict[str, tuple[int, RouteTaken]] = {}
    """By leg: the fact that its trunk was taken, which is known to rewrite causes."""
    """Trunk name by leg."""
    stop: int = 0
    """The first fact by which our side wanted the call to end, while it lasted."""
    stop_kind: Stop = ""
    refused: int = 0
    restarted: int = 0
    fault: int = 0
    ended: int = 0
    ended_by: EndedBy = ""
    late: list[int] = []
    """SIP that belongs to the set-up, seen after the end."""
    strays: list[int] = []
    """Transport failures and unreadable bytes that ended nothing."""
    parties: Parties = msgspec.field(default_factory=Parties)
    viewer: str = ""
    """The connection for which the call is judged; empty for the first one."""
    rung_out: int = 0
    """The timer that ended the ringing of a call that came in."""
    door: int = 0
    """The refusal of a call before any application could hear of it."""
    several: bool = False
    """More than one leg was open at a time: legs.py has to read each by itself."""
    beside: list[Attempt] = []
    """Attempts of the legs that do not decide."""
    relays: list[int] = []
    """Where an rtpengine did not carry a leg."""
    deliveries: dict[str, int] = {}
    """The last attempt to deliver each event."""
    by_leg: dict[str, Attempt] = {}
    talks: list[tuple[int, int]] = []
    """Of several telephones: from which fact to which each was connected; 0 is to the end."""

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that decides: the last that was begun."""
        return self.attempts[-1] if self.attempts else None

    def party(self, leg: str) -> str:
        """How a person calls the far end of `leg`."""
        trunk = self.trunks.get(leg) or leg
        return f"trunk {trunk}" if trunk else "the trunk"

    def end(self, number: int, by: EndedBy) -> None:
        if not self.ended:
            self.ended, self.ended_by = number, by

    def stop_for(self, number: int, kind: Stop) -> None:
        """Our side wants the end; what it wanted first stands."""
        if not self.stop:
            self.stop, self.stop_kind = number, kind

    @property
    def too_late(self) -> bool:
        """Is the call over? Where one leg of several is read, its end says nothing of the others."""
        return self.ended > 0 and not self.several
