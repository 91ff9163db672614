"""Whole screens, reports and ladders, word for word: what a person gets to read. The texts are in golden/."""

from pathlib import Path

import pytest

from onhook.endings.explain import explain
from onhook.endings.judge import judge
from onhook.endings.ladder import draw
from onhook.endings.render import render_markdown, render_text
from timelines import SAMPLES, Story, begun

GOLDEN = Path(__file__).parent / "golden"
CONTRADICTING = begun().busy("Reason: Q.850;cause=34").delivery(None, error="refused").facts


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def test_the_screen_of_a_busy_call_with_a_contradicting_cause() -> None:
    assert render_text(explain(judge(CONTRADICTING), CONTRADICTING)) == golden("screen.txt")


def test_the_report_of_the_same_call() -> None:
    told = explain(judge(CONTRADICTING), CONTRADICTING)
    assert render_markdown(told, ladder=draw(CONTRADICTING)) == golden("report.md")


@pytest.mark.parametrize(
    "ending", ["hung-up-by-app", "rang-out", "malformed-answer", "server-restarted", "trunk-unreachable"]
)
def test_ladders(ending: str) -> None:
    assert draw(SAMPLES[ending]) == golden(f"ladder-{ending}.txt")


def test_the_ladder_of_two_trunks() -> None:
    story = Story("a").created().routed("first").invite().response(503, "Service Unavailable").ack()
    story.leg = "b"
    timeline = story.routed("second").invite().response(486, "Busy Here").ack().facts
    assert draw(timeline) == golden("ladder-two-trunks.txt")


def test_the_ladder_of_an_inbound_call() -> None:
    assert draw(Story(inbound=True).invite().cancel().facts) == golden("ladder-inbound.txt")
