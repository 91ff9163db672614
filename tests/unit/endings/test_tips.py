"""The tips of the troubleshooting pages: what stands beside codes, and what a call shows."""

import importlib
from collections import Counter

import pytest

from onhook.endings.codes import by_subcode
from onhook.endings.judge import judge
from onhook.endings.lookup import look_up
from onhook.endings.pages import pages
from onhook.endings.reading import read
from onhook.endings.tip_checks import CHECKS, MAX_DATAGRAM
from onhook.endings.tips import tips, tips_for
from onhook.endings.tips_shown import TipShown, tips_of_call
from onhook.facts import Timeline
from timelines import OFFER, Story

LETTERS = {"A": 16, "B": 9, "C": 8, "D": 5, "E": 16, "F": 2, "G": 5, "H": 1}
"""How many tips each part of the collected pages has."""


def shown(timeline: Timeline, *endings: str) -> dict[str, TipShown]:
    return {one.tip: one for one in tips_of_call(timeline, endings)}


class TestTable:
    def test_every_tip_of_the_pages_is_there(self) -> None:
        assert Counter(tip[0] for tip in tips()) == LETTERS
        assert [tip for tip in tips() if tips()[tip].origin == "page"][:4] == ["A1", "A2", "A3", "A4"]

    def test_each_is_checked_in_some_way_or_says_why_not(self) -> None:
        for tip in tips().values():
            checked = bool(tip.endings or tip.facts or tip.enforced)
            assert checked is not bool(tip.unchecked), tip.id
            assert tip.title, tip.id
            assert tip.tell.endswith("."), tip.id

    def test_what_it_names_exists(self) -> None:
        for tip in tips().values():
            assert set(tip.endings) <= set(pages()), tip.id
            assert not tip.facts or tip.facts in CHECKS, tip.id
            if tip.enforced:
                assert importlib.import_module(tip.enforced).__doc__, tip.id

    def test_every_check_belongs_to_one_tip(self) -> None:
        named = Counter(tip.facts for tip in tips().values() if tip.facts)
        assert set(named) == set(CHECKS)
        assert set(named.values()) == {1}

    def test_the_codes_of_a_tip_are_in_the_catalogue(self) -> None:
        for tip in tips().values():
            for pair in tip.pairs:
                last = pair.rpartition("/")[2]
                if last.isdecimal():
                    assert by_subcode(int(last)) or int(last) // 1000 in {540, 560}, (tip.id, pair)


class TestBesideCodes:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("400/8535", {"A3"}),
            ("8536", {"A4"}),
            ("403/510403", {"A5", "A6", "E1", "E6", "F1"}),
            ("560499", {"E1"}),
            ("486/540486", {"E1"}),
            ("0/4521", {"C8"}),
            ("200/4521", {"C8"}),
            ("0/7000", set()),
        ],
    )
    def test_tips_of_a_pair(self, text: str, expected: set[str]) -> None:
        assert {tip.id for tip in look_up(text).tips} == expected

    def test_another_code_has_another_tip(self) -> None:
        assert [tip.id for tip in tips_for(405, 8522)] == ["A11"]
        assert {tip.id for tip in tips_for(404, 8522)} == {"A9", "A13"}
        assert {tip.id for tip in tips_for(None, 8522)} == {"A9", "A11", "A13"}

    def test_what_has_no_pair_has_no_tip(self) -> None:
        assert look_up("603").tips == ()
        assert look_up("nothing").tips == ()


def inbound(*headers: str, body: str = OFFER, start: str = "") -> Story:
    story = Story(inbound=True)
    begin = start or "INVITE sip:+14255550200@192.0.2.1;user=phone SIP/2.0"
    return story.sip("received", begin, "1 INVITE", *headers, body=body)


QUIET = [
    Story().busy(),
    Story().up().wait(5).bye("received").bye_ok("sent"),
    inbound().response(486, "Busy Here").ack(),
]

SHOWN: dict[str, tuple[Story, int, str]] = {
    "A7": (inbound(start="INVITE sip:14255550200@192.0.2.1 SIP/2.0"), 1, "14255550200, without +"),
    "A12": (Story().up().api("play", 409, "something plays already"), -1, "play was refused with 409"),
    "A13": (Story().up().bye("received").wait(0.4).api("play", 404, "gone"), -1, "s from the end"),
    "A14": (Story().up().api("startRecording", 400, "it runs"), -1, "startRecording was refused"),
    "B2": (Story().up().api("getParticipants", 429), -1, "getParticipants was refused with 429: no detail"),
    "B5": (Story().invite().ringing().wait(114).response(480, "No answer"), 3, "near 115 s"),
    "B6": (Story().up().api("sendDtmfTones", 400, "19 tones"), -1, "sendDtmfTones was refused"),
    "E7": (Story().invite().ringing().wait(2).response(500, "Oops"), 3, "only 408, 503 and 504"),
    "E9": (Story().invite().wait(2).response(503, "Full", "Retry-After: 30"), 2, "503 asks for 30 s of rest"),
    "E10": (inbound("P-Asserted-Identity: <sip:+14255559999@x>"), 1, "P-Asserted-Identity says +14255559999"),
    "E12": (inbound(body=""), 1, "no offer"),
    "E13": (inbound(f"X-Long: {'x' * MAX_DATAGRAM}"), 1, "bytes over UDP"),
    "E14": (Story(inbound=True).door("media-unusable", 488, "only G.729"), 1, "refused with 488: only G.729"),
    "E15": (Story().invite().response(422, "Session Interval Too Small"), 2, "422"),
    "F1": (Story().invite().wait(0.1).response(603, "Decline"), 2, "no person did that"),
}
"""By tip a call that shows it, the number of the fact that proves it (-1: the last), and words of it."""


class TestCalls:
    @pytest.mark.parametrize("tip", SHOWN)
    def test_facts_show_a_tip(self, tip: str) -> None:
        story, fact, words = SHOWN[tip]
        (proof, *_) = shown(story.facts)[tip].evidence
        assert proof.fact == (len(story.facts) if fact < 0 else fact)
        assert words in proof.shows

    def test_every_check_of_facts_is_tried_here(self) -> None:
        assert {tip.id for tip in tips().values() if tip.facts} - set(SHOWN) == {"D5"}

    @pytest.mark.parametrize("story", QUIET)
    def test_ordinary_calls_show_none(self, story: Story) -> None:
        assert shown(story.facts) == {}

    def test_poor_audio_names_the_leg(self) -> None:
        story = Story().up().media(sent=1_000, received=800, lost=200, jitter_ms=80.0).bye("received")
        (proof,) = shown(story.facts)["D5"].evidence
        assert story.facts[proof.fact - 1].leg == "carrier"

    def test_an_ending_shows_its_tip_without_further_evidence(self) -> None:
        story = Story().created().refused("caller-id-missing")
        ending = judge(story.facts).ending
        assert ending == "caller-id-missing"
        told = shown(story.facts, ending)
        assert set(told) == {"A5"}
        assert told["A5"].evidence == ()
        assert told["A5"].line().startswith("A5 Caller id missing for a phone: Set the source caller id")

    def test_several_tips_stand_in_the_order_of_the_pages(self) -> None:
        story = inbound(
            "P-Asserted-Identity: <sip:+14255559999@x>", "Replaces: a;to-tag=b;from-tag=c", body=""
        )
        assert list(shown(story.facts)) == ["E10", "E12"]
        assert len(shown(story.facts)["E12"].evidence) == 2

    def test_a_line_for_people_and_data_for_programs(self) -> None:
        one = shown(SHOWN["E9"][0].facts)["E9"]
        assert one.line() == (
            "E9 503 with Retry-After: Take the next destination, and leave this one alone for as long as it "
            "says. (#2 503 asks for 30 s of rest)"
        )
        assert one.as_dict()["evidence"] == [{"fact": 2, "shows": "503 asks for 30 s of rest"}]


class TestEdges:
    @pytest.mark.parametrize("check", sorted(CHECKS))
    def test_no_check_minds_an_empty_call_or_garbage(self, check: str) -> None:
        assert CHECKS[check](read([])) == []
        assert CHECKS[check](read(Story().garbage(b"\xff\x00").invite().raw(b"SIP/2.0 ").facts)) == []

    def test_an_alert_person_may_decline(self) -> None:
        rung = Story().invite().ringing().wait(0.2).response(603, "Decline")
        slow = Story().invite().wait(3).response(603, "Decline")
        assert "F1" not in shown(rung.facts)
        assert "F1" not in shown(slow.facts)

    def test_statuses_that_move_a_call_on_say_nothing_of_failover(self) -> None:
        for status in (408, 503, 504, 486, 600):
            assert "E7" not in shown(Story().invite().response(status, "x").facts)

    def test_numbers_that_agree_and_withheld_ones_are_no_matter(self) -> None:
        for header in ("P-Asserted-Identity: <sip:+14255550100@x>", "P-Asserted-Identity: nonsense"):
            assert "E10" not in shown(inbound(header).facts)

    def test_extensions_need_no_plus(self) -> None:
        assert "A7" not in shown(inbound(start="INVITE sip:2001@192.0.2.1 SIP/2.0").facts)

    def test_a_refusal_long_before_the_end_is_not_late(self) -> None:
        story = Story().up().api("play", 400, "x").wait(10).bye("received")
        assert "A13" not in shown(story.facts)

    def test_many_proofs_are_cut(self) -> None:
        story = Story().up()
        for _ in range(10):
            story.api("play", 429)
        assert len(shown(story.facts)["B2"].evidence) == 3
