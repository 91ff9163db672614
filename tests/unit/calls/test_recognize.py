"""Recognize: prompts, digits, speech and choices, with each way in which a recognition ends."""

from typing import Any

import msgspec
import pytest

from media_scene import CALLEE, STRANGER, MediaScene, file_source, play, recognize
from onhook.acs.errors import ApiError
from onhook.acs.models import Choice, DtmfOptions, PlaySource, PlaySourceType, SpeechOptions, Tone
from onhook.calls.features.recognize_plan import (
    MAX_CHOICES,
    MAX_END_SILENCE_MS,
    MAX_PHRASES,
    MAX_TONES,
)
from onhook.calls.features.recognizing import SPEECH_SECONDS
from onhook.effects import FileAudio, Listen, PlayPrompt, StopListening, StopPrompt
from onhook.facts import ListeningFailed, PromptEnded

FOUR = DtmfOptions(max_tones_to_collect=4, stop_tones=[Tone.POUND])
YES = Choice(label="yes", phrases=["Yes", "Yes, please", "Yeah"], tone=Tone.ONE)
NO = Choice(label="no", phrases=["No"], tone=Tone.TWO)
VOICES = [Choice(label="sales", phrases=["Sales"]), Choice(label="help", phrases=["Help", "Help me"])]


def result(scene: MediaScene) -> tuple[str, int, int]:
    return (scene.told[-1], *scene.result)


def tones(scene: MediaScene) -> list[str]:
    data = scene.told_of()
    assert data["recognitionType"] == "dtmf"
    found: list[str] = data["dtmfResult"]["tones"]
    return found


class TestDigits:
    def test_the_most_that_were_asked_for_complete_it(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(dtmf_options=FOUR, context="pin")
        scene.presses("1", "*", "a".upper(), "9")
        assert result(scene) == ("RecognizeCompleted", 200, 8531)
        assert tones(scene) == ["one", "asterisk", "a", "nine"]
        assert scene.told_of()["operationContext"] == "pin"
        assert scene.ended == [(action, "max-digits")]
        scene.presses("5").wait(60)
        assert len(scene.events) == 1

    def test_a_stop_tone_completes_it_and_is_not_part_of_the_result(self) -> None:
        scene = MediaScene()
        scene.recognizes(dtmf_options=FOUR)
        scene.presses("1", "2", "#")
        assert result(scene) == ("RecognizeCompleted", 200, 8514)
        assert tones(scene) == ["one", "two"]

    def test_a_stop_tone_alone_completes_it_with_nothing(self) -> None:
        scene = MediaScene()
        scene.recognizes(dtmf_options=FOUR)
        scene.presses("#")
        assert result(scene) == ("RecognizeCompleted", 200, 8514)
        assert tones(scene) == []

    def test_one_digit_that_was_asked_for_needs_no_second(self) -> None:
        scene = MediaScene()
        scene.recognizes(dtmf_options=DtmfOptions(max_tones_to_collect=1))
        scene.presses("0")
        assert tones(scene) == ["zero"]

    def test_a_pause_completes_it_with_400_and_the_digits_so_far(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(dtmf_options=DtmfOptions(inter_tone_timeout_in_seconds=3))
        scene.wait(4).presses("1").wait(2.9).presses("2").wait(2.9)
        assert scene.told == []
        scene.wait(0.2)
        assert result(scene) == ("RecognizeCompleted", 400, 8532)
        assert tones(scene) == ["one", "two"]
        assert scene.ended == [(action, "between-digits")]
        assert "3 s passed after 2 digits" in scene.told_of()["resultInformation"]["message"]

    def test_no_digit_at_all_fails_it_after_the_default_time(self) -> None:
        scene = MediaScene()
        scene.recognizes()
        scene.wait(4.9)
        assert scene.told == []
        scene.wait(0.2)
        assert result(scene) == ("RecognizeFailed", 400, 8510)
        assert "failedPlaySourceIndex" not in scene.told_of()

    def test_defaults_are_those_of_acs(self) -> None:
        scene = MediaScene()
        scene.recognizes(dtmf_options=DtmfOptions())
        scene.presses("1").wait(1.9)
        assert scene.told == []
        scene.wait(0.2)
        assert result(scene) == ("RecognizeCompleted", 400, 8532)

    def test_no_time_at_all_for_the_first_digit(self) -> None:
        scene = MediaScene()
        scene.recognizes(initial_silence_timeout_in_seconds=0)
        scene.wait(0)
        assert result(scene) == ("RecognizeFailed", 400, 8510)

    def test_digits_of_another_leg_and_speech_do_not_count(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(dtmf_options=FOUR)
        scene.presses("1", "2", leg="another").begins_to_speak(action).says(action, "three")
        scene.wait(6)
        assert result(scene) == ("RecognizeFailed", 400, 8510)
        assert scene.effects(Listen) == []


class TestPrompts:
    def test_the_time_for_the_first_input_runs_from_the_end_of_the_prompt(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(prompt=True)
        (prompt,) = scene.effects(PlayPrompt)
        assert prompt == PlayPrompt(f"{action}.prompt", scene.room, (FileAudio("https://app.example/a.wav"),))
        scene.starts(prompt.id).wait(30).ends(prompt.id).wait(4.9)
        assert scene.told == []  # a recognition says nothing of its prompt
        scene.wait(0.2)
        assert result(scene) == ("RecognizeFailed", 400, 8510)

    def test_a_digit_ends_the_prompt_and_counts(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(prompt=True, dtmf_options=FOUR)
        scene.starts(f"{action}.prompt").presses("1")
        assert scene.effects(StopPrompt) == [StopPrompt(f"{action}.prompt")]
        scene.tells(PromptEnded(at=scene.now, prompt=f"{action}.prompt", how="stopped"))
        scene.presses("2", "3", "4")
        assert tones(scene) == ["one", "two", "three", "four"]

    def test_a_prompt_that_is_to_be_heard_out_drops_what_is_pressed_meanwhile(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(prompt=True, interrupt_prompt=False, dtmf_options=FOUR)
        scene.starts(f"{action}.prompt").presses("1", "2", "3", "4")
        assert scene.told == []
        scene.ends(f"{action}.prompt").presses("5", "#")
        assert tones(scene) == ["five"]
        assert scene.effects(StopPrompt) == []

    def test_the_last_digit_during_the_prompt_stops_it(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(prompt=True, dtmf_options=DtmfOptions(max_tones_to_collect=1))
        scene.presses("1")
        assert scene.effects(StopPrompt) == [StopPrompt(f"{action}.prompt")]
        assert result(scene) == ("RecognizeCompleted", 200, 8531)

    @pytest.mark.parametrize("interrupt_prompt", [True, False])
    def test_a_prompt_that_cannot_be_played_fails_it(self, *, interrupt_prompt: bool) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech", prompt=True, interrupt_prompt=interrupt_prompt)
        scene.breaks(f"{action}.prompt", "status", source=0)
        assert result(scene) == ("RecognizeFailed", 500, 8511)
        assert scene.told_of()["failedPlaySourceIndex"] == 0
        assert len(scene.effects(StopListening)) == int(interrupt_prompt)

    @pytest.mark.parametrize("interrupt_prompt", [True, False])
    def test_media_that_stops_the_prompt_cuts_it_off(self, *, interrupt_prompt: bool) -> None:
        scene = MediaScene()
        action = scene.recognizes(prompt=True, interrupt_prompt=interrupt_prompt)
        scene.tells(PromptEnded(at=scene.now, prompt=f"{action}.prompt", how="stopped"))
        assert result(scene) == ("RecognizeCanceled", 400, 8528)

    def test_several_prompts_stand_above_the_single_one(self) -> None:
        scene = MediaScene()
        several = [file_source("https://app.example/1.wav"), file_source("https://app.example/2.wav")]
        scene.ask("recognize", msgspec.structs.replace(recognize(prompt=True), play_prompts=several))
        (prompt,) = scene.effects(PlayPrompt)
        assert [source.uri for source in prompt.sources if isinstance(source, FileAudio)] == [
            "https://app.example/1.wav",
            "https://app.example/2.wav",
        ]


class TestSpeech:
    def test_what_is_said_completes_it(self) -> None:
        scene = MediaScene()
        action = scene.recognizes(
            "speech",
            speech_language="de-DE",
            speech_recognition_model_endpoint_id="model-1",
            speech_options=SpeechOptions(end_silence_timeout_in_ms=1500),
        )
        assert scene.effects(Listen) == [
            Listen(
                f"{action}.ear",
                scene.room,
                scene.leg,
                language="de-DE",
                end_silence_ms=1500,
                model="model-1",
            )
        ]
        scene.begins_to_speak(action).says(action, "guten", final=False).says(action, "Guten Tag")
        assert result(scene) == ("RecognizeCompleted", 200, 8569)
        data = scene.told_of()
        assert data["recognitionType"] == "speech"
        assert data["speechResult"] == {"speech": "Guten Tag", "confidence": 0.75}

    def test_speech_ends_a_prompt_that_may_be_interrupted(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech", prompt=True)
        assert len(scene.effects(Listen)) == 1
        scene.begins_to_speak(action)
        assert scene.effects(StopPrompt) == [StopPrompt(f"{action}.prompt")]
        scene.says(action, "Hello")
        assert result(scene) == ("RecognizeCompleted", 200, 8569)

    def test_nobody_listens_while_a_prompt_is_to_be_heard_out(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech", prompt=True, interrupt_prompt=False)
        assert scene.effects(Listen) == []
        scene.ends(f"{action}.prompt")
        assert [listen.id for listen in scene.effects(Listen)] == [f"{action}.ear"]

    def test_a_recogniser_need_not_say_that_speech_began(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech")
        scene.says(action, "Hello")
        assert result(scene) == ("RecognizeCompleted", 200, 8569)

    @pytest.mark.parametrize("begins", [True, False])
    def test_speech_without_words_fails_it(self, *, begins: bool) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech", prompt=not begins)
        if begins:
            scene.begins_to_speak(action)
        scene.says(action, " ")
        assert result(scene) == ("RecognizeFailed", 400, 8563)

    def test_silence_fails_it_and_nobody_listens_any_more(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech", initial_silence_timeout_in_seconds=20)
        scene.wait(20.1)
        assert result(scene) == ("RecognizeFailed", 400, 8510)
        assert scene.effects(StopListening) == [StopListening(f"{action}.ear")]

    def test_who_speaks_has_no_silence_and_not_for_ever_time(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech")
        scene.begins_to_speak(action).wait(SPEECH_SECONDS - 1)
        assert scene.told == []
        scene.wait(1.1)
        assert result(scene) == ("RecognizeFailed", 408, 8570)

    @pytest.mark.parametrize(
        ("status", "code", "subcode"), [(None, 500, 8570), (401, 401, 8565), (429, 429, 8565)]
    )
    def test_a_recogniser_that_fails_fails_it(self, status: int | None, code: int, subcode: int) -> None:
        scene = MediaScene()
        action = scene.recognizes("speech", prompt=True)
        scene.tells(
            ListeningFailed(
                at=scene.now, leg=scene.leg, listening=f"{action}.ear", detail="no", http_status=status
            )
        )
        assert result(scene) == ("RecognizeFailed", code, subcode)
        assert scene.effects(StopListening) == []
        assert scene.effects(StopPrompt) == [StopPrompt(f"{action}.prompt")]


class TestSpeechOrDigits:
    def test_digits_first(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speechOrDtmf", dtmf_options=FOUR)
        scene.presses("1")
        assert scene.effects(StopListening) == [StopListening(f"{action}.ear")]
        scene.says(action, "late words").presses("2", "3", "4")
        assert tones(scene) == ["one", "two", "three", "four"]

    def test_words_first_and_digits_do_not_count_any_more(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speechOrDtmf", dtmf_options=FOUR)
        scene.begins_to_speak(action).says(action, "my", final=False).presses("1", "2", "3", "4")
        assert scene.told == []
        scene.says(action, "my number is five")
        assert result(scene) == ("RecognizeCompleted", 200, 8569)

    def test_a_cough_locks_nobody_out(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("speechOrDtmf", dtmf_options=FOUR)
        scene.begins_to_speak(action).presses("1", "#")
        assert tones(scene) == ["one"]


class TestChoices:
    def test_by_a_phrase_the_longest_that_was_said(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("choices", choices=[YES, NO])
        (listen,) = scene.effects(Listen)
        assert listen.phrases == ("Yes", "Yes, please", "Yeah", "No")
        scene.begins_to_speak(action).says(action, "yes please!")
        assert result(scene) == ("RecognizeCompleted", 200, 8545)
        data = scene.told_of()
        assert data["recognitionType"] == "choices"
        assert data["choiceResult"] == {
            "label": "yes",
            "recognizedPhrase": "Yes, please",
            "confidence": 0.75,
        }

    def test_by_a_key_also_while_somebody_speaks(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("choices", choices=[YES, NO])
        scene.begins_to_speak(action).says(action, "well", final=False).presses("2")
        assert result(scene) == ("RecognizeCompleted", 200, 8533)
        assert scene.told_of()["choiceResult"] == {"label": "no"}

    def test_a_key_of_no_choice_fails_it(self) -> None:
        scene = MediaScene()
        scene.recognizes("choices", choices=[YES, NO])
        scene.presses("3")
        assert result(scene) == ("RecognizeFailed", 500, 8534)
        assert "three" in scene.told_of()["resultInformation"]["message"]

    @pytest.mark.parametrize("text", ["maybe", "nobody", ""])
    def test_words_of_no_choice_fail_it(self, text: str) -> None:
        scene = MediaScene()
        action = scene.recognizes("choices", choices=[YES, NO])
        scene.says(action, text)
        assert result(scene) == ("RecognizeFailed", 400, 8547)

    def test_without_keys_no_key_counts(self) -> None:
        scene = MediaScene()
        action = scene.recognizes("choices", choices=VOICES)
        scene.presses("1", "#").says(action, "Please help me now")
        assert scene.told_of()["choiceResult"]["recognizedPhrase"] == "Help me"

    def test_keys_alone_need_nobody_who_listens(self) -> None:
        scene = MediaScene()
        scene.recognizes("choices", choices=[Choice(label="go", phrases=[], tone=Tone.POUND)])
        assert scene.effects(Listen) == []
        scene.presses("#")
        assert scene.told_of()["choiceResult"] == {"label": "go"}


SAID: dict[str, tuple[str, dict[str, Any]]] = {
    "words": ("speech", {}),
    "noise": ("speech", {}),
    "broken": ("speech", {}),
    "last": ("speechOrDtmf", {"dtmf_options": DtmfOptions(max_tones_to_collect=1)}),
    "stop": ("speechOrDtmf", {"dtmf_options": FOUR}),
    "choice": ("choices", {"choices": [YES, NO]}),
    "wrong": ("choices", {"choices": [YES, NO]}),
    "phrase": ("choices", {"choices": [YES, NO]}),
    "no phrase": ("choices", {"choices": [YES, NO]}),
}
ENDS = {
    "words": "speech",
    "noise": "not-understood",
    "broken": "recognizer-failed",
    "last": "max-digits",
    "stop": "stop-tone",
    "choice": "digit-choice",
    "wrong": "wrong-digit",
    "phrase": "speech-choice",
    "no phrase": "no-match",
}


@pytest.mark.parametrize("before", ["prompt", "nothing", "speech"])
@pytest.mark.parametrize("comes", SAID)
def test_input_counts_the_same_in_the_prompt_after_it_and_when_somebody_spoke(
    before: str, comes: str
) -> None:
    scene = MediaScene()
    kind, options = SAID[comes]
    action = scene.recognizes(kind, prompt=before == "prompt", **options)
    if before == "speech":
        scene.begins_to_speak(action)
    match comes:
        case "words":
            scene.says(action, "Hello")
        case "noise":
            scene.says(action, "")
        case "broken":
            scene.tells(
                ListeningFailed(at=scene.now, leg=scene.leg, listening=f"{action}.ear", detail="down")
            )
        case "phrase" | "no phrase":
            scene.says(action, "no" if comes == "phrase" else "perhaps")
        case _:
            scene.presses({"last": "7", "stop": "#", "choice": "1", "wrong": "9"}[comes])
    assert scene.ended == [(action, ENDS[comes])]
    stopped = [f"{action}.prompt"] if before == "prompt" else []
    assert [effect.id for effect in scene.effects(StopPrompt)] == stopped


class TestTurns:
    def test_in_a_call_of_two_it_waits_behind_what_is_played_to_all(self) -> None:
        scene = MediaScene()
        welcome = scene.plays()
        action = scene.recognizes(prompt=True, dtmf_options=FOUR)
        scene.presses("1")
        assert [prompt.id for prompt in scene.effects(PlayPrompt)] == [welcome]
        scene.ends(welcome)
        assert scene.effects(PlayPrompt)[-1].id == f"{action}.prompt"
        scene.presses("2", "#")
        assert tones(scene) == ["two"]

    def test_it_jumps_in_and_is_interrupted_in_its_turn(self) -> None:
        scene = MediaScene()
        welcome, waiting = scene.plays(), scene.recognizes()
        action = scene.recognizes("speech", prompt=True, interrupt=True)
        assert scene.ended == [(welcome, "cancelled"), (waiting, "cancelled")]
        assert scene.told == ["PlayCanceled", "RecognizeCanceled"]
        scene.plays(play(interrupt=True))
        assert result(scene) == ("RecognizeCanceled", 400, 8508)
        assert scene.effects(StopListening) == [StopListening(f"{action}.ear")]
        assert StopPrompt(f"{action}.prompt") in scene.effects(StopPrompt)

    def test_in_a_group_it_is_for_its_target_alone(self) -> None:
        scene = MediaScene()
        scene.joins()
        scene.plays()
        action = scene.recognizes(prompt=True)
        assert scene.effects(PlayPrompt)[-1].legs == (scene.leg,)
        for another in (play(CALLEE), None):
            with pytest.raises(ApiError) as refused:
                scene.plays(another) if another else scene.recognizes()
            assert (refused.value.status, refused.value.code) == (412, "8583")
            assert "recognize" in refused.value.message
        scene.presses("1").wait(2.1)
        assert scene.ended == [(action, "between-digits")]
        scene.recognizes()

    @pytest.mark.parametrize("stage", ["prompt", "protected", "waiting", "listening", "digits", "speech"])
    def test_it_can_be_cancelled_at_any_time(self, stage: str) -> None:
        scene = MediaScene()
        if stage == "waiting":
            scene.plays()
        action = scene.recognizes(
            "speechOrDtmf",
            prompt=stage in {"prompt", "protected"},
            interrupt_prompt=stage != "protected",
            dtmf_options=FOUR,
        )
        if stage == "digits":
            scene.presses("1")
        if stage == "speech":
            scene.begins_to_speak(action)
        scene.ask("cancelAllMediaOperations")
        assert result(scene) == ("RecognizeCanceled", 400, 8508)
        assert "recognitionType" not in scene.told_of()
        told = len(scene.events)
        scene.wait(120).presses("1")
        assert len(scene.events) == told

    def test_its_target_leaves(self) -> None:
        scene = MediaScene()
        scene.joins()
        action = scene.recognizes()
        scene.asked("BYE")
        assert scene.ended == [(action, "cut-off")]

    def test_the_target_of_one_that_waits_leaves_and_the_rest_goes_on(self) -> None:
        scene = MediaScene()
        running, waiting, last = scene.plays(), scene.recognizes(), scene.plays()
        scene.joins()  # with a third the call goes on
        scene.asked("BYE")
        assert scene.ended == [(waiting, "cut-off")]
        scene.ends(running).ends(last)
        assert scene.ended[1:] == [(running, "done"), (last, "done")]

    def test_it_is_replayed_from_its_facts(self) -> None:
        scene = MediaScene()
        first = scene.recognizes(prompt=True, dtmf_options=FOUR)
        scene.recognizes("choices", choices=[YES, NO])
        scene.starts(f"{first}.prompt").wait(1).presses("1").wait(2.5)
        scene.wait(7)
        third = scene.recognizes("speech")
        scene.begins_to_speak(third).says(third, "Hello").recognizes()
        scene.wait(1).asked("BYE")
        assert [how for _, how in scene.ended] == ["between-digits", "silence", "speech", "cut-off"]
        scene.check_replay()


OPTIONS = "$.recognizeOptions"


@pytest.mark.parametrize(
    ("request_of", "target"),
    [
        ({"target": STRANGER}, f"{OPTIONS}.targetParticipant"),
        ({"dtmf_options": DtmfOptions(max_tones_to_collect=0)}, f"{OPTIONS}.dtmfOptions.maxTonesToCollect"),
        (
            {"dtmf_options": DtmfOptions(max_tones_to_collect=MAX_TONES + 1)},
            f"{OPTIONS}.dtmfOptions.maxTonesToCollect",
        ),
        (
            {"kind": "speech", "speech_options": SpeechOptions(end_silence_timeout_in_ms=-1)},
            f"{OPTIONS}.speechOptions.endSilenceTimeoutInMs",
        ),
        (
            {"speech_options": SpeechOptions(end_silence_timeout_in_ms=MAX_END_SILENCE_MS + 1)},
            f"{OPTIONS}.speechOptions.endSilenceTimeoutInMs",
        ),
        ({"kind": "choices"}, f"{OPTIONS}.choices"),
        ({"kind": "choices", "choices": [YES] * (MAX_CHOICES + 1)}, f"{OPTIONS}.choices"),
        ({"kind": "choices", "choices": [Choice(label="", phrases=["a"])]}, f"{OPTIONS}.choices[0]"),
        ({"kind": "choices", "choices": [Choice(label="a", phrases=[])]}, f"{OPTIONS}.choices[0]"),
        ({"kind": "choices", "choices": [YES, *VOICES]}, f"{OPTIONS}.choices"),
        (
            {"kind": "choices", "choices": [YES, Choice(label="yes", phrases=["b"], tone=Tone.TWO)]},
            f"{OPTIONS}.choices",
        ),
        (
            {"kind": "choices", "choices": [YES, Choice(label="b", phrases=["b"], tone=Tone.ONE)]},
            f"{OPTIONS}.choices",
        ),
        (
            {"kind": "choices", "choices": [Choice(label="b", phrases=["b"] * (MAX_PHRASES + 1))]},
            f"{OPTIONS}.choices",
        ),
    ],
)
def test_requests_that_do_not_fit_together(request_of: dict[str, Any], target: str) -> None:
    scene = MediaScene()
    with pytest.raises(ApiError) as refused:
        scene.recognizes(**request_of)
    assert (refused.value.status, refused.value.code, refused.value.target) == (400, "8523", target)
    assert (scene.told, scene.asked_of_media) == ([], [])


def test_a_prompt_without_a_source_is_named() -> None:
    scene = MediaScene()
    request = msgspec.structs.replace(recognize(), play_prompt=PlaySource(kind=PlaySourceType.TEXT))
    with pytest.raises(ApiError) as refused:
        scene.ask("recognize", request)
    assert refused.value.target == "$.playPrompt"
