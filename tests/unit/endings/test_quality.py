"""How a call sounded: words, limits and numbers, leg by leg."""

from typing import Any

import msgspec
import pytest

from onhook.endings.quality import LegQuality, as_dict, quality_of, worst
from onhook.facts import MediaMeasured
from timelines import Story, begun


def of(**counts: Any) -> LegQuality:
    (found,) = quality_of(begun().up().wait(20).media(**({"sent": 1000, "received": 1000} | counts)).facts)
    return found


@pytest.mark.parametrize(
    ("counts", "rating", "causes"),
    [
        ({}, "good", ()),
        ({"mos": 4.03}, "good", ()),
        ({"mos": 4.02}, "fair", ("MOS 4.0",)),
        ({"mos": 3.59}, "poor", ("MOS 3.6",)),
        ({"received": 970, "lost": 30}, "good", ()),
        ({"received": 969, "lost": 31}, "fair", ("3.1 % of its packets were lost (31)",)),
        ({"received": 899, "lost": 101}, "poor", ("10.1 % of its packets were lost (101)",)),
        ({"jitter_ms": 30.0}, "good", ()),
        ({"jitter_ms": 30.6}, "poor", ("jitter 31 ms",)),
        ({"round_trip_ms": 301.0}, "fair", ("round trip 301 ms",)),
        ({"round_trip_ms": 501.0, "mos": 3.7}, "poor", ("round trip 501 ms", "MOS 3.7")),
        ({"received": 0}, "none", ()),
        ({"received": 0, "sent": 49}, "unknown", ()),
        ({"received": 49, "mos": 1.0}, "unknown", ()),
    ],
)
def test_the_word_is_the_worst_that_any_number_gives(
    counts: dict[str, Any], rating: str, causes: tuple[str, ...]
) -> None:
    found = of(**counts)
    assert (found.rating, found.causes) == (rating, causes)


@pytest.mark.parametrize(
    ("counts", "rating"),
    [
        ({}, "unknown"),
        ({"far_lost": 30}, "good"),
        ({"far_lost": 31}, "fair"),
        ({"far_lost": 101}, "poor"),
        ({"far_lost": 0, "far_jitter_ms": 31.0}, "poor"),
        ({"far_lost": 1, "sent": 49}, "unknown"),
    ],
)
def test_the_far_end_is_believed_about_ours(counts: dict[str, Any], rating: str) -> None:
    assert of(**counts).far_rating == rating


def test_percentages_are_of_what_should_have_come() -> None:
    found = of(received=750, lost=250, far_lost=17)
    assert (found.loss_percent, found.far_loss_percent) == (25.0, 1.7)
    assert of(sent=0, received=1, far_lost=3).far_loss_percent == 0.0


def test_silence_is_a_level_and_not_a_lack_of_packets() -> None:
    assert of(loudest_dbov=-60.0).only_silence
    assert not of(loudest_dbov=-59.9).only_silence
    assert not of().only_silence
    assert not of(received=49, loudest_dbov=-91.0).only_silence


def test_every_leg_is_told_under_its_own_name_with_its_last_count() -> None:
    story = Story("one").created().routed(number="+14255550201").invite().answer()
    story.media(sent=1, received=1)
    story.leg = "two"
    story.routed(number="+14255550202").invite().answer().rtp_stops().rtp_resumes().rtp_stops()
    story.media(sent=500, received=0)
    story.leg = "one"
    story.media(sent=600, received=600)
    assert [
        (each.leg, each.party, each.sent, each.rating, each.gaps) for each in quality_of(story.facts)
    ] == [
        ("one", "trunk carrier (+14255550201)", 600, "good", 0),
        ("two", "trunk carrier (+14255550202)", 500, "none", 2),
    ]


def test_a_call_without_counts_has_no_quality() -> None:
    assert quality_of([]) == ()
    assert quality_of(begun().busy().facts) == ()
    assert quality_of(begun().busy().media(sent=0, received=0).facts) == ()
    assert worst(()) == "unknown"


@pytest.mark.parametrize(
    ("ratings", "word"),
    [
        (["good", "good"], "good"),
        (["good", "unknown"], "good"),
        (["good", "fair"], "fair"),
        (["fair", "poor"], "poor"),
        (["poor", "none"], "none"),
        (["unknown"], "unknown"),
    ],
)
def test_the_worst_of_all_legs(ratings: list[Any], word: str) -> None:
    legs = tuple(LegQuality(leg=f"{n}", party="", fact=1, rating=each) for n, each in enumerate(ratings))
    assert worst(legs) == word


def test_the_numbers_survive_json() -> None:
    found = of(mos=4.3, far_lost=3, loudest_dbov=-20.5)
    again = msgspec.json.decode(msgspec.json.encode(found), type=LegQuality)
    assert again == found


def test_a_leg_that_no_route_names_is_told_by_its_id() -> None:
    counted = MediaMeasured(at=1.0, leg="abc", sent=100, received=100)
    assert quality_of([counted])[0].party == "trunk abc"


def test_programs_are_told_every_number() -> None:
    made = as_dict(of(received=0))
    assert set(made) == set(LegQuality.__struct_fields__)
    assert (made["received"], made["rating"], made["causes"]) == (0, "none", ())
