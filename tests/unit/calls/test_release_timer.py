"""A hang-up that the far end does not confirm: the application is told, and its verdict stands."""

import pytest

from onhook.calls.call import RELEASE_SECONDS
from onhook.endings.judge import judge
from onhook.endings.reading import read
from onhook.facts import TimerFired
from timelines import ANSWER, begun
from unit.endings.test_judge_live_calls import Lab


def timers(lab: Lab) -> list[str]:
    return [fact.name for fact in lab.facts if isinstance(fact, TimerFired)]


def cancelled_in_vain() -> Lab:
    """It rang, we cancelled, and the far end says no more about it."""
    lab = Lab()
    lab.reply(180)
    lab.ask()
    lab.reply(200, method="CANCEL")
    lab.until(RELEASE_SECONDS)
    return lab


def test_the_release_is_a_fact_with_its_time() -> None:
    lab = cancelled_in_vain()
    assert timers(lab) == ["release"]
    (fired,) = [fact for fact in lab.facts if isinstance(fact, TimerFired)]
    assert fired.after_seconds == RELEASE_SECONDS
    assert lab.published == ["CreateCallFailed"]
    assert lab.verdict.ending == "cancelled-by-app"


@pytest.mark.parametrize("seconds", [RELEASE_SECONDS + 1, 31.0, 40.0])
def test_an_answer_after_it_is_released_and_changes_no_verdict(seconds: float) -> None:
    lab = cancelled_in_vain()
    told = lab.verdict
    lab.until(seconds)
    lab.reply(200, body=ANSWER)
    assert [request.method for request in lab.sent][-2:] == ["ACK", "BYE"]
    again = judge(lab.facts)
    assert (again.ending, again.code, again.subcode) == (told.ending, told.code, told.subcode)
    assert again.evidence == told.evidence
    assert "200 came after the call was over" in [remark.shows for remark in again.remarks]
    assert lab.published == ["CreateCallFailed"]


def test_an_answer_before_it_decides() -> None:
    lab = Lab()
    lab.reply(180)
    lab.ask()
    lab.until(RELEASE_SECONDS - 1)
    lab.reply(200, body=ANSWER)
    assert timers(lab) == []
    assert lab.verdict.ending == "cancel-crossed-answer"


def test_a_bye_that_nobody_answers() -> None:
    lab = Lab()
    lab.answer()
    lab.ask()
    lab.until(RELEASE_SECONDS)
    assert timers(lab) == ["release"]
    assert lab.verdict.ending == "hung-up-by-app"
    assert judge(lab.facts).ending == "hung-up-by-app"


def test_a_confirmed_hang_up_has_no_release_timer() -> None:
    lab = Lab()
    lab.answer()
    lab.ask()
    lab.reply(200, method="BYE")
    lab.until(60)
    assert timers(lab) == []
    assert lab.verdict.ending == "hung-up-by-app"


def test_it_ends_the_reading_of_a_timeline() -> None:
    story = begun().invite().ringing().api("hangUp").cancel().cancel_ok().wait(4).timer("release", 4)
    reading = read(story.wait(60).answer().ack().facts)
    assert (reading.ended, reading.ended_by) == (8, "release")
    assert reading.attempt
    assert reading.attempt.answer == 0
    assert reading.late == [9]
