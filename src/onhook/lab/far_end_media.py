"""What the far end says about media: its answers, its offers, and an answer that is none."""

import logging
from collections.abc import Callable

from onhook.lab.audio_lines import FOREIGN_CODECS
from onhook.lab.audio_steps import Manner
from onhook.media.settings import PortsUsedUp
from onhook.sip.offer import Negotiated, answer_offer, make_offer, read_answer, read_offer
from onhook.sip.sdes import leg_secret
from onhook.sip.sdp import Codec, MediaDescription, SessionDescription, Unusable, parse_sdp
from onhook.sip.terms import DEFAULT_CODECS, VOICES, Secrecy, Terms

BAD_SDP = b"v=0\r\no=- 1 1 IN IP4\r\ns=-\r\nm=audio not-a-port RTP/AVP 0\r\n"
"""Reads like SDP until the origin without an address and the port that is no number."""

UNSPECIFIED = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared with, not bound
EVENTS = "telephone-event"
log = logging.getLogger(__name__)


class Audio:
    """One call's audio. `open_media` gives the address where the far end receives RTP, once it is asked.

    It takes SRTP where it is offered, and offers none, unless `manner` says otherwise. `secret` makes keys.
    """

    __slots__ = ("_manner", "_offered", "_open_media", "_secret", "_session_id", "_version", "agreed")

    def __init__(
        self,
        open_media: Callable[[], tuple[str, int]],
        session_id: int,
        manner: Manner | None = None,
        secret: bytes = b"",
    ) -> None:
        self._open_media, self._session_id = open_media, session_id
        self._manner = manner or Manner()
        self._secret = leg_secret(secret.hex(), str(session_id))
        self._version = 0
        self.agreed: Negotiated | None = None
        """What both sides have agreed on, held or not."""
        self._offered: SessionDescription | None = None

    def answer(self, offer: bytes) -> bytes | None:
        """The answer to an offer, or an offer if there is none; None if no media can be agreed on."""
        try:
            return self._describe(offer)
        except PortsUsedUp:
            log.warning("the far end has no RTP port left")
            return None

    def _describe(self, offer: bytes) -> bytes | None:
        self._version += 1
        if not offer:
            self._offered = self._own()
            return self._offered.to_bytes()
        described = parse_sdp(offer)
        if isinstance(described, Unusable):
            return None
        described, terms = self._without_events(described), self._terms("optional")
        host, port = self._open_media()
        answered = answer_offer(described, host, port, self._session_id, self._version, terms=terms)
        agreed = read_offer(described, terms=terms)
        if isinstance(answered, Unusable) or isinstance(agreed, Unusable) or not terms.codecs:
            return self._own().to_bytes() if self._manner.stubborn else None
        self.agreed = agreed
        return answered.to_bytes()

    def take_answer(self, answer: bytes) -> None:
        """Read the answer to our own offer, which comes in the ACK (RFC 3264 section 4)."""
        described = parse_sdp(answer)
        if self._offered is None or isinstance(described, Unusable):
            return
        agreed = read_answer(self._offered, described)
        self.agreed = None if isinstance(agreed, Unusable) else agreed
        self._offered = None

    @property
    def wanted(self) -> Negotiated | None:
        """Where and how the caller wants RTP now; None if it wants none (held, refused, unknown)."""
        agreed = self.agreed
        if agreed is None or not agreed.sending or not agreed.port or agreed.host in UNSPECIFIED:
            return None
        return agreed

    def _terms(self, usual: Secrecy) -> Terms:
        names = self._manner.codecs or DEFAULT_CODECS
        known = tuple(name for name in names if name in VOICES)
        return Terms(known, self._manner.srtp or usual, self._secret)

    def _own(self) -> SessionDescription:
        """Our description as we please: an offer, or the answer of one who does not care for the offer."""
        host, port = self._open_media()
        made = make_offer(host, port, self._session_id, self._version, terms=self._terms("off"))
        media = self._without_events(made).media[0]
        foreign = [
            Codec(FOREIGN_CODECS[name][0], name, FOREIGN_CODECS[name][1])
            for name in self._manner.codecs
            if name in FOREIGN_CODECS
        ]
        formats = (*(str(codec.payload_type) for codec in foreign), *media.formats)
        maps = tuple(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}" for codec in foreign)
        described = MediaDescription(media.kind, media.port, media.protocol, formats, (*maps, *media.lines))
        return SessionDescription(made.lines, (described,))

    def _without_events(self, described: SessionDescription) -> SessionDescription:
        """The description as one reads or writes it who knows no telephone-event."""
        if self._manner.events:
            return described
        return SessionDescription(described.lines, tuple(map(_without_events, described.media)))


def _without_events(media: MediaDescription) -> MediaDescription:
    dropped = {str(codec.payload_type) for codec in media.codecs if codec.name.lower() == EVENTS}
    lines = tuple(
        line
        for line in media.lines
        if not (line.startswith(("a=rtpmap:", "a=fmtp:")) and line.partition(":")[2].split()[0] in dropped)
    )
    formats = tuple(each for each in media.formats if each not in dropped)
    return MediaDescription(
        media.kind, media.port, media.protocol, formats, lines, media.port_count, media.line
    )
