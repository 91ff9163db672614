"""A kept call told: verdict, audio and failed operations, open or over, and nothing that opens a door."""

import json
from typing import Any

import pytest

from onhook.endings.judge import judge
from onhook.facts import ApiRequested, OperationEnded, PromptEnded, Timeline
from onhook.server.explanations import STILL_OPEN, Told, tell
from store_samples import record
from timelines import Story, begun

SECRET = "https://files.example/menu.wav?sig=opensesame"


def failing() -> Story:
    story = begun().up()
    story.add(ApiRequested(at=story.now, operation="play", status=202, action="a1"))
    detail = f"{SECRET} answered 404"
    story.add(
        PromptEnded(at=story.now, prompt="a1", how="failed", fault="status", http_status=404, detail=detail)
    )
    return story.add(
        OperationEnded(
            at=story.now, action="a1", operation="play", how="prompt-failed", fault="status", detail=detail
        )
    )


def told(timeline: Timeline, *, over: bool = True) -> Told:
    ended: dict[str, Any] = {"ended_at": 200.0, "verdict": judge(timeline)} if over else {}
    return tell(record(**ended), timeline)


def over() -> Told:
    return told(failing().wait(3).bye("received").media(sent=150, received=150).facts)


def test_a_call_that_is_over_is_told_in_full() -> None:
    text = over().text()
    order = ["0/560000 The phone hung up", "Audio\n", "Operations that failed", "400/8536", "#1    +0.000 s"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)


def test_an_open_call_tells_what_failed_in_it_so_far() -> None:
    story = told(failing().media(sent=100, received=100).facts, over=False)
    text = story.text()
    assert text.startswith(STILL_OPEN)
    assert "400/8536 The server of the prompt did not give the file" in text
    markdown = story.markdown()
    assert markdown.index("## Operations that failed") < markdown.index("```\n#")
    assert story.json()["open"] is True
    assert [each["ending"] for each in story.json()["failed_operations"]] == ["prompt-not-served"]


def test_an_open_call_without_failures_is_told_as_before() -> None:
    story = told(begun().up().facts, over=False)
    assert story.text().startswith(f"{STILL_OPEN}\n\n#     time")
    assert story.markdown().startswith(f"{STILL_OPEN}\n\n```\n#     time")


def test_the_json_form_has_audio_and_failures_beside_the_verdict() -> None:
    made = over().json()
    assert (made["ending"], made["open"]) == ("hung-up-by-phone", False)
    assert [(leg["party"], leg["rating"], leg["late"]) for leg in made["audio"]] == [
        ("trunk carrier", "good", 0)
    ]
    (failure,) = made["failed_operations"]
    assert (failure["operation"], failure["code"], failure["subcode"]) == ("play", 400, 8536)
    assert made["failed_operations_left_out"] == 0
    assert json.loads(json.dumps(made)) == json.loads(json.dumps(over().json()))


@pytest.mark.parametrize("open_still", [True, False])
def test_no_form_shows_the_query_of_a_url(open_still: bool) -> None:  # noqa: FBT001  # a parameter
    timeline = failing().wait(1).bye("received").facts
    story = told(timeline, over=not open_still)
    for form in (story.text(), story.markdown(), json.dumps(story.json())):
        assert "opensesame" not in form
        assert "https://files.example/menu.wav" in form
