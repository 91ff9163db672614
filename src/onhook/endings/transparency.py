"""What trunks make of causes: which ones may stand behind one that was seen, and what that does to a verdict.

A carrier, SBC or proxy on the way may turn "busy" into "temporarily unavailable". Where a trunk was measured
(`onhook lab transparency`), its table stands in the fact that it was taken, and a verdict goes by it.
"""

from collections.abc import Sequence

from onhook.endings.attempts import Reading
from onhook.endings.codes import q850_name, sip_phrase
from onhook.endings.signals import Signal
from onhook.endings.verdict import Proof
from onhook.facts import Cause, Rewrite

MAX_NAMED = 8
"""Causes that one line of evidence names."""


def origins(rewrites: Sequence[Rewrite], seen: Cause) -> tuple[Cause, ...]:
    """The causes that arrive as `seen`, if one of them is another one; else nothing is in doubt.

    Of final responses the status counts, of BYE the Q.850 cause: a lost Reason alone is no other cause.
    """
    found = tuple(dict.fromkeys(each.sent for each in rewrites if each.seen == seen))
    return found if any(_differs(sent, seen) for sent in found) else ()


def rewritten(rewrites: Sequence[Rewrite]) -> tuple[Rewrite, ...]:
    """Of a whole measurement, what a verdict needs: all that arrives as something that is in doubt."""
    doubtful = {each.seen for each in rewrites if _differs(each.sent, each.seen)}
    return tuple(each for each in rewrites if each.seen in doubtful)


def doubt_of(reading: Reading, signal: Signal | None) -> Proof | None:
    """What the far end may have meant by `signal`; None if its trunk is not known to rewrite it."""
    attempt = reading.attempt
    if signal is None or attempt is None or attempt.leg not in reading.rewriting:
        return None
    number, taken = reading.rewriting[attempt.leg]
    seen = Cause(signal.status, signal.reasons.q850_cause)
    causes = origins(taken.rewrites, seen)
    if not causes:
        return None
    named = ", ".join(map(in_words, causes[:MAX_NAMED]))
    more = f" and {len(causes) - MAX_NAMED} more" if len(causes) > MAX_NAMED else ""
    shows = (
        f"trunk {taken.trunk} was measured to rewrite causes: what arrives as {in_words(seen)} "
        f"may have been {named}{more}"
    )
    return Proof(number, shows)


def with_doubt(evidence: Sequence[Proof], doubt: Proof) -> list[Proof]:
    """Evidence in its order, with the doubt at its fact."""
    same = next((proof for proof in evidence if proof.fact == doubt.fact), None)
    joined = doubt if same is None else Proof(doubt.fact, f"{same.shows}; {doubt.shows}")
    return sorted([*(proof for proof in evidence if proof is not same), joined], key=lambda each: each.fact)


def in_words(cause: Cause) -> str:
    """Such as "486 Busy Here (Q.850 17, User busy)"."""
    name = f"{cause.status} {sip_phrase(cause.status)}".strip() if cause.status else "BYE"
    if cause.q850 is None:
        return name
    known = q850_name(cause.q850)
    return f"{name} (Q.850 {cause.q850}{f', {known}' if known else ''})"


def _differs(sent: Cause, seen: Cause) -> bool:
    return sent.status != seen.status or (not sent.status and sent.q850 != seen.q850)
