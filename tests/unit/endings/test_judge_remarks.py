"""Remarks: seen, said, and never deciding."""

import pytest

from onhook.endings.judge import judge
from onhook.endings.ladder import draw
from onhook.endings.remarks import MAX_REMARKS
from onhook.facts import ClockSkipped, Timeline
from timelines import START, begun, refusal


def remarks(timeline: Timeline) -> list[tuple[int, str]]:
    return [(proof.fact, proof.shows) for proof in judge(timeline).remarks]


def only(timeline: Timeline) -> tuple[int, str]:
    found = remarks(timeline)
    assert len(found) == 1, found
    return found[0]


def test_an_ordinary_call_has_no_remarks() -> None:
    assert remarks(begun().busy().delivery().facts) == []
    assert remarks(begun().up().media().bye("received").media().delivery().facts) == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (486, "Q.850;cause=17"),
        (603, "Q.850;cause=21"),
        (403, "Q.850;cause=21"),
        (480, "Q.850;cause=19"),
        (500, "Q.850;cause=41"),
        (503, "Q.850;cause=41"),
        (600, "Q.850;cause=17"),
        (487, "Q.850;cause=16"),
        (486, "SIP;cause=486"),
        (486, "Q.850;cause=999"),
        (500, "Q.850;cause=127;text=x, SIP;cause=500"),
    ],
)
def test_codes_that_agree(status: int, reason: str) -> None:
    assert remarks(refusal(status, "Phrase", f"Reason: {reason}")) == []


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (486, "Q.850;cause=34", "stands for 503"),
        (404, "Q.850;cause=17", "stands for 486"),
        (486, "Q.850;cause=16", "cause 16 is a normal end"),
        (486, "SIP;cause=503", "Reason says SIP 503"),
    ],
)
def test_codes_that_contradict_each_other(status: int, reason: str, words: str) -> None:
    fact, said = only(refusal(status, "Phrase", f"Reason: {reason}"))
    assert fact == 5
    assert said.startswith("codes contradict each other: ")
    assert words in said


def test_no_rtp_while_the_call_was_up() -> None:
    fact, said = only(begun().up().bye("received").media(sent=250, received=0).facts)
    assert fact == 9
    assert said == "no RTP came from trunk carrier while the call was up (250 packets sent)"


def test_no_rtp_is_no_remark_where_nobody_answered() -> None:
    assert remarks(begun().busy().media(received=0).facts) == []


def test_rtp_that_stopped_long_before_the_end() -> None:
    story = begun().up().wait(20)
    fact, said = only(story.bye("received").media(received=9, last=START + 2.0).facts)
    assert fact == 9
    assert said == "the last RTP had come 20.2 s before the end"
    assert remarks(begun().up().bye("received").media(received=9, last=START + 2.0).facts) == []


def test_another_fork_answered() -> None:
    fact, said = only(begun().up().answer(tag="them2").ack().bye("received").facts)
    assert fact == 8
    assert said.startswith("answered elsewhere too")


def test_a_repeated_answer_is_told_once_with_its_count() -> None:
    assert only(begun().up().answer().ack().answer().ack().bye("received").facts) == (
        10,
        "the same answer came 2 more times",
    )


def test_trunks_tried_before() -> None:
    story = begun("a").routed("first").invite().response(503, "Service Unavailable").ack()
    story.leg = "b"
    story.routed("second").invite().timer("no-response", 10)
    story.leg = "c"
    story.routed("third").invite().fails("refused: nobody")
    story.leg = "d"
    found = remarks(story.routed("fourth").invite().response(486, "Busy Here").facts)
    assert found == [
        (5, "trunk first was tried before and refused with 503 Service Unavailable"),
        (9, "trunk second was tried before and stayed silent"),
        (12, "trunk third was tried before and could not be reached"),
    ]


def test_an_invite_sent_more_than_once() -> None:
    assert only(begun().invite().wait(0.5).invite().response(486, "Busy Here").facts) == (
        3,
        "the INVITE had to be sent 2 times before a response came",
    )


def test_credentials_that_were_taken() -> None:
    story = begun().invite().response(401, "Unauthorized").ack()
    story.cseq = 2
    assert only(story.up().bye("received").facts) == (4, "the trunk asked for credentials and took ours")


def test_another_status_after_our_cancel() -> None:
    story = begun().invite().ringing().api("hangUp").cancel().response(486, "Busy Here")
    assert only(story.facts) == (7, "it ended with 486 Busy Here, not 487, after our side had given up")


def test_requests_that_were_refused() -> None:
    story = begun().busy().api("hangUp", 404, "no such call")
    assert only(story.facts) == (8, "the API refused hangUp with 404 no such call")


def test_late_messages() -> None:
    story = begun().invite().timer("no-response", 10).response(183, "Session Progress")
    assert only(story.facts) == (5, "183 came after the call was over")
    story = begun().up().bye("received")
    story.cseq = 7
    assert only(story.invite(way="received").facts) == (9, "INVITE came after the call was over")


def test_failures_that_ended_nothing() -> None:
    assert only(begun().up().fails("reset: gone").bye("received").facts) == (
        8,
        "TCP to 192.0.2.20:5060 failed: reset: gone",
    )


def test_garbage_that_ended_nothing() -> None:
    fact, said = only(begun().invite().garbage().response(486, "Busy Here").facts)
    assert fact == 4
    assert said.startswith("9 bytes came that are no SIP message")


def test_garbage_that_decided_is_evidence_and_no_remark() -> None:
    verdict = judge(begun().invite().garbage().timer("no-response", 10).facts)
    assert verdict.remarks == ()
    assert [proof.fact for proof in verdict.evidence] == [3, 4, 5]


def test_an_event_that_is_not_delivered() -> None:
    story = begun().busy().delivery(None, error="connection refused").delivery(503, attempt=2)
    assert only(story.facts) == (9, "CallDisconnected is not delivered: attempt 2, HTTP 503")


def test_an_event_that_was_delivered_in_the_end() -> None:
    assert remarks(begun().busy().delivery(None, error="x").delivery(200, attempt=2).facts) == []


def test_an_event_without_any_answer() -> None:
    assert only(begun().busy().delivery(None).facts)[1].endswith("attempt 1, no answer")


def test_remarks_are_limited_and_in_order() -> None:
    story = begun().busy()
    for number in range(MAX_REMARKS + 10):
        story.delivery(500, event=f"e{number}")
    found = remarks(story.facts)
    assert len(found) == MAX_REMARKS
    assert [fact for fact, _ in found] == sorted(fact for fact, _ in found)
    assert found[-1][1] == "11 more remarks are left out"


def test_time_that_was_not_waited_for_is_told_and_decides_nothing() -> None:
    waited = begun().busy().delivery().facts
    skips = [ClockSkipped(at=START + n, seconds=57.5, why="nobody had anything else to do") for n in (1, 2)]
    skipped = [*waited[:3], *skips, *waited[3:]]
    fact, said = only(skipped)
    assert fact == 4
    assert said.startswith("115.0 s of this call were not waited for")
    assert judge(skipped).ending == judge(waited).ending == "callee-busy"
    assert "57.5 s passed at once (nobody had anything else to do)" in draw(skipped)
