"""A kept call in words and pictures: what the endings say of it."""

from typing import Any, NamedTuple

from onhook.calls.record import CallRecord
from onhook.endings.explain import Explanation, as_dict, explain
from onhook.endings.judge import judge
from onhook.endings.ladder import draw
from onhook.endings.ladder_svg import draw_svg
from onhook.endings.render import render_markdown, render_text
from onhook.facts import Timeline

STILL_OPEN = "The call is open: nothing has ended it yet."


class Told(NamedTuple):
    record: CallRecord
    timeline: Timeline
    explanation: Explanation | None
    """None while the call is open."""

    def text(self) -> str:
        if self.explanation is None:
            return f"{STILL_OPEN}\n\n{self.ladder()}"
        return f"{render_text(self.explanation)}\n{self.ladder()}"

    def markdown(self) -> str:
        if self.explanation is None:
            return f"{STILL_OPEN}\n\n```\n{self.ladder()}```\n"
        return render_markdown(self.explanation, ladder=self.ladder())

    def json(self) -> dict[str, Any]:
        told = {"call": self.record.id, "open": self.explanation is None}
        return told if self.explanation is None else told | as_dict(self.explanation)

    def ladder(self) -> str:
        return draw(self.timeline)

    def ladder_svg(self) -> str:
        return draw_svg(self.timeline)


def tell(record: CallRecord, timeline: Timeline) -> Told:
    """A call that is over is judged again, by the rules of today and with what came in after its end."""
    if record.ended_at is None:
        return Told(record, timeline, None)
    return Told(record, timeline, explain(judge(timeline), timeline))
