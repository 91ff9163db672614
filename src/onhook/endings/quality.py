"""How a call sounded, leg by leg: what the counts of RTP say, in numbers and in a word.

`rating` is of what came from the far end, `far_rating` of what it reports of ours. A word is the worst that
any number gives:

| | good up to | fair up to | source |
|---|---|---|---|
| MOS | 4.03 | 3.60 | ITU-T G.109: R of 80 (satisfied) and 70 (some are not), as MOS by G.107 annex B |
| lost | 3 % | 10 % | ITU-T G.1010 for conversation; Microsoft's call diagnostics calls more than 10 % poor |
| jitter | 30 ms | 30 ms | Microsoft's call diagnostics calls more than 30 ms poor |
| round trip | 300 ms | 500 ms | ITU-T G.114: 150 ms each way; call diagnostics: more than 500 ms is poor |
"""

from typing import Any, Literal, TypeAlias

import msgspec

from onhook.endings.cast import Cast, telephone_names
from onhook.facts import CallArrived, MediaMeasured, RouteTaken, RtpStopped, Timeline

Rating: TypeAlias = Literal["good", "fair", "poor", "none", "unknown"]
"""`none`: nothing came that could be used. `unknown`: too little to tell."""

MIN_PACKETS = 50
"""A second of audio: below it no word is said."""
SILENCE_DBOV = -60.0
"""Loudest 20 ms up to which only silence came: speech is at -26 dBov (ITU-T P.56), 34 dB above."""
_ORDER: tuple[Rating, ...] = ("good", "fair", "poor")
_WORST_FIRST: tuple[Rating, ...] = ("none", "poor", "fair", "good")
_LIMITS: dict[str, tuple[float, float]] = {
    "loss_percent": (3.0, 10.0),
    "jitter_ms": (30.0, 30.0),
    "round_trip_ms": (300.0, 500.0),
}
_MOS = (4.03, 3.60)


class LegQuality(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The audio of one leg, from its last count. Percentages are of what should have come."""

    leg: str
    party: str
    """The far end, for people: "trunk carrier"."""
    fact: int
    """The number of the fact that counts."""
    rating: Rating
    far_rating: Rating = "unknown"
    causes: tuple[str, ...] = ()
    """What makes it fair or poor, in words."""
    far_causes: tuple[str, ...] = ()
    codec: str = ""
    remote: str = ""
    sent: int = 0
    received: int = 0
    lost: int = 0
    loss_percent: float = 0.0
    late: int = 0
    jitter_ms: float = 0.0
    round_trip_ms: float | None = None
    mos: float | None = None
    far_loss_percent: float | None = None
    far_jitter_ms: float | None = None
    loudest_dbov: float | None = None
    gaps: int = 0
    """How often RTP stood still."""
    only_silence: bool = False


def as_dict(leg: LegQuality) -> dict[str, Any]:
    """JSON-able, every number included: what is left out of the store is told to programs."""
    return {name: getattr(leg, name) for name in leg.__struct_fields__}


def quality_of(timeline: Timeline) -> tuple[LegQuality, ...]:
    """One for each leg that carried RTP, in the order in which legs were first counted."""
    last: dict[str, tuple[int, MediaMeasured]] = {}
    gaps: dict[str, int] = {}
    trunks: dict[str, str] = {}
    numbers: dict[str, str] = {}
    for number, fact in enumerate(timeline, 1):
        if isinstance(fact, MediaMeasured):
            if _something(fact):
                last[fact.leg] = (number, fact)
        elif isinstance(fact, RtpStopped):
            gaps[fact.leg] = gaps.get(fact.leg, 0) + 1
        elif isinstance(fact, RouteTaken):
            trunks[fact.leg], numbers[fact.leg] = fact.trunk, fact.number
        elif isinstance(fact, CallArrived):
            trunks[fact.leg], numbers[fact.leg] = fact.trunk, fact.caller
    names = telephone_names(Cast(trunks, numbers, {}, {}), last)
    return tuple(
        leg_quality(number, fact, f"trunk {names[leg]}".strip(), gaps.get(leg, 0))
        for leg, (number, fact) in last.items()
    )


def worst(legs: tuple[LegQuality, ...]) -> Rating:
    """The worst word of any leg, in either direction; "unknown" if there is none."""
    words = {word for leg in legs for word in (leg.rating, leg.far_rating)}
    for word in _WORST_FIRST:
        if word in words:
            return word
    return "unknown"


def _something(counted: MediaMeasured) -> bool:
    useless = counted.wrong_codec + counted.undecipherable + counted.foreign + counted.junk
    return bool(counted.sent or counted.received or useless)


def leg_quality(number: int, counted: MediaMeasured, party: str, gaps: int = 0) -> LegQuality:
    """The quality that the count `counted`, fact `number`, shows."""
    loss = _percent(counted.lost, counted.received + counted.lost)
    far_loss = None if counted.far_lost is None else _percent(counted.far_lost, counted.sent)
    rating, causes = _rate(counted, loss)
    far_rating, far_causes = _rate_far(counted, far_loss)
    loudest = counted.loudest_dbov
    return LegQuality(
        leg=counted.leg,
        party=party,
        fact=number,
        rating=rating,
        far_rating=far_rating,
        causes=causes,
        far_causes=far_causes,
        codec=counted.codec,
        remote=counted.remote,
        sent=counted.sent,
        received=counted.received,
        lost=counted.lost,
        loss_percent=loss,
        late=counted.late,
        jitter_ms=round(counted.jitter_ms, 1),
        round_trip_ms=counted.round_trip_ms,
        mos=counted.mos,
        far_loss_percent=far_loss,
        far_jitter_ms=counted.far_jitter_ms,
        loudest_dbov=loudest,
        gaps=gaps,
        only_silence=counted.received >= MIN_PACKETS and loudest is not None and loudest <= SILENCE_DBOV,
    )


def _rate(counted: MediaMeasured, loss: float) -> tuple[Rating, tuple[str, ...]]:
    """What came from the far end."""
    if not counted.received:
        return ("none" if counted.sent >= MIN_PACKETS else "unknown"), ()
    if counted.received + counted.lost < MIN_PACKETS:
        return "unknown", ()
    found = [
        (_beyond("loss_percent", loss), f"{loss:.1f} % of its packets were lost ({counted.lost})"),
        (_beyond("jitter_ms", counted.jitter_ms), f"jitter {counted.jitter_ms:.0f} ms"),
        (_beyond("round_trip_ms", counted.round_trip_ms), f"round trip {counted.round_trip_ms or 0:.0f} ms"),
        (_below(counted.mos), f"MOS {counted.mos or 0:.1f}"),
    ]
    return _worst(found)


def _rate_far(counted: MediaMeasured, loss: float | None) -> tuple[Rating, tuple[str, ...]]:
    """What the far end reports of ours."""
    if loss is None or counted.sent < MIN_PACKETS:
        return "unknown", ()
    jitter = counted.far_jitter_ms
    found = [
        (_beyond("loss_percent", loss), f"{loss:.1f} % of our packets were lost ({counted.far_lost})"),
        (_beyond("jitter_ms", jitter), f"jitter {jitter or 0:.0f} ms"),
    ]
    return _worst(found)


def _worst(found: list[tuple[int, str]]) -> tuple[Rating, tuple[str, ...]]:
    degree = max(degree for degree, _ in found)
    return _ORDER[degree], tuple(words for at, words in found if at)


def _beyond(name: str, value: float | None) -> int:
    return 0 if value is None else sum(value > limit for limit in _LIMITS[name])


def _below(mos: float | None) -> int:
    return 0 if mos is None else sum(mos < limit for limit in _MOS)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole > 0 else 0.0
