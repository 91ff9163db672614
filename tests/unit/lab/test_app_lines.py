"""Lines about what the application asks: the request that the SDK would send, and every fault."""

from typing import Any

import pytest

from onhook.acs.models import (
    AddParticipantRequest,
    ContinuousDtmfRecognitionRequest,
    HoldRequest,
    MuteParticipantsRequest,
    RecognizeInputType,
    RecognizeRequest,
    RemoveParticipantRequest,
    SendDtmfTonesRequest,
    Tone,
    TransferToParticipantRequest,
    UnholdRequest,
)
from onhook.acs.operations import OPERATIONS
from onhook.lab.app_lines import ASK_FORMS, TONES, VERBS, Setting, media_options, named, request_of
from onhook.lab.app_steps import AppAsk, AppAwait
from onhook.lab.scenario import ScenarioError, parse_scenario, write_scenario
from onhook.lab.scenario_steps import AppAnswer, AppCall

ANSWERS = "carrier: 200 OK\n"
HERE = Setting("+14255550200", "+14255550100", "server-call")


def step(line: str) -> AppAsk:
    (_, asked) = parse_scenario(f"{ANSWERS}app: {line}\n").steps
    assert isinstance(asked, AppAsk)
    assert write_scenario(parse_scenario(f"{ANSWERS}app: {line}\n")) == f"{ANSWERS}app: {line}\n"
    return asked


def asked(line: str) -> Any:
    return request_of(step(line), HERE)


def test_every_verb_has_an_example_and_an_operation_with_its_kind_of_body() -> None:
    bodies = {operation.name: operation.request for operation in OPERATIONS}
    assert len(ASK_FORMS) == len(VERBS)
    for form in ASK_FORMS:
        ask = step(form.removeprefix("app: "))
        wanted = bodies[VERBS[ask.verb].operation]
        assert type(request_of(ask, HERE)) is (wanted or type(None)), form


def test_digits_are_tones() -> None:
    assert [TONES[digit] for digit in "09A#*"] == [Tone.ZERO, Tone.NINE, Tone.A, Tone.POUND, Tone.ASTERISK]


# Play


def test_play_to_everyone_and_to_some() -> None:
    request = asked("play text Press one")
    assert request.play_to is None
    assert request.play_sources[0].text.text == "Press one"
    assert request.play_options is None
    some = asked("play file https://app.example/a.wav | to +14255550201 | to 8:acs:a_b | loop | interrupt")
    assert [each.raw_id or each.phone_number.value for each in some.play_to] == ["+14255550201", "8:acs:a_b"]
    assert some.play_options.loop is True
    assert some.interrupt_call_media_operation is True
    assert some.play_sources[0].file.uri == "https://app.example/a.wav"


def test_several_sources_and_markup() -> None:
    markup = "<speak>a <mark name='x|y'/></speak>"
    request = asked(f"play ssml {markup} | then text Bye | then file https://app.example/b.wav")
    assert request.play_sources[0].ssml.ssml_text == markup
    assert [source.kind.value for source in request.play_sources] == ["ssml", "text", "file"]


def test_an_empty_text_can_be_asked_for() -> None:
    assert asked("play text").play_sources[0].text.text == ""


# Recognize


def test_recognize_digits() -> None:
    request = asked(
        "recognize dtmf 4 | stop #* | between 3 s | silence 7 s | no barge-in | interrupt | prompt text Now"
    )
    assert isinstance(request, RecognizeRequest)
    options = request.recognize_options
    assert request.recognize_input_type is RecognizeInputType.DTMF
    assert options.dtmf_options is not None
    assert options.dtmf_options.max_tones_to_collect == 4
    assert options.dtmf_options.stop_tones == [Tone.POUND, Tone.ASTERISK]
    assert options.dtmf_options.inter_tone_timeout_in_seconds == 3
    assert options.initial_silence_timeout_in_seconds == 7
    assert options.interrupt_prompt is False
    assert options.target_participant.phone_number is not None
    assert options.target_participant.phone_number.value == "+14255550200"
    assert request.interrupt_call_media_operation is True
    assert request.play_prompts is not None
    assert len(request.play_prompts) == 1


def test_recognize_choices() -> None:
    options = asked("recognize choices Sales=1 Support | from +14255550201").recognize_options
    assert [(choice.label, choice.phrases, choice.tone) for choice in options.choices] == [
        ("Sales", ["sales"], Tone.ONE),
        ("Support", ["support"], None),
    ]
    assert options.target_participant.phone_number.value == "+14255550201"
    assert options.dtmf_options is None


def test_recognize_speech_and_speech_or_digits() -> None:
    request = asked("recognize speech | end silence 700 ms")
    assert request.recognize_input_type is RecognizeInputType.SPEECH
    assert request.recognize_options.speech_options.end_silence_timeout_in_ms == 700
    assert request.recognize_options.dtmf_options is None
    both = asked("recognize speech or dtmf 2")
    assert both.recognize_input_type is RecognizeInputType.SPEECH_OR_DTMF
    assert both.recognize_options.dtmf_options.max_tones_to_collect == 2


# The rest


def test_digits_go_out_and_are_listened_for() -> None:
    sent = asked("send digits 1#")
    assert isinstance(sent, SendDtmfTonesRequest)
    assert sent.tones == [Tone.ONE, Tone.POUND]
    assert isinstance(asked("listen for digits"), ContinuousDtmfRecognitionRequest)
    assert asked("ignore digits +14255550201").target_participant.phone_number.value == "+14255550201"


def test_participants() -> None:
    added = asked("add +14255550201 | within 10 s")
    assert isinstance(added, AddParticipantRequest)
    assert added.invitation_timeout_in_seconds == 10
    assert added.source_caller_id_number is not None
    assert added.source_caller_id_number.value == "+14255550100"
    assert asked("add +14255550201 | as none").source_caller_id_number is None
    assert isinstance(asked("remove"), RemoveParticipantRequest)
    assert isinstance(asked("mute"), MuteParticipantsRequest)
    moved = asked("transfer to +14255550201 | whom +14255550200 | as +14255550109")
    assert isinstance(moved, TransferToParticipantRequest)
    assert moved.transferee is not None
    assert moved.source_caller_id_number is not None


def test_hold_with_and_without_music() -> None:
    assert asked("hold").play_source_info is None
    held = asked("hold | music file https://app.example/m.wav")
    assert isinstance(held, HoldRequest)
    assert held.play_source_info is not None
    assert isinstance(asked("unhold +14255550200"), UnholdRequest)


def test_recordings_and_transcriptions() -> None:
    request = asked("start recording | wav | unmixed | paused | callback https://app.example/recordings")
    assert request.recording_state_callback_uri == "https://app.example/recordings"
    assert (request.recording_format_type.value, request.recording_channel_type.value) == ("wav", "unmixed")
    assert request.pause_on_start is True
    assert request.call_locator.server_call_id == "server-call"
    assert asked("start recording").recording_format_type.value == "mp3"
    assert asked("start transcription de-DE").locale == "de-DE"
    assert asked("pause recording") is None


def test_a_withheld_caller_has_no_number() -> None:
    assert named("4:anonymous").raw_id == "4:anonymous"
    assert named("4:anonymous").phone_number is None


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("play", "'' is no prompt"),
        ("play file", "'file' is no prompt"),
        ("play tune C", "'tune C' is no prompt"),
        ("play text a | sideways", "'sideways' is no option of play"),
        ("play text a | to nobody", "'nobody' names nobody"),
        ("recognize", "cannot be recognized"),
        ("recognize dtmf x", "cannot be recognized"),
        ("recognize dtmf 4 | stop x", "'x' are no digits"),
        ("recognize dtmf 4 | between 1500 ms", "no whole number of seconds"),
        ("recognize dtmf 4 | between soon", "'soon' is no time"),
        ("recognize dtmf 4 | stop # | stop *", "'stop *' is no option of recognize"),
        ("send digits", "'' are no digits"),
        ("add", "names nobody"),
        ("transfer", "names nobody"),
        ("mute +14255550201 | loudly", "'loudly' is no option of mute"),
        ("cancel media now", "'now' after the verb"),
        ("start recording loudly", "'loudly' after the verb"),
    ],
)
def test_each_wrong_line_says_what_to_write(line: str, what: str) -> None:
    with pytest.raises(ScenarioError) as error:
        step(line)
    assert error.value.line == 2
    assert what in error.value.what
    assert error.value.instead


# Around the call


def test_waiting_for_an_event() -> None:
    (_, waits) = parse_scenario(f"{ANSWERS}app: wait for PlayCompleted\n").steps
    assert waits == AppAwait("PlayCompleted")
    with pytest.raises(ScenarioError, match="is no time"):
        parse_scenario("app: wait for the bus\n")


def test_calls_say_where_audio_goes() -> None:
    text = (
        "app: call from +14255550100 to +14255550200 | streaming wss://app.example/a now"
        " | transcription wss://app.example/t | speech https://speech.example\n"
    )
    (call,) = parse_scenario(text).steps
    assert isinstance(call, AppCall)
    assert write_scenario(parse_scenario(text)) == text
    media = media_options(call.options)
    assert media.streaming is not None
    assert (media.streaming.transport_url, media.streaming.start_media_streaming) == (
        "wss://app.example/a",
        True,
    )
    assert media.transcription is not None
    assert media.transcription.start_transcription is False
    assert media.intelligence is not None
    assert media.intelligence.cognitive_services_endpoint == "https://speech.example"


def test_answers_say_so_too() -> None:
    text = "carrier: call from +14255550200 to +14255550100\napp: answer | streaming wss://app.example/a\n"
    assert parse_scenario(text).steps[1] == AppAnswer(("streaming wss://app.example/a",))
    assert write_scenario(parse_scenario(text)) == text


@pytest.mark.parametrize(
    "options",
    [
        "loud",
        "streaming",
        "streaming app.example",
        "streaming wss://a later",
        "speech https://a now",
        "x y://z",
    ],
)
def test_each_wrong_option_of_a_call_is_named(options: str) -> None:
    with pytest.raises(ScenarioError, match="is no option of a call"):
        parse_scenario(f"app: call from none to +14255550200 | {options}\n")


def test_an_answer_takes_options_alone() -> None:
    with pytest.raises(ScenarioError, match="'loudly' after answer"):
        parse_scenario("carrier: call from +14255550200 to +14255550100\napp: answer loudly\n")
