"""Trunks that rewrite causes: what may stand behind one that arrived, and what a verdict says of it."""

import msgspec

from onhook.endings.judge import judge
from onhook.endings.transparency import MAX_NAMED, in_words, origins, rewritten
from onhook.facts import Cause, Rewrite, RouteTaken, SipSeen
from timelines import START, Story

BUSY, AWAY, EVERYWHERE = Cause(486), Cause(480), Cause(600)
TABLE = (
    Rewrite(BUSY, AWAY),
    Rewrite(EVERYWHERE, AWAY),
    Rewrite(AWAY, AWAY),
    Rewrite(Cause(603), Cause(603)),
    Rewrite(Cause(603, 21), Cause(603)),
    Rewrite(Cause(0, 38), Cause(0, None)),
    Rewrite(Cause(0, 16), Cause(0, None)),
)


def taken(*rewrites: Rewrite) -> RouteTaken:
    return RouteTaken(
        at=START, leg="carrier", number="+14255550200", trunk="sbc", pattern=".*", rewrites=rewrites
    )


def refused(status: int, phrase: str, *rewrites: Rewrite) -> Story:
    return Story().add(taken(*rewrites)).invite().trying().response(status, phrase).ack()


def test_all_that_arrives_so_may_have_been_it() -> None:
    assert origins(TABLE, AWAY) == (BUSY, EVERYWHERE, AWAY)
    assert origins(TABLE, BUSY) == ()


def test_a_lost_reason_alone_is_no_doubt() -> None:
    assert origins(TABLE, Cause(603)) == ()
    assert origins(TABLE, Cause(0, None)) == (Cause(0, 38), Cause(0, 16))


def test_a_trunk_knows_only_what_is_in_doubt() -> None:
    assert rewritten(TABLE) == (*TABLE[:3], *TABLE[5:])
    assert rewritten(TABLE[3:5]) == ()


def test_a_verdict_is_less_sure_and_says_why() -> None:
    plain = judge(refused(480, "Temporarily Unavailable").facts)
    doubted = judge(refused(480, "Temporarily Unavailable", *TABLE).facts)
    assert (plain.confidence, doubted.confidence) == ("high", "medium")
    assert (doubted.ending, doubted.code, doubted.subcode) == (plain.ending, plain.code, plain.subcode)
    (doubt,) = [proof for proof in doubted.evidence if "measured to rewrite" in proof.shows]
    assert doubt.fact == 1
    assert doubt.shows.endswith(
        "trunk sbc was measured to rewrite causes: what arrives as 480 Temporarily Unavailable may have been "
        "486 Busy Here, 600 Busy Everywhere, 480 Temporarily Unavailable"
    )
    numbers = [proof.fact for proof in doubted.evidence]
    assert numbers == sorted(set(numbers))


def test_other_causes_of_that_trunk_stay_as_they_were() -> None:
    for status, phrase in ((603, "Decline"), (486, "Busy Here"), (404, "Not Found")):
        assert judge(refused(status, phrase, *TABLE).facts) == judge(refused(status, phrase).facts)


def test_a_bye_whose_reason_was_taken_out_is_in_doubt() -> None:
    story = Story().add(taken(*TABLE)).up().wait(3).bye("received").bye_ok("sent")
    found = judge(story.facts)
    assert any("may have been BYE (Q.850 38, Network out of order)" in each.shows for each in found.evidence)


def test_what_our_side_sent_is_never_in_doubt() -> None:
    story = Story().add(taken(*TABLE)).up().wait(3).bye("sent").bye_ok("received")
    assert not any("measured" in proof.shows for proof in judge(story.facts).evidence)


def test_many_causes_are_counted() -> None:
    many = tuple(Rewrite(Cause(500 + n), AWAY) for n in range(MAX_NAMED + 3))
    (doubt,) = [
        proof for proof in judge(refused(480, "Away", *many).facts).evidence if "measured" in proof.shows
    ]
    assert doubt.shows.endswith(" and 3 more")


def test_causes_in_words() -> None:
    assert in_words(Cause(486, 17)) == "486 Busy Here (Q.850 17, User busy)"
    assert in_words(Cause(499, 126)) == "499 (Q.850 126)"
    assert in_words(Cause(0)) == "BYE"


def test_a_route_without_a_table_reads_as_before() -> None:
    assert b"rewrites" not in msgspec.json.encode(taken())
    assert msgspec.json.decode(msgspec.json.encode(taken(*TABLE)), type=RouteTaken) == taken(*TABLE)
    assert isinstance(refused(480, "x").facts[1], SipSeen)
