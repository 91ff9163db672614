"""Legs that come late, are taken out, handed over or moved: which of them decides, and what is said."""

from onhook.endings.explain import explain
from onhook.endings.judge import judge, judge_leg
from onhook.endings.lines import describe
from onhook.facts import LegMovedIn, LegMovedOut, RouteRefused
from timelines import ANNA, SECOND, Story, begun

FIRST_LEG, ADDED = "carrier", "added"
ADDED_NUMBER = "+14255550201"


def on(story: Story, leg: str) -> Story:
    story.leg = leg
    return story


def adding(story: Story | None = None) -> Story:
    """A call that is up, and a phone that is rung for it; what follows is of that phone."""
    up = story or begun().up()
    up.api("addParticipant", 202)
    return on(up, ADDED).routed(number=ADDED_NUMBER).invite()


def test_one_that_was_added_in_vain_is_judged_by_itself_and_ends_nothing() -> None:
    story = adding().ringing().response(486, "Busy Here", "Reason: Q.850;cause=17").ack()
    alone = judge_leg(story.facts, ADDED)
    assert (alone.ending, alone.code, alone.subcode, alone.sip_status) == ("callee-busy", 486, 560486, 486)
    assert [story.facts[proof.fact - 1].leg for proof in alone.evidence] == [ADDED] * len(alone.evidence)
    assert judge(on(story, FIRST_LEG).bye("received").facts).ending == "hung-up-by-phone"


def test_one_that_rang_out_is_not_what_ended_the_call() -> None:
    story = adding().ringing().timer("setup", 30).cancel().cancel_ok().response(487, "Terminated").ack()
    assert judge_leg(story.facts, ADDED).ending == "rang-out"
    assert judge(on(story, FIRST_LEG).bye("received").facts).ending == "hung-up-by-phone"


def test_one_that_was_taken_back_is_not_what_ended_the_call() -> None:
    story = adding().ringing().dismissed("cancelled").cancel().cancel_ok().response(487, "Terminated").ack()
    verdict = judge_leg(story.facts, ADDED)
    assert verdict.ending == "cancelled-by-app"
    assert "took the invitation back" in " ".join(proof.shows for proof in verdict.evidence)
    assert judge(on(story, FIRST_LEG).api("hangUp").bye("sent").facts).ending == "hung-up-by-app"


def test_a_route_that_is_refused_while_the_call_is_up_ends_nothing() -> None:
    story = begun().up()
    story.add(RouteRefused(at=story.now, leg=ADDED, number=ADDED_NUMBER, why="no-route", detail="x"))
    assert judge_leg(story.facts, ADDED).ending == "no-route"
    assert judge(story.bye("received").facts).ending == "hung-up-by-phone"


def test_a_user_who_was_taken_back_is_judged_as_such() -> None:
    story = begun().up().rings(ANNA)
    leg = story.facts[-2].leg
    on(story, leg).dismissed("cancelled").user(ANNA, "ended", "cancelled")
    assert judge_leg(story.facts, leg).ending == "cancelled-by-app"
    assert judge(on(story, FIRST_LEG).bye("received").facts).ending == "hung-up-by-phone"


def test_a_user_who_did_not_answer_is_judged_as_such() -> None:
    story = begun().up().rings(ANNA).heard()
    leg = next(fact.leg for fact in story.facts if fact.leg not in {"", FIRST_LEG})
    story.ring_timer(ANNA)
    assert judge_leg(story.facts, leg).ending == "user-rang-out"


def test_the_one_removed_last_leaves_the_application_alone() -> None:
    story = adding().answer().ack()
    on(story, FIRST_LEG).bye("received")
    on(story, ADDED).api("removeParticipant", 202).dismissed("removed").bye("sent").bye_ok("received")
    verdict = judge(story.facts)
    assert verdict.ending == "left-alone"
    assert verdict.evidence[-2].shows.startswith("the application removed the participant")


def test_one_removed_before_is_not_what_ended_the_call() -> None:
    story = adding().answer().ack().dismissed("removed").bye("sent").bye_ok("received")
    assert judge(on(story, FIRST_LEG).bye("received").facts).ending == "hung-up-by-phone"


def test_those_who_were_handed_over_do_not_decide() -> None:
    story = adding().answer().ack()
    on(story, "target").routed(number="+14255550202").invite().answer().ack()
    on(story, FIRST_LEG).dismissed("transferred")
    on(story, "target").dismissed("transferred")
    on(story, ADDED).bye("received")
    before = judge(story.facts)
    assert before.ending == "hung-up-by-phone"
    on(story, FIRST_LEG).bye("received")
    on(story, "target").bye("sent")
    after = judge(story.facts)
    assert (after.ending, after.evidence) == (before.ending, before.evidence)


def moved_out(story: Story) -> Story:
    return story.add(LegMovedOut(at=story.now, leg=story.leg, to_call="other"))


def moved_in(story: Story, number: str = ADDED_NUMBER) -> Story:
    came = LegMovedIn(at=story.now, leg=ADDED, from_call="lobby", number=number, trunk="carrier")
    return on(story.add(came), ADDED)


def test_a_call_whose_last_participant_moved_left_the_application_alone() -> None:
    verdict = judge(moved_out(begun().up()).facts)
    assert verdict.ending == "left-alone"
    assert "went on in another call" in verdict.evidence[-1].shows


def test_one_who_moved_out_does_not_decide() -> None:
    story = adding().answer().ack()
    on(moved_out(story), FIRST_LEG).bye("received")
    assert judge(story.facts).ending == "hung-up-by-phone"


def test_one_who_moved_in_decides_if_it_ended_the_call() -> None:
    story = begun().up().bye("received")
    moved = moved_in(begun().up().wait(3)).bye("received")
    verdict = judge(moved.facts)
    assert verdict.ending == "hung-up-by-phone"
    assert "trunk carrier (+14255550201) came from another call (lobby)" in [
        p.shows for p in verdict.evidence
    ]
    assert judge(story.facts).ending == "hung-up-by-phone"


def test_lines_tell_of_every_leg_that_was_taken_out_or_moved() -> None:
    story = moved_in(moved_out(begun().up().dismissed("removed")))
    labels = [line.label for line in describe(story.facts).values()][-3:]
    assert labels == [
        "taken out of the call (removed)",
        "goes on in call other",
        "+14255550201 comes from call lobby",
    ]


def test_an_explanation_can_be_made_of_a_transferred_call() -> None:
    story = begun().up().api("transferToParticipant", 202).left("", "transferred").bye("sent")
    told = explain(judge(story.facts), story.facts)
    assert (told.code, told.subcode) == (0, 7015)


def test_a_connection_that_left_when_the_call_ended_around_it_is_not_said_to_have_hung_up() -> None:
    story = begun().up().joined(SECOND, "connect").bye("received").left(SECOND, "call-ended")
    assert judge(story.facts, connection=SECOND).ending == "hung-up-by-phone"
