"""Hold with music: to whom it plays, when it stops, and what follows if it cannot be played."""

import pytest

from media_scene import CALLEE, MediaScene, file_source
from onhook.acs.errors import ApiError
from onhook.acs.models import HoldRequest, PlaySource, PlaySourceType, UnholdRequest
from onhook.effects import FileAudio, Mix, PlayPrompt, StopPrompt

MUSIC = "https://app.example/a.wav"


def hold(*, music: bool = True, context: str | None = None) -> HoldRequest:
    return HoldRequest(
        target_participant=CALLEE,
        play_source_info=file_source(MUSIC) if music else None,
        operation_context=context,
    )


UNHOLD = UnholdRequest(target_participant=CALLEE)


def held(scene: MediaScene) -> bool:
    (voice,) = [effect for effect in scene.everything if isinstance(effect, Mix)][-1].voices
    return voice.held


def test_music_plays_to_the_held_one_alone_until_unhold() -> None:
    scene = MediaScene()
    action = scene.ask("hold", hold())
    assert scene.effects(PlayPrompt) == [
        PlayPrompt(action, scene.room, (FileAudio(MUSIC),), legs=(scene.leg,), loop=True)
    ]
    assert held(scene)
    scene.starts(action)
    scene.ask("unhold", UNHOLD)
    assert scene.effects(StopPrompt) == [StopPrompt(action)]
    assert not held(scene)
    assert scene.told == ["ParticipantsUpdated", "ParticipantsUpdated"]


def test_other_music_takes_the_place_of_the_first() -> None:
    scene = MediaScene()
    first = scene.ask("hold", hold())
    second = scene.ask("hold", hold())
    assert scene.effects(StopPrompt) == [StopPrompt(first)]
    scene.breaks(first)  # too late to matter
    assert held(scene)
    scene.ask("hold", hold(music=False))
    assert scene.effects(StopPrompt)[-1] == StopPrompt(second)


def test_music_that_cannot_be_played_fails_the_hold() -> None:
    scene = MediaScene()
    action = scene.ask("hold", hold(context="please wait"))
    scene.breaks(action, "unreachable")
    assert scene.told == ["ParticipantsUpdated", "HoldFailed", "ParticipantsUpdated"]
    assert scene.told_of(1)["operationContext"] == "please wait"
    result = scene.told_of(1)["resultInformation"]
    assert (result["code"], result["subCode"]) == (400, 8536)
    assert scene.told_of()["participants"][0]["isOnHold"] is False
    assert not held(scene)
    assert scene.ended == [(action, "prompt-failed")]


def test_music_stops_with_its_listener_and_with_the_call() -> None:
    scene = MediaScene()
    scene.joins()
    action = scene.ask("hold", hold())
    scene.asked("BYE")
    assert scene.effects(StopPrompt) == [StopPrompt(action)]
    alone = MediaScene()
    action = alone.ask("hold", hold())
    alone.hang_up()
    assert alone.effects(StopPrompt) == [StopPrompt(action)]


def test_prompts_of_others_and_their_ends_do_not_matter() -> None:
    scene = MediaScene()
    scene.ask("hold", hold())
    scene.ends("another").breaks("another")
    assert scene.told == ["ParticipantsUpdated"]


def test_a_source_without_what_its_kind_needs_is_refused() -> None:
    scene = MediaScene()
    request = HoldRequest(target_participant=CALLEE, play_source_info=PlaySource(kind=PlaySourceType.TEXT))
    with pytest.raises(ApiError) as refused:
        scene.ask("hold", request)
    assert refused.value.target == "$.playSourceInfo"


def test_it_is_replayed_from_its_facts() -> None:
    scene = MediaScene()
    action = scene.ask("hold", hold())
    scene.wait(1).breaks(action)
    scene.ask("hold", hold())
    scene.ask("unhold", UNHOLD)
    scene.asked("BYE")
    scene.check_replay()
