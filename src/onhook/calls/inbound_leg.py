"""A leg of a telephone that called us: one inbound SIP session with its offer, answer and media.

The call is up when the ACK of our answer comes. Until then a CANCEL still ends it: one that crosses our
answer is followed by ACK and BYE (RFC 3261 section 9.2).
"""

from onhook.calls.custom_context import Pairs
from onhook.calls.directory import Trunk
from onhook.calls.negotiation import Negotiation
from onhook.calls.signals import LegConnected, LegEnded, LegUnusable, Presence
from onhook.effects import Destination, Record
from onhook.facts import InboundRefused
from onhook.machine import Outputs
from onhook.sip.digest import Credentials
from onhook.sip.inbound import (
    Acknowledged,
    Cancelled,
    HungUp,
    InboundSession,
    Rejected,
    Released,
    State,
    Unacknowledged,
)
from onhook.sip.messages import Message, Request, Response
from onhook.sip.reason import SIP, Reason, write_reason
from onhook.sip.refer import refer_to
from onhook.sip.sdp import Unusable
from onhook.sip.session_timer import Renewed
from onhook.sip.terms import Terms
from onhook.sip.transaction import Undeliverable
from onhook.sip.uri import phone_number

NOT_ACCEPTABLE = 488
UNAVAILABLE = 480
TRANSACTION_ENDS = Cancelled | Rejected | Unacknowledged | HungUp | Released | Undeliverable


class InboundLeg(Presence):
    """`party` is who calls; `refusal` the status that its caller gets when our side ends it unanswered."""

    def __init__(
        self,
        invite: Request,
        *,
        id: str,  # noqa: A002  # a leg's id is called id everywhere
        party: str,
        seed: str,
        source: Destination,
        local: tuple[str, int],
        terms: Terms,
        trunk: Trunk,
        now: float,
    ) -> None:
        self.id, self.party, self.seed, self.terms = id, party, seed, terms
        self.trunk = trunk
        self.refusal = UNAVAILABLE
        self.media: tuple[str, int] | None = None
        self.offer = invite.body
        """The caller's; empty if it asks for ours."""
        self.number = phone_number(invite.uri)
        """Whom it called."""
        self._talk: Negotiation | None = None
        self._awaits_answer = False
        self.session = InboundSession(
            invite,
            leg=id,
            seed=seed,
            source=source,
            local=local,
            answer_offer=self._renegotiate,
            credentials=Credentials(trunk.username, trunk.password) if trunk.username else None,
            session_timer_seconds=trunk.session_timer_seconds,
            now=now,
        )

    @property
    def sip_call_id(self) -> str:
        return self.session.call_id

    @property
    def deadline(self) -> float | None:
        return self.session.deadline

    @property
    def done(self) -> bool:
        return self.session.done

    @property
    def answered(self) -> bool:
        return self.session.state not in {State.RECEIVED, State.RINGING}

    def refer(self, number: str, headers: Pairs, seconds: float, now: float) -> Outputs:
        """Ask the far end to call `number`, with these headers in its INVITE."""
        where = refer_to(number, self.session.far_address, headers)
        return self._rise(self.session.refer(where, seconds, now), now)

    def speaks_to(self, to: Destination) -> bool:
        return to in {self.session.source, self.session.dialog.next_hop}

    # What the call wants

    def begin(self, now: float) -> Outputs:
        return self._rise(self.session.begin(), now)

    def ring(self, now: float) -> Outputs:
        return self._rise(self.session.ring(now), now)

    def answer(self, media: tuple[str, int], now: float) -> Outputs:
        """200 with our RTP address; 488 if the caller's offer has nothing that we can use."""
        self.media = media
        self._talk = talk = Negotiation(self.id, media, self.seed, self.terms)
        if not self.offer:
            self._awaits_answer = True
            return self._rise(self.session.accept(talk.offer, now), now)
        answered = talk.answer(self.offer)
        if isinstance(answered, Unusable):
            refused = InboundRefused(
                at=now,
                leg=self.id,
                why="media-unusable",
                status=NOT_ACCEPTABLE,
                number=self.number,
                detail=str(answered),
            )
            return [Record(refused), *self.reject(NOT_ACCEPTABLE, now)]
        return [*self._rise(self.session.accept(answered[0], now), now), answered[1]]

    def pass_answer(self, body: bytes, now: float) -> Outputs:
        """200 with the session description of another far end: the media is none of ours."""
        return self._rise(self.session.accept(body, now), now)

    def reject(self, status: int, now: float) -> Outputs:
        return self._rise(self.session.reject(status, now), now)

    def hang_up(self, now: float, reason: str = "") -> Outputs:
        if not self.answered:
            return self.reject(self.refusal, now)
        return self._rise(self.session.hang_up(now, reason), now)

    # What comes

    def receive(self, message: Message, source: Destination, now: float) -> Outputs:
        if not isinstance(message, Request | Response):
            return []
        outputs = self._rise(self.session.receive(message, source, now), now)
        crossed = isinstance(message, Request) and message.method == "CANCEL"
        if crossed and self.session.state is State.ANSWERED:
            outputs += self._rise(self.session.hang_up(now), now)  # its BYE waits for the ACK
        return outputs

    def fail(self, error: str, now: float) -> Outputs:
        return self._rise(self.session.fail(error, now), now)

    def handle_timeout(self, now: float) -> Outputs:
        return self._rise(self.session.handle_timeout(now), now)

    def _rise(self, outputs: Outputs, now: float) -> Outputs:
        """Effects pass; signals of the session become signals of the leg."""
        risen: Outputs = []
        for output in outputs:
            if isinstance(output, Acknowledged):
                risen += self._confirm(output.request, now)
            elif isinstance(output, Renewed):
                risen += self._talk.renewed(output.response.body) if self._talk else []
            elif isinstance(output, TRANSACTION_ENDS):
                risen.append(LegEnded())
            else:
                risen.append(output)
        if self._talk is not None:
            risen += self._talk.changed
            self._talk.changed = []
        return risen

    def _confirm(self, ack: Request, now: float) -> Outputs:
        if not self._awaits_answer or self._talk is None:
            return [LegConnected()]
        self._awaits_answer = False
        taken = self._talk.take_answer(ack.body)
        if isinstance(taken, Unusable):
            reason = write_reason(Reason(SIP, NOT_ACCEPTABLE, "unusable answer"))
            return [LegUnusable(taken.why), *self._rise(self.session.hang_up(now, reason), now)]
        return [taken, LegConnected()]

    @property
    def media_version(self) -> int:
        return self._talk.version if self._talk else 0

    def resume_media(self, media: tuple[str, int], version: int) -> None:
        """The media as it stood when the leg was kept."""
        self.media = media
        self._talk = Negotiation(self.id, media, self.seed, self.terms)
        self._talk.resume(version)

    def _renegotiate(self, body: bytes) -> bytes | None:
        return self._talk.renegotiate(body) if self._talk else None
