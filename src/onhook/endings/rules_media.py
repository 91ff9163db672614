"""Rules for calls that were up and had no audio: `Reading` -> `Finding`, or None.

Two things end such a call: the far end hangs up on the silence, or our side does, once no RTP has come for
the time that the setting allows. The ending is the same, for its cause is; the codes are those of how it
ended: a pair of media for our own doing, that of the hang-up for the far end's.
"""

from collections.abc import Callable
from typing import TypeAlias

from onhook.endings import finding as say
from onhook.endings.attempts import Attempt, Reading
from onhook.endings.finding import Finding, ordered
from onhook.endings.rules_talking import NORMAL_CAUSES
from onhook.endings.signals import body_of, printable
from onhook.endings.verdict import Proof
from onhook.facts import MediaMeasured, RelayFailed, RtpStopped, SipSeen
from onhook.sip.sdp import Direction, Unusable, parse_sdp

Find: TypeAlias = Callable[[Reading], Finding | None]


Words: TypeAlias = Callable[[MediaMeasured, str], str | None]
"""What the counts of a leg prove of its far end, in a sentence; None if they do not prove it."""

MIN_PACKETS = 50
"""A second of audio: fewer packets prove nothing."""
MIN_TALK_SECONDS = 3.0
"""Between answer and hang-up; audio through several gateways can take as long to begin."""
DEAF_SHARE = 0.9
"""Share of our packets that the far end misses from which on it cannot have understood a word."""
HEARING_SHARE = 0.2
"""Share that it may miss and still hear us."""

PHONE_HUNG_UP = (0, 560000)
CALLER_HUNG_UP = (0, 540000)
SENDING: frozenset[Direction] = frozenset({"sendrecv", "sendonly"})


def undecipherable(counted: MediaMeasured, who: str) -> str | None:
    """SRTP that our keys do not open, from the first packet on or later."""
    if counted.undecipherable < MIN_PACKETS:
        return None
    others = f"after {counted.received} that they did" if counted.received else "and none that they do"
    return (
        f"{counted.undecipherable} packets came from {who} that the agreed keys do not open, {others} "
        f"({counted.sent} sent)"
    )


def in_another_codec(counted: MediaMeasured, who: str) -> str | None:
    """Packets of payload types that nobody agreed on."""
    if counted.wrong_codec < MIN_PACKETS:
        return None
    types = ", ".join(map(str, counted.wrong_types)) or "unknown"
    agreed = f", where {counted.codec} was agreed on" if counted.codec else ""
    before = f", after {counted.received} that could be used" if counted.received else ""
    return (
        f"{counted.wrong_codec} packets came from {who} with payload type {types}{agreed}{before} "
        f"({counted.sent} sent)"
    )


def one_way(counted: MediaMeasured, who: str) -> str | None:
    """The far end's own reports say that it hears us, or that it does not."""
    if counted.far_lost is None or counted.sent < MIN_PACKETS:
        return None
    missed = counted.far_lost / counted.sent
    if not counted.received and missed <= HEARING_SHARE:
        return (
            f"no RTP came from {who}, which reports that it got {counted.sent - counted.far_lost} of our "
            f"{counted.sent} packets: it heard us, and we did not hear it"
        )
    if counted.received >= MIN_PACKETS and missed >= DEAF_SHARE:
        return (
            f"{counted.received} packets came from {who}, which reports that {counted.far_lost} of our "
            f"{counted.sent} never arrived: we heard it, and it did not hear us"
        )
    return None


def nothing(counted: MediaMeasured, who: str) -> str | None:
    """Not one packet that could be used."""
    if counted.received:
        return None
    others = {
        "from another address": counted.foreign,
        "that were no RTP": counted.junk,
        "that could not be deciphered": counted.undecipherable,
        "of other payload types": counted.wrong_codec,
    }
    useless = ", ".join(f"{count} {what}" for what, count in others.items() if count)
    came = f"; of no use were {useless}" if useless else ""
    return f"no RTP came from {who} while the call was up ({counted.sent} packets sent{came})"


def stopped(counted: MediaMeasured, who: str) -> str | None:
    """Audio came, and then none."""
    return f"{counted.received} packets had come from {who}, and then none" if counted.received else None


def from_the_first(words: Words) -> Words:
    """The same, where not one packet could be used."""

    def proved(counted: MediaMeasured, who: str) -> str | None:
        return None if counted.received else words(counted, who)

    return proved


UNHEARD: tuple[Words, ...] = (undecipherable, in_another_codec, one_way, nothing)
"""Why nothing was heard, the cause that says most first."""


def silent(words: Words) -> Find:
    """Our side ended the call, as no RTP had come for too long."""

    def find(reading: Reading) -> Finding | None:
        attempt = reading.attempt
        if attempt is None or not attempt.answer or reading.stop_kind != "no-rtp":
            return None
        counted = say.media(reading, attempt.media) or _at_the_stop(reading, attempt)
        if counted is None:
            return None
        shows = words(counted, reading.party(attempt.leg))
        if shows is None:
            return None
        return _found(reading, attempt, Proof(attempt.media or attempt.rtp_stopped, shows))

    return find


def unheard(words: Words) -> Find:
    """The far end hung up in the usual way, on a call without audio."""

    def find(reading: Reading) -> Finding | None:
        counted = say.media(reading, reading.attempt.media) if reading.attempt else None
        if counted is None or counted.sent < MIN_PACKETS or _heard_both_ways(counted):
            return None
        attempt = _hung_up(reading)
        if attempt is None:
            return None
        shows = words(counted, reading.party(attempt.leg))
        if shows is None or not (counted.received or far_end_sends(reading, attempt)):
            return None
        return _with_pair(attempt, _found(reading, attempt, Proof(attempt.media, shows)))

    return find


def relay_failed(reading: Reading) -> Finding | None:
    """The rtpengine of the leg did not carry it, and nothing was heard from then on."""
    attempt = reading.attempt
    if attempt is None or not attempt.answer or not reading.relays:
        return None
    ours = reading.stop_kind == "no-rtp"
    counted = say.media(reading, attempt.media)
    if not ours and _hung_up(reading) is None:
        return None
    for number, fact in enumerate(reading.timeline, 1):
        if isinstance(fact, RelayFailed) and fact.leg == attempt.leg and not _heard_after(counted, fact.at):
            shows = f"rtpengine {fact.engine} did not carry the audio: {printable(fact.why, 160)}"
            found = _found(reading, attempt, Proof(number, shows))
            return found if ours else _with_pair(attempt, found)
    return None


def _heard_after(counted: MediaMeasured | None, at: float) -> bool:
    """Did packets come after that? If it is not known when they came, they did."""
    if counted is None or not counted.received:
        return False
    return counted.last_received_at is None or counted.last_received_at > at


def _heard_both_ways(counted: MediaMeasured) -> bool:
    """As far as is known. Most calls are like that, and need no closer look."""
    return counted.received > 0 and not counted.far_lost


def _hung_up(reading: Reading) -> Attempt | None:
    """The deciding attempt, if its far end hung up in the usual way after it could have heard something."""
    attempt = reading.attempt
    if attempt is None or not attempt.answer or attempt.bye is None or attempt.bye_sent or reading.stop:
        return None
    usual = attempt.bye.reasons.q850_cause in {None, *NORMAL_CAUSES}
    return attempt if usual and _talked(reading, attempt) else None


def _with_pair(attempt: Attempt, found: Finding) -> Finding:
    return found._replace(pair=CALLER_HUNG_UP if attempt.inbound else PHONE_HUNG_UP)


def _found(reading: Reading, attempt: Attempt, media: Proof) -> Finding:
    proofs = [*say.path(reading, attempt), _stood_still(reading, attempt), media]
    proofs += [say.stopped(reading), say.released(reading, attempt)]
    return Finding(ordered(proofs), attempt.bye)


def _talked(reading: Reading, attempt: Attempt) -> bool:
    """Was the call up for long enough to say that audio should have come?"""
    if attempt.bye is None:
        return False
    up = reading.timeline[attempt.bye.fact - 1].at - reading.timeline[attempt.answer - 1].at
    return up >= MIN_TALK_SECONDS


def _stood_still(reading: Reading, attempt: Attempt) -> Proof | None:
    fact = reading.timeline[attempt.rtp_stopped - 1] if attempt.rtp_stopped else None
    if not isinstance(fact, RtpStopped):
        return None
    who = reading.party(attempt.leg)
    return Proof(attempt.rtp_stopped, f"no RTP had come from {who} for {fact.silent_seconds:.1f} s")


def _at_the_stop(reading: Reading, attempt: Attempt) -> MediaMeasured | None:
    """Counts of the moment when RTP stood still, where none of the end are known."""
    fact = reading.timeline[attempt.rtp_stopped - 1] if attempt.rtp_stopped else None
    if not isinstance(fact, RtpStopped):
        return None
    return MediaMeasured(at=fact.at, leg=fact.leg, sent=fact.sent, received=fact.received)


def far_end_sends(reading: Reading, attempt: Attempt) -> bool:
    """Does the last description of the far end say that it sends? Without any, it does."""
    end = attempt.bye.fact if attempt.bye else len(reading.timeline)
    for fact in reversed(reading.timeline[:end]):
        if not isinstance(fact, SipSeen) or fact.direction != "received" or fact.leg != attempt.leg:
            continue
        if b"m=audio" not in fact.message:
            continue
        described = parse_sdp(body_of(fact.message))
        if not isinstance(described, Unusable) and described.media:
            return described.direction_of(described.media[0]) in SENDING
    return True
