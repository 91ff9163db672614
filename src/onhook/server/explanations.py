"""A kept call in words and pictures: what the endings say of it."""

from typing import Any, NamedTuple

import msgspec

from onhook.calls.record import CallRecord
from onhook.endings.judge import judge
from onhook.endings.pages import page
from onhook.endings.verdict import Verdict
from onhook.facts import Timeline


class Told(NamedTuple):
    record: CallRecord
    timeline: Timeline
    verdict: Verdict | None

    def text(self) -> str:
        return self.markdown()

    def markdown(self) -> str:
        if self.verdict is None:
            return "The call is open: nothing has ended it yet.\n"
        proofs = "\n".join(f"- #{proof.fact} {proof.shows}" for proof in self.verdict.evidence)
        return f"{self.verdict.message}\n\n{proofs}\n\n{page(self.verdict.ending).text}"

    def json(self) -> dict[str, Any]:
        return {"open": True} if self.verdict is None else msgspec.to_builtins(self.verdict)

    def ladder(self) -> str:
        return "\n".join(f"#{number} {type(fact).__name__}" for number, fact in enumerate(self.timeline, 1))

    def ladder_svg(self) -> str:
        return ""


def tell(record: CallRecord, timeline: Timeline) -> Told:
    """A call that is over is judged again, by the rules of today; the facts are what was kept."""
    return Told(record, timeline, None if record.ended_at is None else judge(timeline))
