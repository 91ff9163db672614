"""Play: what media is asked, and what the application hears, from acceptance to the one terminal event."""

from typing import Any

import pytest

from media_scene import CALLEE, STRANGER, MediaScene, file_source, play
from onhook.acs.errors import ApiError
from onhook.acs.models import (
    CommunicationIdentifierModel,
    PlaySource,
    PlaySourceType,
    SsmlSource,
    TextSource,
    VoiceKind,
)
from onhook.calls.features.sources import MAX_SOURCES
from onhook.effects import FileAudio, PlayPrompt, SpokenMarkup, SpokenText, StopPrompt
from onhook.facts import OperationEnded, PromptEnded


def refusal(scene: MediaScene, *args: Any, **options: Any) -> tuple[int, str, str | None]:
    with pytest.raises(ApiError) as refused:
        scene.plays(play(*args, **options))
    return refused.value.status, refused.value.code, refused.value.target


def test_a_play_to_all_starts_and_completes() -> None:
    scene = MediaScene()
    action = scene.plays(play(context="welcome"))
    assert scene.asked_of_media == [PlayPrompt(action, scene.room, (FileAudio("https://app.example/a.wav"),))]
    assert scene.told == []
    scene.starts(action)
    assert scene.told == ["PlayStarted"]
    scene.wait(1).ends(action)
    assert scene.told == ["PlayStarted", "PlayCompleted"]
    for event in scene.events:
        assert event.data["operationContext"] == "welcome"
        assert event.data["resultInformation"] == {
            "code": 200,
            "subCode": 0,
            "message": "Action completed successfully.",
        }
        assert event.callback_uri == "https://app.example/events"
    assert scene.ended == [(action, "done")]


def test_sources_reach_media_as_they_were_given() -> None:
    scene = MediaScene()
    text = TextSource(
        text="Hello",
        source_locale="en-US",
        voice_kind=VoiceKind.FEMALE,
        voice_name="en-US-JennyNeural",
        custom_voice_endpoint_id="cv-1",
    )
    scene.plays(
        play(
            sources=[
                PlaySource(kind=PlaySourceType.TEXT, text=text, play_source_cache_id="cache-t"),
                PlaySource(
                    kind=PlaySourceType.SSML,
                    ssml=SsmlSource(ssml_text="<speak/>", custom_voice_endpoint_id="cv-2"),
                    play_source_cache_id="cache-s",
                ),
                PlaySource(kind=PlaySourceType.FILE, file=file_source().file, play_source_cache_id="cache-f"),
                PlaySource(kind=PlaySourceType.TEXT, text=TextSource(text="plain")),
            ],
            loop=True,
        )
    )
    (prompt,) = scene.effects(PlayPrompt)
    assert prompt.sources == (
        SpokenText("Hello", "en-US", "female", "en-US-JennyNeural", "cv-1", "cache-t"),
        SpokenMarkup("<speak/>", "cv-2", "cache-s"),
        FileAudio("https://app.example/a.wav", "cache-f"),
        SpokenText("plain"),
    )
    assert prompt.loop


def test_a_play_to_a_participant_names_its_leg_once() -> None:
    scene = MediaScene()
    scene.plays(play(CALLEE, CommunicationIdentifierModel(raw_id="4:+14255550200")))
    assert [prompt.legs for prompt in scene.effects(PlayPrompt)] == [(scene.leg,)]


def test_a_source_that_fails_is_told_by_its_number_and_what_was_wrong() -> None:
    scene = MediaScene()
    action = scene.plays(play(sources=[file_source(), file_source("https://app.example/b.mp3")]))
    scene.starts(action).breaks(action, "format", source=1)
    assert scene.told == ["PlayStarted", "PlayFailed"]
    assert scene.told_of()["failedPlaySourceIndex"] == 1
    assert scene.result == (400, 8535)
    assert "it is an MP3" in scene.told_of()["resultInformation"]["message"]
    (ended,) = (fact for fact in scene.facts if isinstance(fact, OperationEnded))
    assert (ended.fault, ended.source, ended.operation) == ("format", 1, "play")


def test_the_operations_own_callback_gets_all_its_events() -> None:
    scene = MediaScene()
    action = scene.plays(play(callback="https://other.example/hook?key=1"))
    scene.starts(action).ends(action)
    assert {event.callback_uri for event in scene.events} == {"https://other.example/hook?key=1"}


@pytest.mark.parametrize(
    ("request_of", "target"),
    [
        ({"sources": []}, "$.playSources"),
        ({"sources": [file_source()] * (MAX_SOURCES + 1)}, "$.playSources"),
        ({"sources": [file_source(), PlaySource(kind=PlaySourceType.FILE)]}, "$.playSources[1]"),
        ({"sources": [PlaySource(kind=PlaySourceType.TEXT, file=file_source().file)]}, "$.playSources[0]"),
        ({"sources": [PlaySource(kind=PlaySourceType.SSML)]}, "$.playSources[0]"),
    ],
)
def test_bodies_that_say_nothing_playable_are_refused(request_of: dict[str, Any], target: str) -> None:
    scene = MediaScene()
    assert refusal(scene, **request_of) == (400, "8523", target)
    assert scene.facts[-1].at < scene.now or not scene.asked_of_media
    assert scene.told == []


def test_nobody_in_the_call_is_nobody_to_play_to() -> None:
    scene = MediaScene()
    assert refusal(scene, CALLEE, STRANGER) == (400, "8523", "$.playTo[1]")


def test_a_play_that_is_cancelled_is_stopped_and_what_media_says_later_changes_nothing() -> None:
    scene = MediaScene()
    action = scene.plays()
    scene.starts(action)
    scene.ask("cancelAllMediaOperations")
    assert scene.effects(StopPrompt) == [StopPrompt(action)]
    assert scene.told == ["PlayStarted", "PlayCanceled"]
    assert scene.result == (400, 8508)
    scene.tells(PromptEnded(at=scene.now, prompt=action, how="stopped", played_ms=20))
    assert scene.told == ["PlayStarted", "PlayCanceled"]


def test_media_that_stops_by_itself_cuts_the_play_off() -> None:
    scene = MediaScene()
    action = scene.plays()
    scene.tells(PromptEnded(at=scene.now, prompt=action, how="stopped"))
    assert scene.told == ["PlayCanceled"]
    assert scene.ended == [(action, "cut-off")]


@pytest.mark.parametrize("end", ["app", "phone"])
def test_a_call_that_ends_under_a_play_tells_it_before_its_own_end(end: str) -> None:
    scene = MediaScene()
    action = scene.plays()
    scene.starts(action)
    scene.hang_up() if end == "app" else scene.asked("BYE")
    if end == "app":
        scene.gets(200, to="BYE")
    assert scene.told == ["PlayStarted", "PlayCanceled", "CallDisconnected"]
    assert scene.events[1].data["resultInformation"]["subCode"] == 8528
    assert scene.effects(StopPrompt) == [StopPrompt(action)]
    scene.ends(action)
    assert scene.told[-1] == "CallDisconnected"


def test_a_play_to_one_who_leaves_is_cut_off_while_the_call_goes_on() -> None:
    scene = MediaScene()
    scene.joins()
    alone, both = scene.plays(play(CALLEE)), scene.plays()
    scene.starts(alone).starts(both)
    scene.asked("BYE")
    assert scene.ended == [(alone, "cut-off")]
    assert StopPrompt(alone) in scene.asked_of_media
    assert StopPrompt(both) not in scene.asked_of_media


def test_applications_play_side_by_side_and_each_hears_of_its_own() -> None:
    scene = MediaScene()
    second = scene.joins()
    mine, theirs = scene.plays(), scene.plays(by=second)
    assert [prompt.id for prompt in scene.effects(PlayPrompt)] == [mine, theirs]
    scene.starts(mine).ends(theirs)
    assert [(event.type, event.connection) for event in scene.events] == [
        ("PlayStarted", scene.room),
        ("PlayCompleted", "second"),
    ]


def test_an_application_that_leaves_hears_of_its_plays_first() -> None:
    scene = MediaScene()
    second = scene.joins()
    running, waiting, others = scene.plays(by=second), scene.plays(by=second), scene.plays()
    scene.leaves(second)
    assert scene.ended == [(running, "cut-off"), (waiting, "cut-off")]
    told = [event.type for event in scene.events if event.connection == "second"]
    assert told == ["PlayCanceled", "PlayCanceled", "CallDisconnected"]
    scene.ends(others)
    assert scene.ended[-1] == (others, "done")


def test_a_call_that_is_not_up_plays_nothing() -> None:
    scene = MediaScene()
    scene.asked("BYE")
    with pytest.raises(ApiError) as refused:
        scene.plays()
    assert (refused.value.status, refused.value.code) == (400, "8585")


def test_plays_are_replayed_from_their_facts() -> None:
    scene = MediaScene()
    second = scene.joins()
    first, queued = scene.plays(play(context="one")), scene.plays(play(context="two", loop=True))
    theirs = scene.plays(play(CALLEE), by=second)
    scene.wait(1).starts(first).starts(theirs)
    scene.wait(2).ends(first)
    scene.starts(queued).breaks(theirs)
    scene.plays(play(interrupt=True))
    scene.leaves(second)
    scene.wait(1).asked("BYE")
    scene.check_replay()
