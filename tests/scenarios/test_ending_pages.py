"""Every ending page is run: its scenario, through the whole switch, must give its verdict and its ladder."""

from typing import Any

import pytest

from onhook.config.stage import stage_of
from onhook.endings.explain import explain
from onhook.endings.judge import judge
from onhook.endings.ladder import draw
from onhook.endings.operations import judge_operation
from onhook.endings.pages import Page, pages
from onhook.facts import OperationEnded
from onhook.lab.rehearsal import Rehearsal, rehearse
from onhook.lab.scenario import parse_scenario

TERMINAL = {"CreateCallFailed", "AnswerFailed", "ConnectFailed", "CallDisconnected"}
UNHEARD = {
    "caller-gave-up",
    "forbidden-by-app",
    "inbound-busy",
    "inbound-nobody-heard",
    "inbound-number-unknown",
    "inbound-unanswered",
    "redirected-by-app",
    "rejected-by-app",
}
"""Calls that came in and that no application ever answered: nobody has a callback address for them."""
PLAYED = [page for page in pages().values() if page.scenario.strip()]
OF_CALLS = [page for page in PLAYED if not page.front.events]
OF_OPERATIONS = [page for page in PLAYED if page.front.events]


def play(page: Page) -> Rehearsal:
    scenario = parse_scenario(page.scenario)
    return rehearse(scenario, stage_of(scenario))


@pytest.mark.parametrize("page", OF_CALLS, ids=lambda page: page.id)
def test_the_page_tells_the_truth(page: Page) -> None:
    rehearsal = play(page)
    verdict = rehearsal.record.verdict
    assert verdict is not None
    assert verdict.ending == page.id
    assert verdict.evidence
    assert draw(rehearsal.timeline).rstrip("\n") + "\n" == page.ladder


@pytest.mark.parametrize("page", OF_OPERATIONS, ids=lambda page: page.id)
def test_the_page_of_an_operation_tells_the_truth_and_the_event_says_the_same(page: Page) -> None:
    rehearsal = play(page)
    assert draw(rehearsal.timeline).rstrip("\n") + "\n" == page.ladder
    actions = [fact.action for fact in rehearsal.timeline if isinstance(fact, OperationEnded)]
    verdicts = [verdict for action in actions if (verdict := judge_operation(rehearsal.timeline, action))]
    (verdict,) = [each for each in verdicts if each.ending == page.id]
    assert verdict.evidence
    results = [
        event["data"]["resultInformation"]
        for event in rehearsal.events
        if event["type"].removeprefix("Microsoft.Communication.") in page.front.events
    ]
    assert {
        "code": verdict.event_code,
        "subCode": verdict.subcode,
        "message": verdict.message,
    } in results


@pytest.mark.parametrize("page", OF_OPERATIONS, ids=lambda page: page.id)
def test_an_operation_that_fails_ends_no_call(page: Page) -> None:
    verdict = play(page).record.verdict
    assert verdict is not None
    assert verdict.code == 0


def told(rehearsal: Rehearsal) -> dict[str, list[dict[str, Any]]]:
    """Events by callConnectionId."""
    by_connection: dict[str, list[dict[str, Any]]] = {}
    for event in rehearsal.events:
        by_connection.setdefault(event["data"]["callConnectionId"], []).append(event)
    return by_connection


def types_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("Microsoft.Communication.") for event in events]


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.id)
def test_every_application_is_told_once_and_at_the_end(page: Page) -> None:
    for events in told(play(page)).values():
        types = types_of(events)
        assert [name for name in types if name in TERMINAL] == types[-1:]


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.id)
def test_the_first_application_is_told_what_the_verdict_says(page: Page) -> None:
    rehearsal = play(page)
    verdict, events = rehearsal.record.verdict, told(rehearsal).get(rehearsal.record.id, [])
    assert verdict is not None
    assert bool(events) is (page.id not in UNHEARD)
    for event in events[-1:]:
        result = event["data"]["resultInformation"]
        assert (result["code"], result["subCode"]) == (verdict.event_code, verdict.subcode)
        assert result["message"] == verdict.message
        assert ("sipDetails" in result) == (verdict.sip_status is not None)
        assert ("q850Details" in result) == (verdict.q850_cause is not None)
        failed = "AnswerFailed" if rehearsal.record.direction == "inbound" else "CreateCallFailed"
        up = rehearsal.record.connected_at is not None
        assert types_of(events)[-1] == ("CallDisconnected" if up else failed)


@pytest.mark.parametrize("page", PLAYED, ids=lambda page: page.id)
def test_judged_again_with_all_that_came_later_the_verdict_stands(page: Page) -> None:
    rehearsal = play(page)
    verdict, again = rehearsal.record.verdict, judge(rehearsal.timeline)
    assert verdict is not None
    assert (again.ending, again.code, again.subcode) == (verdict.ending, verdict.code, verdict.subcode)
    assert again.evidence == verdict.evidence
    explained = explain(again, rehearsal.timeline)
    assert [line.fact for line in explained.evidence] == [proof.fact for proof in verdict.evidence]


@pytest.mark.parametrize("page", PLAYED[:5], ids=lambda page: page.id)
def test_the_same_scenario_gives_the_same_facts(page: Page) -> None:
    assert play(page).timeline == play(page).timeline


def test_most_pages_are_played_and_the_others_say_why_not() -> None:
    silent = {page.id: page.front.provoked for page in pages().values() if page not in PLAYED}
    assert all(silent.values())
    assert len(PLAYED) >= 95
