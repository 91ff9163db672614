"""A kept call in words and pictures: what the endings say of it."""

from typing import Any, NamedTuple

import msgspec

from onhook.calls.record import CallRecord
from onhook.endings.explain import Explanation, as_dict, explain
from onhook.endings.failures import Failures, failures_of
from onhook.endings.judge import judge
from onhook.endings.ladder import draw
from onhook.endings.ladder_mermaid import draw_mermaid
from onhook.endings.ladder_svg import draw_svg
from onhook.endings.quality import LegQuality, quality_of
from onhook.endings.quality import as_dict as leg_as_dict
from onhook.endings.render import render_markdown, render_text
from onhook.endings.render_parts import (
    audio_markdown,
    audio_text,
    failures_markdown,
    failures_text,
    tips_markdown,
    tips_text,
)
from onhook.endings.tips_shown import TipShown, tips_of_call
from onhook.facts import Timeline
from onhook.lab.again import Again, again, again_markdown, again_text
from onhook.server.discretion import without_queries

STILL_OPEN = "The call is open: nothing has ended it yet."


def discreet(text: str) -> str:
    """Reports go into tickets: without the queries of URLs, where keys stand."""
    shown: str = without_queries(text)
    return shown


class Told(NamedTuple):
    record: CallRecord
    timeline: Timeline
    explanation: Explanation | None
    """None while the call is open."""
    failures: Failures
    """Operations that failed within the call, open or not."""
    quality: tuple[LegQuality, ...]
    tips: tuple[TipShown, ...] = ()
    """Tips of the troubleshooting pages that the call shows."""

    def text(self) -> str:
        told = f"{STILL_OPEN}\n" if self.explanation is None else render_text(self.explanation)
        beside = (audio_text(self.quality), failures_text(self.failures), tips_text(self.tips))
        parts = (told, *beside, self.ladder(), "\n".join(again_text(self.again)))
        return discreet("\n".join(filter(None, parts)))

    def markdown(self) -> str:
        beside = "\n".join(
            filter(
                None,
                (audio_markdown(self.quality), failures_markdown(self.failures), tips_markdown(self.tips)),
            )
        ).rstrip("\n")
        if self.explanation is None:
            below = f"{beside}\n\n" if beside else ""
            return discreet(f"{STILL_OPEN}\n\n{below}```\n{self.ladder()}```\n")
        told = render_markdown(self.explanation, beside=beside, ladder=self.ladder())
        return discreet(f"{told}\n{again_markdown(self.again)}")

    def json(self) -> dict[str, Any]:
        told = {"call": self.record.id, "open": self.explanation is None}
        about = {} if self.explanation is None else as_dict(self.explanation)
        beside: dict[str, Any] = {
            "audio": [leg_as_dict(leg) for leg in self.quality],
            "failed_operations": [failure.as_dict() for failure in self.failures.told],
            "failed_operations_left_out": self.failures.left_out,
            "tips": [tip.as_dict() for tip in self.tips],
        }
        if (again := self.again) is not None:
            beside["provoke_again"] = msgspec.to_builtins(again)
        shown: dict[str, Any] = without_queries(told | about | beside)
        return shown

    @property
    def again(self) -> Again | None:
        """How this ending is provoked once more; None while the call is open."""
        told = self.explanation
        return again(told.ending, self.record, self.timeline) if told else None

    def ladder(self) -> str:
        return draw(self.timeline)

    def ladder_mermaid(self) -> str:
        return draw_mermaid(self.timeline)

    def ladder_svg(self) -> str:
        return draw_svg(self.timeline)


def tell(record: CallRecord, timeline: Timeline) -> Told:
    """A call that is over is judged again, by the rules of today and with what came in after its end."""
    over = record.ended_at is not None
    explanation = explain(judge(timeline), timeline) if over else None
    failures = failures_of(timeline)
    endings = [failure.explanation.ending for failure in failures.told]
    endings += [explanation.ending] if explanation is not None else []
    tips = tips_of_call(timeline, endings)
    return Told(record, timeline, explanation, failures, quality_of(timeline), tips)
