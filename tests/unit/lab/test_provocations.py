"""What is armed hits what it names, as often and as long as it should; or it says why it cannot be armed."""

from typing import Any

import pytest

from onhook.lab.provocations import (
    DONE_KEPT,
    MAX_ARMED,
    MAX_COUNT,
    MAX_SECONDS,
    NotProvokable,
    Provocations,
    Wanted,
    cause_of,
)
from onhook.lab.scenario import ScenarioError

NUMBER = "+14255550200"


def wanted(ending: str = "callee-busy", **more: Any) -> Wanted:
    return Wanted(ending=ending, **more)


def test_once_and_no_more() -> None:
    register = Provocations()
    made = register.arm(wanted(), 100.0)
    hit = register.take("carrier", 101.0, number=NUMBER, call="c1")
    assert hit is made
    assert (made.hits, made.last_hit_at, made.calls) == (1, 101.0, ["c1"])
    assert "486 Busy Here" in made.scenario
    assert register.take("carrier", 102.0, number=NUMBER) is None


def test_as_often_as_it_should() -> None:
    register = Provocations()
    register.arm(wanted(count=3), 0.0)
    assert [bool(register.take("carrier", 1.0)) for _ in range(5)] == [True, True, True, False, False]


def test_without_end() -> None:
    register = Provocations()
    made = register.arm(wanted(count=0), 0.0)
    assert all(register.take("carrier", 1.0) for _ in range(500))
    assert made.hits == 500
    assert register.is_armed(made.id)


def test_lets_some_pass_first() -> None:
    register = Provocations()
    made = register.arm(wanted(skip=2), 0.0)
    assert [bool(register.take("carrier", 1.0)) for _ in range(4)] == [False, False, True, False]
    assert made.passed == 2


def test_begins_later_and_expires() -> None:
    register = Provocations()
    register.arm(wanted(count=0, after_seconds=10, until_seconds=20), 100.0)
    hits = {at: bool(register.take("carrier", at)) for at in (100.0, 109.9, 110.0, 119.9, 120.0, 500.0)}
    assert hits == {100.0: False, 109.9: False, 110.0: True, 119.9: True, 120.0: False, 500.0: False}


@pytest.mark.parametrize(
    ("chosen", "met", "hits"),
    [
        ({"number": NUMBER}, {"number": NUMBER}, True),
        ({"number": NUMBER}, {"number": "+14255550201"}, False),
        ({"number": NUMBER}, {}, False),
        ({"trunk": "carrier"}, {"number": NUMBER, "trunk": "carrier"}, True),
        ({"trunk": "carrier"}, {"number": NUMBER, "trunk": "sbc"}, False),
        ({"number": NUMBER, "trunk": "carrier"}, {"number": NUMBER, "trunk": "sbc"}, False),
        ({}, {"number": "", "trunk": "any"}, True),
    ],
)
def test_chooses_calls(chosen: dict[str, str], met: dict[str, str], *, hits: bool) -> None:
    register = Provocations()
    register.arm(wanted(**chosen), 0.0)
    assert bool(register.take("carrier", 1.0, **met)) is hits


def test_chooses_operations_whatever_the_case() -> None:
    register = Provocations()
    register.arm(wanted("throttled", operation="CreateCall"), 0.0)
    assert register.take("request", 1.0, operation="play") is None
    assert register.take("request", 1.0, operation="createCall")


def test_each_arm_for_itself_and_the_first_armed_first() -> None:
    register = Provocations()
    first, second = register.arm(wanted("throttled"), 0.0), register.arm(wanted("internal-error"), 0.0)
    assert register.take("carrier", 1.0) is None
    assert register.take("callback", 1.0) is None
    assert register.take("request", 1.0) is first
    assert register.take("request", 1.0) is second
    assert register.take("request", 1.0) is None


def test_a_state_holds_without_being_counted() -> None:
    register = Provocations()
    made = register.arm(wanted("certificate-expired", until_seconds=5), 0.0)
    assert register.holds("certificate", 1.0) is made
    assert made.hits == 0
    assert register.holds("certificate", 5.0) is None
    assert register.holds("store", 1.0) is None


def test_listed_with_what_is_spent_behind() -> None:
    register = Provocations()
    spent = register.arm(wanted(), 0.0)
    register.take("carrier", 1.0)
    armed = register.arm(wanted("callee-declined"), 1.0)
    assert register.listed(2.0) == [armed, spent]
    assert register.get(spent.id) is spent
    assert register.get(armed.id) is armed
    assert register.get("p99") is None
    assert not register.is_armed(spent.id)


def test_disarmed_by_id_or_all() -> None:
    register = Provocations()
    made = [register.arm(wanted(), 0.0) for _ in range(3)]
    assert register.disarm(made[1].id, 1.0) == [made[1]]
    assert register.disarm(made[1].id, 1.0) == []
    assert register.disarm("all", 1.0) == [made[0], made[2]]
    assert register.take("carrier", 2.0) is None
    assert register.disarm("all", 1.0) == []


def test_the_spent_are_forgotten_one_day() -> None:
    register = Provocations()
    for _ in range(DONE_KEPT + 50):
        register.arm(wanted(), 0.0)
        register.take("carrier", 1.0)
    assert len(register.listed(2.0)) == DONE_KEPT


def test_no_more_than_the_limit() -> None:
    register = Provocations()
    for _ in range(MAX_ARMED):
        register.arm(wanted(), 0.0)
    with pytest.raises(NotProvokable, match="the limit"):
        register.arm(wanted(), 0.0)
    register.disarm("all", 0.0)
    register.arm(wanted(), 0.0)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (wanted("calle-busy"), "did you mean callee-busy"),
        (wanted("ice-failed"), "plain RTP"),
        (wanted("user-declined"), "The application does it"),
        (wanted("stream-lost"), "close the WebSocket"),
        (wanted(""), "provoke --list"),
        (wanted(count=-1), "count"),
        (wanted(count=MAX_COUNT + 1), "count"),
        (wanted(skip=-1), "skip"),
        (wanted(after_seconds=-1), "after is 0"),
        (wanted(until_seconds=MAX_SECONDS + 1), "until is 0"),
        (wanted(after_seconds=float("nan")), "after is 0"),
        (wanted(after_seconds=10, until_seconds=5), "expire before it begins"),
        (wanted(operation="createCall"), "no fault of a request"),
        (wanted("throttled", trunk="carrier"), "belongs to no trunk"),
        (wanted("throttled", number=NUMBER), "belongs to no number"),
        (wanted("caller-gave-up", trunk="carrier"), "belongs to no trunk"),
    ],
)
def test_says_why_not(asked: Wanted, why: str) -> None:
    register = Provocations()
    with pytest.raises(NotProvokable, match=why):
        register.arm(asked, 0.0)
    assert register.listed(0.0) == []


def test_a_scenario_of_ones_own() -> None:
    register = Provocations()
    made = register.arm(Wanted(scenario="carrier: 180 Ringing\ncarrier: 606 Never\n"), 0.0)
    assert (made.name, made.arm) == ("scenario", "carrier")
    hit = register.take("carrier", 1.0)
    assert hit is not None
    assert hit.scenario.endswith("606 Never\n")
    assert cause_of(Wanted(scenario="carrier: call from none to +14255550100\n")).arm == "inbound"
    with pytest.raises(ScenarioError, match="line 1"):
        register.arm(Wanted(scenario="carrier: dance\n"), 0.0)
