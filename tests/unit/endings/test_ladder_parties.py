"""Ladders and lines of calls that come in, of users, and of several legs and applications."""

import pytest

from onhook.endings.explain import explain
from onhook.endings.judge import judge
from onhook.endings.ladder import draw, lay_out
from onhook.endings.ladder_svg import draw_svg
from onhook.endings.lines import describe
from onhook.endings.render import render_text
from onhook.facts import GridListener
from timelines import (
    ANNA,
    BERT,
    FIRST,
    SAMPLES,
    SECOND,
    Story,
    answered,
    between_users,
    incoming,
    leg_of,
    redirected,
)


def labels(story: Story) -> list[str]:
    return [line.label for line in describe(story.facts).values()]


def test_a_call_that_comes_in_has_its_trunk_as_a_column() -> None:
    assert lay_out(incoming().facts).columns == ("application", "onhook", "trunk carrier")


def test_an_own_leg_without_signalling_is_no_column() -> None:
    story = incoming().api("answerCall", 200, connection=FIRST, leg="carrier")
    story.joined(FIRST, "answerCall", BERT)
    assert lay_out(story.facts).columns == ("application", "onhook", "trunk carrier")


def test_two_telephones_behind_one_trunk_have_columns_of_their_own() -> None:
    layout = lay_out(redirected().facts)
    assert layout.columns[2:] == ("trunk carrier (+14255550200)", "trunk carrier (+14255550300)")
    invites = [rung for rung in layout.rungs if rung.label.startswith("INVITE")]
    assert [(rung.start, rung.end) for rung in invites] == [(2, 1), (1, 3)]


def test_a_user_is_rung_and_answers_in_a_column() -> None:
    layout = lay_out(between_users().api("hangupCall", connection=SECOND).facts)
    assert layout.columns == ("application", "onhook", "user …anna01")
    arrows = [(rung.start, rung.end, rung.label) for rung in layout.rungs if rung.start != rung.end]
    assert arrows == [
        (0, 1, "createCall → 201"),
        (1, 2, "rings"),
        (1, 0, "IncomingCall to subscription app → 200"),
        (2, 1, "answerCall → 200"),
        (2, 1, "hangupCall → 204"),
    ]


def test_a_second_application_has_a_column_once_it_speaks() -> None:
    story = answered().joined(SECOND, "connect")
    assert "application 2" not in lay_out(story.facts).columns
    story.api("hangupCall", connection=SECOND)
    layout = lay_out(story.facts)
    assert layout.columns == ("application", "onhook", "trunk carrier", "application 2")
    assert (layout.rungs[-1].start, layout.rungs[-1].end) == (3, 1)


def test_two_users_have_two_columns() -> None:
    story = Story().created().rings(ANNA).rings(BERT).declines(BERT)
    assert lay_out(story.facts).columns[2:] == ("user …anna01", "user …bert02")


def test_the_words_of_each_new_fact() -> None:
    story = incoming().joined(FIRST, "answerCall").left(FIRST).door("number-unknown", 404, "nobody owns it")
    story.user(ANNA, "ended", "rang-out").user(ANNA, "connected").heard(None)
    story.unheard(GridListener(subscription="app", state="Failed", why="202 is no answer"))
    assert labels(story)[1:] == [
        "+14255550200 calls +14255550100 of resource dev by trunk carrier",
        "SIP/2.0 100 Trying",
        "IncomingCall for +14255550100 published for resource dev",
        "SIP/2.0 180 Ringing",
        "application joined the call (answerCall)",
        "application left the call (hung-up)",
        "the call for +14255550999 is not let in: nobody owns it",
        "user …anna01 ended (rang-out)",
        "user …anna01 connected",
        "IncomingCall to subscription app → refused: nobody listens",
        "IncomingCall: no subscription took it (app: Failed)",
    ]


def test_a_withheld_number_is_said_to_be_one() -> None:
    story = incoming()
    arrived = story.facts[1]
    story.facts[1] = type(arrived)(
        at=arrived.at,
        leg=arrived.leg,
        number="+14255550100",  # type: ignore[call-arg]  # a CallArrived
        caller="",
        trunk="carrier",
        resource="dev",
    )
    assert labels(story)[1].startswith("a withheld number calls +14255550100")


@pytest.mark.parametrize(
    "ending", ["left-alone", "redirected-by-app", "user-rang-out", "inbound-nobody-heard", "rejected-by-app"]
)
def test_text_and_svg_show_the_same_rows(ending: str) -> None:
    timeline = SAMPLES[ending]
    text, svg = draw(timeline), draw_svg(timeline)
    assert text.count("\n") == len(timeline) + 1
    assert svg.count('<g id="fact-') == len(timeline)
    for column in lay_out(timeline).columns:
        assert column in text
        assert column in svg


def test_an_explanation_names_who_did_what() -> None:
    story = between_users().wait(5).api("hangupCall", connection=SECOND).left(SECOND)
    told = explain(judge(story.facts), story.facts)
    assert told.evidence[-1].seen == "◀ user …anna01: hangupCall → 204"
    assert "user …anna01 answered" in render_text(told)


def test_why_nobody_heard_names_the_subscription_its_state_and_its_last_attempt() -> None:
    listener = GridListener(
        subscription="orders",
        state="AwaitingManualAction",
        why="the endpoint answered 200 without the validation code",
        last_attempt="200 OK",
    )
    story = incoming().unheard(listener).wait(30).timer("ring", 30)
    verdict = judge(story.response(480, "Temporarily Unavailable").facts)
    assert verdict.ending == "inbound-nobody-heard"
    words = next(proof.shows for proof in verdict.evidence if "subscription" in proof.shows)
    for part in ("orders", "AwaitingManualAction", "without the validation code", "200 OK"):
        assert part in words


def test_an_event_that_was_delivered_too_late_was_not_heard() -> None:
    story = incoming().heard(None).wait(30).timer("ring", 30).response(480, "Temporarily Unavailable").ack()
    before = judge(story.facts)
    after = judge(story.wait(5).heard().facts)
    assert before.ending == after.ending == "inbound-nobody-heard"
    assert before.evidence == after.evidence


def test_an_event_heard_by_a_second_try_was_heard() -> None:
    story = incoming().heard(500).wait(10).heard().wait(20).timer("ring", 30)
    assert judge(story.response(480, "Temporarily Unavailable").facts).ending == "inbound-unanswered"


def test_nothing_known_of_deliveries_is_no_proof_that_nobody_heard() -> None:
    story = incoming().wait(30).timer("ring", 30).response(480, "Temporarily Unavailable")
    assert judge(story.facts).ending == "inbound-unanswered"


def test_legs_of_users_are_short_enough_for_a_column() -> None:
    long = "8:acs:" + "x" * 200
    story = Story().created().rings(long)
    assert all(len(column) <= 34 for column in lay_out(story.facts).columns)
    assert leg_of(long) == "leg-xxxxxx"
