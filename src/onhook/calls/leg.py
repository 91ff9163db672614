"""A leg to a telephone: one outbound SIP session with its offer, answer and media."""

from onhook.calls.custom_context import Pairs
from onhook.calls.directory import Trunk
from onhook.calls.negotiation import Negotiation
from onhook.calls.routing import Chosen
from onhook.calls.signals import LegConnected, LegEnded, LegRang, LegUnusable, Presence
from onhook.effects import Destination
from onhook.machine import Outputs
from onhook.sip.digest import Credentials
from onhook.sip.messages import Message, Request, Response
from onhook.sip.reason import SIP, Reason, write_reason
from onhook.sip.refer import refer_to
from onhook.sip.sdp import Unusable
from onhook.sip.session import (
    Answered,
    CancelCrossed,
    HungUp,
    OutboundSession,
    Rang,
    Refused,
    Released,
    Unanswered,
)
from onhook.sip.session_timer import Renewed
from onhook.sip.transaction import Undeliverable

NOT_ACCEPTABLE = 488
"""What the Reason of our BYE says of an answer that we cannot use."""
MAX_REASON_CHARACTERS = 80
NEXT_TRUNK = frozenset({408, 503, 504})
"""Refusals after which another trunk is tried (documented for Direct Routing); a 603 or 486 is an answer."""


class PhoneLeg(Presence):
    """`media` is our RTP address; `seed` makes every identifier of the session, `secret` our keys.

    `headers` go into the INVITE. With an `offer` of somebody else the media is none of ours: `answer` then
    holds what came back.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002  # a leg's id is called id everywhere
        seed: str,
        trunk: Trunk,
        local: tuple[str, int],
        media: tuple[str, int],
        offer: bytes = b"",
        target: str,
        caller: str,
        display_name: str,
        headers: tuple[tuple[str, str], ...] = (),
        secret: str = "",
        now: float,
    ) -> None:
        self.id, self.trunk, self.party = id, trunk, target
        self.asked = offer, display_name, headers
        """What a leg by another trunk in its place is begun with, too."""
        self.others: tuple[Chosen, ...] = ()
        """Who may take its call over."""
        self.failed = False
        """Ended in a way after which another trunk may do better."""
        self._let_go = False
        self.media: tuple[str, int] | None = None if offer else media
        self.answer = b""
        self.refused_with = 0
        """The status of a final refusal."""
        self._talk = None if offer else Negotiation(id, media, seed, trunk.terms(secret, seed))
        self._offer = self._talk.offer if self._talk else offer
        self._early_answer = b""
        credentials = Credentials(trunk.username, trunk.password) if trunk.username else None
        self.session = OutboundSession(
            leg=id,
            seed=seed,
            peer=trunk.destination,
            local=local,
            target=target,
            caller=caller,
            display_name=display_name,
            headers=headers,
            credentials=credentials,
            no_response_seconds=trunk.no_response_seconds,
            answer_offer=self._renegotiate,
            session_timer_seconds=trunk.session_timer_seconds,
            now=now,
        )

    @property
    def passes_media(self) -> bool:
        """Is its session description that of another far end?"""
        return self._talk is None

    @property
    def sip_call_id(self) -> str:
        return self.session.call_id

    @property
    def deadline(self) -> float | None:
        return self.session.deadline

    @property
    def done(self) -> bool:
        return self.session.done

    def refer(self, number: str, headers: Pairs, seconds: float, now: float) -> Outputs:
        """Ask the far end to call `number`, with these headers in its INVITE."""
        where = refer_to(number, self.session.peer, headers)
        return self._rise(self.session.refer(where, seconds, now), now)

    def speaks_to(self, to: Destination) -> bool:
        """Also by TCP where it speaks UDP: long requests go by it (RFC 3261 section 18.1.1)."""
        dialog = self.session.dialog
        places = {self.session.peer} if dialog is None else {self.session.peer, dialog.next_hop}
        return to in places or (to.transport == "tcp" and to._replace(transport="udp") in places)

    def dial(self, now: float) -> Outputs:
        return self._rise(self.session.dial(self._offer, now), now)

    def receive(self, message: Message, source: Destination, now: float) -> Outputs:
        if not isinstance(message, Request | Response):
            return []
        return self._rise(self.session.receive(message, source, now), now)

    def fail(self, error: str, now: float) -> Outputs:
        return self._rise(self.session.fail(error, now), now)

    def handle_timeout(self, now: float) -> Outputs:
        return self._rise(self.session.handle_timeout(now), now)

    def hang_up(self, now: float, reason: str = "") -> Outputs:
        self._let_go = True
        return self._rise(self.session.hang_up(now, reason), now)

    def _rise(self, outputs: Outputs, now: float) -> Outputs:
        """Effects pass; signals of the session become signals of the leg."""
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, Rang):
                if output.response.body:
                    self._early_answer = output.response.body
                risen.append(LegRang())
            elif isinstance(output, Answered):
                risen += self._take_answer(output.response, now)
            elif isinstance(output, Refused):
                self.refused_with = output.response.status
                self.failed = self.refused_with in NEXT_TRUNK and not self._let_go
                risen.append(LegEnded())
            elif isinstance(output, Renewed):
                risen += self._talk.renewed(output.response.body) if self._talk else []
            elif isinstance(output, Unanswered | Undeliverable):
                # Nothing came, or nothing could be sent: as good as 408 and 503 (RFC 3261 section 8.1.3.1).
                self.failed = not self._let_go
                risen.append(LegEnded())
            elif isinstance(output, HungUp | Released | CancelCrossed):
                risen.append(LegEnded())
            else:
                risen.append(output)
        if self._talk is not None:
            risen += self._talk.changed
            self._talk.changed = []
        return risen

    def _take_answer(self, response: Response, now: float) -> Outputs:
        # Gateways often answer in a 183 and send a bare 200: what they said first counts then.
        self.answer = response.body or self._early_answer
        if self._talk is None:
            return [LegConnected()]
        taken = self._talk.take_answer(self.answer)
        if isinstance(taken, Unusable):
            reason = write_reason(Reason(SIP, NOT_ACCEPTABLE, _plain(taken.why)))
            released = self.session.hang_up(now, reason)
            return [LegUnusable(taken.why), *self._rise(released, now)]
        return [taken, LegConnected()]

    @property
    def media_version(self) -> int:
        return self._talk.version if self._talk else 0

    def resume_media(self, media: tuple[str, int], version: int) -> None:
        """The media as it stood when the leg was kept."""
        self.media = media
        if self._talk is not None:
            self._talk.resume(version)

    def _renegotiate(self, body: bytes) -> bytes | None:
        return self._talk.renegotiate(body) if self._talk else None


def _plain(text: str) -> str:
    """Words about a stranger's SDP, fit for a header of ours."""
    kept = text[:MAX_REASON_CHARACTERS]
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in kept)
