"""Rules for calls that came in and were never answered: `Reading` -> `Finding`, or None."""

from onhook.endings import finding as say
from onhook.endings.attempts import Attempt, Reading
from onhook.endings.finding import Finding, ordered
from onhook.endings.hearing import unheard_call
from onhook.endings.rules_own import Find
from onhook.endings.signals import printable
from onhook.endings.verdict import Proof
from onhook.facts import DoorRefusal, InboundRefused


def _unanswered(reading: Reading) -> Attempt | None:
    """The deciding attempt, if it came in, we did not answer, and the caller did not take it back."""
    attempt = reading.attempt
    if attempt is None or not attempt.inbound or attempt.answer or attempt.cancel is not None:
        return None
    return attempt


def caller_gave_up(reading: Reading) -> Finding | None:
    """The caller took the call back before we answered it."""
    attempt = reading.attempt
    if attempt is None or not attempt.inbound or attempt.answer or attempt.cancel is None:
        return None
    return Finding(ordered([*say.path(reading, attempt), say.cancelled(reading, attempt)]), attempt.cancel)


def caller_unreachable(reading: Reading) -> Finding | None:
    """A response of ours could not be carried to the caller, who waits for an answer."""
    attempt = _unanswered(reading)
    if attempt is None or not attempt.failure or attempt.final is not None:
        return None
    return _refused(reading, attempt, say.failure(reading, attempt.failure))


def refused_at_the_door(why: DoorRefusal) -> Find:
    """A rule for one reason to refuse a call before any application could hear of it."""

    def find(reading: Reading) -> Finding | None:
        fact = _door(reading) if reading.door else None
        if fact is None or fact.why != why:
            return None
        return _refused(reading, reading.attempt)

    return find


def rejected(status: int) -> Find:
    """A rule for rejectCall, by the status that its reason stands for."""

    def find(reading: Reading) -> Finding | None:
        attempt = _unanswered(reading)
        if attempt is None or attempt.final is None or attempt.final.status != status:
            return None
        return _refused(reading, attempt) if reading.parties.decided == "reject" else None

    return find


def unheard(reading: Reading) -> Finding | None:
    """Nobody answered within the ring time, and no application had heard of the call by then."""
    attempt = _rang_out(reading)
    why = unheard_call(reading.timeline[: reading.rung_out]) if attempt else []
    if attempt is None or not why:
        return None
    return _refused(reading, attempt, *why, say.rung_out(reading, "nobody answered, for nobody knew"))


def unanswered(reading: Reading) -> Finding | None:
    """Nobody answered within the ring time."""
    attempt = _rang_out(reading)
    if attempt is None:
        return None
    return _refused(reading, attempt, say.rung_out(reading, "no application had answered or rejected it"))


def redirected_in_vain(reading: Reading) -> Finding | None:
    """The application redirected the call, and where it went nobody took it."""
    attempt = _unanswered(reading)
    if attempt is None or attempt.final is None or reading.parties.decided != "redirect":
        return None
    tried: list[Proof | None] = []
    for other in reading.beside:
        tried += [say.offered(reading, other), say.outcome(reading, other)]
    for user in reading.parties.users.values():
        tried += [say.user_called(user), say.user_outcome(user)]
    return _refused(reading, attempt, *tried)


def inbound_busy(reading: Reading) -> Finding | None:
    """We refused a call that came in, with 486."""
    attempt = _unanswered(reading)
    if attempt is None or attempt.final is None or attempt.final.status != 486:
        return None
    return _refused(reading, attempt)


def inbound_refused(reading: Reading) -> Finding | None:
    """We refused a call that came in."""
    attempt = _unanswered(reading)
    return None if attempt is None or attempt.final is None else _refused(reading, attempt)


def _rang_out(reading: Reading) -> Attempt | None:
    attempt = _unanswered(reading)
    return attempt if attempt is not None and reading.rung_out else None


def _refused(reading: Reading, attempt: Attempt | None, *extra: Proof | None) -> Finding:
    proofs: list[Proof | None] = [] if attempt is None else say.path(reading, attempt)
    proofs += [*extra, _door_proof(reading)]
    if attempt is None:
        return Finding(ordered(proofs))
    return Finding(ordered([*proofs, say.final(reading, attempt)]), attempt.final)


def _door(reading: Reading) -> InboundRefused | None:
    fact = reading.timeline[reading.door - 1] if reading.door else None
    return fact if isinstance(fact, InboundRefused) else None


def _door_proof(reading: Reading) -> Proof | None:
    fact = _door(reading)
    if fact is None:
        return None
    number = printable(fact.number) or "an empty number"
    words = f"the call for {number} was not let in: {printable(fact.detail, 200) or fact.why}"
    return Proof(reading.door, words)
