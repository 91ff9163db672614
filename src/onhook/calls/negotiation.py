"""What one leg of ours offers and answers about media, over the whole of its session (RFC 3264)."""

from onhook.effects import StartMedia
from onhook.sip.offer import Negotiated, answer_offer, make_offer, read_answer, read_offer
from onhook.sip.sdp import SessionDescription, Unusable, parse_sdp
from onhook.sip.terms import Terms


class Negotiation:
    """`media` is our RTP address; `seed` gives the session id of our descriptions, `terms` what we speak.

    An offer that came within the session is answered by `renegotiate`; what it changed waits in `changed`.
    """

    def __init__(self, leg: str, media: tuple[str, int], seed: str, terms: Terms) -> None:
        self.leg, self.media, self.terms = leg, media, terms
        self.changed: list[StartMedia] = []
        self._id = int(seed[:8], 16)
        self._version = 1
        self._offer: SessionDescription = make_offer(*media, self._id, self._version, terms=terms)

    @property
    def version(self) -> int:
        """Of our last description."""
        return self._version

    def resume(self, version: int) -> None:
        """Go on where another one stood."""
        self._version = version
        self._offer = make_offer(*self.media, self._id, version, terms=self.terms)

    @property
    def offer(self) -> bytes:
        return self._offer.to_bytes()

    def take_answer(self, body: bytes) -> StartMedia | Unusable:
        """What the far end's answer to our last offer agrees to."""
        answer = parse_sdp(body)
        taken = answer if isinstance(answer, Unusable) else read_answer(self._offer, answer)
        return taken if isinstance(taken, Unusable) else start_of(self.leg, taken)

    def answer(self, body: bytes) -> tuple[bytes, StartMedia] | Unusable:
        """Our answer to the far end's offer, and what both have agreed on."""
        offer = parse_sdp(body)
        if isinstance(offer, Unusable):
            return offer
        agreed = read_offer(offer, terms=self.terms)
        answer = answer_offer(offer, *self.media, self._id, self._version, terms=self.terms)
        if isinstance(agreed, Unusable):
            return agreed
        if isinstance(answer, Unusable):
            return answer
        return answer.to_bytes(), start_of(self.leg, agreed)

    def renewed(self, body: bytes) -> list[StartMedia]:
        """What the answer to our repeated description agrees to now; nothing if it cannot be used."""
        taken = self.take_answer(body)
        return [] if isinstance(taken, Unusable) else [taken]

    def renegotiate(self, body: bytes) -> bytes | None:
        """Answer an offer that came within the session; an empty one asks for ours (RFC 3261 14.2)."""
        self._version += 1
        if not body:
            self._offer = make_offer(*self.media, self._id, self._version, terms=self.terms)
            return self.offer
        answered = self.answer(body)
        if isinstance(answered, Unusable):
            return None
        self.changed.append(answered[1])
        return answered[0]


def start_of(leg: str, agreed: Negotiated) -> StartMedia:
    """What media is told of an agreement."""
    return StartMedia(
        leg=leg,
        host=agreed.host,
        port=agreed.port,
        payload_type=agreed.payload_type,
        codec=agreed.codec,
        sending=agreed.sending,
        receiving=agreed.receiving,
        telephone_event=agreed.telephone_event,
        hears=agreed.hears,
        ptime_ms=agreed.ptime_ms,
        srtp=agreed.srtp,
        event_clock=agreed.event_clock,
    )
