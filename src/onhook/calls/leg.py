"""A leg to a telephone: one outbound SIP session with its offer, answer and media."""

import msgspec

from onhook.calls.directory import Trunk
from onhook.effects import Destination, StartMedia
from onhook.machine import Outputs
from onhook.sip.digest import Credentials
from onhook.sip.messages import Message, Request, Response
from onhook.sip.offer import Negotiated, answer_offer, make_offer, read_answer, read_offer
from onhook.sip.reason import SIP, Reason, write_reason
from onhook.sip.sdp import SessionDescription, Unusable, parse_sdp
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
from onhook.sip.transaction import Undeliverable

NOT_ACCEPTABLE = 488
"""What the Reason of our BYE says of an answer that we cannot use."""
MAX_REASON_CHARACTERS = 80


class LegRang(msgspec.Struct, frozen=True):
    """Signal: the far end rings, or its announcement plays."""


class LegConnected(msgspec.Struct, frozen=True):
    """Signal: answered, with media that we can use."""


class LegUnusable(msgspec.Struct, frozen=True):
    """Signal: answered, but with media that we cannot use; the session is being released."""

    why: str


class LegEnded(msgspec.Struct, frozen=True):
    """Signal, once: the session is over, refused or released."""


class PhoneLeg:
    """`media` is our RTP address; `seed` makes every identifier of the session."""

    def __init__(
        self,
        *,
        id: str,  # noqa: A002  # a leg's id is called id everywhere
        seed: str,
        trunk: Trunk,
        local: tuple[str, int],
        media: tuple[str, int],
        target: str,
        caller: str,
        display_name: str,
        now: float,
    ) -> None:
        self.id, self.trunk, self.media = id, trunk, media
        self._sdp_id = int(seed[:8], 16)
        self._sdp_version = 1
        self._offer: SessionDescription = make_offer(*media, self._sdp_id, self._sdp_version)
        self._early_answer = b""
        self._effects: Outputs = []
        credentials = Credentials(trunk.username, trunk.password) if trunk.username else None
        self.session = OutboundSession(
            leg=id,
            seed=seed,
            peer=trunk.destination,
            local=local,
            target=target,
            caller=caller,
            display_name=display_name,
            credentials=credentials,
            no_response_seconds=trunk.no_response_seconds,
            answer_offer=self._renegotiate,
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

    def dial(self, now: float) -> Outputs:
        return self._rise(self.session.dial(self._offer.to_bytes(), now), now)

    def receive(self, message: Message, source: Destination, now: float) -> Outputs:
        if not isinstance(message, Request | Response):
            return []
        return self._rise(self.session.receive(message, source, now), now)

    def fail(self, error: str, now: float) -> Outputs:
        return self._rise(self.session.fail(error, now), now)

    def handle_timeout(self, now: float) -> Outputs:
        return self._rise(self.session.handle_timeout(now), now)

    def hang_up(self, now: float, reason: str = "") -> Outputs:
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
            elif isinstance(output, Refused | Unanswered | Undeliverable | HungUp | Released | CancelCrossed):
                risen.append(LegEnded())
            else:
                risen.append(output)
        effects, self._effects = self._effects, []
        return risen + effects

    def _take_answer(self, response: Response, now: float) -> Outputs:
        # Gateways often answer in a 183 and send a bare 200: what they said first counts then.
        answer = parse_sdp(response.body or self._early_answer)
        taken = answer if isinstance(answer, Unusable) else read_answer(self._offer, answer)
        if isinstance(taken, Unusable):
            reason = write_reason(Reason(SIP, NOT_ACCEPTABLE, _plain(taken.why)))
            released = self.session.hang_up(now, reason)
            return [LegUnusable(taken.why), *self._rise(released, now)]
        return [self._start(taken), LegConnected()]

    def _start(self, agreed: Negotiated) -> StartMedia:
        return StartMedia(
            leg=self.id,
            host=agreed.host,
            port=agreed.port,
            payload_type=agreed.payload_type,
            codec=agreed.codec,
            sending=agreed.sending,
        )

    def _renegotiate(self, body: bytes) -> bytes | None:
        """Answer an offer that came within the session; an empty one asks for ours (RFC 3261 14.2)."""
        self._sdp_version += 1
        if not body:
            self._offer = make_offer(*self.media, self._sdp_id, self._sdp_version)
            return self._offer.to_bytes()
        offer = parse_sdp(body)
        if isinstance(offer, Unusable):
            return None
        agreed = read_offer(offer)
        answer = answer_offer(offer, *self.media, self._sdp_id, self._sdp_version)
        if isinstance(agreed, Unusable) or isinstance(answer, Unusable):
            return None
        self._effects.append(self._start(agreed))
        return answer.to_bytes()


def _plain(text: str) -> str:
    """Words about a stranger's SDP, fit for a header of ours."""
    kept = text[:MAX_REASON_CHARACTERS]
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in kept)
