"""What a test may write for an ending, and what it is told when that is nothing."""

import pytest

from onhook.endings.pages import pages
from onhook.lab.scenario import ScenarioError
from onhook.lab.scenario_steps import Bye, CarrierCall, Respond
from onhook.testing.endings import ALIASES, MANNERS, UnknownEnding, ending_id, part_of


def test_every_alias_means_a_page_and_hides_none() -> None:
    assert set(ALIASES.values()) <= pages().keys()
    assert not ALIASES.keys() & pages().keys()
    assert not MANNERS.keys() & (pages().keys() | ALIASES.keys())


def test_names_and_aliases() -> None:
    assert ending_id("busy") == ending_id("callee-busy") == "callee-busy"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("calee-busy", "Do you mean callee-busy"),
        ("buzy", "busy"),
        ("qqqq", "`onhook endings list` shows all"),
    ],
)
def test_an_ending_that_is_none(wrong: str, hint: str) -> None:
    with pytest.raises(UnknownEnding, match=f"no ending is called '{wrong}'.*{hint}"):
        ending_id(wrong)


def test_a_page_gives_its_scenario() -> None:
    steps = part_of("busy", "called").called().steps
    assert [step.status for step in steps if isinstance(step, Respond)] == [180, 486]


def test_what_the_application_does_in_a_scenario_is_left_to_it() -> None:
    assert part_of("hung-up-by-app", "called").lines == ("carrier: 180 Ringing", "carrier: 200 OK")


def test_a_scenario_of_ones_own() -> None:
    part = part_of("\n  carrier: 183 Session Progress\n\n  carrier: 480 Gone Home\n", "called")
    assert [step.status for step in part.called().steps if isinstance(step, Respond)] == [183, 480]
    with pytest.raises(ScenarioError, match="line 1"):
        part_of("carrier: dance", "called").called()


def test_a_telephone_that_calls() -> None:
    scenario = part_of("caller-hung-up", "calling").calling("+14255550200", "+14255550100")
    call, *others = scenario.steps
    assert isinstance(call, CarrierCall)
    assert (call.source, call.target) == ("4:+14255550200", "4:+14255550100") or call.source
    assert any(isinstance(step, Bye) for step in others)


def test_lines_may_bring_the_call_along() -> None:
    whole = "carrier: call from +14255550200 to +14255550100\ncarrier: wait 1 s\ncarrier: cancel"
    assert part_of(whole, "calling").lines == ("carrier: wait 1 s", "carrier: cancel")


@pytest.mark.parametrize("manner", MANNERS)
def test_manners_can_be_played(manner: str) -> None:
    assert part_of(manner, "called").called().steps


@pytest.mark.parametrize(
    ("name", "way", "told"),
    [
        ("caller-gave-up", "called", "is an ending of a call that comes in: write onhook.phone"),
        ("callee-busy", "calling", "is an ending of a call to a telephone: write onhook.phone"),
        ("call-too-long", "called", "takes more than a telephone: `server: set sip.max_call_seconds = 60`"),
        ("number-invalid", "called", "is not for a telephone to bring about"),
    ],
)
def test_endings_that_are_not_in_the_hand_of_a_telephone(name: str, way: str, told: str) -> None:
    with pytest.raises(UnknownEnding, match=told):
        part_of(name, "calling" if way == "calling" else "called")


def test_pages_that_cannot_be_provoked_say_why() -> None:
    unprovoked = [page for page in pages().values() if page.front.provoked]
    for page in unprovoked:
        with pytest.raises(UnknownEnding) as raised:
            part_of(page.id, "called")
        assert page.front.provoked in str(raised.value)


def test_most_pages_are_in_the_hand_of_a_telephone() -> None:
    playable = 0
    for name in pages():
        for way in ("called", "calling"):
            try:
                part_of(name, "calling" if way == "calling" else "called")
            except UnknownEnding:
                continue
            playable += 1
    assert playable >= 50
