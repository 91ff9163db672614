"""An explanation as data, as text and as Markdown."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.explain import NO_ROW, Explanation, as_dict, explain
from onhook.endings.judge import judge
from onhook.endings.lines import MAX_LABEL_CHARACTERS, describe, direction_of
from onhook.endings.pages import page
from onhook.endings.render import WIDTH, exhibit_line, headline, render_markdown, render_text
from onhook.facts import Timeline
from timelines import SAMPLES, Story, begun, refusal

BUSY = begun().busy('Reason: Q.850;cause=17;text="User busy"').facts


def told(timeline: Timeline) -> Explanation:
    return explain(judge(timeline), timeline)


def test_the_keys_of_the_json_form() -> None:
    made = as_dict(told(BUSY))
    assert {
        "code",
        "subcode",
        "name",
        "meaning",
        "category",
        "advice",
        "source",
        "confidence",
        "ending",
        "evidence",
        "remarks",
    } <= set(made)
    assert json.loads(json.dumps(made)) == json.loads(msgspec.json.encode(told(BUSY)))


def test_a_busy_call_explained() -> None:
    explanation = told(BUSY)
    assert (explanation.code, explanation.subcode, explanation.ending) == (486, 560486, "callee-busy")
    assert explanation.category == "Success"
    assert explanation.advice == page("callee-busy").sections["What to do"]
    assert explanation.published.name == "Number busy, outbound"
    assert explanation.published.advice
    assert (explanation.sip_status, explanation.q850_cause) == (486, 17)


def test_evidence_is_numbered_timed_and_shown() -> None:
    last = told(BUSY).evidence[-1]
    assert (last.fact, last.at_seconds) == (6, 0.205)
    assert last.seen == "◀ trunk carrier: SIP/2.0 486 Busy Here"
    assert exhibit_line(last) == (
        "#6 +0.205 s ◀ trunk carrier: SIP/2.0 486 Busy Here — "
        "trunk carrier refused with 486 Busy Here, Q.850 cause 17 (User busy)"
    )


def test_the_headline() -> None:
    assert headline(told(BUSY)) == (
        "486/560486 The callee was busy · Success · fault: callee · confidence high"
    )


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_every_ending_is_explained_on_one_screen(ending: str) -> None:
    text = render_text(told(SAMPLES[ending]))
    lines = text.splitlines()
    assert lines[0].startswith(headline(told(SAMPLES[ending]))[:20])
    assert len(lines) <= 60
    assert max(map(len, lines)) <= WIDTH + 20  # a headline is not wrapped
    assert "`" not in text.replace("```", "")
    for exhibit in told(SAMPLES[ending]).evidence:
        assert f"#{exhibit.fact} +" in text


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_every_ending_is_explained_in_markdown(ending: str) -> None:
    text = render_markdown(told(SAMPLES[ending]), ladder="a ladder\n")
    assert text.startswith(f"# {told(SAMPLES[ending]).code}/")
    for heading in ("Evidence", "Whose side", "How we know", "What to do", "Look-alikes", "Codes", "Ladder"):
        assert f"\n## {heading}\n" in text
    assert text.endswith("a ladder\n```\n")


def test_the_ladder_is_left_out_where_none_is_given() -> None:
    assert "## Ladder" not in render_markdown(told(BUSY))


def test_remarks_are_shown_where_there_are_any() -> None:
    assert "Remarks" not in render_text(told(BUSY))
    contradicting = told(refusal(486, "Busy Here", "Reason: Q.850;cause=34"))
    assert "\nRemarks\n" in render_text(contradicting)
    assert "contradict" in render_text(contradicting)
    assert "\n## Remarks\n" in render_markdown(contradicting)


def test_it_says_where_the_codes_come_from() -> None:
    text = render_text(told(BUSY))
    assert "In events: 486/560486" in text
    assert "The pair is documented" in text
    assert "SIP: 486 Busy Here" in text
    assert "Q.850: 17 User busy" in text


def test_it_says_where_the_tables_are_empty() -> None:
    assert told(refusal(410, "Gone")).published.note == NO_ROW
    assert NO_ROW in render_text(told(refusal(410, "Gone")))
    assert "They leave the category empty; ExpectedError is inferred." in render_text(
        told(refusal(603, "Decline"))
    )


def test_an_ending_of_another_version_is_explained_all_the_same() -> None:
    verdict = msgspec.structs.replace(judge(BUSY), ending="from-the-future")
    explanation = explain(verdict, BUSY)
    assert explanation.ending == "from-the-future"
    assert explanation.name == page("unexplained").front.name
    assert explanation.code == 486


def test_evidence_that_the_timeline_lacks_is_said_to_be_missing() -> None:
    explanation = explain(judge(BUSY), BUSY[:2])
    assert explanation.evidence[-1].seen == "(this fact is not in the timeline)"
    assert explain(judge(BUSY), []).evidence[0].at_seconds == 0.0


def test_text_of_strangers_cannot_break_the_markdown() -> None:
    text = render_markdown(told(refusal(410, "`` <b>*Gone*</b> | #1")))
    line = next(line for line in text.splitlines() if line.startswith("- **#5**"))
    assert "``` ◀ trunk carrier: SIP/2.0 410 `` <b>*Gone*</b> | #1 ```" in line
    assert r"\<b\>\*Gone\*\</b\>" in line


def test_narrow_terminals_get_narrow_text() -> None:
    lines = render_text(told(BUSY), width=60).splitlines()
    assert max(map(len, lines[1:])) <= 60


LABELS = [
    (begun().created(), "in", "application", "createCall → 201"),
    (begun().invite(), "out", "trunk carrier", "INVITE sip:+14255550200@192.0.2.20;user=phone SIP/2.0"),
    (begun().up().bye_ok("received"), "in", "trunk carrier", "SIP/2.0 200 OK (BYE)"),
    (begun().ringing(), "in", "trunk carrier", "SIP/2.0 180 Ringing"),
    (begun().garbage(), "in", "trunk carrier", "9 bytes that are no SIP: start line '\\x00\\x01not sip'"),
    (begun().timer("setup", 115), "note", "", "timer setup ran out after 115 s"),
    (begun().fails("refused: x"), "lost", "trunk carrier", "TCP to 192.0.2.20:5060: refused: x"),
    (begun(), "note", "", "+14255550200 takes trunk carrier (pattern \\+.*)"),
    (Story().refused("no-route"), "note", "", "no trunk for +14255550200: no-route"),
    (begun().media(received=0), "note", "", "RTP PCMU: 100 packets sent, 0 received"),
    (begun().delivery(200), "out", "application", "CallDisconnected → 200"),
    (begun().delivery(None, attempt=3), "lost", "application", "CallDisconnected → no answer (attempt 3)"),
    (begun().restart(), "note", "", "the server restarted; nothing was noted for 4.0 s"),
    (begun().fault(), "note", "", "our fault in calls.call: ValueError: no such leg"),
]


@pytest.mark.parametrize(("story", "way", "party", "label"), LABELS, ids=[row[3][:30] for row in LABELS])
def test_every_kind_of_fact_has_a_line(story: Story, way: str, party: str, label: str) -> None:
    line = describe(story.facts)[len(story.facts)]
    assert (line.way, line.party, line.label) == (way, party, label)


def test_only_wanted_lines_are_made() -> None:
    assert sorted(describe(BUSY, {3, 6, 99})) == [3, 6]


def test_directions_have_a_sign_each() -> None:
    lines = [describe(story.facts)[len(story.facts)] for story, *_ in LABELS]
    assert {direction_of(line) for line in lines} == {"◀", "▶", "✗", "·"}


@given(st.binary(max_size=400))
def test_lines_are_short_and_printable_whatever_the_bytes(data: bytes) -> None:
    line = describe(begun().raw(data).facts)[3]
    assert line.label.isprintable()
    assert len(line.label) <= MAX_LABEL_CHARACTERS


@given(st.binary(max_size=200))
def test_any_timeline_is_explained(data: bytes) -> None:
    timeline = (
        begun().invite().raw(b"SIP/2.0 499 " + data + b"\r\nCSeq: 1 INVITE\r\n\r\n").garbage(data).facts
    )
    assert render_text(told(timeline))
    assert render_markdown(told(timeline))
