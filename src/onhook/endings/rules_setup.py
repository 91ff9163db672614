"""Rules for outbound calls that were never answered: `Reading` -> `Finding`, or None."""

from collections.abc import Callable
from typing import TypeAlias

from onhook.endings import finding as say
from onhook.endings.attempts import Attempt, Reading
from onhook.endings.finding import Finding, ordered
from onhook.endings.verdict import Proof
from onhook.facts import TransportFailed

Find: TypeAlias = Callable[[Reading], Finding | None]


def _unanswered(reading: Reading) -> Attempt | None:
    """The deciding attempt, if it is outbound and nobody answered."""
    attempt = reading.attempt
    return None if attempt is None or attempt.inbound or attempt.answer else attempt


def cancelled_by_app(reading: Reading) -> Finding | None:
    """The application ended the call before it was answered, or before it was even offered."""
    attempt = reading.attempt
    if reading.stop_kind != "hang-up":
        return None
    if attempt is None:
        return Finding(ordered([say.stopped(reading)]))
    if attempt.inbound or attempt.answer:
        return None
    proofs = [*say.path(reading, attempt), say.stopped(reading), say.cancelled(reading, attempt)]
    return Finding(ordered([*proofs, say.final(reading, attempt)]), attempt.final)


def malformed_answer(reading: Reading) -> Finding | None:
    """Bytes came from the trunk that are no SIP, and no final response that is."""
    attempt = _unanswered(reading)
    if attempt is None or not attempt.unreadable or attempt.final:
        return None
    if not (attempt.silent or reading.stop_kind == "setup"):
        return None
    proofs = [say.unreadable(reading, number) for number in attempt.unreadable[:3]]
    waited = say.timer(reading, attempt.silent, "no readable response had come") or say.stopped(reading)
    return Finding(ordered([*say.path(reading, attempt), *proofs, waited]))


def rang_out(reading: Reading) -> Finding | None:
    """It rang until the time for the set-up was over; we took the call back."""
    attempt = _unanswered(reading)
    if attempt is None or reading.stop_kind != "setup" or not attempt.ringing:
        return None
    return _timed_out(reading, attempt)


def trunk_stalled(reading: Reading) -> Finding | None:
    """The trunk said 100 Trying and nothing more, until the time for the set-up was over."""
    attempt = _unanswered(reading)
    if attempt is None or reading.stop_kind != "setup" or attempt.ringing or not attempt.first_response:
        return None
    return _timed_out(reading, attempt)


def _timed_out(reading: Reading, attempt: Attempt) -> Finding:
    first = Proof(attempt.first_response, f"{reading.party(attempt.leg)} took note of the call")
    proofs = [first, *say.path(reading, attempt), say.stopped(reading), say.cancelled(reading, attempt)]
    return Finding(ordered([*proofs, say.final(reading, attempt)]), attempt.final)


def trunk_silent(reading: Reading) -> Finding | None:
    """No response of any kind: the no-response time, timer B or the set-up time ran out."""
    attempt = _unanswered(reading)
    if attempt is None or attempt.first_response or attempt.failure:
        return None
    waited = say.timer(reading, attempt.silent, "the trunk had sent nothing at all")
    if waited is None and reading.stop_kind == "setup" and attempt.invite:
        waited = say.stopped(reading)
    return Finding(ordered([say.offered(reading, attempt), waited])) if waited else None


def _failure(reading: Reading) -> tuple[Attempt, TransportFailed] | None:
    attempt = _unanswered(reading)
    if attempt is None or not attempt.failure:
        return None
    fact = reading.timeline[attempt.failure - 1]
    return (attempt, fact) if isinstance(fact, TransportFailed) else None


def undelivered(word: str) -> Find:
    """A rule for transport failures whose text begins with `word` (the words of net/failures.py)."""

    def find(reading: Reading) -> Finding | None:
        found = _failure(reading)
        if found is None or not found[1].error.startswith(f"{word}:"):
            return None
        return _undelivered(reading, found[0])

    return find


def trunk_unreachable(reading: Reading) -> Finding | None:
    """The INVITE could not be carried: refused, reset, timed out, unreachable."""
    found = _failure(reading)
    return None if found is None else _undelivered(reading, found[0])


def _undelivered(reading: Reading, attempt: Attempt) -> Finding:
    return Finding(ordered([say.offered(reading, attempt), say.failure(reading, attempt.failure)]))


def credentials_refused(reading: Reading) -> Finding | None:
    """401 or 407 stood, or 403 came right after a challenge."""
    attempt = _unanswered(reading)
    if attempt is None or attempt.final is None:
        return None
    status = attempt.final.status
    if status not in {401, 407} and not (status == 403 and attempt.challenges):
        return None
    asked = [Proof(number, "the trunk asked for credentials") for number in attempt.challenges]
    return Finding(ordered([*asked, *say.path(reading, attempt), say.final(reading, attempt)]), attempt.final)


def refused_with(first: int, last: int | None = None) -> Find:
    """A rule for a final status, or for a range of them."""
    top = first if last is None else last

    def find(reading: Reading) -> Finding | None:
        attempt = reading.attempt
        if attempt is None or attempt.final is None or attempt.inbound:
            return None
        if not first <= attempt.final.status <= top:
            return None
        proofs = [*say.path(reading, attempt), say.final(reading, attempt)]
        return Finding(ordered(proofs), attempt.final)

    return find
