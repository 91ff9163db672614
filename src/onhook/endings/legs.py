"""Calls of several legs: which of them decides how the call ended.

The connected one that ended the call decides; if none was connected, the last to fail. Each leg is read by
itself, as if it were the only one; the others are kept for remarks. What ends a leg counts as its own doing
if the far end did it or a timer of that leg ran out, and as a consequence if our side did it.
"""

from onhook.endings.attempts import Attempt, Reading
from onhook.endings.cast import cast_of, telephone_names
from onhook.endings.reading import read, read_leg
from onhook.endings.reading_parties import goes_on
from onhook.facts import LegDismissed, LegMovedIn, SipSeen, Timeline, TimerFired

NEVER = 1 << 62


def read_call(timeline: Timeline, viewer: str = "") -> Reading:
    """Read a timeline of any number of legs, for the connection `viewer`; the leg that decides is read."""
    reading = read(timeline)
    if reading.several:
        reading = _of_several(timeline, reading)
    reading.viewer = viewer
    return reading


def _of_several(timeline: Timeline, whole: Reading) -> Reading:
    legs = dict.fromkeys(fact.leg for fact in timeline if isinstance(fact, SipSeen | LegMovedIn))
    found = [each for each in (read_leg(timeline, leg) for leg in legs) if each.attempt is not None]
    if not found:
        return whole
    came_in = any(each.attempt is not None and each.attempt.inbound for each in found)
    if whole.parties.users and not came_in:  # where a phone calls, those who ring are told of by its leg
        found.append(read_leg(timeline, None))
    _weigh_requests(found)
    chosen = _deciding(found)
    chosen.talks = [span for each in found if (span := _span(each))[0]]
    chosen.trunks |= telephone_names(cast_of(timeline), legs)
    chosen.beside = [attempt for other in found if other is not chosen for attempt in other.attempts]
    return chosen


def _weigh_requests(found: list[Reading]) -> None:
    """Let the first request to hang up that leaves too few in the call be what stopped it."""
    parties = found[0].parties
    for asked in parties.asked:
        phones = sum(1 for each in found if _talks(each, asked.number))
        if asked.everyone or not goes_on(parties, phones, asked.number):
            for each in found:
                later = not each.stop or each.stop > asked.number  # of those who spoke apart
                if later and not 0 < each.ended < asked.number:
                    each.stop, each.stop_kind = asked.number, "hang-up"
            return


def _talks(reading: Reading, number: int) -> bool:
    """Is its telephone connected at fact `number`?"""
    return talks_at(_span(reading), number)


def talks_at(span: tuple[int, int], number: int) -> bool:
    first, last = span
    return 0 < first < number and not 0 < last < number


def _span(reading: Reading) -> tuple[int, int]:
    """From which fact to which its telephone was connected with the applications."""
    attempt = reading.attempt
    if attempt is None or not attempt.answer:
        return 0, 0
    ends = [number for number in (reading.ended, attempt.dismissed) if number]
    return attempt.answer, min(ends, default=0)


def _deciding(found: list[Reading]) -> Reading:
    found = [each for each in found if not _handed_over(each) and not _replaced(each)] or found
    ours = [each for each in found if each.fault or each.restarted]
    answered = [each for each in found if _answered(each)]
    stopped = [each for each in found if each.stop and each.stop_kind != "no-rtp"]
    stopped = [each for each in stopped if not (_stopped_alone(each) and answered)]
    if ours:
        return max(ours, key=_answered)
    if stopped:  # those that went before are remarks; a telephone tells more than a leg without signalling
        talking = [each for each in stopped if each in answered]
        return (talking or stopped)[0]
    if answered:
        return _last([each for each in answered if _by_itself(each)] or answered)
    came_in = [each for each in found if each.attempt is not None and each.attempt.inbound]
    if came_in:  # its caller is told last, whatever became of the others
        return came_in[0]
    return _last([each for each in found if _by_itself(each)] or found)


def _stopped_alone(reading: Reading) -> bool:
    """Did our side give up this leg only: its time was over, or it was taken back?"""
    fact = reading.timeline[reading.stop - 1]
    return isinstance(fact, TimerFired | LegDismissed) and bool(fact.leg)


def _handed_over(reading: Reading) -> bool:
    """Was it transferred or moved? What it does afterwards is no matter of this call."""
    return reading.attempt is not None and reading.attempt.dismissed_why in {"transferred", "moved"}


def _replaced(reading: Reading) -> bool:
    """Did its trunk fail, and another take its place?"""
    return reading.attempt is not None and reading.attempt.replaced > 0


def _answered(reading: Reading) -> bool:
    attempt, user = reading.attempt, reading.parties.user
    if attempt is not None:
        return bool(attempt.answer)
    return user is not None and bool(user.connected)


def _last(found: list[Reading]) -> Reading:
    return max(found, key=lambda each: _end(each) or NEVER)


def _end(reading: Reading) -> int:
    user = reading.parties.user
    if reading.attempt is None and user is not None:
        return user.over
    return reading.ended


def _by_itself(reading: Reading) -> bool:
    """Did this leg end by its own doing?"""
    attempt, user = reading.attempt, reading.parties.user
    if reading.stop_kind == "no-rtp":
        return True
    if attempt is None:
        return user is not None and user.why in {"none", "busy", "forbidden", "rang-out", "hung-up"}
    return reading.ended > 0 and not _consequence(attempt)


def _consequence(attempt: Attempt) -> bool:
    if attempt.dismissed_why == "removed":  # for the call as good as if it had left
        return False
    if attempt.bye is not None:
        return attempt.bye_sent
    if attempt.final is None:
        return False
    return attempt.inbound or (attempt.cancel is not None and attempt.cancel.fact < attempt.final.fact)
