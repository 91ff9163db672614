"""What two descriptions of one audio have in common: voices, digits, packet times, keys."""

from collections.abc import Sequence
from typing import Final

from onhook.effects import Srtp
from onhook.sip.sdes import Crypto, first_usable
from onhook.sip.sdp import Codec, MediaDescription, Unusable
from onhook.sip.sdp_lines import number, shown
from onhook.sip.terms import COMFORT_NOISE, Terms

SECURE: Final = frozenset({"RTP/SAVP", "RTP/SAVPF"})
TICK_MS: Final = 20
"""We send at this beat; packets hold a whole number of beats."""
MAX_PACKET_MS: Final = 60
HEARD_NOISE: Final = (COMFORT_NOISE.payload_type, COMFORT_NOISE.name)

_EVENT = "telephone-event"


def common_voices(ours: Sequence[Codec], theirs: Sequence[Codec]) -> list[tuple[Codec, str]]:
    """The voices of `theirs` that we have, in their order, each with our spelling of its name."""
    names = [(voice, voice.name) for voice in ours if voice.name.lower() != _EVENT]
    return [(codec, name) for codec in theirs for voice, name in names if codec.same_as(voice)]


def choose_events(ours: Sequence[Codec], theirs: Sequence[Codec], clock_rate: int) -> Codec | None:
    """How the far end takes digits: with the voice's clock if it can be (RFC 4733 2.6.1.2)."""
    known = [codec for codec in ours if codec.name.lower() == _EVENT]
    common = [codec for codec in theirs if any(codec.same_as(event) for event in known)]
    common.sort(key=lambda codec: codec.clock_rate != clock_rate)
    return common[0] if common else None


def heard_in_answer(ours: Sequence[Codec], theirs: Sequence[Codec]) -> tuple[tuple[int, str], ...]:
    """How the answerer may send to us: under the numbers of our offer (RFC 3264 section 5.1).

    Some use their own numbers instead. These are understood too, unless we gave them another meaning.
    """
    heard: dict[int, str] = {}
    common = [(mine, codec) for codec in theirs for mine in ours if codec.same_as(mine)]
    for mine, _ in common:
        heard[mine.payload_type] = mine.name
    taken = {mine.payload_type for mine in ours}
    for mine, codec in common:
        if codec.payload_type not in taken:
            heard.setdefault(codec.payload_type, mine.name)
    return _with_noise(heard, [mine for mine, _ in common])


def heard_in_offer(
    offered: Sequence[Codec], voice: Codec, name: str, events: int | None
) -> tuple[tuple[int, str], ...]:
    """How the offerer may send to us: as it was answered, with its own numbers."""
    heard = {voice.payload_type: name}
    if events is not None:
        heard[events] = _EVENT
    for codec in offered:
        if codec.same_as(COMFORT_NOISE):
            heard.setdefault(codec.payload_type, COMFORT_NOISE.name)
    return _with_noise(heard, [voice])


def _with_noise(heard: dict[int, str], voices: Sequence[Codec]) -> tuple[tuple[int, str], ...]:
    """Comfort noise comes under its own number from gateways that never spoke of it."""
    if any(codec.clock_rate == COMFORT_NOISE.clock_rate for codec in voices):
        heard.setdefault(*HEARD_NOISE)
    return tuple(heard.items())


def packet_ms(media: MediaDescription) -> int:
    """How much sound to put into a packet: what they would like, as far as our beat and their most allow."""
    wanted = media.ptime_ms or TICK_MS
    most = next((number(value, 1000) for value in media.attributes("maxptime")), None) or MAX_PACKET_MS
    return max(TICK_MS, min(wanted, most, MAX_PACKET_MS) // TICK_MS * TICK_MS)


def secured_by_offer(media: MediaDescription, terms: Terms) -> tuple[Srtp, Crypto] | Unusable | None:
    """The keys that our answer to this audio agrees on, and its own a=crypto; None for plain RTP."""
    secure, values = media.protocol in SECURE, media.attributes("crypto")
    if terms.secrecy == "off":
        why = f"SRTP alone is offered ({media.protocol}), and srtp is off for this trunk"
        return Unusable(why, media.line) if secure else None
    if not secure and not values:
        why = f"SRTP is required for this trunk, and plain {media.protocol} is offered"
        return Unusable(why, media.line) if terms.secrecy == "required" else None
    theirs = first_usable(values)
    if isinstance(theirs, Crypto):
        ours = Crypto(theirs.tag, theirs.suite, terms.key(theirs.suite))
        return Srtp(theirs.suite, ours.key, theirs.key), ours
    if not secure and terms.secrecy == "optional":
        return None  # keys that we cannot use were offered beside plain RTP
    return Unusable(f"SRTP is offered with no key that can be used: {theirs}", media.line)


def secured_by_answer(ours: MediaDescription, theirs: MediaDescription) -> Srtp | Unusable | None:
    """The keys on which an answer to our audio agrees; None for plain RTP."""
    offered = [read for read in map(first_usable, _one_by_one(ours)) if isinstance(read, Crypto)]
    secure, values = theirs.protocol in SECURE, theirs.attributes("crypto")
    if not secure and not values:
        why = f"SRTP was offered as required, and the answer is plain {theirs.protocol}"
        return Unusable(why, theirs.line) if ours.protocol in SECURE else None
    if not offered:
        why = f"the answer is SRTP ({shown(theirs.protocol)}), and plain {ours.protocol} was offered"
        return Unusable(why, theirs.line) if secure else None
    answered = first_usable(values)
    if isinstance(answered, str):
        return Unusable(f"the answer is SRTP with no key that can be used: {answered}", theirs.line)
    same_suite = [mine for mine in offered if mine.suite == answered.suite]
    if not same_suite:
        return Unusable(f"the answer takes the suite {answered.suite}, which was not offered", theirs.line)
    return Srtp(answered.suite, same_suite[0].key, answered.key)


def _one_by_one(media: MediaDescription) -> list[list[str]]:
    return [[value] for value in media.attributes("crypto")]
