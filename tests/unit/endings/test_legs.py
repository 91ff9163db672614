"""Calls of several legs: which one decides, what is said of the others, and what each application is told."""

import pytest

from onhook.endings.judge import judge
from onhook.endings.legs import read_call
from onhook.endings.verdict import Verdict
from onhook.facts import Timeline
from timelines import (
    ANNA,
    BERT,
    FIRST,
    SECOND,
    Story,
    answered,
    back,
    begun,
    between_users,
    incoming,
    redirected,
)

ONE, TWO = "+14255550201", "+14255550202"


def on(story: Story, leg: str) -> Story:
    story.leg = leg
    return story


def group() -> Story:
    """Two phones are called at once; the steps that follow are those of the first."""
    story = Story("one").created().joined(FIRST, "createCall")
    story.routed(number=ONE).invite()
    on(story, "two").routed(number=TWO).invite()
    return on(story, "one")


def both_up() -> Story:
    story = group().trying().ringing().answer().ack()
    on(story, "two").trying().ringing().answer().ack()
    return on(story, "one")


def said(verdict: Verdict) -> dict[int, str]:
    return {proof.fact: proof.shows for proof in (*verdict.evidence, *verdict.remarks)}


# Group calls


def test_the_last_of_several_phones_to_fail_decides() -> None:
    story = group().response(486, "Busy Here").ack()
    verdict = judge(on(story, "two").trying().response(603, "Decline").ack().facts)
    assert verdict.ending == "callee-declined"
    assert "trunk carrier (+14255550201) refused with 486 Busy Here" in [r.shows for r in verdict.remarks]
    assert verdict.evidence[-1].shows == "trunk carrier (+14255550202) refused with 603 Decline"


def test_the_order_in_which_phones_were_called_does_not_matter() -> None:
    story = on(group(), "two").response(603, "Decline").ack()
    assert judge(on(story, "one").response(486, "Busy Here").ack().facts).ending == "callee-busy"


def test_a_phone_that_was_up_decides_though_another_failed_later() -> None:
    story = group().answer().ack()
    on(story, "two").wait(3).response(486, "Busy Here").ack()
    verdict = judge(on(story, "one").wait(5).bye("received").bye_ok("sent").facts)
    assert verdict.ending == "hung-up-by-phone"
    assert "trunk carrier (+14255550202) refused with 486 Busy Here" in [r.shows for r in verdict.remarks]


def test_while_one_phone_rings_the_refusal_of_the_other_is_not_the_end() -> None:
    story = group().response(486, "Busy Here").ack()
    on(story, "two").ringing().answer().ack()
    assert judge(story.wait(9).bye("received").facts).ending == "hung-up-by-phone"


def test_the_last_of_two_phones_to_leave_decides() -> None:
    story = both_up().wait(5).bye("received", "Reason: Q.850;cause=38").bye_ok("sent")
    verdict = judge(on(story, "two").wait(5).bye("received").bye_ok("sent").facts)
    assert verdict.ending == "hung-up-by-phone"
    assert any("cause 38" in remark.shows for remark in verdict.remarks)


def test_the_application_ends_a_group_call_for_everyone() -> None:
    story = both_up().wait(5).api("terminateCall").bye("sent").bye_ok("received")
    verdict = judge(on(story, "two").bye("sent").bye_ok("received").facts)
    assert verdict.ending == "hung-up-by-app"
    assert "the application asked to end the call (terminateCall)" in [e.shows for e in verdict.evidence]


def test_the_only_application_leaves_and_the_phones_are_cut() -> None:
    story = both_up().wait(5).api("hangupCall", connection=FIRST).left(FIRST).bye("sent")
    assert judge(on(story, "two").bye("sent").facts).ending == "hung-up-by-app"


def test_one_phone_left_before_the_application_ended_the_rest() -> None:
    story = both_up().wait(5).bye("received").bye_ok("sent")
    verdict = judge(on(story, "two").wait(2).api("hangupCall").bye("sent").facts)
    assert verdict.ending == "hung-up-by-app"
    assert "trunk carrier (+14255550201) ended the call (BYE)" in [r.shows for r in verdict.remarks]


def test_the_application_gives_a_group_call_up() -> None:
    story = group().ringing().api("hangupCall").cancel().response(487, "Request Terminated").ack()
    verdict = judge(on(story, "two").cancel().response(487, "Request Terminated").ack().facts)
    assert verdict.ending == "cancelled-by-app"


def test_the_phone_that_is_given_up_for_another_does_not_decide() -> None:
    story = group().answer().ack()
    on(story, "two").cancel().response(487, "Request Terminated").ack()
    assert judge(on(story, "one").wait(3).bye("received").facts).ending == "hung-up-by-phone"


def test_a_restart_while_one_of_two_phones_is_up_is_the_end() -> None:
    story = both_up().wait(5).bye("received").bye_ok("sent")
    assert judge(story.restart().facts).ending == "server-restarted"


def test_a_silent_phone_among_several_is_a_remark() -> None:
    story = group().answer().ack()
    on(story, "two").wait(10).timer("no-response", 10)
    verdict = judge(on(story, "one").wait(3).bye("received").facts)
    assert verdict.ending == "hung-up-by-phone"
    assert any("no response had come" in remark.shows for remark in verdict.remarks)


def test_a_target_without_a_route_does_not_end_the_call_of_the_others() -> None:
    story = Story("one").created()
    story.refused("no-route", "no route", number=ONE)
    story.facts[-1] = type(story.facts[-1])(
        **{name: getattr(story.facts[-1], name) for name in ("at", "number", "why", "detail")}, leg="one"
    )
    on(story, "two").routed(number=TWO).invite().ringing().answer().ack()
    assert judge(story.wait(3).bye("received").facts).ending == "hung-up-by-phone"


# Redirected calls


def test_the_caller_of_a_redirected_call_hangs_up() -> None:
    story = back(redirected().ringing().answer().ack()).answer().ack()
    story.wait(4).bye("received").bye_ok("sent")
    verdict = judge(redirect_released(story).facts)
    assert verdict.ending == "caller-hung-up"
    assert "the application redirected the call to +14255550300 (redirectCall)" in said(verdict).values()


def redirect_released(story: Story) -> Story:
    """Our side releases the phone that the call was redirected to."""
    story.leg, story.inbound = "onward", False
    return story.bye("sent").bye_ok("received")


def test_the_phone_that_a_call_was_redirected_to_hangs_up() -> None:
    story = back(redirected().ringing().answer().ack()).answer().ack()
    story.leg, story.inbound = "onward", False
    verdict = judge(back(story.wait(4).bye("received").bye_ok("sent")).bye("sent").facts)
    assert verdict.ending == "hung-up-by-phone"
    assert (verdict.code, verdict.subcode) == (0, 560000)


def test_the_caller_gives_up_while_the_redirected_call_rings() -> None:
    story = back(redirected().ringing()).cancel().response(487, "Request Terminated").ack()
    story.leg, story.inbound = "onward", False
    story.cancel().response(487, "Request Terminated").ack()
    assert judge(story.facts).ending == "caller-gave-up"


def test_a_redirect_to_a_silent_trunk_is_in_vain() -> None:
    story = back(redirected().wait(10).timer("no-response", 10))
    verdict = judge(story.response(480, "Temporarily Unavailable").ack().facts)
    assert (verdict.ending, verdict.code, verdict.subcode) == ("redirected-by-app", 480, 540480)
    assert any("no response had come" in proof.shows for proof in verdict.evidence)


def test_a_redirect_to_a_user_who_does_not_answer() -> None:
    story = incoming().heard().api("redirectCall", 204, ANNA).rings(ANNA).ring_timer(ANNA)
    verdict = judge(story.response(480, "Temporarily Unavailable").ack().facts)
    assert verdict.ending == "redirected-by-app"
    assert "user …anna01 did not take the call (rang-out)" in said(verdict).values()


def test_a_redirect_to_a_user_whose_application_rejects() -> None:
    story = incoming().heard().api("redirectCall", 204, ANNA).rings(ANNA).declines(ANNA)
    verdict = judge(story.response(603, "Decline").ack().facts)
    assert verdict.ending == "rejected-by-app"
    assert "the application redirected the call to user …anna01 (redirectCall)" in said(verdict).values()


# Applications among several


def test_one_application_leaves_and_the_call_goes_on() -> None:
    story = answered().joined(SECOND, "connect").wait(3).api("hangupCall", connection=SECOND).left(SECOND)
    facts = story.wait(9).bye("received").bye_ok("sent").facts
    assert judge(facts).ending == "caller-hung-up"
    own = judge(facts, connection=SECOND)
    assert (own.ending, own.event_code, own.subcode) == ("hung-up-by-app", 200, 7000)
    assert [proof.shows for proof in own.evidence] == [
        "this application joined the call",
        "this application left the call, which went on without it",
    ]


def test_the_first_application_leaves_and_the_call_goes_on_with_the_second() -> None:
    story = answered().joined(SECOND, "connect").wait(3).api("hangupCall", connection=FIRST).left(FIRST)
    facts = story.wait(9).bye("received").bye_ok("sent").facts
    assert judge(facts, connection=FIRST).ending == "hung-up-by-app"
    assert judge(facts, connection=SECOND).ending == "caller-hung-up"


def test_the_phone_leaves_two_applications_that_go_on() -> None:
    story = answered().joined(SECOND, "connect").wait(3).bye("received").bye_ok("sent")
    facts = story.wait(9).api("hangupCall", connection=SECOND).left(SECOND).facts
    assert judge(facts, connection=FIRST).ending == "left-alone"
    assert judge(facts, connection=SECOND).ending == "hung-up-by-app"


def test_users_are_told_who_of_them_left() -> None:
    facts = between_users().wait(5).api("hangupCall", connection=SECOND).left(SECOND).facts
    assert judge(facts, connection=SECOND).ending == "hung-up-by-app"
    assert judge(facts, connection=FIRST).ending == "left-alone"
    assert judge(facts).ending == "left-alone"


def test_the_one_who_called_the_user_leaves() -> None:
    facts = between_users().wait(5).api("hangupCall").left("").facts
    assert judge(facts).ending == "hung-up-by-app"
    assert judge(facts, connection=SECOND).ending == "left-alone"


def test_terminate_is_the_end_for_everyone() -> None:
    facts = between_users().wait(5).api("terminateCall", connection=SECOND).facts
    assert {judge(facts, connection=each).ending for each in ("", FIRST, SECOND)} == {"hung-up-by-app"}


def test_that_a_connection_left_is_enough_to_know_who_was_left_alone() -> None:
    assert judge(between_users().wait(5).left(SECOND).facts).ending == "left-alone"


def test_a_third_application_keeps_the_call_up() -> None:
    story = between_users().joined("third", "connect").wait(5).api("hangupCall", connection=SECOND)
    facts = story.left(SECOND).wait(5).api("hangupCall", connection="third").left("third").facts
    assert judge(facts, connection=SECOND).evidence[-1].fact == len(facts) - 3
    assert judge(facts).ending == "left-alone"
    assert judge(facts).evidence[-1].fact == len(facts) - 1


def test_what_comes_after_the_end_changes_nothing() -> None:
    story = between_users().wait(5).api("hangupCall", connection=SECOND).left(SECOND)
    before = judge(story.facts)
    assert judge(story.api("hangupCall").restart().facts).evidence == before.evidence


def test_a_call_between_users_that_lasted_too_long() -> None:
    verdict = judge(between_users().wait(60).timer("duration", 60).facts)
    assert verdict.ending == "call-too-long"
    assert "user …anna01 answered" in said(verdict).values()


# Users and phones together


def both_called() -> Story:
    """A user and a phone are called at once; the steps that follow are those of the phone."""
    return begun().invite().trying().rings(ANNA)


def test_the_user_declines_after_the_phone_was_busy() -> None:
    verdict = judge(both_called().response(486, "Busy Here").ack().declines(ANNA).facts)
    assert verdict.ending == "user-declined"
    assert any("486 Busy Here" in remark.shows for remark in verdict.remarks)


def test_the_phone_is_busy_after_the_user_declined() -> None:
    verdict = judge(both_called().declines(ANNA).response(486, "Busy Here").ack().facts)
    assert verdict.ending == "callee-busy"
    assert "user …anna01 did not take the call (none)" in [remark.shows for remark in verdict.remarks]


def test_the_phone_answers_and_the_user_declines_later() -> None:
    story = both_called().ringing().answer().ack().declines(ANNA)
    assert judge(story.wait(3).bye("received").facts).ending == "hung-up-by-phone"


def test_the_user_answers_and_the_phone_is_busy() -> None:
    story = both_called().takes(ANNA, SECOND).response(486, "Busy Here").ack()
    assert judge(story.wait(3).api("hangupCall", connection=SECOND).facts).ending == "left-alone"


def test_of_two_users_the_last_to_be_lost_decides() -> None:
    story = Story().created().rings(ANNA).rings(BERT).declines(ANNA)
    assert judge(story.facts).ending == "unexplained"  # not over
    assert judge(story.ring_timer(BERT).facts).ending == "user-rang-out"


def test_the_caller_of_a_user_gives_up() -> None:
    story = Story().created().rings(ANNA).heard().wait(3).api("hangupCall").user(ANNA, "ended", "cancelled")
    assert judge(story.facts).ending == "cancelled-by-app"


# One leg only


@pytest.mark.parametrize(
    "timeline",
    [begun().busy().facts, begun("first").invite().response(503, "Busy").ack().facts, answered().facts],
    ids=["busy", "failed over", "answered"],
)
def test_a_call_of_one_leg_is_read_once(timeline: Timeline) -> None:
    reading = read_call(timeline)
    assert not reading.several
    assert reading.beside == []


def test_trunks_tried_one_after_the_other_are_no_group() -> None:
    story = begun("first").invite().response(503, "Service Unavailable").ack()
    story.leg = "second"
    reading = read_call(story.routed("second").invite().response(486, "Busy Here").ack().facts)
    assert not reading.several
    assert [attempt.leg for attempt in reading.attempts] == ["first", "second"]
