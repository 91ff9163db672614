"""Who heard of a call by Event Grid, and if nobody did, why not: subscription, its state, its last attempt.

The first tip of Microsoft's troubleshooting page: no IncomingCall arrives because the endpoint never proved
that it wants events.
"""

from typing import NamedTuple

from onhook.endings.signals import printable
from onhook.endings.verdict import Proof
from onhook.facts import GridAttempted, GridFate, GridListener, GridUnheard, Timeline

INCOMING_CALL = "Microsoft.Communication.IncomingCall"
MAX_WORDS = 300
"""Characters of one reason; endpoints and certificates can be talkative."""


class Listener(NamedTuple):
    """A subscription that an event did not reach. `fact` is the number of the fact that shows it."""

    fact: int
    subscription: str
    state: str
    """Its provisioning state when the event was published."""
    why: str
    last_attempt: str
    """What the last request to its endpoint came to; empty if there was none."""
    last_attempt_at: float | None
    fate: GridFate | None = None
    """What followed the last attempt to deliver this very event; None if none was made."""

    @property
    def shows(self) -> str:
        """One sentence of evidence."""
        words = f"subscription {self.subscription} ({self.state}): {self.why}"
        if self.last_attempt and self.last_attempt not in self.why:
            words += f"; its last attempt: {self.last_attempt}"
        return printable(words, MAX_WORDS)


class Hearing(NamedTuple):
    """What became of one event. `fact` is the number of the first fact about it."""

    fact: int
    event_id: str
    event_type: str
    resource: str
    """Known if no subscription took the event."""
    taken_by: tuple[str, ...]
    missed_by: tuple[Listener, ...]

    @property
    def heard(self) -> bool:
        return bool(self.taken_by)

    @property
    def proofs(self) -> list[Proof]:
        """Why nobody heard, a line a subscription; none if somebody did."""
        if self.taken_by:
            return []
        kind = self.event_type.rpartition(".")[2]
        if not self.missed_by:
            words = f"resource {self.resource} has no event subscription, so nobody heard of {kind}"
            return [Proof(self.fact, printable(words, MAX_WORDS))]
        return [Proof(each.fact, f"{kind} was not heard: {each.shows}") for each in self.missed_by]


def heard(timeline: Timeline) -> tuple[Hearing, ...]:
    """A Hearing for each Event Grid event of the call, in the order of their first facts."""
    found: dict[str, Hearing] = {}
    for number, fact in enumerate(timeline, 1):
        if isinstance(fact, GridUnheard):
            missed = tuple(_passed_over(number, each) for each in fact.listeners)
            told = Hearing(number, fact.event_id, fact.event_type, fact.resource, (), missed)
            found.setdefault(fact.event_id, told)
        elif isinstance(fact, GridAttempted):
            before = found.get(fact.event_id)
            before = before or Hearing(number, fact.event_id, fact.event_type, "", (), ())
            found[fact.event_id] = _after(before, fact, number)
    return tuple(found.values())


def unheard_call(timeline: Timeline) -> list[Proof]:
    """Why no application heard of the incoming call; none if one did, or nothing was published."""
    hearings = [each for each in heard(timeline) if each.event_type == INCOMING_CALL]
    if any(each.heard for each in hearings):
        return []
    return [proof for each in hearings for proof in each.proofs]


def _passed_over(number: int, listener: GridListener) -> Listener:
    return Listener(
        number,
        listener.subscription,
        listener.state,
        listener.why,
        listener.last_attempt,
        listener.last_attempt_at,
    )


def _after(hearing: Hearing, fact: GridAttempted, number: int) -> Hearing:
    others = tuple(each for each in hearing.missed_by if each.subscription != fact.subscription)
    if fact.fate == "delivered":
        taken = dict.fromkeys((*hearing.taken_by, fact.subscription))
        return hearing._replace(taken_by=tuple(taken), missed_by=others)
    if fact.subscription in hearing.taken_by:  # delivered before, and again in vain
        return hearing
    answer = f"{fact.status} {fact.error}".strip() if fact.status is not None else fact.error or "no answer"
    follows = "it was to be tried again" if fact.fate == "retry" else "it was given up"
    words = f"attempt {fact.attempt} came to {answer}, and {follows}"
    # only a subscription that was validated gets attempts
    missed = Listener(number, fact.subscription, "Succeeded", words, answer, fact.at, fact.fate)
    return hearing._replace(missed_by=(*others, missed))
