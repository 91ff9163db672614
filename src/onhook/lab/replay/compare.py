"""The call of today beside the recorded one: the same ending, or where they first differ."""

from itertools import zip_longest
from typing import Literal

import msgspec

from onhook.endings.judge import judge
from onhook.endings.verdict import Verdict
from onhook.facts import SipSeen, Timeline
from onhook.lab.replay.script import Names
from onhook.sip.messages import Malformed, parse

NOTHING = "nothing"
Side = Literal["sent", "received"]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How one of the two calls ended."""

    ending: str
    code: int
    subcode: int
    message: str

    @property
    def pair(self) -> str:
        return f"{self.ending} ({self.code}/{self.subcode})"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first message that is another one. `number` counts messages from 1, repeats left out.

    `direction` is as our server sees it: "received" came from the far end.
    """

    number: int
    direction: Side
    recorded: str
    now: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    recorded: Ended
    now: Ended
    same_ending: bool
    differs: Difference | None
    """None: the same messages in both directions."""

    def lines(self) -> list[str]:
        """For a person."""
        then, now = self.recorded, self.now
        lines = (
            [f"same ending: {now.pair}"]
            if self.same_ending
            else [f"another ending: {now.pair}, recorded was {then.pair}"]
        )
        if self.differs is None:
            return [*lines, "same messages in both directions"]
        first, way = self.differs, "from the far end" if self.differs.direction == "received" else "from us"
        return [
            *lines,
            f"first differs at message {first.number} {way}: recorded {first.recorded}, now {first.now}",
        ]


def compare(recorded: Timeline, now: Timeline) -> Comparison:
    """Both judged by the rules of today.

    Messages of the two sides may cross, so each side's are compared among themselves; the difference told is
    the one that comes first in the recorded call.
    """
    then_verdict, now_verdict = judge(recorded), judge(now)
    return Comparison(
        recorded=_ended(then_verdict),
        now=_ended(now_verdict),
        same_ending=(then_verdict.ending, then_verdict.code, then_verdict.subcode)
        == (now_verdict.ending, now_verdict.code, now_verdict.subcode),
        differs=_first_difference(_messages(recorded), _messages(now)),
    )


def _ended(verdict: Verdict) -> Ended:
    return Ended(ending=verdict.ending, code=verdict.code, subcode=verdict.subcode, message=verdict.message)


def _messages(timeline: Timeline) -> list[tuple[Side, str, int]]:
    """Each message once: its direction, its name, its number in the call."""
    names: dict[tuple[str, Side], Names] = {}
    messages: list[tuple[Side, str, int]] = []
    for fact in timeline:
        message = parse(fact.message) if isinstance(fact, SipSeen) else None
        if not isinstance(fact, SipSeen) or message is None or isinstance(message, Malformed):
            continue
        anchor, new = names.setdefault((fact.leg, fact.direction), Names()).of(message)
        if new:
            messages.append((fact.direction, anchor.name, len(messages) + 1))
    return messages


def _first_difference(
    recorded: list[tuple[Side, str, int]], now: list[tuple[Side, str, int]]
) -> Difference | None:
    found: list[Difference] = []
    sides: tuple[Side, ...] = ("received", "sent")
    for side in sides:
        pairs = zip_longest(*([each for each in every if each[0] == side] for every in (recorded, now)))
        for then, today in pairs:
            if then is None or today is None or then[1] != today[1]:
                number = then[2] if then else len(recorded) + 1
                found.append(
                    Difference(
                        number=number,
                        direction=side,
                        recorded=then[1] if then else NOTHING,
                        now=today[1] if today else NOTHING,
                    )
                )
                break
    return min(found, key=lambda each: each.number, default=None)
