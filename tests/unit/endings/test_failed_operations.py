"""Operations that failed and the audio of legs, as a person reads them and as a program does."""

from typing import Any

import pytest

from onhook.endings.explain import explain
from onhook.endings.failures import MAX_FAILURES, failures_of
from onhook.endings.judge import judge
from onhook.endings.operations import judge_operation
from onhook.endings.quality import quality_of
from onhook.endings.render import WIDTH, render_markdown
from onhook.endings.render_parts import (
    audio_lines,
    audio_markdown,
    audio_text,
    failures_markdown,
    failures_text,
)
from onhook.facts import ApiRequested, OperationEnd, OperationEnded, PromptEnded, Timeline
from timelines import Story, begun


def failing(story: Story, action: str = "a1", how: OperationEnd = "prompt-failed", **about: Any) -> Story:
    operation = "play" if how == "prompt-failed" else "recognize"
    story.add(ApiRequested(at=story.now, operation=operation, status=202, action=action))
    story.wait(1)
    if how == "prompt-failed":
        story.add(
            PromptEnded(at=story.now, prompt=action, how="failed", fault="format", detail="an MP3 file")
        )
        about = {"fault": "format", "detail": "an MP3 file"}
    return story.add(OperationEnded(at=story.now, action=action, operation=operation, how=how, **about))


def one_failure() -> Timeline:
    return failing(begun().up()).wait(2).bye("received").bye_ok("sent").media(sent=150, received=150).facts


def test_a_failure_is_told_with_its_own_codes_time_and_advice() -> None:
    (failure,) = failures_of(one_failure()).told
    assert (failure.operation, failure.action, failure.at_seconds) == ("play", "a1", 3.209)
    told = failure.explanation
    assert (told.ending, told.code, told.subcode, told.fault) == ("prompt-format", 400, 8535, "application")
    assert "Convert it" in told.advice
    assert [exhibit.fact for exhibit in told.evidence] == [8, 9, 10]


def test_the_call_keeps_its_own_ending() -> None:
    timeline = one_failure()
    assert explain(judge(timeline), timeline).ending == "hung-up-by-phone"


def test_the_dictionary_of_a_failure_is_flat() -> None:
    made = failures_of(one_failure()).told[0].as_dict()
    assert {"operation", "action", "at_seconds", "code", "subcode", "evidence", "advice"} <= set(made)
    assert (made["operation"], made["code"], made["subcode"]) == ("play", 400, 8535)


def test_a_call_without_failures_says_nothing() -> None:
    failures = failures_of(begun().up().bye("received").facts)
    assert (failures.told, failures.left_out) == ((), 0)
    assert failures_text(failures) == failures_markdown(failures) == ""
    assert failures_of([]).told == ()


def test_the_failures_on_a_screen() -> None:
    assert failures_text(failures_of(one_failure())).splitlines()[:6] == [
        "Operations that failed within the call",
        "play at +3.209 s: 400/8535 The prompt file has a format that cannot be played · fault: application",
        "  #8 +2.207 s ◀ application: play → 202 — the application asked for it (play)",
        "  #9 +3.208 s · prompt failed (format): an MP3 file — source 0 could not be played (format): an MP3",
        "     file",
        "  #10 +3.209 s · play ended: prompt-failed — the prompt could not be played",
    ]


def test_a_screen_is_as_wide_as_it_may_be() -> None:
    for line in failures_text(failures_of(one_failure())).splitlines()[2:]:
        assert len(line) <= WIDTH, line


def test_the_failures_in_a_report_stand_above_the_ladder() -> None:
    timeline = one_failure()
    beside = failures_markdown(failures_of(timeline))
    report = render_markdown(explain(judge(timeline), timeline), beside=beside, ladder="#1 …\n")
    assert report.index("## Codes") < report.index("## Operations that failed within the call")
    assert report.index("### play at +3.209 s: 400/8535") < report.index("## Ladder")
    assert "(ending `prompt-format`)" in report
    assert report.endswith("```\n")


def test_only_so_many_are_told_and_the_others_counted() -> None:
    story = begun().up()
    for number in range(MAX_FAILURES + 3):
        failing(story, f"a{number}", "silence", after_seconds=5)
    failures = failures_of(story.facts)
    assert (len(failures.told), failures.left_out) == (MAX_FAILURES, 3)
    assert failures_text(failures).endswith("3 more operations failed; they are left out here.\n")
    assert failures_markdown(failures).endswith("3 more operations failed; they are left out here.\n")


def measured(**counts: Any) -> Timeline:
    return begun().up().wait(20).media(**({"sent": 1502, "received": 1498} | counts)).facts


def lines(**counts: Any) -> list[str]:
    (leg,) = quality_of(measured(**counts))
    return audio_lines(leg)


def test_the_audio_of_a_leg_in_three_lines() -> None:
    counts = {"lost": 4, "late": 2, "mos": 4.31, "loudest_dbov": -18.2, "jitter_ms": 2.4, "far_lost": 0}
    assert lines(**counts, far_jitter_ms=3.0, round_trip_ms=34.0, remote="198.51.100.2:4000") == [
        "trunk carrier, PCMU at 198.51.100.2:4000: good; ours arrived there: good",
        "from it: 1,498 packets, 0.3 % lost, jitter 2 ms, 2 too late, MOS 4.3, loudest -18 dBov",
        "to it: 1,502 packets, 0.0 % lost by its reports, jitter 3 ms there, round trip 34 ms",
    ]


def test_the_audio_of_a_leg_of_which_nothing_came() -> None:
    assert lines(received=0) == [
        "trunk carrier, PCMU: nothing that could be used",
        "from it: 0 packets",
        "to it: 1,502 packets, no reports of what arrived",
    ]


@pytest.mark.parametrize(("stops", "words"), [(1, "stood still 1 time"), (2, "stood still 2 times")])
def test_gaps_are_counted(stops: int, words: str) -> None:
    story = begun().up()
    for _ in range(stops):
        story.rtp_stops().rtp_resumes()
    (leg,) = quality_of(story.media(sent=900, received=1).facts)
    assert audio_lines(leg)[1].endswith(words)


def test_audio_on_a_screen_and_in_a_report() -> None:
    legs = quality_of(measured())
    assert audio_text(legs).splitlines()[:2] == ["Audio", "  trunk carrier, PCMU: good"]
    assert audio_markdown(legs).splitlines()[:3] == ["## Audio", "", "- trunk carrier, PCMU: good"]
    assert audio_text(()) == audio_markdown(()) == ""


def invited() -> Story:
    """A call that is up, and a second telephone that is rung for it."""
    story = begun().up().wait(2)
    story.add(ApiRequested(at=story.now, operation="addParticipant", status=202, action="i1"))
    story.leg = "second"
    return story.routed("second", "+14255550201").invite().trying().ringing()


def over(story: Story, how: OperationEnd, **about: Any) -> Story:
    operation = "transferToParticipant" if how == "not-referred" else "addParticipant"
    fact = OperationEnded(at=story.now, leg=story.leg, action="i1", operation=operation, how=how, **about)
    return story.add(fact)


def test_a_party_that_could_not_be_added_is_told_as_a_call_to_it_would_be() -> None:
    story = over(invited().response(486, "Busy Here").ack(), "not-reached")
    (failure,) = failures_of(story.facts).told
    told = failure.explanation
    assert (failure.operation, told.ending, told.code, told.subcode) == (
        "addParticipant",
        "callee-busy",
        486,
        560486,
    )
    assert [exhibit.shows for exhibit in told.evidence] == [
        "the application asked for it (addParticipant)",
        "the call was offered to trunk second",
        "trunk second reported 180: the phone rang",
        "trunk second refused with 486 Busy Here",
        "who was called for it did not join",
    ]


@pytest.mark.parametrize("how", ["done", "cancelled", "cut-off"])
def test_an_invitation_that_went_well_or_was_taken_back_is_no_failure(how: OperationEnd) -> None:
    assert failures_of(over(invited(), how).facts).told == ()


@pytest.mark.parametrize(
    ("referral", "status", "pair"),
    [("target", 486, (486, 560486)), ("refused", 603, (603, 560603)), ("timeout", None, (408, 560408))],
)
def test_a_transfer_by_refer_is_told_by_what_the_far_end_says(
    referral: str, status: int | None, pair: tuple[int, int]
) -> None:
    story = begun().up()
    story.add(ApiRequested(at=story.now, operation="transferToParticipant", status=202, action="i1"))
    over(story, "not-referred", referral=referral, sip_status=status, detail="Whatever")
    (failure,) = failures_of(story.facts).told
    told = failure.explanation
    assert told.evidence[-1].shows.startswith("the far end did not come to speak with the target")
    if status:
        assert (told.code, told.subcode, told.sip_status) == (*pair, status)
        assert f"SIP {status}: Whatever" in told.evidence[-1].shows
    else:
        assert told.ending == "transfer-untold"


def test_what_was_cut_off_is_told_as_its_event_tells_it() -> None:
    story = begun().up()
    story.add(ApiRequested(at=story.now, operation="transferToParticipant", status=202, action="t1"))
    fact = OperationEnded(
        at=story.now, leg="carrier", action="t1", operation="transferToParticipant", how="cut-off"
    )
    verdict = judge_operation(story.add(fact).facts, "t1")
    assert verdict is not None
    assert (verdict.ending, verdict.code, verdict.subcode) == ("transfer-cut-off", 400, 8528)
    invited_too_late = judge_operation(over(invited().timer("setup", 30).cancel(), "cut-off").facts, "i1")
    assert invited_too_late is not None
    assert invited_too_late.ending == "rang-out"
