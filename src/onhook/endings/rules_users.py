"""Rules for users without a telephone, and for one application among several: `Reading` -> `Finding`."""

from onhook.endings import finding as say
from onhook.endings.attempts import Reading
from onhook.endings.cast import user_name
from onhook.endings.finding import Finding, ordered
from onhook.endings.hearing import unheard_call
from onhook.endings.legs import talks_at
from onhook.endings.parties import Asked, Connection, UserLeg
from onhook.endings.reading_parties import goes_on
from onhook.endings.rules_own import Find
from onhook.endings.verdict import Proof
from onhook.facts import ApiRequested, UserLegCause

TAKEN_OUT: dict[UserLegCause, tuple[str, str]] = {
    "transferred": (
        "transferToParticipant",
        "the target had taken the call, and this application left it",
    ),
    "removed": ("removeParticipant", "another application took this one out of the call"),
}
"""Why a connection left without asking: the operation that asked for it, and what its leaving shows."""
DECLINED = frozenset({"none", "busy", "forbidden"})
"""Reasons of rejectCall."""


def user_declined(reading: Reading) -> Finding | None:
    """The application of the user who was called rejected the call."""
    user = _lost_user(reading)
    if user is None or user.why not in DECLINED:
        return None
    shows = f"{user_name(user.user)} declined the call ({user.why})"
    return Finding(ordered([*_rang(reading, user), Proof(user.over, shows)]))


def user_not_registered(reading: Reading) -> Finding | None:
    """No application heard that the user was called."""
    user = _lost_user(reading)
    if user is None or user.why != "rang-out":
        return None
    why = unheard_call(reading.timeline[: user.over])
    return Finding(ordered([*_rang(reading, user), *why, _ring_time(reading, user)])) if why else None


def user_rang_out(reading: Reading) -> Finding | None:
    """The user was called, and nobody answered or declined within the ring time."""
    user = _lost_user(reading)
    if user is None or user.why != "rang-out":
        return None
    return Finding(ordered([*_rang(reading, user), _ring_time(reading, user)]))


def taken_out(why: UserLegCause) -> Find:
    """A rule for an application that was taken out of the call, which may have gone on without it."""
    operation, shows = TAKEN_OUT[why]

    def find(reading: Reading) -> Finding | None:
        viewer = _viewer(reading)
        if viewer is None or viewer.why != why:
            return None
        asked = [
            Proof(number, f"it was asked for ({operation})")
            for number, fact in enumerate(reading.timeline[: viewer.left], 1)
            if isinstance(fact, ApiRequested) and fact.operation == operation and fact.status < 300
        ]
        return Finding(ordered([*_joined(viewer), *asked[-1:], Proof(viewer.left, shows)]))

    return find


def left_before(reading: Reading) -> Finding | None:
    """The application that asks had hung up while the call went on for others."""
    viewer = _viewer(reading)
    if viewer is None or not viewer.left or not reading.viewer or viewer.left == reading.stop:
        return None
    if viewer.why not in {"", "hung-up"}:
        return None
    if reading.ended and viewer.left > reading.ended and not _went_on(reading, viewer.left):
        return None
    shows = "this application left the call, which went on without it"
    return Finding(ordered([*_joined(viewer), Proof(viewer.left, shows)]))


def _went_on(reading: Reading, number: int) -> bool:
    """Were enough left in the call after fact `number`, though the leg that decides was gone by then?"""
    phones = sum(1 for span in reading.talks if talks_at(span, number))
    return goes_on(reading.parties, phones, number)


def left_alone(reading: Reading) -> Finding | None:
    """Another application hung up, and nobody was left to talk to."""
    if len(reading.parties.connections) < 2:
        return None
    viewer, leaving = _viewer(reading), _decisive(reading)
    if viewer is None or leaving is None or leaving.everyone:
        return None
    left, number = reading.parties.connection(leaving.connection), leaving.number
    if left is viewer or 0 < viewer.left < number or viewer.joined > number:
        return None
    shows = "another application left the call, and one participant remained"
    return Finding(ordered([*_talked(reading), *_joined(viewer), Proof(number, shows)]))


def user_hung_up(reading: Reading) -> Finding | None:
    """An application ended a call between users."""
    user = None if reading.attempts else reading.parties.user
    if user is None or not user.connected or reading.stop_kind != "hang-up":
        return None
    return Finding(ordered([*_talked(reading), say.stopped(reading)]))


def user_call_too_long(reading: Reading) -> Finding | None:
    """A call between users reached the longest time a call may last."""
    user = None if reading.attempts else reading.parties.user
    if user is None or not user.connected or reading.stop_kind != "duration":
        return None
    return Finding(ordered([*_talked(reading), say.stopped(reading)]))


def _lost_user(reading: Reading) -> UserLeg | None:
    """The user who decides, if no telephone does and nobody answered."""
    if not reading.parties.users or reading.attempts:
        return None
    user = reading.parties.user
    if user is None or user.connected:
        return None
    return user if user.over and not reading.stop else None


def _rang(reading: Reading, user: UserLeg) -> list[Proof | None]:
    return [say.announced(reading), *say.decided(reading), say.user_called(user)]


def _ring_time(reading: Reading, user: UserLeg) -> Proof:
    timed = say.timer(reading, user.over, "nobody had answered or declined")
    return timed or Proof(user.over, f"{user_name(user.user)} rang until the ring time was over")


def _talked(reading: Reading) -> list[Proof | None]:
    user = reading.parties.user
    if user is None or not user.connected:
        return []
    return [*_rang(reading, user), say.user_outcome(user)]


def _joined(connection: Connection) -> list[Proof | None]:
    return [Proof(connection.joined, "this application joined the call")] if connection.joined else []


def _viewer(reading: Reading) -> Connection | None:
    """The connection that the call is judged for."""
    connections = reading.parties.connections
    first = next(iter(connections.values()), None)
    return connections.get(reading.viewer, first if not reading.viewer or "" in connections else None)


def _decisive(reading: Reading) -> Asked | None:
    """What left too few in the call: a request to hang up, or the mere fact that a connection left."""
    by_request = next((each for each in reading.parties.asked if each.number == reading.stop), None)
    return reading.parties.emptied if by_request is None and not reading.stop else by_request
