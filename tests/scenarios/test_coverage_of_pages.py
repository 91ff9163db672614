"""Ending coverage over the pages' own scenarios: what each met is counted, and its way was known before."""

from collections.abc import Iterable
from functools import cache

import pytest

from onhook.config.stage import stage_of
from onhook.endings.coverage import KeptCall, cover, read_run
from onhook.endings.coverage.ways import ASKED_FOR, NOT_TOLD, ways_to
from onhook.endings.pages import page, pages
from onhook.lab.rehearsal import rehearse
from onhook.lab.scenario import parse_scenario

PLAYED = [ending for ending, found in pages().items() if found.scenario.strip()]


@cache
def kept(ending: str) -> KeptCall:
    scenario = parse_scenario(page(ending).scenario)
    rehearsal = rehearse(scenario, stage_of(scenario))
    others = tuple(each.id for each in rehearsal.record.connections)
    return KeptCall(id=ending, timeline=rehearsal.timeline, others=others)


def lead_there(ending: str, used: Iterable[str]) -> list[str]:
    """As `ways_to`; a scenario says how a prompt fails, and not always asks for the kind that fails so."""
    asked_for = {f"{name} {kind}" for name in used for kind in ASKED_FOR.get(ending, ())}
    return ways_to(page(ending), {*used, *asked_for})


@pytest.mark.parametrize("ending", PLAYED)
def test_a_page_meets_its_ending_by_operations_that_lead_there(ending: str) -> None:
    run = read_run([kept(ending)])
    assert ending in {meeting.ending for meeting in run.meetings}
    if ending not in NOT_TOLD:
        assert lead_there(ending, run.used), run.used
    for meeting in run.meetings:  # whatever else happened in it was known to be possible, too
        if meeting.ending not in NOT_TOLD:
            assert lead_there(meeting.ending, run.used), meeting


def test_all_pages_together_cover_everything() -> None:
    coverage = cover([read_run(map(kept, PLAYED))])
    assert {row.ending for row in coverage.met} == set(PLAYED)
    assert coverage.missed == []
    assert coverage.percent == 100
    assert all(row.why for row in coverage.not_counted)


def test_a_page_less_is_an_ending_missed() -> None:
    coverage = cover([read_run(kept(ending) for ending in PLAYED if ending != "callee-busy")])
    assert [row.ending for row in coverage.missed] == ["callee-busy"]
    assert 98 < coverage.percent < 100
