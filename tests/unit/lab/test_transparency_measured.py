"""Measuring a trunk: which causes are tried, how a call is read, and what is told when nothing arrives."""

import msgspec
import pytest

from onhook.facts import Cause, Timeline
from onhook.lab.scenario import parse_scenario, write_scenario
from onhook.lab.scenario_steps import Scenario
from onhook.lab.transparency import (
    CHALLENGES,
    TALK_MS,
    NotReached,
    Row,
    Table,
    causes,
    measure,
    read_row,
    scenario_for,
    table_lines,
)
from timelines import Story

NUMBER = "+14255550200"


def test_every_status_and_cause_is_tried_once() -> None:
    tried = causes()
    assert len(tried) == len(set(tried)) > 80
    statuses = {cause.status for cause in tried}
    assert {404, 480, 486, 500, 503, 600, 603, 606} <= statuses
    assert not statuses & CHALLENGES
    assert {Cause(486, 17), Cause(404, 1), Cause(0, 16), Cause(0)} <= set(tried)


def test_each_cause_is_a_scenario_that_can_be_written() -> None:
    for cause in causes():
        scenario = scenario_for(cause)
        assert parse_scenario(write_scenario(scenario)) == scenario
    assert write_scenario(scenario_for(Cause(486, 17))) == (
        "carrier: 486 Busy Here | Reason: Q.850;cause=17\n"
    )
    assert write_scenario(scenario_for(Cause(0, 38))).splitlines()[-1] == (
        "carrier: bye | Reason: Q.850;cause=38"
    )


def test_a_refusal_is_read_with_its_delay() -> None:
    story = Story().routed().invite().wait(0.2).response(480, "Away", "Reason: Q.850;cause=18")
    row = read_row(Cause(486), story.facts, reached=True)
    assert row == Row(sent=Cause(486), seen=Cause(480, 18), delay_ms=201.0, reason="Away")
    assert not row.unchanged


def test_a_bye_is_read_with_what_it_took_beyond_the_pause() -> None:
    story = Story().routed().up().wait(TALK_MS / 1000 + 0.1).bye("received").bye_ok("sent")
    row = read_row(Cause(0), story.facts, reached=True)
    assert row.seen == Cause(0, None)
    assert row.unchanged
    assert row.delay_ms == pytest.approx(102, abs=1)


def test_challenges_and_responses_to_others_are_passed_over() -> None:
    story = Story().routed().invite().response(401, "Unauthorized").ack().cancel().cancel_ok()
    assert read_row(Cause(486), story.facts, reached=False) == Row(sent=Cause(486), seen=None, reached=False)


class Line:
    """A trunk that turns 486 into 480, with its far side and its caller in one."""

    address = ("127.0.0.1", 5080)

    def __init__(self, *, reaches: bool = True) -> None:
        self.reaches, self.willed, self.ended = reaches, list[Scenario](), list[str]()
        self.placed: list[Cause] = []
        self.open_for = 0

    def will(self, number: str, scenario: Scenario | str, count: int = 1) -> None:
        assert (number, count) == (NUMBER, 1)
        assert isinstance(scenario, Scenario)
        self.willed.append(scenario)

    def unwill(self, number: str) -> bool:
        assert number == NUMBER
        left, self.willed = self.willed, []
        return bool(left)

    def place(self, number: str) -> str:
        assert number == NUMBER
        if self.reaches:
            self.placed.append(causes()[len(self.placed)])
            self.willed.clear()
        return str(len(self.placed))

    def is_open(self, _call: str) -> bool:
        self.open_for -= 1
        return self.open_for >= 0

    def end(self, call: str) -> None:
        self.ended.append(call)

    async def facts(self, _call: str) -> Timeline:
        if not self.reaches:
            return Story().routed().invite().response(404, "Not Found").facts
        cause = self.placed[-1]
        story = Story().routed()
        if not cause.status:
            return story.up().bye("received").facts
        status = 480 if cause.status == 486 else cause.status
        return story.invite().response(status, "Refused").facts


async def test_a_trunk_is_measured_cause_by_cause() -> None:
    line, told = Line(), list[tuple[int, int]]()
    line.open_for = 2
    rows = await measure(NUMBER, line, line, lambda done, of, _row: told.append((done, of)))
    assert [row.sent for row in rows] == list(causes())
    assert told == [(done, len(rows)) for done in range(1, len(rows) + 1)]
    assert {row.seen for row in rows if row.sent.status == 486} == {Cause(480)}
    assert line.ended == []
    table = Table(trunk="sbc", number=NUMBER, measured_at=1.0, rows=rows)
    assert {each.sent.status for each in table.rewrites if each.sent.status} == {480, 486}
    assert msgspec.json.decode(msgspec.json.encode(table), type=Table) == table
    lines = {line[0]: line for line in table_lines(table)}
    assert lines["486 Busy Here"][1:] == ("480 Temporarily Unavailable", "1 ms", "changed")
    assert lines["603 Decline"][3] == ""


async def test_a_number_that_leads_elsewhere_is_told() -> None:
    line = Line(reaches=False)
    with pytest.raises(NotReached, match=r"127\.0\.0\.1:5080; 404 Not Found came instead"):
        await measure(NUMBER, line, line, lambda *_: None)


def test_rows_that_never_arrived_are_shown_as_such() -> None:
    rows = (Row(sent=Cause(486), seen=None), Row(sent=Cause(404), seen=Cause(404), reached=False))
    table = Table(trunk="sbc", number=NUMBER, measured_at=1.0, rows=rows)
    assert list(table_lines(table)) == [
        ("486 Busy Here", "nothing", "-", "changed"),
        ("404 Not Found", "404 Not Found", "-", "by the trunk itself"),
    ]
    assert table.rewrites == ()
