"""Offer and answer (RFC 3264): what to say about media, and what two sides have agreed on.

We speak G.711 in both its laws, and RFC 4733 telephone events for digits; a peer whose media cannot be
agreed with gets, or gives, an `Unusable` that names the fault and its line: evidence of an ending.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from onhook.sip.sdp import Codec, Direction, MediaDescription, SessionDescription, Unusable
from onhook.sip.sdp_lines import shown

CODECS = (Codec(0, "PCMU", 8000), Codec(8, "PCMA", 8000))
"""Ours, in the order of preference."""
TELEPHONE_EVENT = Codec(101, "telephone-event", 8000, 1, "0-16")
PROTOCOL = "RTP/AVP"
PTIME_MS = 20
MAX_NAMED_CODECS = 8
"""Payload types named in the text of a fault."""

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

    @property
    def sending(self) -> bool:
        return self.direction in _SENDS

    @property
    def receiving(self) -> bool:
        return self.direction in _RECEIVES


def make_offer(
    host: str, port: int, session_id: int, version: int, *, direction: Direction = "sendrecv"
) -> SessionDescription:
    """Our offer: RTP is expected at host and port. `version` goes up by one with each new description."""
    lines = _media_lines((*CODECS, TELEPHONE_EVENT), direction)
    formats = tuple(str(codec.payload_type) for codec in (*CODECS, TELEPHONE_EVENT))
    media = MediaDescription("audio", port, PROTOCOL, formats, lines)
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
            return _agree(answer, theirs, ours.codecs, offer.direction_of(ours))
    return Unusable("the offer had no audio to answer")


def read_offer(offer: SessionDescription, direction: Direction = "sendrecv") -> Negotiated | Unusable:
    """What an offer of the far end comes to when `answer_offer` answers it with the same direction."""
    chosen = _choose(offer, direction)
    return chosen if isinstance(chosen, Unusable) else chosen[1]


def answer_offer(
    offer: SessionDescription,
    host: str,
    port: int,
    session_id: int,
    version: int,
    *,
    direction: Direction = "sendrecv",
) -> SessionDescription | Unusable:
    """Our answer: the first audio with a codec of ours is taken, with that codec; the rest gets port 0.

    `direction` is the most that we want; what the offer leaves of it is answered. Unusable is for a 488.
    """
    chosen = _choose(offer, direction)
    if isinstance(chosen, Unusable):
        return chosen
    taken, agreed = chosen
    codecs = [Codec(agreed.payload_type, agreed.codec, 8000)]
    if agreed.telephone_event is not None:
        codecs.append(Codec(agreed.telephone_event, "telephone-event", 8000, 1, TELEPHONE_EVENT.fmtp))
    formats = tuple(str(codec.payload_type) for codec in codecs)
    ours = MediaDescription("audio", port, PROTOCOL, formats, _media_lines(codecs, agreed.direction))
    media = [
        ours
        if at == taken
        else MediaDescription(refused.kind, 0, refused.protocol, refused.formats or ("0",))
        for at, refused in enumerate(offer.media)
    ]
    times = offer.values("t") or ["0 0"]  # section 6: the same as in the offer
    return SessionDescription(_session_lines(host, session_id, version, times), tuple(media))


def _session_lines(host: str, session_id: int, version: int, times: Sequence[str]) -> tuple[str, ...]:
    address = f"IN IP6 {host}" if ":" in host else f"IN IP4 {host}"
    opening = ("v=0", f"o=- {session_id} {version} {address}", "s=-", f"c={address}")
    return (*opening, *(f"t={time}" for time in times))


def _media_lines(codecs: Sequence[Codec], direction: Direction) -> tuple[str, ...]:
    lines: list[str] = []
    for codec in codecs:
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
    return (*lines, f"a=ptime:{PTIME_MS}", f"a={direction}")


def _choose(offer: SessionDescription, direction: Direction) -> tuple[int, Negotiated] | Unusable:
    """The first audio that can be agreed on, or what was wrong with the first that could not."""
    fault: Unusable | None = None
    for at, media in enumerate(offer.media):
        if media.kind != "audio":
            continue
        agreed = _agree(offer, media, (*CODECS, TELEPHONE_EVENT), direction)
        if isinstance(agreed, Negotiated):
            return at, agreed
        fault = fault or agreed
    return fault or Unusable("no audio is offered")


def _agree(
    theirs: SessionDescription, media: MediaDescription, ours: Sequence[Codec], direction: Direction
) -> Negotiated | Unusable:
    """What one media of the far end's description means for us."""
    if not media.port:
        return Unusable("the audio is refused: its port is 0", media.line)
    if media.protocol != PROTOCOL:
        return Unusable(f"the audio is {shown(media.protocol)}; {PROTOCOL} is spoken here", media.line)
    connection = theirs.connection_of(media)
    if connection is None:
        return Unusable("no c= line says where the audio goes", media.line)
    if connection.multicast:
        return Unusable(
            f"the audio goes to a multicast address, {connection.host}", theirs.line_of_connection(media)
        )
    known = media.codecs
    voices = [codec for codec in ours if not codec.same_as(TELEPHONE_EVENT)]
    common = next((codec for codec in known if any(codec.same_as(voice) for voice in voices)), None)
    if common is None:
        return Unusable(f"no codec in common: {_names(voices)} here, {_names(known)} there", media.line)
    digits = [codec for codec in ours if codec.same_as(TELEPHONE_EVENT)]
    events = [codec.payload_type for codec in known if digits and codec.same_as(TELEPHONE_EVENT)]
    name = next(voice.name for voice in voices if voice.same_as(common))
    far_way = theirs.direction_of(media)
    sends = direction in _SENDS and far_way in _RECEIVES and not connection.unspecified
    receives = direction in _RECEIVES and far_way in _SENDS
    return Negotiated(
        connection.host,
        media.port,
        name,
        common.payload_type,
        events[0] if events else None,
        _direction(sends=sends, receives=receives),
        media.ptime_ms or PTIME_MS,
    )


def _direction(*, sends: bool, receives: bool) -> Direction:
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _names(codecs: Sequence[Codec]) -> str:
    """Codecs for the eye: "0 PCMU, 96 unknown"."""
    named = [f"{c.payload_type} {shown(c.name)[1:-1] or 'unknown'}" for c in codecs[:MAX_NAMED_CODECS]]
    return ", ".join(named) + (", …" if len(codecs) > MAX_NAMED_CODECS else "") if named else "none"
