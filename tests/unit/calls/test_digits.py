"""Digits that are sent, and digits that are heard one by one, beside everything else."""

import pytest

from media_scene import CALLEE, STRANGER, MediaScene, play
from onhook.acs.errors import ApiError
from onhook.acs.identifiers import communication_user
from onhook.acs.models import (
    CommunicationIdentifierModel,
    ContinuousDtmfRecognitionRequest,
    DtmfOptions,
    SendDtmfTonesRequest,
    SendDtmfTonesResult,
    Tone,
)
from onhook.calls.features.continuous_digits import START
from onhook.calls.features.feature import Operation
from onhook.calls.features.sending import MAX_TONES_SENT
from onhook.calls.features.tones import DIGITS, TONES
from onhook.effects import SendDigits
from onhook.facts import DigitsSent
from timelines import ANSWER

STOP = "stopContinuousDtmfRecognition"


def sending(
    *tones: Tone, to: CommunicationIdentifierModel = CALLEE, context: str = "dial"
) -> SendDtmfTonesRequest:
    return SendDtmfTonesRequest(tones=list(tones), target_participant=to, operation_context=context)


def hearing(
    of: CommunicationIdentifierModel = CALLEE, context: str = "keys", callback: str | None = None
) -> ContinuousDtmfRecognitionRequest:
    return ContinuousDtmfRecognitionRequest(
        target_participant=of, operation_context=context, operation_callback_uri=callback
    )


def sent(scene: MediaScene, action: str, fault: str = "") -> None:
    scene.tells(DigitsSent(at=scene.now, action=action, digits="1", fault=fault))


def keys(scene: MediaScene) -> list[tuple[int, str]]:
    kind = "ContinuousDtmfRecognitionToneReceived"
    return [(each.data["sequenceId"], each.data["tone"]) for each in scene.events if each.type == kind]


def test_every_tone_has_its_digit() -> None:
    assert set(DIGITS) == set(Tone)
    assert "".join(TONES) == "0123456789ABCD#*"


class TestSending:
    def test_tones_go_out_as_digits_and_are_told_as_sent(self) -> None:
        scene = MediaScene()
        action = scene.ask("sendDtmfTones", sending(Tone.ZERO, Tone.POUND, Tone.ASTERISK, Tone.B))
        assert scene.effects(SendDigits) == [SendDigits(action, scene.room, scene.leg, "0#*B")]
        assert scene.told == []
        sent(scene, action)
        assert (scene.told, scene.result) == (["SendDtmfTonesCompleted"], (200, 0))
        assert scene.told_of()["operationContext"] == "dial"

    def test_the_answer_repeats_the_context(self) -> None:
        scene = MediaScene()
        feature = scene.call.feature_for("sendDtmfTones")
        for request, context in ((sending(Tone.ONE), "dial"), (sending(Tone.ONE, context=""), None)):
            asked = Operation("sendDtmfTones", scene.call.connections[0], request, "a")
            assert feature.reply(asked) == SendDtmfTonesResult(operation_context=context)
        assert feature.reply(Operation("play", scene.call.connections[0], play(), "a")) is None

    def test_a_far_end_that_takes_none_fails_it(self) -> None:
        scene = MediaScene()
        action = scene.ask("sendDtmfTones", sending(Tone.ONE))
        sent(scene, action, "its description has no telephone-event")
        assert (scene.told, scene.result) == (["SendDtmfTonesFailed"], (405, 8520))
        assert "no telephone-event" in scene.told_of()["resultInformation"]["message"]

    def test_nothing_but_the_end_takes_them_back(self) -> None:
        scene = MediaScene()
        action = scene.ask("sendDtmfTones", sending(Tone.ONE))
        scene.ask("cancelAllMediaOperations")
        with pytest.raises(ApiError) as refused:
            scene.plays(play(CALLEE, interrupt=True))
        assert (refused.value.status, refused.value.code) == (412, "8583")
        assert "sendDtmfTones" in refused.value.message
        assert scene.told == []
        scene.asked("BYE")
        assert scene.ended == [(action, "cut-off")]
        assert scene.told == ["SendDtmfTonesFailed", "CallDisconnected"]

    def test_one_at_a_time_and_beside_what_is_for_all(self) -> None:
        scene = MediaScene()
        scene.plays()
        first = scene.ask("sendDtmfTones", sending(Tone.ONE))
        with pytest.raises(ApiError, match="does not go with sendDtmfTones"):
            scene.ask("sendDtmfTones", sending(Tone.TWO))
        sent(scene, first)
        scene.ask("sendDtmfTones", sending(Tone.TWO))
        assert [each.digits for each in scene.effects(SendDigits)] == ["1", "2"]

    def test_facts_of_others_change_nothing(self) -> None:
        scene = MediaScene()
        action = scene.ask("sendDtmfTones", sending(Tone.ONE))
        sent(scene, "another")
        scene.presses("1").starts(action)
        assert scene.told == []

    @pytest.mark.parametrize("count", [0, MAX_TONES_SENT + 1])
    def test_only_so_many(self, count: int) -> None:
        scene = MediaScene()
        with pytest.raises(ApiError) as refused:
            scene.ask("sendDtmfTones", sending(*[Tone.ONE] * count))
        assert (refused.value.code, refused.value.target) == ("8523", "$.tones")

    def test_to_telephones_in_the_call_only(self) -> None:
        scene = MediaScene()
        second = scene.joins()
        for target in (STRANGER, communication_user(second.user)):
            with pytest.raises(ApiError) as refused:
                scene.ask("sendDtmfTones", sending(Tone.ONE, to=target))
            assert (refused.value.code, refused.value.target) == ("8523", "$.targetParticipant")


class TestContinuous:
    def test_each_key_is_told_with_its_number_until_it_is_stopped(self) -> None:
        scene = MediaScene()
        action = scene.ask(START, hearing(callback="https://keys.example/hook"))
        scene.presses("1", "#", "A", leg="").presses("9", leg="another")
        assert keys(scene) == [(1, "one"), (2, "pound"), (3, "a")]
        assert {event.callback_uri for event in scene.events} == {"https://keys.example/hook"}
        assert scene.told_of()["operationContext"] == "keys"
        assert scene.result == (200, 0)
        scene.ask(STOP, hearing(context="enough"))
        assert scene.told[-1] == "ContinuousDtmfRecognitionStopped"
        assert scene.told_of()["operationContext"] == "enough"
        assert scene.events[-1].callback_uri == "https://app.example/events"
        assert scene.ended == [(action, "done")]
        scene.presses("2")
        assert len(keys(scene)) == 3

    def test_a_recognize_hears_the_same_keys(self) -> None:
        scene = MediaScene()
        scene.ask(START, hearing())
        scene.recognizes(dtmf_options=DtmfOptions(max_tones_to_collect=2))
        scene.presses("1", "2")
        assert keys(scene) == [(1, "one"), (2, "two")]
        assert scene.told.count("RecognizeCompleted") == 1

    def test_everything_may_begin_beside_it(self) -> None:
        scene = MediaScene()
        scene.ask(START, hearing())
        one = scene.plays(play(CALLEE))
        scene.ends(one)
        scene.ask("sendDtmfTones", sending(Tone.ONE))
        scene.plays()
        scene.ask("cancelAllMediaOperations")
        scene.presses("1")
        assert keys(scene) == [(1, "one")]

    def test_it_may_not_begin_beside_what_is_for_its_participant(self) -> None:
        scene = MediaScene()
        one = scene.plays(play(CALLEE))
        with pytest.raises(ApiError) as refused:
            scene.ask(START, hearing())
        assert (refused.value.status, refused.value.code) == (412, "8583")
        scene.ends(one)
        scene.ask(START, hearing())

    def test_started_anew_it_goes_on_counting(self) -> None:
        scene = MediaScene()
        scene.ask(START, hearing())
        scene.presses("1")
        scene.ask(START, hearing(context="again"))
        scene.presses("2")
        assert keys(scene) == [(1, "one"), (2, "two")]
        assert scene.told_of()["operationContext"] == "again"

    def test_each_application_has_its_own(self) -> None:
        scene = MediaScene()
        second = scene.joins()
        scene.ask(START, hearing())
        scene.ask(START, hearing(), by=second)
        scene.presses("1")
        assert [event.connection for event in scene.events] == [scene.room, "second"]
        scene.leaves(second)
        told = [event.type for event in scene.events if event.connection == "second"]
        assert told[-2:] == ["ContinuousDtmfRecognitionStopped", "CallDisconnected"]
        scene.presses("2")
        assert keys(scene)[-1] == (2, "two")

    @pytest.mark.parametrize("group", [True, False])
    def test_it_says_that_it_stopped_when_its_participant_is_gone(self, *, group: bool) -> None:
        scene = MediaScene()
        if group:
            scene.joins()
        action = scene.ask(START, hearing())
        scene.asked("BYE")
        assert scene.ended == [(action, "cut-off")]
        assert scene.told[0] == "ContinuousDtmfRecognitionStopped"

    def test_a_far_end_that_sends_none_is_told_at_once(self) -> None:
        scene = MediaScene(ANSWER)
        action = scene.ask(START, hearing())
        assert scene.told == ["ContinuousDtmfRecognitionToneFailed"]
        assert scene.result == (405, 8520)
        assert scene.ended == [(action, "digits-unheard")]
        with pytest.raises(ApiError):
            scene.ask(STOP, hearing())

    def test_what_does_not_run_cannot_be_stopped(self) -> None:
        scene = MediaScene()
        with pytest.raises(ApiError) as refused:
            scene.ask(STOP, hearing())
        assert (refused.value.status, refused.value.code) == (400, "8500")
        with pytest.raises(ApiError):
            scene.ask(START, hearing(STRANGER))

    def test_it_is_replayed_from_its_facts(self) -> None:
        scene = MediaScene()
        scene.ask(START, hearing())
        action = scene.ask("sendDtmfTones", sending(Tone.ONE, Tone.TWO))
        scene.presses("1").wait(1)
        sent(scene, action)
        scene.presses("2").wait(1).asked("BYE")
        scene.check_replay()
