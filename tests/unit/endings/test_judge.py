"""`judge` as a whole: total, stable after the end, and quick."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.endings.judge import NO_CATEGORY, judge
from onhook.endings.ladder import draw
from onhook.endings.rules import UNEXPLAINED
from onhook.endings.verdict import Verdict
from onhook.facts import Fact, SipSeen, Timeline
from timelines import FIRST, SAMPLES, SECOND, Story, begun, refusal


def told_apart_by(verdict: Verdict) -> tuple[object, ...]:
    """All of a verdict but its remarks."""
    return (
        verdict.ending,
        verdict.code,
        verdict.subcode,
        verdict.event_code,
        verdict.message,
        verdict.category,
        verdict.fault,
        verdict.evidence,
        verdict.confidence,
        verdict.sip_status,
        verdict.sip_reason,
        verdict.q850_cause,
        verdict.q850_text,
    )


AFTER: dict[str, Callable[[Story], Story]] = {
    "an event delivered": lambda story: story.delivery(),
    "an event lost": lambda story: story.delivery(None, error="refused"),
    "timer D": lambda story: story.timer("D", 32),
    "timer B": lambda story: story.timer("B", 32),
    "no response": lambda story: story.timer("no-response", 10),
    "media counted": lambda story: story.media(received=0),
    "a second hang-up": lambda story: story.api("hangUp"),
    "a refused request": lambda story: story.api("hangUp", 404),
    "a restart": lambda story: story.restart(),
    "a fault": lambda story: story.fault(),
    "a late 180": lambda story: story.ringing(),
    "a late 486": lambda story: story.response(486, "Busy Here"),
    "a late BYE": lambda story: story.bye("received", "Reason: Q.850;cause=38"),
    "garbage": lambda story: story.garbage(),
    "a reset": lambda story: story.fails("reset: gone"),
}


@pytest.mark.parametrize("after", sorted(AFTER))
@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_what_comes_after_the_end_changes_nothing(ending: str, after: str) -> None:
    story = Story("carrier", inbound=_inbound(SAMPLES[ending]))
    story.facts = list(SAMPLES[ending])
    story.now = story.facts[-1].at + 0.5
    judged_at_the_end = told_apart_by(judge(story.facts))
    AFTER[after](story)
    assert told_apart_by(judge(story.facts)) == judged_at_the_end


def _inbound(timeline: Timeline) -> bool:
    first = next((fact for fact in timeline if isinstance(fact, SipSeen)), None)
    return first is not None and first.direction == "received"


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_judging_twice_gives_the_same(ending: str) -> None:
    assert judge(SAMPLES[ending]) == judge(list(SAMPLES[ending]))


@pytest.mark.parametrize("ending", sorted(SAMPLES))
def test_every_prefix_has_a_verdict(ending: str) -> None:
    timeline = SAMPLES[ending]
    for length in range(len(timeline) + 1):
        verdict = judge(timeline[:length])
        assert verdict.message
        assert all(proof.fact <= length for proof in (*verdict.evidence, *verdict.remarks))


def test_the_message_ends_with_the_pair_as_acs_writes_it() -> None:
    assert judge(refusal(486, "Busy Here")).message == "The callee was busy. DiagCode: 486#560486.@"
    assert judge(SAMPLES["hung-up-by-app"]).message.endswith(" DiagCode: 0#7000.@")


def test_the_message_of_a_class_names_the_status_as_the_trunk_wrote_it() -> None:
    message = judge(refusal(499, "Odd one")).message
    assert message == "The trunk refused the call: 499 Odd one. DiagCode: 499#560499.@"


def test_a_missing_phrase_is_taken_from_the_tables() -> None:
    verdict = judge(refusal(410, ""))
    assert verdict.message.startswith("The trunk refused the call: 410 Gone.")
    assert verdict.sip_reason == "Gone"


def test_a_phrase_cannot_smuggle_lines_or_placeholders() -> None:
    verdict = judge(refusal(410, "{status}\x07{phrase}" + "x" * 300))
    assert "{status} {phrase}xxx" in verdict.message
    assert len(verdict.message) < 200
    assert verdict.message.isprintable()


def test_an_unnamed_q850_cause_gets_its_name() -> None:
    verdict = judge(refusal(404, "Not Found", "Reason: Q.850;cause=1"))
    assert (verdict.q850_cause, verdict.q850_text) == (1, "Unallocated (unassigned) number")
    assert judge(refusal(404, "Not Found", "Reason: Q.850;cause=126")).q850_text == "no name in Q.850"


def test_a_contradiction_lowers_the_confidence() -> None:
    assert judge(refusal(486, "Busy Here", "Reason: Q.850;cause=17")).confidence == "high"
    assert judge(refusal(486, "Busy Here", "Reason: Q.850;cause=34")).confidence == "medium"
    assert judge(refusal(410, "Gone", "Reason: Q.850;cause=17")).confidence == "low"


def test_categories_come_from_the_tables() -> None:
    assert judge(refusal(486, "Busy Here")).category == "Success"
    assert judge(refusal(480, "Unavailable")).category == "UnexpectedServerError"
    assert judge(refusal(404, "Not Found")).category == "ExpectedError"
    assert judge(refusal(302, "Moved")).category in {NO_CATEGORY, "ExpectedError", "UnexpectedServerError"}


def test_the_unexplained_shows_what_is_known() -> None:
    verdict = judge(refusal(799, "Odd"))
    assert (verdict.ending, verdict.confidence) == (UNEXPLAINED, "low")
    assert verdict.evidence[-1].shows == "the last that is known: SIP/2.0 799 Odd"
    assert judge([]).evidence == ()


def test_an_unexplained_timeline_without_sip_shows_its_last_fact() -> None:
    verdict = judge(begun().facts)
    assert [proof.shows for proof in verdict.evidence] == ["the last that is known: RouteTaken"]


def test_no_rules_at_all_still_give_a_verdict() -> None:
    assert judge(SAMPLES["callee-busy"], rules=()).ending == UNEXPLAINED


def test_a_verdict_of_a_typical_call_takes_well_under_a_millisecond() -> None:
    timeline = begun().busy().delivery().facts
    assert len(timeline) == 8
    judge(timeline)
    best = min(_seconds(timeline) for _ in range(5))
    assert best < 0.001  # measured: 0.00003


def _seconds(timeline: Timeline) -> float:
    began = time.perf_counter()
    for _ in range(50):
        judge(timeline)
    return (time.perf_counter() - began) / 50


FACTS: list[Fact] = [fact for timeline in SAMPLES.values() for fact in timeline]


@given(st.lists(st.sampled_from(FACTS), max_size=12))
def test_any_mixture_of_facts_has_a_verdict(timeline: list[Fact]) -> None:
    verdict = judge(timeline)
    assert verdict.ending in SAMPLES or verdict.ending == UNEXPLAINED
    assert all(1 <= proof.fact <= len(timeline) for proof in (*verdict.evidence, *verdict.remarks))


@given(st.lists(st.sampled_from(FACTS), max_size=16), st.sampled_from(("", FIRST, SECOND, "nobody")))
def test_any_mixture_of_facts_has_a_verdict_for_every_application(
    timeline: list[Fact], connection: str
) -> None:
    verdict = judge(timeline, connection=connection)
    assert verdict.ending in SAMPLES or verdict.ending == UNEXPLAINED
    numbers = [proof.fact for proof in verdict.evidence]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= len(timeline) for number in numbers)
    assert draw(timeline).count("\n") == (len(timeline) + 1 if timeline else 0)


@given(st.binary(max_size=120), st.binary(max_size=120))
def test_hostile_bytes_have_a_verdict(head: bytes, tail: bytes) -> None:
    story = (
        begun().invite().raw(b"SIP/2.0 486 " + head + b"\r\nReason: " + tail + b"\r\nCSeq: 1 INVITE\r\n\r\n")
    )
    assert judge(story.raw(head).raw(tail, "sent").facts).message.isprintable()
