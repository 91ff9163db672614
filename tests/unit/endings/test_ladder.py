"""Ladders: columns in order, rows numbered as the evidence is, arrows the right way."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.judge import judge
from onhook.endings.ladder import LANE_CHARACTERS, MAX_ROWS, NUMBER_CHARACTERS, draw, lay_out
from onhook.endings.ladder_svg import CHARACTER_PX, draw_svg
from onhook.facts import Timeline
from timelines import SAMPLES, begun

SVG = "{http://www.w3.org/2000/svg}"
BUSY = begun().busy().delivery().facts


def test_a_busy_call_drawn() -> None:
    lines = draw(BUSY).splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        [f"#{number}", f"+{seconds}", "s"]
        for number, seconds in enumerate(
            ("0.000", "0.001", "0.002", "0.003", "0.204", "0.205", "0.206", "0.207"), 1
        )
    ]
    assert [word for word in re.split(r"\s{2,}", lines[0]) if word] == [
        "#",
        "time",
        "application",
        "onhook",
        "trunk carrier",
    ]
    assert "─ createCall → 201 ─" in lines[1]
    assert "● +14255550200 takes trunk carrier" in lines[2]
    assert "─ INVITE +14255550200 ─" in lines[3]
    assert lines[3].endswith("▶│")
    assert "◀────── SIP/2.0 100 Trying" in lines[4]
    assert lines[7].endswith("▶│")
    assert "ACK" in lines[7]
    assert "◀──── CallDisconnected → 200" in lines[8]


def test_the_lines_of_the_columns_stand_below_each_other() -> None:
    places = {
        tuple(index for index, char in enumerate(line[NUMBER_CHARACTERS:]) if char in "│●")
        for line in draw(BUSY).splitlines()[1:]
    }
    middles = tuple(LANE_CHARACTERS * lane + LANE_CHARACTERS // 2 for lane in range(3))
    assert all(set(place) <= set(middles) for place in places)


def test_an_empty_timeline_has_an_empty_ladder() -> None:
    assert draw([]) == ""
    assert lay_out([]).rungs == ()
    assert ET.fromstring(draw_svg([])).findall(f"{SVG}g") == []


def two_trunks() -> Timeline:
    story = begun("a").routed("first").invite().response(503, "Service Unavailable").ack()
    story.leg = "b"
    return story.routed("second").invite().response(486, "Busy Here").ack().facts


def test_each_leg_has_a_column_in_the_order_of_the_call() -> None:
    layout = lay_out(two_trunks())
    assert layout.columns == ("application", "onhook", "trunk first", "trunk second")
    assert [(rung.start, rung.end) for rung in layout.rungs[3:6]] == [(1, 2), (2, 1), (1, 2)]
    assert [(rung.start, rung.end) for rung in layout.rungs[7:]] == [(1, 3), (3, 1), (1, 3)]


def test_a_far_end_without_a_leg_has_a_column_too() -> None:
    story = begun()
    story.leg = ""
    layout = lay_out(story.garbage().facts)
    assert layout.columns == ("application", "onhook", "trunk carrier", "trunk")
    assert (layout.rungs[-1].start, layout.rungs[-1].end) == (3, 1)


def test_what_was_lost_on_the_way_has_a_cross() -> None:
    lines = draw(begun().invite().fails("refused: x").delivery(None, error="refused").facts).splitlines()
    assert lines[4].endswith("✗│")
    assert "│✗" in lines[5]


def test_a_long_label_is_cut_and_the_arrow_kept() -> None:
    line = draw(begun().invite().response(486, "Busy " * 30).facts).splitlines()[-1]
    assert "…" in line
    assert "◀" in line
    assert len(line) <= NUMBER_CHARACTERS + 3 * LANE_CHARACTERS


def test_a_long_timeline_names_what_is_left_out() -> None:
    story = begun().invite()
    for _ in range(MAX_ROWS):
        story.garbage()
    layout = lay_out(story.facts)
    assert (len(layout.rungs), layout.skipped) == (MAX_ROWS, 3)
    assert layout.rungs[-1].number == MAX_ROWS + 3
    assert "3 more facts" in draw(story.facts)
    assert "3 more facts" in draw_svg(story.facts)


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_text_and_svg_show_every_fact_under_its_number(ending: str) -> None:
    timeline = SAMPLES[ending]
    numbers = [int(found) for found in re.findall(r"^#(\d+)", draw(timeline), re.MULTILINE)]
    assert numbers == list(range(1, len(timeline) + 1))
    groups = ET.fromstring(draw_svg(timeline)).findall(f"{SVG}g")
    assert [group.get("id") for group in groups] == [f"fact-{number}" for number in numbers]
    assert {proof.fact for proof in judge(timeline).evidence} <= set(numbers)


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_the_svg_stands_alone_and_fits_its_frame(ending: str) -> None:
    text = draw_svg(SAMPLES[ending])
    assert not re.search(r"href|<script|url\(|@import|<image", text)
    root = ET.fromstring(text)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"
    for line in root.iter(f"{SVG}line"):
        assert 0 <= float(line.get("x1", "-1")) <= width
        assert 0 <= float(line.get("x2", "-1")) <= width
        assert 0 <= float(line.get("y2", "-1")) <= height


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_no_text_of_the_svg_leaves_the_frame(ending: str) -> None:
    root = ET.fromstring(draw_svg(SAMPLES[ending]))
    width = float(root.get("width", "0"))
    for text in root.iter(f"{SVG}text"):
        x, wide = float(text.get("x", "0")), len(text.text or "") * CHARACTER_PX
        left = x if text.get("class") == "number" else x - wide / 2
        assert left >= 0
        assert left + wide <= width


def test_the_svg_draws_directions_in_different_colours() -> None:
    kinds = {
        line.get("class")
        for line in ET.fromstring(draw_svg(begun().invite().trying().fails("x").facts)).iter()
    }
    assert {"sent", "received", "lost", "note", "life"} <= kinds


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_can_be_read_on_white_and_on_black() -> None:
    colours = set(re.findall(r"#[0-9a-f]{6}", draw_svg(BUSY)))
    assert len(colours) == 5
    for colour in colours:
        assert 1.05 / (luminance(colour) + 0.05) >= 2.5, colour
        assert (luminance(colour) + 0.05) / 0.05 >= 4.0, colour


@given(st.binary(max_size=120), st.text(max_size=60))
def test_any_bytes_can_be_drawn(data: bytes, error: str) -> None:
    timeline = begun().raw(data).garbage(data).fails(error).delivery(None, error=error).facts
    assert len(draw(timeline).splitlines()) == len(timeline) + 1
    assert len(ET.fromstring(draw_svg(timeline)).findall(f"{SVG}g")) == len(timeline)
