"""Offer and answer (RFC 3264): what to say about media, and what two sides have agreed on.

What we are willing to speak stands in terms.py. A peer whose media cannot be agreed with gets, or gives, an
`Unusable` that names the fault and its line: evidence of an ending.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from onhook.effects import Srtp
from onhook.sip.agreement import (
    choose_events,
    common_voices,
    heard_in_answer,
    heard_in_offer,
    packet_ms,
    secured_by_answer,
    secured_by_offer,
)
from onhook.sip.sdes import Crypto
from onhook.sip.sdp import Codec, Direction, MediaDescription, SessionDescription, Unusable
from onhook.sip.sdp_lines import Connection, shown
from onhook.sip.terms import COMFORT_NOISE, Terms

PTIME_MS = 20
SPOKEN = frozenset({"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"})
"""Protocols of m= lines. Feedback (AVPF, RFC 4585) need not be given."""
MAX_NAMED_CODECS = 8
"""Payload types named in the text of a fault."""
TERMS = Terms()

_SENDS = frozenset({"sendrecv", "sendonly"})
_RECEIVES = frozenset({"sendrecv", "recvonly"})


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What was agreed. Numbers are those under which the far end wants to receive; ways are ours."""

    host: str
    port: int
    codec: str
    payload_type: int
    telephone_event: int | None = None
    """Payload type for digits; None if the far end takes none."""
    direction: Direction = "sendrecv"
    ptime_ms: int = PTIME_MS
    hears: tuple[tuple[int, str], ...] = ()
    """Numbers under which the far end may send to us, with their encodings."""
    srtp: Srtp | None = None
    event_clock: int = 8000
    """Of the telephone events, in Hz."""

    @property
    def sending(self) -> bool:
        return self.direction in _SENDS

    @property
    def receiving(self) -> bool:
        """Is sound to be expected? Who takes its address away holds, and mostly sends nothing either."""
        return self.direction in _RECEIVES and not Connection(self.host).unspecified


class _Chosen(NamedTuple):
    """The media of an offer that we take: its place, what it comes to, and our key for it."""

    at: int
    agreed: Negotiated
    crypto: Crypto | None


def make_offer(
    host: str,
    port: int,
    session_id: int,
    version: int,
    *,
    direction: Direction = "sendrecv",
    terms: Terms = TERMS,
) -> SessionDescription:
    """Our offer: RTP is expected at host and port. `version` goes up by one with each new description."""
    codecs = terms.offered
    media = MediaDescription(
        "audio", port, terms.protocol, _formats(codecs), _media_lines(codecs, direction, terms.keys)
    )
    return SessionDescription(_session_lines(host, session_id, version, ["0 0"]), (media,))


def read_answer(offer: SessionDescription, answer: SessionDescription) -> Negotiated | Unusable:
    """What `answer` made of our `offer` (RFC 3264 sections 6 and 7)."""
    if len(offer.media) != len(answer.media):
        surplus = answer.media[len(offer.media) :]
        why = f"{len(answer.media)} m= lines answer the {len(offer.media)} of the offer"
        return Unusable(why, surplus[0].line if surplus else 0)
    for ours, theirs in zip(offer.media, answer.media, strict=True):
        if ours.kind != theirs.kind:
            return Unusable(f"m={shown(theirs.kind)} answers m={ours.kind}", theirs.line)
    for ours, theirs in zip(offer.media, answer.media, strict=True):
        if ours.kind == "audio" and ours.port:
            return _read_audio(offer, ours, answer, theirs)
    return Unusable("the offer had no audio to answer")


def _read_audio(
    offer: SessionDescription, ours: MediaDescription, answer: SessionDescription, theirs: MediaDescription
) -> Negotiated | Unusable:
    if fault := _fault_in(answer, theirs):
        return fault
    srtp = secured_by_answer(ours, theirs)
    if isinstance(srtp, Unusable):
        return srtp
    agreed = _agree(answer, theirs, ours.codecs, offer.direction_of(ours), srtp)
    if isinstance(agreed, Unusable):
        return agreed
    return replace(agreed, hears=heard_in_answer(ours.codecs, theirs.codecs))


def read_offer(
    offer: SessionDescription, direction: Direction = "sendrecv", terms: Terms = TERMS
) -> Negotiated | Unusable:
    """What an offer of the far end comes to when `answer_offer` answers it with the same direction."""
    chosen = _choose(offer, direction, terms)
    return chosen if isinstance(chosen, Unusable) else chosen.agreed


def answer_offer(
    offer: SessionDescription,
    host: str,
    port: int,
    session_id: int,
    version: int,
    *,
    direction: Direction = "sendrecv",
    terms: Terms = TERMS,
) -> SessionDescription | Unusable:
    """Our answer: the first audio that fits our terms is taken, with one voice; the rest gets port 0.

    The voice is the offer's first that we have (RFC 3264 section 6.1). `direction` is the most that we want;
    what the offer leaves of it is answered. Unusable is for a 488.
    """
    chosen = _choose(offer, direction, terms)
    if isinstance(chosen, Unusable):
        return chosen
    codecs = _answered_codecs(offer.media[chosen.at].codecs, chosen.agreed)
    keys = (chosen.crypto,) if chosen.crypto else ()
    media = [
        MediaDescription(
            "audio",
            port,
            each.protocol,
            _formats(codecs),
            _media_lines(codecs, chosen.agreed.direction, keys),
        )
        if at == chosen.at
        else MediaDescription(each.kind, 0, each.protocol, each.formats or ("0",))
        for at, each in enumerate(offer.media)
    ]
    times = offer.values("t") or ["0 0"]  # section 6: the same as in the offer
    return SessionDescription(_session_lines(host, session_id, version, times), tuple(media))


def _answered_codecs(offered: Sequence[Codec], agreed: Negotiated) -> list[Codec]:
    """The voice, the digits and the noise that were taken of an offer, under its numbers."""
    heard = dict(agreed.hears)
    taken = [codec for codec in offered if codec.payload_type in heard]
    voice = [codec for codec in taken if codec.payload_type == agreed.payload_type]
    events = [codec for codec in taken if codec.payload_type == agreed.telephone_event]
    noise = [codec for codec in taken if codec.same_as(COMFORT_NOISE)]
    named = [Codec(c.payload_type, agreed.codec, c.clock_rate, c.channels) for c in voice]
    named += [Codec(c.payload_type, "telephone-event", c.clock_rate, 1, "0-16") for c in events]
    return named + [Codec(c.payload_type, "CN", c.clock_rate) for c in noise]


def _formats(codecs: Sequence[Codec]) -> tuple[str, ...]:
    return tuple(str(codec.payload_type) for codec in codecs)


def _session_lines(host: str, session_id: int, version: int, times: Sequence[str]) -> tuple[str, ...]:
    address = f"IN IP6 {host}" if ":" in host else f"IN IP4 {host}"
    opening = ("v=0", f"o=- {session_id} {version} {address}", "s=-", f"c={address}")
    return (*opening, *(f"t={time}" for time in times))


def _media_lines(codecs: Sequence[Codec], direction: Direction, keys: Sequence[Crypto]) -> tuple[str, ...]:
    lines: list[str] = []
    for codec in codecs:
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
    return (*lines, *(key.line for key in keys), f"a=ptime:{PTIME_MS}", f"a={direction}")


def _choose(offer: SessionDescription, direction: Direction, terms: Terms) -> _Chosen | Unusable:
    """The first audio that can be agreed on, or what was wrong with the first that could not."""
    fault: Unusable | None = None
    for at, media in enumerate(offer.media):
        if media.kind != "audio":
            continue
        taken = _take(at, offer, direction, terms)
        if isinstance(taken, _Chosen):
            return taken
        fault = fault or taken
    return fault or Unusable("no audio is offered")


def _take(at: int, offer: SessionDescription, direction: Direction, terms: Terms) -> _Chosen | Unusable:
    media = offer.media[at]
    if fault := _fault_in(offer, media):
        return fault
    secured = secured_by_offer(media, terms)
    if isinstance(secured, Unusable):
        return secured
    srtp, crypto = secured or (None, None)
    agreed = _agree(offer, media, terms.offered, direction, srtp)
    if isinstance(agreed, Unusable):
        return agreed
    voice = next(codec for codec in media.codecs if codec.payload_type == agreed.payload_type)
    heard = heard_in_offer(media.codecs, voice, agreed.codec, agreed.telephone_event)
    return _Chosen(at, replace(agreed, hears=heard), crypto)


def _fault_in(theirs: SessionDescription, media: MediaDescription) -> Unusable | None:
    """What makes an audio unusable, whatever we would speak."""
    if not media.port:
        return Unusable("the audio is refused: its port is 0", media.line)
    if media.protocol not in SPOKEN:
        dtls = "; keys come by a=crypto, not by DTLS" if "TLS" in media.protocol else ""
        return Unusable(
            f"the audio is {shown(media.protocol)}; RTP/AVP and RTP/SAVP are spoken here{dtls}", media.line
        )
    connection = theirs.connection_of(media)
    if connection is None:
        return Unusable("no c= line says where the audio goes", media.line)
    if connection.multicast:
        return Unusable(
            f"the audio goes to a multicast address, {connection.host}", theirs.line_of_connection(media)
        )
    return None


def _agree(
    theirs: SessionDescription,
    media: MediaDescription,
    ours: Sequence[Codec],
    direction: Direction,
    srtp: Srtp | None,
) -> Negotiated | Unusable:
    """What one media of the far end's description, with nothing else wrong, means for us."""
    connection = theirs.connection_of(media)
    assert connection is not None
    known = media.codecs
    common = common_voices(ours, known)
    if not common:
        voices = [codec for codec in ours if codec.name.lower() != "telephone-event"]
        return Unusable(f"no codec in common: {_names(voices)} here, {_names(known)} there", media.line)
    voice, name = common[0]
    events = choose_events(ours, known, voice.clock_rate)
    far_way = theirs.direction_of(media)
    sends = direction in _SENDS and far_way in _RECEIVES and not connection.unspecified
    receives = direction in _RECEIVES and far_way in _SENDS
    return Negotiated(
        connection.host,
        media.port,
        name,
        voice.payload_type,
        events.payload_type if events else None,
        _direction(sends=sends, receives=receives),
        packet_ms(media),
        srtp=srtp,
        event_clock=events.clock_rate if events else 8000,
    )


def _direction(*, sends: bool, receives: bool) -> Direction:
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _names(codecs: Sequence[Codec]) -> str:
    """Codecs for the eye: "0 PCMU, 96 unknown"."""
    named = [f"{c.payload_type} {shown(c.name)[1:-1] or 'unknown'}" for c in codecs[:MAX_NAMED_CODECS]]
    return ", ".join(named) + (", …" if len(codecs) > MAX_NAMED_CODECS else "") if named else "none"
