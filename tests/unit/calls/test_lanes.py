"""Which media operations run, wait, jump in or are refused beside others: Microsoft's table, row by row."""

import pytest

from media_scene import CALLEE, MediaScene, play
from onhook.acs.errors import ApiError
from onhook.acs.models import SendDtmfTonesRequest, Tone
from onhook.calls.features.lanes import MAX_WAITING
from onhook.effects import PlayPrompt, StopPrompt


def prompts(scene: MediaScene) -> list[str]:
    return [prompt.id for prompt in scene.effects(PlayPrompt)]


def test_plays_to_all_wait_for_each_other_in_order() -> None:
    scene = MediaScene()
    first, second, third = (scene.plays() for _ in range(3))
    assert prompts(scene) == [first]
    scene.ends(first)
    assert prompts(scene) == [first, second]
    scene.breaks(second)
    assert prompts(scene) == [first, second, third]
    scene.ends(third)
    assert scene.ended == [(first, "done"), (second, "prompt-failed"), (third, "done")]
    last = scene.plays()
    assert prompts(scene)[-1] == last


def test_one_that_jumps_in_ends_what_runs_and_what_waits() -> None:
    scene = MediaScene()
    running, waiting = scene.plays(), scene.plays()
    urgent = scene.plays(play(interrupt=True))
    assert prompts(scene) == [running, urgent]
    assert scene.effects(StopPrompt) == [StopPrompt(running)]
    assert scene.told == ["PlayCanceled", "PlayCanceled"]
    assert scene.result == (400, 8508)
    assert scene.ended == [(running, "cancelled"), (waiting, "cancelled")]
    scene.ends(urgent)
    assert scene.ended[-1] == (urgent, "done")


def test_one_that_jumps_in_where_nothing_runs_just_begins() -> None:
    scene = MediaScene()
    action = scene.plays(play(interrupt=True))
    assert prompts(scene) == [action]
    assert scene.told == []


def test_a_second_jump_ends_the_first() -> None:
    scene = MediaScene()
    first, second = scene.plays(play(interrupt=True)), scene.plays(play(interrupt=True))
    assert scene.ended == [(first, "cancelled")]
    assert prompts(scene) == [first, second]


def test_a_play_to_one_runs_beside_what_is_for_all() -> None:
    scene = MediaScene()
    everyone, one = scene.plays(), scene.plays(play(CALLEE))
    assert prompts(scene) == [everyone, one]
    scene.plays()
    assert len(prompts(scene)) == 2  # waits for the first, not for the one beside it
    scene.ends(one)
    assert len(prompts(scene)) == 2


def test_a_second_play_to_one_is_refused_until_the_first_is_over() -> None:
    scene = MediaScene()
    first = scene.plays(play(CALLEE))
    with pytest.raises(ApiError) as refused:
        scene.plays(play(CALLEE))
    assert (refused.value.status, refused.value.code) == (412, "8583")
    assert "does not go with play" in refused.value.message
    scene.ends(first)
    second = scene.plays(play(CALLEE))
    assert prompts(scene) == [first, second]


def test_a_play_to_one_may_take_the_place_of_another() -> None:
    scene = MediaScene()
    first = scene.plays(play(CALLEE, interrupt=True))
    second = scene.plays(play(CALLEE, interrupt=True))
    assert scene.ended == [(first, "cancelled")]
    scene.ends(second)
    assert scene.ended == [(first, "cancelled"), (second, "done")]


def test_cancelling_ends_all_of_the_application_and_nothing_of_others() -> None:
    scene = MediaScene()
    second = scene.joins()
    running, waiting, one, others = (
        scene.plays(),
        scene.plays(),
        scene.plays(play(CALLEE)),
        scene.plays(by=second),
    )
    scene.ask("cancelAllMediaOperations")
    assert scene.ended == [(running, "cancelled"), (waiting, "cancelled"), (one, "cancelled")]
    scene.ends(others)
    assert scene.ended[-1] == (others, "done")


def test_cancelling_nothing_does_nothing() -> None:
    scene = MediaScene()
    scene.ask("cancelAllMediaOperations")
    assert (scene.told, scene.asked_of_media) == ([], [])


def test_only_so_many_wait() -> None:
    scene = MediaScene()
    for _ in range(MAX_WAITING + 1):
        scene.plays()
    with pytest.raises(ApiError) as refused:
        scene.plays()
    assert (refused.value.status, refused.value.code) == (400, "8500")
    assert str(MAX_WAITING) in refused.value.message
    urgent = scene.plays(play(interrupt=True))
    assert prompts(scene)[-1] == urgent


def test_a_hang_up_clears_the_lanes_of_participants() -> None:
    scene = MediaScene()
    second = scene.joins()
    one = scene.plays(play(CALLEE))
    tones = SendDtmfTonesRequest(tones=[Tone.ONE], target_participant=CALLEE)
    sent = scene.ask("sendDtmfTones", tones, by=second)
    scene.do(scene.call.hang_up(scene.request("terminate")))
    assert sorted(scene.ended) == [(one, "cut-off"), (sent, "cut-off")]
    assert scene.told == ["PlayCanceled", "SendDtmfTonesFailed"]
