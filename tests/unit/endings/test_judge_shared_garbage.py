"""Unreadable bytes that could have been meant for several calls blame none; a looped INVITE begins none."""

import pytest

from onhook.endings.judge import judge
from onhook.facts import SipUnreadable
from timelines import PEER, Story, begun


def garbage(story: Story, candidates: int, data: bytes = b"\x00\x01") -> Story:
    return story.add(
        SipUnreadable(
            at=story.now,
            leg=story.leg,
            transport="udp",
            peer=PEER,
            data=data,
            why="no start line",
            candidates=candidates,
        )
    )


@pytest.mark.parametrize(
    ("candidates", "ending"), [(1, "malformed-answer"), (2, "trunk-silent"), (16, "trunk-silent")]
)
def test_only_bytes_that_could_be_for_one_call_decide(candidates: int, ending: str) -> None:
    story = garbage(begun().invite(), candidates).wait(10).timer("no-response", 10)
    verdict = judge(story.facts)
    assert verdict.ending == ending
    assert (4 in [proof.fact for proof in verdict.evidence]) is (candidates == 1)


def test_shared_bytes_are_a_remark_that_says_so() -> None:
    verdict = judge(garbage(begun().invite(), 3).wait(10).timer("no-response", 10).facts)
    assert [(remark.fact, remark.shows) for remark in verdict.remarks] == [
        (4, "2 bytes came that are no SIP message, for one of 3 calls that waited: no start line")
    ]


def test_bytes_of_ones_own_decide_beside_shared_ones() -> None:
    story = garbage(garbage(begun().invite(), 5), 1).wait(10).timer("no-response", 10)
    verdict = judge(story.facts)
    assert verdict.ending == "malformed-answer"
    assert 5 in [proof.fact for proof in verdict.evidence]
    assert 4 in [remark.fact for remark in verdict.remarks]


def test_shared_bytes_before_anything_was_sent_begin_no_attempt() -> None:
    verdict = judge(garbage(Story().created(), 2).facts)
    assert verdict.ending == "unexplained"
    assert verdict.evidence


def test_shared_bytes_beside_a_real_refusal_are_a_remark_only() -> None:
    verdict = judge(garbage(begun().invite(), 2).response(486, "Busy Here").ack().facts)
    assert verdict.ending == "callee-busy"
    assert [remark.fact for remark in verdict.remarks] == [4]


def test_our_own_invite_that_comes_back_begins_no_call() -> None:
    """A trunk that routes the call back to us: a loop. What the trunk says afterwards still decides."""
    looped = begun().invite().invite(way="received").response(486, "Busy Here").ack()
    assert judge(looped.facts).ending == "callee-busy"


def test_an_invite_with_our_call_id_during_the_call_changes_nothing() -> None:
    story = begun().up().invite(way="received").wait(1).bye("received").bye_ok("sent")
    assert judge(story.facts).ending == "hung-up-by-phone"
