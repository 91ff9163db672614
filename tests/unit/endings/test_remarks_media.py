"""What is remarked of audio: with numbers, once, and only where it matters."""

from typing import Any

import pytest

from onhook.endings.judge import judge
from onhook.facts import Timeline
from timelines import START, begun


def remarks(timeline: Timeline) -> list[str]:
    return [proof.shows for proof in judge(timeline).remarks]


def call(**counts: Any) -> Timeline:
    return begun().up().wait(20).bye("received").bye_ok("sent").media(**counts).facts


def test_good_audio_is_not_remarked_on() -> None:
    good = {"jitter_ms": 4.0, "mos": 4.35, "round_trip_ms": 40.0, "far_lost": 0, "loudest_dbov": -18.0}
    assert remarks(call(sent=1000, received=1000, **good)) == []


def test_bad_audio_is_told_with_every_number_that_makes_it_bad() -> None:
    counts = {"lost": 250, "jitter_ms": 44.0, "round_trip_ms": 620.0, "mos": 2.1}
    (said,) = remarks(call(sent=1000, received=750, **counts))
    assert said == (
        "audio of trunk carrier was poor: 25.0 % of its packets were lost (250), jitter 44 ms, "
        "round trip 620 ms, MOS 2.1"
    )


def test_fair_audio_is_told_as_fair() -> None:
    assert remarks(call(sent=1000, received=950, lost=50, mos=3.7)) == [
        "audio of trunk carrier was fair: 5.0 % of its packets were lost (50), MOS 3.7"
    ]


def test_what_the_far_end_reports_of_our_audio() -> None:
    assert remarks(call(sent=1000, received=1000, far_lost=200, far_jitter_ms=3.0)) == [
        "our audio was poor at trunk carrier, as it reports: 20.0 % of our packets were lost (200)"
    ]


def test_silence_is_told_by_its_level() -> None:
    assert remarks(call(sent=1000, received=1000, loudest_dbov=-78.2)) == [
        "trunk carrier sent silence only: the loudest of 1000 packets had -78 dBov, and speech has about -26"
    ]
    assert remarks(call(sent=1000, received=1000, loudest_dbov=-59.0)) == []


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (
            {"foreign": 50},
            "50 packets came from another address than that of trunk carrier, and were dropped",
        ),
        ({"wrong_codec": 77}, "77 packets came of a payload type that was not agreed on, and were dropped"),
        ({"undecipherable": 60}, "60 packets came that the agreed keys do not open, and were dropped"),
        ({"junk": 90}, "90 packets came that are no RTP, and were dropped"),
        ({"late": 60}, "6.0 % of the packets of trunk carrier came too late to be played (60)"),
        ({"streams": 5}, "trunk carrier began 5 RTP streams (SSRC), where one is usual"),
    ],
)
def test_what_came_and_could_not_be_used(counts: dict[str, int], words: str) -> None:
    assert remarks(call(sent=1000, received=1000, **counts)) == [words]


@pytest.mark.parametrize(
    "counts", [{"foreign": 49}, {"junk": 1}, {"late": 30}, {"streams": 2}, {"wrong_codec": 1}]
)
def test_a_little_of_it_is_not_remarked_on(counts: dict[str, int]) -> None:
    assert remarks(call(sent=1000, received=1000, **counts)) == []


def test_gaps_are_told_each_with_its_length() -> None:
    story = begun().up().wait(20).rtp_stops(received=900).wait(10).rtp_resumes(20.4)
    timeline = story.wait(3).bye("received").media(sent=2000, received=1000).facts
    assert remarks(timeline) == ["RTP of trunk carrier had stood still for 20.4 s"]
    assert judge(timeline).remarks[0].fact == 9


def test_where_the_application_hung_up_the_cause_of_silence_is_a_remark() -> None:
    story = begun().up().wait(8).api("hangUp").bye("sent").bye_ok("received")
    verdict = judge(story.media(sent=400, received=0, undecipherable=398).facts)
    assert verdict.ending == "hung-up-by-app"
    (remark,) = verdict.remarks
    assert remark.shows == (
        "398 packets came from trunk carrier that the agreed keys do not open, and none that they do "
        "(400 sent)"
    )


def test_a_relay_that_failed_for_a_while_is_told() -> None:
    story = begun().up().relay_fails("refused: too many sessions").wait(20).bye("received")
    assert remarks(story.media(sent=1000, received=1000).facts) == [
        "rtpengine 127.0.0.1:22222 did not carry the audio: refused: too many sessions"
    ]


def test_what_is_evidence_is_not_remarked_on_again() -> None:
    assert remarks(call(sent=1000, received=0)) == []


def test_the_first_count_after_the_end_is_the_last() -> None:
    timeline = call(sent=1000, received=1000)
    assert judge([*timeline, *call(sent=1000, received=0)[-1:]]).ending == "hung-up-by-phone"


def test_rtp_that_stopped_before_a_hang_up_is_dated() -> None:
    timeline = call(sent=1000, received=500, last=START + 12.2)
    assert remarks(timeline) == ["the last RTP had come 10.0 s before the end"]
