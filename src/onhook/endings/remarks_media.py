"""Remarks about audio: none, one way, silence, gaps, and what made it sound bad, with the numbers."""

from onhook.endings import finding as say
from onhook.endings.attempts import Attempt, Reading
from onhook.endings.quality import LegQuality, leg_quality
from onhook.endings.rules_media import UNHEARD, far_end_sends, one_way
from onhook.endings.signals import printable
from onhook.endings.verdict import Proof
from onhook.facts import MediaMeasured, RelayFailed, RtpResumed

MEDIA_GAP_SECONDS = 5.0
"""Silence before the end from which on it is worth a remark."""
MANY_SOURCES = 5
"""SSRCs of one leg from which on it is worth a remark: each hold or transfer may bring a new one."""
MANY_USELESS = 50
"""Packets of no use, a second of audio, from which on they are worth a remark."""
LATE_PERCENT = 3.0
"""Share of packets that came too late to be played: as bad as if they were lost."""


def media_remarks(reading: Reading) -> list[Proof]:
    """Of every leg that was answered and counted, whether or not it decides."""
    found: list[Proof] = []
    for attempt in [*reading.attempts, *reading.beside]:
        counted = say.media(reading, attempt.media)
        if counted is None or not attempt.answer:
            continue
        found += [Proof(attempt.media, words) for words in _of_leg(reading, attempt, counted)]
        found += _gaps(reading, attempt)
    return [*found, *_relays(reading)]


def _of_leg(reading: Reading, attempt: Attempt, counted: MediaMeasured) -> list[str]:
    who = reading.party(attempt.leg)
    if not counted.received:
        held = "" if far_end_sends(reading, attempt) else f"; {who} had said that it does not send"
        said = next(filter(None, (words(counted, who) for words in UNHEARD)), "")
        return [said + held]
    quality = leg_quality(attempt.media, counted, who)
    there = one_way(counted, who) or _bad_there(quality)
    return [
        *filter(None, (there, _bad(quality), _only_silence(quality))),
        *_useless(counted, who),
        *_before_the_end(reading, attempt, counted),
    ]


def _bad(quality: LegQuality) -> str:
    if not quality.causes:
        return ""
    return f"audio of {quality.party} was {quality.rating}: {', '.join(quality.causes)}"


def _bad_there(quality: LegQuality) -> str:
    if not quality.far_causes:
        return ""
    causes = ", ".join(quality.far_causes)
    return f"our audio was {quality.far_rating} at {quality.party}, as it reports: {causes}"


def _only_silence(quality: LegQuality) -> str:
    if not quality.only_silence:
        return ""
    return (
        f"{quality.party} sent silence only: the loudest of {quality.received} packets had "
        f"{quality.loudest_dbov:.0f} dBov, and speech has about -26"
    )


def _useless(counted: MediaMeasured, who: str) -> list[str]:
    found: list[str] = []
    for count, what in (
        (counted.foreign, f"from another address than that of {who}"),
        (counted.wrong_codec, "of a payload type that was not agreed on"),
        (counted.undecipherable, "that the agreed keys do not open"),
        (counted.junk, "that are no RTP"),
    ):
        if count >= MANY_USELESS:
            found.append(f"{count} packets came {what}, and were dropped")
    late = 100 * counted.late / (counted.received + counted.lost)
    if late > LATE_PERCENT and counted.late >= MANY_USELESS:
        found.append(f"{late:.1f} % of the packets of {who} came too late to be played ({counted.late})")
    if counted.streams >= MANY_SOURCES:
        found.append(f"{who} began {counted.streams} RTP streams (SSRC), where one is usual")
    return found


def _before_the_end(reading: Reading, attempt: Attempt, counted: MediaMeasured) -> list[str]:
    if attempt.bye is None or counted.last_received_at is None:
        return []
    gap = reading.timeline[attempt.bye.fact - 1].at - counted.last_received_at
    return [f"the last RTP had come {gap:.1f} s before the end"] if gap >= MEDIA_GAP_SECONDS else []


def _gaps(reading: Reading, attempt: Attempt) -> list[Proof]:
    """Where RTP stood still and came again."""
    found: list[Proof] = []
    for number in attempt.rtp_resumed:
        fact = reading.timeline[number - 1]
        if isinstance(fact, RtpResumed):
            words = f"RTP of {reading.party(attempt.leg)} had stood still for {fact.silent_seconds:.1f} s"
            found.append(Proof(number, words))
    return found


def _relays(reading: Reading) -> list[Proof]:
    """What rtpengines did not carry, for whichever leg."""
    found: list[Proof] = []
    for number in reading.relays:
        fact = reading.timeline[number - 1]
        if isinstance(fact, RelayFailed):
            words = f"rtpengine {fact.engine} did not carry the audio: {printable(fact.why, 160)}"
            found.append(Proof(number, words))
    return found
