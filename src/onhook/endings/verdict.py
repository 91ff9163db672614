"""The verdict: which ending a timeline shows, and the facts that prove it."""

from typing import Literal, TypeAlias

import msgspec

Confidence: TypeAlias = Literal["high", "medium", "low"]


class Proof(msgspec.Struct, frozen=True):
    """One line of evidence: the number of a fact in the timeline (1 is the first), and what it shows."""

    fact: int
    shows: str


class AttemptVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How one attempt to reach a telephone ended, of several by different trunks."""

    leg: str
    trunk: str
    ending: str
    code: int
    subcode: int
    message: str
    fact: int
    """The last that proves it, by its number in the call's timeline."""
    sip_status: int | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`code`/`subcode` as logs and the Calling SDK show them; `event_code` as Call Automation events do.

    They differ for success only: 0 there is 200 here.
    """

    ending: str
    code: int
    subcode: int
    event_code: int
    message: str
    category: str
    fault: str
    evidence: tuple[Proof, ...]
    remarks: tuple[Proof, ...] = ()
    """Seen too, without deciding: no RTP came, an event was refused, codes contradict each other."""
    confidence: Confidence = "high"
    sip_status: int | None = None
    sip_reason: str = ""
    q850_cause: int | None = None
    q850_text: str = ""
    attempts: tuple[AttemptVerdict, ...] = ()
    """Trunks that failed before another one was tried, in order; each judged as if it had been the call."""
