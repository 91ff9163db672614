"""What is read off the facts of a run: endings, the events that told of them, and the next step."""

import msgspec
import pytest

from onhook.endings.coverage import KeptCall, Meeting, Run, cover, read_run
from onhook.facts import ApiRequested, EventAttempted, OperationEnded, Timeline
from timelines import START, Story

BUSY = KeptCall(id="call-1", timeline=[])


def busy(at: float = 0.0) -> Story:
    return Story().wait(at).created().routed().invite().ringing().response(486, "Busy Here")


def told(
    story: Story, event: str, status: int | None, *, event_id: str = "e1", attempt: int = 1, error: str = ""
) -> Story:
    return story.add(
        EventAttempted(
            at=story.now,
            event_id=event_id,
            event_type=f"Microsoft.Communication.{event}",
            uri="https://app.example/events",
            attempt=attempt,
            status=status,
            elapsed_ms=3.2,
            error=error,
        )
    )


def asked(story: Story, operation: str, status: int = 202, *, action: str = "", body: bytes = b"") -> Story:
    return story.add(ApiRequested(at=story.now, operation=operation, status=status, action=action, body=body))


def call(number: int, timeline: Timeline, *, over: bool = True, test: str = "") -> KeptCall:
    return KeptCall(id=f"call-{number}", timeline=timeline, over=over, test=test)


def only(run: Run) -> Meeting:
    (meeting,) = run.meetings
    return meeting


def test_the_ending_is_the_one_that_judge_gives_and_its_time_that_of_the_deciding_fact() -> None:
    meeting = only(read_run([call(1, busy().facts)]))
    assert (meeting.ending, meeting.call, meeting.after) == ("callee-busy", "call-1", "createCall")
    assert START < meeting.at < START + 1
    assert meeting.delivery is None
    assert meeting.then is None


def test_the_event_that_told_of_it_and_what_the_application_answered() -> None:
    story = told(busy(), "ParticipantsUpdated", 200, event_id="e0")
    meeting = only(read_run([call(1, told(story, "CreateCallFailed", 200).facts)]))
    assert meeting.delivery is not None
    assert (meeting.delivery.event, meeting.delivery.status) == ("CreateCallFailed", 200)
    assert meeting.delivery.elapsed_ms == pytest.approx(3.2)
    assert meeting.delivery.taken


def test_the_last_attempt_of_an_event_counts() -> None:
    story = told(busy(), "CreateCallFailed", 500)
    told(story, "CreateCallFailed", None, attempt=2, error="timed out")
    delivery = only(read_run([call(1, story.facts)])).delivery
    assert delivery is not None
    assert (delivery.status, delivery.attempts, delivery.error) == (None, 2, "timed out")
    assert not delivery.taken


def test_the_next_step_is_the_next_call_if_the_same_one_is_asked_nothing_more() -> None:
    run = read_run([call(2, busy(5.0).facts), call(1, busy().facts)])
    first, second = run.meetings
    assert first.then is not None
    assert (first.then.operation, first.then.call, first.then.same_call) == ("createCall", "call-2", False)
    assert first.then.after_seconds == pytest.approx(5.0, abs=0.5)
    assert second.then is None


def test_a_question_is_no_step_and_a_refused_request_is_one() -> None:
    story = asked(asked(busy().wait(1), "getCall", 404), "hangUp", 404)
    then = only(read_run([call(1, story.facts)])).then
    assert then is not None
    assert (then.operation, then.status, then.same_call) == ("hangUp", 404, True)


def test_calls_of_another_test_are_not_the_next_step() -> None:
    calls = [
        call(1, busy().facts, test="a"),
        call(2, busy(5).facts, test="b"),
        call(3, busy(9).facts, test="a"),
    ]
    steps = [meeting.then and meeting.then.call for meeting in read_run(calls).meetings]
    assert steps == ["call-3", None, None]


def test_an_operation_that_failed_is_an_ending_of_its_own_with_its_own_event() -> None:
    story = busy()  # how the call goes does not matter here
    body = b'{"playSources":[{"kind":"file","file":{"uri":"https://x.example/a.wav"}}]}'
    asked(story, "play", action="a1", body=body)
    story.add(
        OperationEnded(at=story.now, action="a1", operation="play", how="prompt-failed", fault="unreachable")
    )
    told(story, "PlayFailed", 200, event_id="e2").wait(0.5)
    asked(story, "play", action="a2")
    run = read_run([call(1, story.facts)])
    meeting = next(each for each in run.meetings if each.ending == "prompt-unreachable")
    assert meeting.after == "play"
    assert meeting.delivery is not None
    assert meeting.delivery.event == "PlayFailed"
    assert meeting.then is not None
    assert (meeting.then.operation, meeting.then.same_call) == ("play", True)
    assert meeting.then.after_seconds == pytest.approx(0.5, abs=0.1)
    assert {"play", "play file", "play to phone"} <= set(run.used)


def test_each_event_tells_of_one_operation() -> None:
    story = busy()
    for number in (1, 2):
        asked(story, "play", action=f"a{number}")
        story.add(
            OperationEnded(
                at=story.now, action=f"a{number}", operation="play", how="prompt-failed", fault="format"
            )
        )
    told(told(story, "PlayFailed", 200, event_id="p1"), "PlayFailed", 503, event_id="p2")
    meetings = [each for each in read_run([call(1, story.facts)]).meetings if each.after == "play"]
    assert [each.delivery.status for each in meetings if each.delivery] == [200, 503]


def test_what_went_well_is_no_meeting() -> None:
    story = busy()
    story.add(OperationEnded(at=story.now, action="a1", operation="play", how="done"))
    assert only(read_run([call(1, story.facts)])).ending == "callee-busy"


def test_an_open_call_counts_as_used_but_has_no_ending() -> None:
    run = read_run([call(1, busy().facts, over=False)])
    assert (run.calls, run.open_calls, run.meetings) == (1, 1, [])
    assert run.used["createCall to phone"] == 1


def test_a_body_that_is_no_json_and_a_refused_operation_tell_nothing() -> None:
    story = asked(busy(), "play", body=b"{")
    asked(story, "recognize", 400, body=b'{"recognizeInputType":"dtmf"}')
    used = read_run([call(1, story.facts)]).used
    assert "play" in used
    assert not {name for name in used if name.startswith(("play ", "recognize"))} - {"play to phone"}


def test_the_reason_of_a_rejection_is_kept() -> None:
    facts: Timeline = [
        ApiRequested(at=1.0, operation="rejectCall", status=204, detail="busy"),
        ApiRequested(at=2.0, operation="rejectCall", status=204),
    ]
    assert {"rejectCall busy", "rejectCall none"} <= set(read_run([call(1, facts)]).used)


def test_a_call_without_a_fact_is_no_reason_to_fail() -> None:
    meeting = only(read_run([BUSY]))
    assert (meeting.ending, meeting.at, meeting.after) == ("unexplained", 0.0, "")


def test_a_run_can_be_handed_to_another_process() -> None:
    run = read_run([call(1, told(busy(), "CreateCallFailed", 200).facts)])
    again = msgspec.json.decode(msgspec.json.encode(run), type=Run)
    assert again == run
    assert cover([again, run]).calls == 2
