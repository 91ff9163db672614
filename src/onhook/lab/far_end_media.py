"""What the far end says about media: its answers, its offers, and an answer that is none."""

from onhook.sip.offer import Negotiated, answer_offer, make_offer, read_answer, read_offer
from onhook.sip.sdp import SessionDescription, Unusable, parse_sdp

BAD_SDP = b"v=0\r\no=- 1 1 IN IP4\r\ns=-\r\nm=audio not-a-port RTP/AVP 0\r\n"
"""Reads like SDP until the origin without an address and the port that is no number."""

UNSPECIFIED = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared with, not bound


class Audio:
    """One call's audio. `address` is where the far end receives RTP; it says so in its SDP."""

    __slots__ = ("_address", "_agreed", "_offered", "_session_id", "_version")

    def __init__(self, address: tuple[str, int], session_id: int) -> None:
        self._address, self._session_id = address, session_id
        self._version = 0
        self._agreed: Negotiated | None = None
        self._offered: SessionDescription | None = None

    def answer(self, offer: bytes) -> bytes | None:
        """The answer to an offer, or an offer if there is none; None if no media can be agreed on."""
        self._version += 1
        host, port = self._address
        if not offer:
            self._offered = make_offer(host, port, self._session_id, self._version)
            return self._offered.to_bytes()
        described = parse_sdp(offer)
        if isinstance(described, Unusable):
            return None
        answered = answer_offer(described, host, port, self._session_id, self._version)
        agreed = read_offer(described)
        if isinstance(answered, Unusable) or isinstance(agreed, Unusable):
            return None
        self._agreed = agreed
        return answered.to_bytes()

    def take_answer(self, answer: bytes) -> None:
        """Read the answer to our own offer, which comes in the ACK (RFC 3264 section 4)."""
        described = parse_sdp(answer)
        if self._offered is None or isinstance(described, Unusable):
            return
        agreed = read_answer(self._offered, described)
        self._agreed = None if isinstance(agreed, Unusable) else agreed
        self._offered = None

    @property
    def wanted(self) -> Negotiated | None:
        """Where and how the caller wants RTP now; None if it wants none (held, refused, unknown)."""
        agreed = self._agreed
        if agreed is None or not agreed.sending or not agreed.port or agreed.host in UNSPECIFIED:
            return None
        return agreed
